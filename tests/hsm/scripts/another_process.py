"""LABEL SERIAL: make a key and keep two heads, as another worker or the command line would; prints the key's point."""

from __future__ import annotations

import sys

from keybroker.hsm.generate import generate_key
from keybroker.terms import KeyLabel
from tests.hsm.heads import a_head
from tests.hsm.tokens import SOFTHSM, TokenPlace, packaged_profile
from tests.situations import a_policy


def main(label: str, serial: str) -> None:
    token = TokenPlace(packaged_profile("softhsm2"), SOFTHSM, label, serial, {}).open()
    print(generate_key(token, KeyLabel("made-elsewhere"), a_policy()).hex())
    token.write_anchor(a_head(50))
    token.write_anchor(a_head(60))
    token.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
