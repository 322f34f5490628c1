"""Sets, shares and quorums: every wrong share is named, and a quorum gives the key that was split or none."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.part import words
from keybroker.ceremony.quorum import Quorum
from keybroker.ceremony.share import Share, encode_share, make_shares, read_share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet, check_value_of, make_share_set, read_share_set, share_check
from keybroker.errors import ShareUnfit
from tests.ceremony.splitting import CUSTODIANS, WRAPPING_KEY, a_set, some_parts, some_shares

SHARES = some_shares()
SET = SHARES[0].share_set
OLD = some_shares(b"old", generation=1)
FOREIGN = some_shares(b"foreign", label="contingency")


def canonical(body: object) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def flaw_of(act: Callable[[], object]) -> str:
    with pytest.raises(ShareUnfit) as refused:
        act()
    return refused.value.flaw


def quorum(*indexes: int, of: tuple[Share, ...] = SHARES) -> Quorum:
    gathered = Quorum(share_set=of[0].share_set)
    for index in indexes:
        gathered = gathered.offer(of[index - 1], custodian=CUSTODIANS[index - 1])
    return gathered


# Sets


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 1},
        {"threshold": 0},
        {"threshold": 6},
        {"threshold": "3"},
        {"count": 4},
        {"count": 6},
        {"count": 17},
        {"generation": 0},
        {"generation": True},
        {"identifier": 32768},
        {"identifier": -1},
        {"blobs": []},
        {"blobs": [sha256(b"a").hexdigest()] * 2},
        {"blobs": ["AB" * 32]},
        {"check_value": "00"},
        {"public_key_sha256": "00" * 31},
        {"key": "Recovery"},
        {"key": "recovery\n"},
        {"form": "keybroker share set v2"},
        {"more": 1},
        {"shares": []},
        {"shares": json.loads(SET.octets)["shares"][::-1]},
        {"shares": json.loads(SET.octets)["shares"][:4]},
        {"shares": [each | {"custodian": "ann"} for each in json.loads(SET.octets)["shares"]]},
        {"shares": [each | {"check": "00" * 32} for each in json.loads(SET.octets)["shares"]]},
        {"shares": [each | {"index": each["index"] - 1} for each in json.loads(SET.octets)["shares"]]},
    ],
    ids=str,
)
def test_refuses_a_set_that_cannot_be(changes: dict[str, object]) -> None:
    body = json.loads(SET.octets) | changes
    assert flaw_of(lambda: read_share_set(canonical(body))) == ShareFlaw.MALFORMED


@pytest.mark.parametrize("name", sorted(json.loads(SET.octets)))
def test_refuses_a_set_in_which_something_is_missing(name: str) -> None:
    body = json.loads(SET.octets)
    del body[name]
    assert flaw_of(lambda: read_share_set(canonical(body))) == ShareFlaw.MALFORMED


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        SET.octets + b"\n",
        b" " + SET.octets,
        SET.octets.replace(b":", b": ", 1),
        SET.octets.replace(b'"count":5', b'"count":5,"count":5'),
        SET.octets.replace(b'"count":5', b'"count":5.0'),
        SET.octets.replace(b'"key":"r', b'"key":"\\u0072'),
        json.dumps(dict(reversed(json.loads(SET.octets).items())), separators=(",", ":")).encode(),
        b"[" * 10_000,
        b'"' + bytes(70_000) + b'"',
    ],
    ids=range(13),
)
def test_refuses_a_set_that_is_not_canonical(octets: bytes) -> None:
    assert flaw_of(lambda: read_share_set(octets)) == ShareFlaw.MALFORMED


def test_a_set_cut_off_anywhere_is_refused() -> None:
    assert {flaw_of(lambda end=end: read_share_set(SET.octets[:end])) for end in range(len(SET.octets))} == {  # type: ignore[misc]  # bound now
        ShareFlaw.MALFORMED
    }


def test_a_set_is_read_as_it_was_written() -> None:
    assert read_share_set(SET.octets) == SET
    assert SET.sha256 == sha256(SET.octets).digest()
    assert SET.octets == canonical(json.loads(SET.octets))


@given(place=st.integers(0, len(SET.octets) - 1), octet=st.integers(0, 255))
def test_a_set_changed_in_one_octet_is_another_or_refused(place: int, octet: int) -> None:
    changed = SET.octets[:place] + bytes([octet]) + SET.octets[place + 1 :]
    try:
        read = read_share_set(changed)
    except ShareUnfit:
        return
    assert (read.sha256 == SET.sha256) is (changed == SET.octets)


@pytest.mark.parametrize("custodians", [CUSTODIANS[:4], (*CUSTODIANS, "fay"), ("ann",) * 5, ("Ann", *CUSTODIANS[1:])])
def test_refuses_to_make_a_set_without_one_custodian_for_every_part(custodians: tuple[str, ...]) -> None:
    def make() -> ShareSet:
        return make_share_set(
            some_parts(),
            wrapping_key=WRAPPING_KEY,
            custodians=custodians,
            ceremony="c",
            key="k",
            purpose="p",
            public_key_sha256="00" * 32,
            generation=1,
            blobs=["00" * 32],
        )

    assert flaw_of(make) == ShareFlaw.MALFORMED


def test_check_values_are_as_they_are_described() -> None:
    expected = hmac.new(WRAPPING_KEY, b"keybroker check value v1", sha256).digest()[:8]
    assert SET.check_value == check_value_of(WRAPPING_KEY) == expected.hex()
    value = some_parts()[1].value
    assert SET.shares[1].check == share_check(value, 2) == sha256(b"keybroker share v1" + value + b"\x02").hexdigest()


# Shares


def changed_share(**changes: object) -> bytes:
    return canonical(json.loads(encode_share(SHARES[1])) | changes)


@pytest.mark.parametrize(
    ("flaw", "octets"),
    [
        (ShareFlaw.MALFORMED, b""),
        (ShareFlaw.MALFORMED, SET.octets),
        (ShareFlaw.MALFORMED, encode_share(SHARES[1]) + b" "),
        (ShareFlaw.MALFORMED, encode_share(SHARES[1]).replace(b'"index":2', b'"index":1,"index":2')),
        (ShareFlaw.MALFORMED, b'"' + bytes(70_000) + b'"'),
        (ShareFlaw.MALFORMED, changed_share(form="keybroker share v2")),
        (ShareFlaw.MALFORMED, changed_share(words=" ".join(SHARES[1].words))),
        (ShareFlaw.MALFORMED, changed_share(words=[word.upper() for word in SHARES[1].words])),
        (ShareFlaw.MALFORMED, changed_share(words=[word[:4] for word in SHARES[1].words])),
        (ShareFlaw.MALFORMED, changed_share(more="")),
        (ShareFlaw.LENGTH, changed_share(words=SHARES[1].words[1:])),
        (ShareFlaw.WRONG_WORD, changed_share(words=["wxyz", *SHARES[1].words[1:]])),
        (ShareFlaw.CHECKSUM, changed_share(words=[*SHARES[1].words[1:], SHARES[1].words[0]])),
        (ShareFlaw.ANOTHER_SET, changed_share(set_sha256="00" * 32)),
        (ShareFlaw.ANOTHER_SET, changed_share(set_sha256=OLD[0].set_sha256.hex())),
        (ShareFlaw.ANOTHER_SET, changed_share(share_set=json.loads(OLD[0].share_set.octets))),
        (ShareFlaw.ANOTHER_SET, changed_share(words=FOREIGN[1].words)),
        (ShareFlaw.CHECK_DIFFERS, changed_share(words=SHARES[2].words)),
        (ShareFlaw.CHECK_DIFFERS, changed_share(words=words(replace(some_parts()[1], value=bytes(32))))),
        (ShareFlaw.CHECK_DIFFERS, changed_share(index=3)),
        (ShareFlaw.CHECK_DIFFERS, changed_share(index=-1)),
        (ShareFlaw.WRONG_CUSTODIAN, changed_share(custodian="ann")),
    ],
)
def test_refuses_a_share_that_is_not_what_it_should_be(flaw: ShareFlaw, octets: bytes) -> None:
    assert flaw_of(lambda: read_share(octets)) == flaw


@given(place=st.integers(0, len(encode_share(SHARES[1])) - 1), octet=st.integers(0, 255))
@settings(max_examples=300)
def test_refuses_a_share_changed_in_one_octet(place: int, octet: int) -> None:
    octets = encode_share(SHARES[1])
    changed = octets[:place] + bytes([octet]) + octets[place + 1 :]
    if changed != octets:
        with pytest.raises(ShareUnfit):
            read_share(changed)


@pytest.mark.parametrize("name", sorted(json.loads(encode_share(SHARES[1]))))
def test_refuses_a_share_in_which_something_is_missing(name: str) -> None:
    body = json.loads(encode_share(SHARES[1]))
    del body[name]
    assert flaw_of(lambda: read_share(canonical(body))) == ShareFlaw.MALFORMED


@pytest.mark.parametrize("wrong", [{"words": [7]}, {"words": ["not one of them"] * 33}, {"index": "two"}, {"more": 1}])
def test_a_refused_share_leaves_no_word_behind(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShareUnfit) as refused:
        read_share(changed_share(**wrong))
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)
    assert not {*SHARES[1].words, "not one of them"} & set(refused.value.sentence.split())
    assert "not one" not in refused.value.sentence


def test_a_share_is_read_as_it_was_written_and_never_shown() -> None:
    for share, custodian in zip(SHARES, CUSTODIANS, strict=True):
        read = read_share(encode_share(share))
        assert (read.index, read.custodian, read.words) == (share.index, custodian, share.words)
        assert read.set_sha256 == SET.sha256
        assert not set(share.words) & set(repr(read).replace("'", " ").split())


def test_refuses_to_make_a_share_of_a_part_that_is_not_of_the_set() -> None:
    assert flaw_of(lambda: make_shares(some_parts(b"two"), SET)) == ShareFlaw.ANOTHER_SET


# Quorums


@pytest.mark.parametrize(
    ("flaw", "offered", "custodian"),
    [
        (ShareFlaw.WRONG_WORD, "wxyz " + " ".join(SHARES[1].words[1:]), "bob"),
        (ShareFlaw.LENGTH, " ".join(SHARES[1].words[1:]), "bob"),
        (ShareFlaw.LENGTH, "", "bob"),
        (ShareFlaw.CHECKSUM, " ".join(SHARES[1].words[::-1]), "bob"),
        (ShareFlaw.ANOTHER_SET, FOREIGN[1], "bob"),
        (ShareFlaw.ANOTHER_SET, FOREIGN[1].words, "bob"),
        (ShareFlaw.ANOTHER_SET, some_shares(b"newer", generation=3)[1], "bob"),
        (ShareFlaw.ANOTHER_SET, words(replace(some_parts()[1], member_threshold=2)), "bob"),
        (ShareFlaw.ANOTHER_SET, words(replace(some_parts()[1], extendable=False)), "bob"),
        (ShareFlaw.ANOTHER_SET, words(replace(some_parts()[1], group_count=2)), "bob"),
        (ShareFlaw.OLD_GENERATION, OLD[1], "bob"),
        (ShareFlaw.OLD_GENERATION, OLD[1].words, "bob"),
        (ShareFlaw.CHECK_DIFFERS, words(replace(some_parts()[1], value=bytes(32))), "bob"),
        (ShareFlaw.CHECK_DIFFERS, words(replace(some_parts()[1], member_index=2)), "cyn"),
        (ShareFlaw.CHECK_DIFFERS, words(replace(some_parts()[1], member_index=15)), "bob"),
        (ShareFlaw.WRONG_CUSTODIAN, SHARES[1], "cyn"),
        (ShareFlaw.WRONG_CUSTODIAN, SHARES[1].words, "cyn"),
        (ShareFlaw.WRONG_CUSTODIAN, SHARES[0].words, "bob"),
        (ShareFlaw.WRONG_CUSTODIAN, SHARES[1].words, "nobody"),
        (ShareFlaw.DUPLICATE, SHARES[0], "ann"),
        (ShareFlaw.DUPLICATE, SHARES[0].words, "ann"),
    ],
)
def test_refuses_a_wrong_share_by_name_and_stands_as_it_was(
    flaw: ShareFlaw, offered: str | tuple[str, ...] | Share, custodian: str
) -> None:
    gathered = replace(quorum(1), older=(OLD[0].share_set,))
    assert flaw_of(lambda: gathered.offer(offered, custodian=custodian)) == flaw
    assert (gathered.present, gathered.missing) == ((1,), 2)
    whole = gathered.offer(SHARES[1], custodian="bob").offer(SHARES[2].words, custodian="cyn")
    assert whole.wrapping_key() == WRAPPING_KEY


def test_an_old_share_with_the_identifier_of_the_new_set_is_known_for_what_it_is() -> None:
    """Fifteen bits fall together once in 32,768 times."""
    former = tuple(replace(part, identifier=some_parts()[0].identifier) for part in some_parts(b"old"))
    gathered = Quorum(share_set=SET, older=(a_set(former, generation=1),))
    assert flaw_of(lambda: gathered.offer(words(former[0]), custodian="ann")) == ShareFlaw.OLD_GENERATION


def test_refuses_more_shares_than_are_needed() -> None:
    assert flaw_of(lambda: quorum(1, 2, 3).offer(SHARES[3], custodian="dan")) == ShareFlaw.TOO_MANY


def test_every_quorum_gives_the_key_and_no_smaller_one_does() -> None:
    for some in combinations(range(1, 6), 3):
        assert quorum(*some).wrapping_key() == WRAPPING_KEY
    for number in (0, 1, 2):
        for fewer in combinations(range(1, 6), number):
            assert flaw_of(quorum(*fewer).wrapping_key) == ShareFlaw.TOO_FEW


def test_shares_come_in_any_order_and_progress_shows_indexes_alone() -> None:
    for some in permutations((2, 4, 5)):
        gathered = quorum(*some)
        assert (gathered.present, gathered.custodians, gathered.missing) == ((2, 4, 5), ("bob", "dan", "eve"), 0)
        assert gathered.wrapping_key() == WRAPPING_KEY
    shown = repr(quorum(2, 4))
    assert not set(SHARES[1].words + SHARES[3].words) & set(shown.replace("'", " ").split())
    assert "Part(" not in shown


def test_a_set_with_another_check_value_gives_no_key() -> None:
    parts = some_parts()
    other = make_shares(parts, a_set(parts, key=sha256(b"another key").digest()))
    assert flaw_of(quorum(1, 2, 3, of=other).wrapping_key) == ShareFlaw.CHECK_DIFFERS


def test_shares_of_a_false_polynomial_give_no_key_even_where_the_set_says_that_they_do() -> None:
    parts = (*some_parts()[:4], replace(some_parts()[4], value=bytes(32)))
    false = make_shares(parts, a_set(parts))
    assert flaw_of(quorum(1, 2, 5, of=false).wrapping_key) == ShareFlaw.DIGEST
