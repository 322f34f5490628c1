"""The head's octets: four lines, and nothing else."""

from __future__ import annotations

import pytest

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.anchor import decode_head, encode_head
from tests.hsm.heads import a_head

GOOD = encode_head(a_head(7))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        GOOD + b"\n",
        GOOD[:-1],
        GOOD.replace(b"\n7\n", b"\n07\n"),
        GOOD.replace(b"\n7\n", b"\n-7\n"),
        GOOD.replace(b"\n7\n", b"\nseven\n"),
        GOOD.replace(b"00" * 32, b"00" * 31),
        GOOD.replace(b"+00:00", b"Z"),
        GOOD.replace(b"keybroker", "kéybroker".encode()),
    ],
)
def test_refuses_octets_that_are_not_exactly_a_head(octets: bytes) -> None:
    with pytest.raises(ModuleDisagrees):
        decode_head(octets)


def test_reads_what_it_wrote() -> None:
    assert decode_head(GOOD) == a_head(7)
