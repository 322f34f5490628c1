"""The tree against RFC 9162's definition, written here a second time and recursively."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


@pytest.mark.parametrize(("size", "octets"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (-1, b""), (2, bytes(31))])
def test_refuses_a_frontier_that_does_not_fit_its_size(size: int, octets: bytes) -> None:
    with pytest.raises(ValueError, match="subtrees"):
        Frontier.from_octets(size, octets)


@given(st.lists(st.binary(max_size=8), max_size=70), st.integers(min_value=0, max_value=70))
def test_has_the_root_that_the_rfc_defines_wherever_it_is_put_down_and_taken_up(leaves: list[bytes], cut: int) -> None:
    frontier = Frontier()
    frontier.extend(leaf_hash(leaf) for leaf in leaves[:cut])
    frontier = Frontier.from_octets(frontier.size, frontier.to_octets())
    frontier.extend(leaf_hash(leaf) for leaf in leaves[cut:])
    assert frontier.size == len(leaves)
    assert frontier.root() == defined_root(leaves)


def test_knows_the_published_roots() -> None:
    # The known answers of certificate-transparency's own tests: eight inputs.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    frontier = Frontier()
    frontier.extend(leaf_hash(bytes.fromhex(octets)) for octets in inputs)
    assert frontier.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
