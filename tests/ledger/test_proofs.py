"""Proofs against pymerkle's and against RFC 9162's own examples; a proof with one octet changed proves nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ProofUnfit
from keybroker.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash
from keybroker.ledger.proofs import (
    Subtree,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    root_hash,
)

MOST = 300


def _leaf(number: int) -> bytes:
    return leaf_hash(f"record {number}".encode())


LEAVES = [_leaf(number) for number in range(MOST)]
_known: dict[tuple[int, int], bytes] = {}


def subtree(height: int, place: int) -> bytes:
    """Of the leaves above, by the definition."""
    if height == 0:
        return LEAVES[place]
    if (height, place) not in _known:
        _known[height, place] = node_hash(subtree(height - 1, 2 * place), subtree(height - 1, 2 * place + 1))
    return _known[height, place]


@pytest.fixture(scope="module")
def oracle() -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(MOST):
        tree.append_entry(f"record {number}".encode())
    return tree


def of_letters() -> tuple[Subtree, dict[str, bytes]]:
    """The seven leaves of RFC 9162 section 2.1.5, and its names for the nodes: a to l."""
    leaves = [leaf_hash(bytes([number])) for number in range(7)]

    def hashed(height: int, place: int) -> bytes:
        if height == 0:
            return leaves[place]
        return node_hash(hashed(height - 1, 2 * place), hashed(height - 1, 2 * place + 1))

    names = dict(zip("abcdefj", leaves, strict=True))
    names |= {"g": hashed(1, 0), "h": hashed(1, 1), "i": hashed(1, 2), "k": hashed(2, 0)}
    names["l"] = node_hash(names["i"], names["j"])
    return hashed, names


def spoilt(proof: Sequence[bytes]) -> list[list[bytes]]:
    """Each octet of each hash changed, each hash left out, given twice or cut short, two changed for each other."""
    bad = []
    for number, each in enumerate(proof):
        before, after = list(proof[:number]), list(proof[number + 1 :])
        bad += [[*before, each[:at] + bytes([each[at] ^ 1]) + each[at + 1 :], *after] for at in range(len(each))]
        bad += [[*before, *after], [*before, each, each, *after], [*before, each[:-1], *after]]
        if after and after[0] != each:
            bad.append([*before, after[0], each, *after[1:]])
    return [*bad, [*proof, bytes(32)]]


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (5, 6), (4, 7), (6, 7), (0, 8), (130, 259), (298, 299)])
def test_refuses_an_inclusion_proof_of_which_anything_is_changed(index: int, size: int) -> None:
    proof, root = inclusion_proof(index, size, subtree), root_hash(size, subtree)
    check_inclusion(LEAVES[index], index, size, proof, root)
    for bad in spoilt(proof):
        with pytest.raises(ProofUnfit):
            check_inclusion(LEAVES[index], index, size, bad, root)
    # A size that is another may have the same proof and root (RFC 9162 signs it with the root); a leaf may not.
    for leaf, at, under in [
        (LEAVES[index + 1], index, root),
        (LEAVES[index], index, LEAVES[3]),
        (LEAVES[index], size, root),
        (LEAVES[index], -1, root),
    ]:
        with pytest.raises(ProofUnfit):
            check_inclusion(leaf, at, size, proof, under)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 3), (3, 7), (4, 7), (6, 8), (8, 8), (0, 5), (255, 299)])
def test_refuses_a_consistency_proof_of_which_anything_is_changed(first: int, second: int) -> None:
    proof = consistency_proof(first, second, subtree)
    roots = root_hash(first, subtree), root_hash(second, subtree)
    check_consistency(first, second, proof, *roots)
    for bad in spoilt(proof):
        with pytest.raises(ProofUnfit):
            check_consistency(first, second, bad, *roots)
    for older, newer in [(LEAVES[0], roots[1]), (roots[0], LEAVES[1])]:
        # Nothing can be shown against whatever follows the empty tree.
        if (older, newer) != roots and (first or older != roots[0]):
            with pytest.raises(ProofUnfit):
                check_consistency(first, second, proof, older, newer)
    with pytest.raises(ProofUnfit, match="at least"):
        check_consistency(second + 1, second, proof, *roots)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4)])
def test_makes_no_inclusion_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="leaf"):
        inclusion_proof(index, size, subtree)


@pytest.mark.parametrize(("first", "second"), [(2, 1), (-1, 4)])
def test_makes_no_consistency_proof_for_a_tree_that_shrank(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="size"):
        consistency_proof(first, second, subtree)


def test_everything_extends_the_empty_tree_and_only_it() -> None:
    check_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    check_consistency(0, 7, [], EMPTY_ROOT, root_hash(7, subtree))
    for roots in [(LEAVES[0], LEAVES[0]), (EMPTY_ROOT, LEAVES[0])]:
        with pytest.raises(ProofUnfit):
            check_consistency(0, 0, [], *roots)


def test_gives_the_proofs_of_rfc_9162_section_2_1_5() -> None:
    hashed, names = of_letters()
    for index, letters in {0: "bhl", 3: "cgl", 4: "fjk", 6: "ik"}.items():
        assert inclusion_proof(index, 7, hashed) == [names[letter] for letter in letters]
    for first, letters in {3: "cdgl", 4: "l", 6: "ijk"}.items():
        assert consistency_proof(first, 7, hashed) == [names[letter] for letter in letters]


@given(st.integers(1, MOST), st.data())
def test_proofs_of_every_size_verify_and_are_pymerkles(
    oracle: pymerkle.InmemoryTree, size: int, data: st.DataObject
) -> None:
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = root_hash(size, subtree)
    assert root == oracle.get_root(size)
    proof = inclusion_proof(index, size, subtree)
    check_inclusion(LEAVES[index], index, size, proof, root)
    # pymerkle puts what is proven before the hashes that prove it.
    assert [LEAVES[index], *proof] == oracle.prove_inclusion(index + 1, size).path
    proof = consistency_proof(first, size, subtree)
    earlier = root_hash(first, subtree)
    check_consistency(first, size, proof, earlier, root)
    # pymerkle folds other subtrees than the RFC: its own proof must hold between our roots.
    pymerkle.verify_consistency(earlier, root, oracle.prove_consistency(first, size))


@given(st.integers(1, 64))
def test_every_pair_of_sizes_is_consistent_and_every_leaf_in_its_tree(size: int) -> None:
    root = root_hash(size, subtree)
    for earlier in range(size):
        check_inclusion(LEAVES[earlier], earlier, size, inclusion_proof(earlier, size, subtree), root)
        check_consistency(earlier, size, consistency_proof(earlier, size, subtree), root_hash(earlier, subtree), root)
