"""What is asked of a witness: read whole and strictly, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ContentMalformed
from keybroker.ledger.note import write_note
from keybroker.witness.request import MOST_HASHES, read_request, read_size, write_request, write_size
from tests.witness.scene import History, encoded

HONEST = History()
GOOD = HONEST.request(3, 7)
HASH = encoded(bytes(32)) + b"\n"

# C2SP tlog-witness, section add-checkpoint, its example of a request body.
EXAMPLE = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— example.com/behind-the-sofa "
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
).encode()

REFUSED = [
    ("nothing at all", b""),
    ("no old size", GOOD.partition(b"\n")[2]),
    ("another word", GOOD.replace(b"old 3", b"new 3")),
    ("an old size in hexadecimal", GOOD.replace(b"old 3", b"old 0x3")),
    ("a leading zero", GOOD.replace(b"old 3", b"old 03")),
    ("a sign", GOOD.replace(b"old 3", b"old +3")),
    ("no size", GOOD.replace(b"old 3", b"old ")),
    ("an old size of 2**64", GOOD.replace(b"old 3", b"old 18446744073709551616")),
    ("two spaces", GOOD.replace(b"old 3", b"old  3")),
    ("carriage returns", GOOD.replace(b"\n", b"\r\n")),
    ("no checkpoint", GOOD.partition(b"\n\n")[0] + b"\n\n"),
    ("no signature", GOOD.rpartition(b"\n\n")[0] + b"\n\n"),
    ("a hash of 31 octets", GOOD.replace(b"old 3\n", b"old 3\n" + encoded(bytes(31)) + b"\n")),
    ("a hash that is no base64", GOOD.replace(b"old 3\n", b"old 3\nno base64!\n")),
    ("a hash in another spelling", GOOD.replace(b"old 3\n", b"old 3\n" + HASH.replace(b"A=", b"B="))),
    ("too many hashes", GOOD.replace(b"old 3\n", b"old 3\n" + HASH * (MOST_HASHES + 1))),
    ("an extension line", GOOD.replace(b"\n\n\xe2", b"\nmore\n\n\xe2")),
    ("octets behind the note", GOOD + b"more"),
]


@pytest.mark.parametrize("octets", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses_a_request_with(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        read_request(octets)


def test_refuses_truncation_at_every_length() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(ContentMalformed):
            read_request(GOOD[:length])


@pytest.mark.parametrize("octets", [b"", b"5", b"\n", b"05\n", b"-1\n", b"5\n\n", b"five\n", b"18446744073709551616\n"])
def test_refuses_a_size_that_is_none(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        read_size(octets)


def test_refuses_to_write_what_could_not_be_read() -> None:
    with pytest.raises(ContentMalformed):
        write_request(-1, [], write_note(HONEST.note(2)))
    with pytest.raises(ContentMalformed):
        write_request(1, [b"short"], write_note(HONEST.note(2)))


def test_the_specifications_example_is_read() -> None:
    asked = read_request(EXAMPLE)
    assert (asked.old_size, len(asked.proof), asked.checkpoint.tree_size) == (20852014, 4, 20852163)
    assert [each.name for each in asked.note.signatures] == ["example.com/behind-the-sofa"] * 2
    assert write_request(asked.old_size, asked.proof, write_note(asked.note)) == EXAMPLE


@given(st.integers(0, 2**64 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=MOST_HASHES))
def test_what_is_written_is_read_back(old_size: int, proof: list[bytes]) -> None:
    asked = read_request(write_request(old_size, proof, write_note(HONEST.note(5))))
    assert (asked.old_size, list(asked.proof), asked.note.body) == (old_size, proof, HONEST.note(5).body)
    assert read_size(write_size(old_size)) == old_size


@given(st.binary(max_size=200))
def test_reading_octets_refuses_or_returns(octets: bytes) -> None:
    for read in (read_request, read_size):
        try:
            read(octets)
        except ContentMalformed:
            continue
