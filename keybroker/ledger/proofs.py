"""Is this leaf in that tree, and does that tree extend this one? RFC 9162 sections 2.1.3 and 2.1.4. Pure.

A proof is a list of the root hashes (32 octets each) of perfect subtrees and of one ragged right edge, from the leaves
upwards. Whoever makes one gives ``Subtree``: the hash of a perfect subtree, by its height and its place in the row of
that height. Whoever verifies one needs the proof and the roots alone; the ledger is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from keybroker.errors import ProofUnfit
from keybroker.ledger.merkle import EMPTY_ROOT, HASH_OCTETS, node_hash

Subtree = Callable[[int, int], bytes]
"""``subtree(height, place)``: MTH of the 2**height leaves from ``place * 2**height`` on; height 0 is a leaf hash."""

MOST_HASHES = 64
"""In a tree of fewer than 2**64 leaves."""


def inclusion_proof(leaf_index: int, tree_size: int, subtree: Subtree) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1 for the leaf at ``leaf_index`` (from 0) in the tree of ``tree_size`` leaves.

    Raises: ValueError unless 0 <= leaf_index < tree_size.
    """
    if not 0 <= leaf_index < tree_size:
        raise ValueError(f"expected a leaf of a tree of {tree_size}, found {leaf_index}")
    return [_hash(start, end, subtree) for start, end in _siblings(leaf_index, 0, tree_size)]


def consistency_proof(first: int, second: int, subtree: Subtree) -> list[bytes]:
    """PROOF of RFC 9162 section 2.1.4.1 that the tree of ``second`` leaves extends the one of ``first``.

    Empty where they are one tree, and from the empty tree, which every tree extends.
    Raises: ValueError unless 0 <= first <= second.
    """
    if not 0 <= first <= second:
        raise ValueError(f"expected a size of 0 to {second}, found {first}")
    if first in (0, second):
        return []
    # The largest perfect subtree at the first tree's right edge: the verifier begins with it.
    width = first & -first
    path = list(_siblings_of_subtree(first - width, width, 0, second))
    own = [] if width == first else [(first - width, first)]
    return [_hash(start, end, subtree) for start, end in (*own, *path)]


def root_hash(tree_size: int, subtree: Subtree) -> bytes:
    """MTH of the first ``tree_size`` leaves (RFC 9162 section 2.1.1)."""
    return _hash(0, tree_size, subtree) if tree_size else EMPTY_ROOT


def check_inclusion(leaf: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: ``leaf`` is a leaf hash (32 octets). Raises: ProofUnfit."""
    _check_form((leaf, *proof))
    if not 0 <= leaf_index < tree_size:
        raise ProofUnfit(f"expected a leaf of a tree of {tree_size}, found leaf {leaf_index}")
    place, last, reached = leaf_index, tree_size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofUnfit(f"expected a shorter proof for a tree of {tree_size}, found {len(proof)} hashes")
        if place & 1 or place == last:
            reached = node_hash(sibling, reached)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        place, last = place >> 1, last >> 1
    if last or reached != root:
        raise ProofUnfit(f"leaf {leaf_index} is not proven to be in the tree of {tree_size} with root {root.hex()}")


def check_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2: the tree of ``second`` leaves extends that of ``first``. Raises: ProofUnfit."""
    _check_form(proof)
    if not 0 <= first <= second:
        raise ProofUnfit(f"expected a tree of at least {first} leaves, found one of {second}")
    if first in (0, second):
        _check_trivial(first, second, proof, first_root, second_root)
        return
    if roots_reached(first, second, proof, first_root) != (first_root, second_root):
        raise ProofUnfit(
            f"the tree of {second} leaves with root {second_root.hex()} is not proven to extend that of {first} with"
            f" root {first_root.hex()}"
        )


def roots_reached(first: int, second: int, proof: Sequence[bytes], first_root: bytes) -> tuple[bytes, bytes]:
    """Where a consistency proof leads, from 0 < first < second: to a root of the first tree, and to one of the second.

    One that leads to the second tree's root and to another first root shows that the second tree does not extend the
    first: it is proof of a fork. Raises: ProofUnfit where there are too few hashes, or too many.
    """
    # A first tree that is one perfect subtree is not in its own proof.
    hashes = iter((first_root, *proof) if first & (first - 1) == 0 else proof)
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = next(hashes, b"")
    for each in hashes:
        if last == 0:
            raise ProofUnfit(f"expected a shorter proof from {first} to {second} leaves, found {len(proof)} hashes")
        if place & 1 or place == last:
            older, newer = node_hash(each, older), node_hash(each, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, each)
        place, last = place >> 1, last >> 1
    if last or not older:
        raise ProofUnfit(f"expected a longer proof from {first} to {second} leaves, found {len(proof)} hashes")
    return older, newer


def _check_trivial(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """One tree, or the empty one: there is nothing to prove, and the roots must say so."""
    known = second_root if first == second else EMPTY_ROOT
    wrong = first_root != known or (second == 0 and second_root != EMPTY_ROOT)
    if proof or wrong:
        raise ProofUnfit(
            f"from {first} to {second} leaves: expected no hashes and root {known.hex()}, found {len(proof)} and"
            f" {first_root.hex()}"
        )


def _check_form(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MOST_HASHES + 1 or any(len(each) != HASH_OCTETS for each in hashes):
        raise ProofUnfit(f"expected at most {MOST_HASHES} hashes of {HASH_OCTETS} octets, found others")


def _siblings(leaf_index: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    return _siblings_of_subtree(leaf_index, 1, start, end)


def _siblings_of_subtree(start_of_it: int, width: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The other halves on the way down to the perfect subtree at ``start_of_it``, lowest first, as ranges of leaves."""
    others: list[tuple[int, int]] = []
    while end - start > width:
        split = start + _split(end - start)
        if start_of_it < split:
            others.append((split, end))
            end = split
        else:
            others.append((start, split))
            start = split
    return reversed(others)


def _split(width: int) -> int:
    """The largest power of two smaller than ``width`` (RFC 9162 section 2.1.1)."""
    return 1 << (width - 1).bit_length() - 1


def _hash(start: int, end: int, subtree: Subtree) -> bytes:
    """MTH of a range of leaves that a tree splits off: perfect, or the ragged right edge."""
    width = end - start
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return subtree(height, start >> height)
    split = start + _split(width)
    return node_hash(_hash(start, split, subtree), _hash(split, end, subtree))
