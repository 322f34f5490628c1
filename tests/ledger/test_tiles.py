"""Tiles as C2SP tlog-tiles lays them out: its own examples, pymerkle's roots from what is in them, and bad octets."""

from __future__ import annotations

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.errors import ConfigurationInvalid, LedgerBroken, ProofUnfit
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.proofs import inclusion_proof, root_hash
from keybroker.ledger.tiles import (
    WIDTH,
    Tile,
    decode_entries,
    decode_hashes,
    encode_entries,
    encode_hashes,
    is_path,
    tiles_of,
)
from keybroker.ledger.tree import Tree

MOST = 1200
LEAVES = [leaf_hash(b"%d" % number) for number in range(MOST)]


def a_tree() -> Tree:
    return Tree(lambda first, count: LEAVES[first : first + count])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Checkpoint",
        "checkpoint/",
        "tile/8/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/data/000",
        "tile/0/../../keybroker.toml",
        "tile/0/000\n",
    ],
)
def test_refuses_a_path_that_no_log_has(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize("octets", [bytes(31), bytes(33), bytes(96), b""])
def test_refuses_a_tile_of_another_width(octets: bytes) -> None:
    with pytest.raises(ProofUnfit, match="2 hashes"):
        decode_hashes(octets, 2)


@given(st.lists(st.binary(max_size=300), max_size=20), st.data())
def test_reads_the_entries_it_wrote_and_refuses_them_cut_short_or_of_another_number(
    records: list[bytes], data: st.DataObject
) -> None:
    octets = encode_entries(records)
    assert decode_entries(octets, len(records)) == records
    with pytest.raises(ProofUnfit):
        decode_entries(octets, len(records) + 1)
    if octets:
        cut = data.draw(st.integers(0, len(octets) - 1))
        with pytest.raises(ProofUnfit):
            decode_entries(octets[:cut], len(records))


def test_refuses_to_publish_an_entry_that_is_longer_than_its_length_can_tell() -> None:
    assert len(encode_entries([bytes(65_535)])) == 65_537
    with pytest.raises(ConfigurationInvalid, match="65536 octets"):
        encode_entries([bytes(65_536)])


def test_names_a_missing_record_instead_of_hashing_what_is_left() -> None:
    tree = Tree(lambda first, count: LEAVES[first : min(first + count, 300)])
    with pytest.raises(LedgerBroken, match="from 256 on, found 44"):
        root_hash(512, tree.subtree(512))


def test_has_the_paths_of_the_specification() -> None:
    assert Tile(level=0, number=1234067, width=WIDTH).path == "tile/0/x001/x234/067"
    assert Tile(level=2, number=0, width=1).path == "tile/2/000.p/1"
    assert Tile(level=0, number=273, width=112).entries_path == "tile/entries/273.p/112"


def test_a_tree_of_70000_has_the_tiles_that_the_specification_says() -> None:
    tiles = list(tiles_of(70_000))
    told = [(tile.level, tile.width) for tile in tiles]
    assert told.count((0, 256)) == 273
    assert told[273:] == [(0, 112), (1, 256), (1, 17), (2, 1)]
    assert [tile.path for tile in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]


@given(st.integers(0, 70_000), st.integers(0, 600))
@settings(max_examples=50)
def test_what_is_written_behind_an_earlier_size_is_what_was_missing(size: int, more: int) -> None:
    paths = {tile.path for tile in tiles_of(size + more)}
    added = [tile.path for tile in tiles_of(size + more, after=size)]
    assert set(added) <= paths
    assert paths - set(added) <= {tile.path for tile in tiles_of(size)}
    assert all(is_path(path) for path in added)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 600, 1200])
def test_pymerkle_finds_the_same_root_and_proof_from_the_leaves_in_the_tiles(size: int) -> None:
    tree, oracle = a_tree(), pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        oracle.append_entry(b"%d" % number)
    read = {tile.path: encode_hashes(tree.hashes(tile)) for tile in tiles_of(size)}
    leaves = [each for tile in tiles_of(size) if tile.level == 0 for each in decode_hashes(read[tile.path], tile.width)]
    assert leaves == LEAVES[:size]
    assert root_hash(size, tree.subtree(size)) == oracle.get_root(size)
    proof = inclusion_proof(size // 2, size, tree.subtree(size))
    assert [LEAVES[size // 2], *proof] == oracle.prove_inclusion(size // 2 + 1, size).path
