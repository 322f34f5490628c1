"""LIBRARY LABEL PIN: give a new NSS database its user PIN. A new one needs an SO login with an empty PIN first."""

import os
import sys

from pkcs11 import _pkcs11

from keybroker.hsm.function_list import FunctionList
from tests.hsm.tokens import packaged_profile


class _Library(_pkcs11.lib):
    def initialize(self) -> None:
        """Done by the function list."""


def main(library: str, label: str, pin: str) -> None:
    parameters = packaged_profile("nss-softokn").library.initialise_parameters.format_map(os.environ)
    FunctionList(library, holds_gil=True, corrections={}).initialize(parameters.encode())
    tokens = (slot.get_token() for slot in _Library(library).get_slots(token_present=True))
    (token,) = (token for token in tokens if token.label == label)
    session = token.open(rw=True, so_pin="")
    session.init_pin(pin)
    session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
