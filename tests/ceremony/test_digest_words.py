"""A digest as words: the published examples, and no digest is taken for a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ceremony.digest_words import digest_words, rows
from keybroker.ceremony.part import read_words
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.errors import ShareUnfit


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_is_never_taken_for_a_share(digest: bytes) -> None:
    with pytest.raises(ShareUnfit) as refused:
        read_words(digest_words(digest))
    assert refused.value.flaw in (ShareFlaw.WRONG_WORD, ShareFlaw.LENGTH)


def test_no_word_stands_for_two_octets() -> None:
    every = [digest_words(bytes([octet] * 2)) for octet in range(256)]
    assert len({word.lower() for pair in every for word in pair}) == 512


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        # The example of the article on the list (a PGP fingerprint).
        (
            "e58294f2e9a227486e8b061b31cc528fd7fa3f19",
            (
                "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa "
                "afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
            ),
        ),
        ("00ff00ff", "aardvark Yucatan aardvark Yucatan"),
        ("ff00", "Zulu adroitness"),
        ("", ""),
    ],
)
def test_digests_are_said_as_published(digest: str, said: str) -> None:
    assert " ".join(digest_words(bytes.fromhex(digest))) == said


def test_rows_stand_below_each_other_and_fit_on_a_console() -> None:
    digest = bytes(range(32))
    lines = rows(digest)
    assert len(lines) == 8
    assert max(map(len, lines)) <= 50
    assert tuple(word for line in lines for word in line.split()) == digest_words(digest)
    assert [len(rows(digest, columns)) for columns in (1, 2, 3, 6)] == [32, 16, 11, 6]
