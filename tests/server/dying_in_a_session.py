"""A worker that dies by SIGKILL between two steps in the life of a session's key.

``python -m … LIBRARY LABEL SERIAL DIRECTORY WHEN HANDSHAKE``; WHEN is what it has done by then.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from keybroker.hsm.opening import open_token
from keybroker.hsm.session_keys import make_session_key
from keybroker.keys.acts import RetireKey, SessionKeyMade
from keybroker.terms import DeploymentKind, KeyPurpose
from tests.hsm.tokens import PIN, packaged_profile
from tests.server.session_keys import a_place
from tests.situations import packaged_policies


def main(library: str, label: str, serial: str, directory: str, when: str, handshake: str) -> None:
    token = open_token(
        packaged_profile("softhsm2"),
        library=library,
        token_label=label,
        token_serial=serial,
        pin=lambda: PIN,
        sessions=1,
        policies=packaged_policies(),
        deployment=DeploymentKind.TEST,
    )
    with a_place(token, Path(directory), worker="worker-9") as place:
        act = place.orders(int(handshake))
        if when != "ordered":
            make_session_key(token, act.label, packaged_policies()[KeyPurpose.S1SP_SMETS1], act.public_key)
        if when == "ended":
            place.does(SessionKeyMade(label=act.label))
            place.does(RetireKey(label=act.label, because="its end"))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
