"""Changes the PIN of a development deployment's token, as an operator of the token would, while its broker runs.

python -m tests.server.another_pin LIBRARY TOKEN_SERIAL NEW_PIN, the PIN in KEYBROKER_PIN and SOFTHSM2_CONF set.
"""

from __future__ import annotations

import os
import sys

import pkcs11


def main() -> None:
    library, serial, new = sys.argv[1:]
    token = pkcs11.lib(library).get_token(token_serial=serial.encode())
    old = os.environ["KEYBROKER_PIN"]
    with token.open(rw=True, user_pin=old) as session:
        session.set_pin(old, new)


if __name__ == "__main__":
    main()
