"""A proof as a file: the specification's example, every octet changed, and what it is checked against."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ContentMalformed, KeybrokerError, NoteUnfit, ProofUnfit
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.note_keys import read_vkey
from keybroker.ledger.proof_form import TlogProof, check_proof, read_proof, write_proof
from keybroker.ledger.proofs import inclusion_proof
from tests.client.a_log import ALog

RECORDS = [f"record {number}" for number in range(7)]
LOG = ALog()
LOG.append(*RECORDS)
LEAF = leaf_hash(b"record 4")
KEY = read_vkey(LOG.vkey)
GOOD = TlogProof(leaf_index=4, hashes=tuple(inclusion_proof(4, 7, LOG.subtree)), note=LOG.note(7))
OCTETS = write_proof(GOOD)

MALFORMED = {
    "nothing": b"",
    "another first line": OCTETS.replace(b"@v1", b"@v2", 1),
    "extra data, which nothing authenticates": OCTETS.replace(b"index", b"extra YQ==\nindex", 1),
    "no index": OCTETS.replace(b"index 4\n", b"", 1),
    "a leading zero": OCTETS.replace(b"index 4", b"index 04", 1),
    "a negative index": OCTETS.replace(b"index 4", b"index -4", 1),
    "no checkpoint": OCTETS.partition(b"\n\n")[0] + b"\n\n",
    "an empty line less": OCTETS.replace(b"\n\n", b"\n", 1),
    "a hash that is too long": OCTETS.replace(b"index 4\n", b"index 4\n" + b"A" * 44 + b"AA==\n", 1),
    "too many hashes": OCTETS.replace(b"index 4\n", b"index 4\n" + (b"A" * 43 + b"=\n") * 65, 1),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refuses_what_is_no_proof(name: str) -> None:
    with pytest.raises(ContentMalformed):
        read_proof(MALFORMED[name])


def test_refuses_a_proof_of_which_any_octet_is_changed_or_its_end_is_missing() -> None:
    for at in range(len(OCTETS)):
        spoilt = OCTETS[:at] + bytes([OCTETS[at] ^ 1]) + OCTETS[at + 1 :]
        for octets in (spoilt, OCTETS[:at]):
            with pytest.raises(KeybrokerError):
                check_proof(read_proof(octets), LEAF, KEY)


def test_refuses_another_record_another_place_and_another_ledgers_key() -> None:
    with pytest.raises(ProofUnfit):
        check_proof(GOOD, leaf_hash(b"record 5"), KEY)
    with pytest.raises(ProofUnfit):
        check_proof(replace(GOOD, leaf_index=5), LEAF, KEY)
    with pytest.raises(NoteUnfit):
        check_proof(GOOD, LEAF, read_vkey(ALog().vkey))
    with pytest.raises(NoteUnfit):
        check_proof(GOOD, LEAF, read_vkey(ALog(origin="other.example", private_key=LOG.private_key).vkey))


@given(st.binary(max_size=300))
def test_a_reader_refuses_or_reads_and_nothing_else(octets: bytes) -> None:
    for given_octets in (octets, b"c2sp.org/tlog-proof@v1\nindex 1\n" + octets):
        try:
            read = read_proof(given_octets)
        except ContentMalformed:
            continue
        assert write_proof(read) == given_octets


def test_accepts_what_it_wrote_and_tells_the_checkpoint() -> None:
    assert read_proof(OCTETS) == GOOD
    assert check_proof(GOOD, LEAF, KEY).tree_size == 7
    one = ALog()
    one.append("alone")
    alone = TlogProof(leaf_index=0, hashes=(), note=one.note(1))
    assert check_proof(read_proof(write_proof(alone)), leaf_hash(b"alone"), read_vkey(one.vkey)).tree_size == 1
