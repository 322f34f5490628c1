"""Uses a second that are no signature, on SoftHSM and in NSS softokn (docs/hsm.md). Not a test; takes 10 s."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from keybroker.content.use import MacCheckUse, MacUse, OpeningUse, ProtectionUse
from keybroker.hsm.connection import Connection
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.processing import Processing
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.token import Pkcs11Connection
from tests.hsm.tokens import NSS, PIN, make_nss, make_softhsm
from tests.hsm.uses import DERIVING, IV, Device, an_agreement

_SECONDS = 1.0
_MESSAGE = bytes(300)


def main() -> None:
    for make, strategies in (
        (make_softhsm, ((MacStrategy.DIGEST_KEY, 0), (MacStrategy.DIGEST_KEY, 64))),
        *(
            [(make_nss, ((MacStrategy.IN_MODULE_CONCATENATION, 0), (MacStrategy.IN_MODULE_CONCATENATION, 64)))]
            * bool(NSS)
        ),
    ):
        with tempfile.TemporaryDirectory() as directory:
            place = make(Path(directory) / "place")
            os.environ.update(place.environment)
            connection = Pkcs11Connection(
                place.profile, library=place.library, label=place.label, serial=place.serial, pin=lambda: PIN
            )
            connection.connect()
            for strategy, kept in strategies:
                changes = {"strategy": strategy, "agreed_secrets": kept, "agreed_secret_seconds": 300}
                profile = replace(place.profile, mac=place.profile.mac.model_copy(update=changes))
                _measure(f"{profile.name}, {strategy}, {kept} Z kept", connection, profile)


def _measure(what: str, connection: Connection, profile: Profile) -> None:
    session = connection.login_session()
    process = Processing(session, profile).process
    handle, point, destroy = connection.generate_session_pair("measured", DERIVING)
    held, agreement = HeldKey(handle=handle, identity=point), an_agreement()
    mac = MacUse(agreement=agreement, initialisation_vector=IV, authenticated=_MESSAGE, tag_octets=12)
    tag = Device(point).mac(agreement, _MESSAGE)
    check = MacCheckUse(agreement=agreement, initialisation_vector=IV, authenticated=_MESSAGE, tag=tag)
    secret = HeldKey(handle=session.generate_aes_key(), identity=bytes(20), authentication=bytes(16))
    protection = ProtectionUse(initialisation_vector=IV, authenticated=b"\x30", plaintext=_MESSAGE)
    (octets,) = process(protection, secret)
    opening = OpeningUse(initialisation_vector=IV, authenticated=b"\x30", ciphertext=octets[4:-12], tag=octets[-12:])
    for name, use, key in (
        ("MAC made and checked", mac, held),
        ("MAC checked", check, held),
        ("protected and opened again", protection, secret),
        ("opened", opening, secret),
    ):
        print(f"{what:52} {name:28} {_rate(lambda use=use, key=key: process(use, key)):8.0f}/s")  # type: ignore[misc]
    destroy()


def _rate(use: Callable[[], object]) -> float:
    use()
    start, made = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS:
        use()
        made += 1
    return made / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
