"""One target under libFuzzer, in a process of its own; its arguments are the target and libFuzzer's own."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["keybroker"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]

    def one_input(octets: bytes) -> None:
        target.try_with(octets)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
