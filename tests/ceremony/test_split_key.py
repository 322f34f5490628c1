"""Any M of N give the key back, nothing else gives anything: SLIP-0039 against its vectors and another's program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.utils import MnemonicError

from keybroker.ceremony import split_key
from keybroker.ceremony.part import SECRET_OCTETS, Part, read_words, words
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.split_key import combine, split
from keybroker.errors import ShareUnfit
from tests.ceremony.splitting import WRAPPING_KEY, drawing, some_parts

VECTORS: list[tuple[str, list[str], str, str]] = json.loads(
    (Path(__file__).parent / "vectors" / "slip39.json").read_text()
)
FLAWS = {
    "invalid checksum": ShareFlaw.CHECKSUM,
    "invalid padding": ShareFlaw.PADDING,
    "Basic sharing": ShareFlaw.TOO_FEW,
    "different identifiers": ShareFlaw.ANOTHER_SET,
    "different iteration exponents": ShareFlaw.ANOTHER_SET,
    "mismatching group thresholds": ShareFlaw.MIXED_THRESHOLDS,
    "mismatching group counts": ShareFlaw.MIXED_THRESHOLDS,
    "greater group threshold": ShareFlaw.PARAMETERS,
    "duplicate member indices": ShareFlaw.DUPLICATE,
    "mismatching member thresholds": ShareFlaw.MIXED_THRESHOLDS,
    "invalid digest": ShareFlaw.DIGEST,
    "nsufficient number": ShareFlaw.TOO_FEW,
    "insufficient length": ShareFlaw.LENGTH,
    "invalid master secret length": ShareFlaw.LENGTH,
}
"""What each kind of vector that is to be refused is refused for."""

secrets = st.sampled_from(SECRET_OCTETS).flatmap(lambda octets: st.binary(min_size=octets, max_size=octets))
quorums = st.integers(2, 16).flatmap(lambda count: st.tuples(st.integers(2, count), st.just(count)))


def combined(mnemonics: Sequence[str]) -> str:
    """In hexadecimal, under the passphrase of the published vectors."""
    return split_key._combined_under(b"TREZOR", tuple(map(read_words, mnemonics))).hex()


def flaw_of(parts: Sequence[Part]) -> str:
    with pytest.raises(ShareUnfit) as refused:
        combine(parts)
    return refused.value.flaw


def word_flaw(text: str | Sequence[str]) -> ShareUnfit:
    with pytest.raises(ShareUnfit) as refused:
        read_words(text)
    return refused.value


@pytest.mark.parametrize("vector", [each for each in VECTORS if not each[2]], ids=lambda vector: vector[0])
def test_refuses_every_published_vector_that_is_to_be_refused_for_its_own_reason(
    vector: tuple[str, list[str], str, str],
) -> None:
    with pytest.raises(ShareUnfit) as refused:
        combined(vector[1])
    assert refused.value.flaw == next(flaw for told, flaw in FLAWS.items() if told in vector[0])


@pytest.mark.parametrize("vector", [each for each in VECTORS if each[2]], ids=lambda vector: vector[0])
def test_combines_every_published_vector(vector: tuple[str, list[str], str, str]) -> None:
    assert combined(vector[1]) == vector[2]


def test_there_are_45_published_vectors() -> None:
    assert (len(VECTORS), sum(1 for each in VECTORS if each[2])) == (45, 15)


@pytest.mark.parametrize(("threshold", "count"), [(0, 3), (1, 1), (1, 3), (4, 3), (2, 17), (17, 17), (-1, 2), (2, 1)])
def test_refuses_to_split_without_a_quorum_of_at_least_two(threshold: int, count: int) -> None:
    with pytest.raises(ShareUnfit) as refused:
        split(WRAPPING_KEY, threshold=threshold, count=count, draw=drawing(b"x"))
    assert refused.value.flaw == ShareFlaw.QUORUM


@pytest.mark.parametrize("octets", [0, 1, 14, 15, 17, 31, 33, 34, 64])
def test_refuses_to_split_a_secret_of_another_length(octets: int) -> None:
    with pytest.raises(ShareUnfit) as refused:
        split(bytes(octets), threshold=2, count=3, draw=drawing(b"x"))
    assert refused.value.flaw == ShareFlaw.SECRET_LENGTH


def test_refuses_to_split_with_fewer_random_octets_than_it_asked_for() -> None:
    with pytest.raises(ValueError, match="random octets"):
        split(WRAPPING_KEY, threshold=3, count=5, draw=lambda octets: bytes(octets - 1))


@pytest.mark.parametrize(("threshold", "count"), [(m, n) for n in range(2, 6) for m in range(2, n + 1)])
def test_any_m_of_n_give_the_key_back_and_no_fewer_or_more(threshold: int, count: int) -> None:
    parts = split(WRAPPING_KEY, threshold=threshold, count=count, draw=drawing(b"all subsets"))
    for taken in range(count + 1):
        for some in combinations(parts, taken):
            if taken == threshold:
                assert combine(some) == WRAPPING_KEY
            else:
                assert flaw_of(some) == (ShareFlaw.TOO_FEW if taken < threshold else ShareFlaw.TOO_MANY)


def test_parts_are_combined_in_any_order() -> None:
    assert {combine(some) for some in permutations(some_parts()[1:4])} == {WRAPPING_KEY}


def test_fewer_parts_that_say_they_are_enough_are_refused() -> None:
    """Whoever writes another threshold into the words, and their checksum anew, gets no other secret either."""
    for some in combinations(some_parts(threshold=3), 2):
        assert flaw_of([replace(part, member_threshold=2) for part in some]) == ShareFlaw.DIGEST


@pytest.mark.parametrize(
    ("flaw", "changes"),
    [
        (ShareFlaw.ANOTHER_SET, {"identifier": 1}),
        (ShareFlaw.ANOTHER_SET, {"extendable": False}),
        (ShareFlaw.ANOTHER_SET, {"iteration_exponent": 3}),
        (ShareFlaw.ANOTHER_SET, {"value": bytes(16)}),
        (ShareFlaw.MIXED_THRESHOLDS, {"member_threshold": 4}),
        (ShareFlaw.MIXED_THRESHOLDS, {"group_count": 2}),
        (ShareFlaw.MIXED_THRESHOLDS, {"group_threshold": 2, "group_count": 2}),
        (ShareFlaw.DUPLICATE, {"member_index": 0}),
        (ShareFlaw.DIGEST, {"member_index": 9}),
        (ShareFlaw.DIGEST, {"value": bytes(32)}),
        (ShareFlaw.TOO_MANY, {"group_index": 1}),
    ],
)
def test_refuses_a_part_that_was_changed(flaw: ShareFlaw, changes: dict[str, object]) -> None:
    one, two, three, *_ = some_parts()
    assert flaw_of([one, two, replace(three, **changes)]) == flaw  # type: ignore[arg-type]  # one field of many


@given(place=st.integers(0, 2), octet=st.integers(0, 31), bits=st.integers(1, 255))
def test_refuses_a_value_changed_in_one_octet(place: int, octet: int, bits: int) -> None:
    parts = list(some_parts()[:3])
    value = bytearray(parts[place].value)
    value[octet] ^= bits
    parts[place] = replace(parts[place], value=bytes(value))
    assert flaw_of(parts) == ShareFlaw.DIGEST


def test_refuses_a_part_of_another_split_of_the_same_key() -> None:
    one, two, *_ = some_parts(b"one")
    assert flaw_of([one, two, some_parts(b"two")[2]]) == ShareFlaw.ANOTHER_SET
    assert flaw_of([one, two, replace(some_parts(b"two")[2], identifier=one.identifier)]) == ShareFlaw.DIGEST


def test_two_splits_of_one_key_share_neither_identifier_nor_value() -> None:
    one, two = some_parts(b"one"), some_parts(b"two")
    assert one[0].identifier != two[0].identifier
    assert not {part.value for part in one} & {part.value for part in two}


@given(secret=secrets, quorum=quorums, seed=st.binary(max_size=8), choose=st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_what_we_split_the_other_program_combines(
    secret: bytes, quorum: tuple[int, int], seed: bytes, choose: object
) -> None:
    threshold, count = quorum
    parts = split(secret, threshold=threshold, count=count, draw=drawing(seed))
    some = choose.sample(parts, threshold)  # type: ignore[attr-defined]  # a Random
    assert shamir_mnemonic.combine_mnemonics([" ".join(words(part)) for part in some]) == secret
    assert combine(read_words(words(part)) for part in some) == secret


@given(
    secret=secrets,
    groups=st.lists(st.sampled_from([(1, 1), (2, 3), (3, 5), (2, 2)]), min_size=1, max_size=4),
    extendable=st.booleans(),
    needed=st.integers(1, 4),
)
@settings(max_examples=30)
def test_what_the_other_program_splits_we_combine(
    secret: bytes, groups: list[tuple[int, int]], extendable: bool, needed: int
) -> None:
    needed = min(needed, len(groups))
    made = shamir_mnemonic.generate_mnemonics(needed, groups, secret, extendable=extendable, iteration_exponent=0)
    some = [
        mnemonic
        for (threshold, _), mnemonics in list(zip(groups, made, strict=True))[-needed:]
        for mnemonic in mnemonics[-threshold:]
    ]
    assert combine(map(read_words, some)) == secret
    assert [" ".join(words(read_words(mnemonic))) for mnemonic in some] == some


@pytest.mark.parametrize("place", range(33))
def test_refuses_every_single_word_replaced_and_names_one_that_is_in_no_list(place: int) -> None:
    said = list(words(some_parts()[0]))
    for word in ("academic", "zero", "keyboard"):
        if word != said[place]:
            assert word_flaw([*said[:place], word, *said[place + 1 :]]).flaw == ShareFlaw.CHECKSUM
    for word in ("keybroker", said[place][:3], said[place] + "s", said[place][:4] + "q", "žžžž", "1234"):
        refused = word_flaw([*said[:place], word, *said[place + 1 :]])
        assert (refused.flaw, refused.places) == (ShareFlaw.WRONG_WORD, (place + 1,))


def test_refuses_every_two_words_that_change_places() -> None:
    said = words(some_parts()[0])
    for one, other in combinations(range(len(said)), 2):
        changed = list(said)
        changed[one], changed[other] = changed[other], changed[one]
        if tuple(changed) != said:
            assert word_flaw(changed).flaw == ShareFlaw.CHECKSUM


@pytest.mark.parametrize("place", range(33))
def test_refuses_every_word_left_out_or_said_twice(place: int) -> None:
    said = words(some_parts()[0])
    assert word_flaw([*said[:place], *said[place + 1 :]]).flaw == ShareFlaw.LENGTH
    assert word_flaw([*said[:place], said[place], *said[place:]]).flaw == ShareFlaw.LENGTH


def test_refuses_words_cut_off_at_every_length() -> None:
    said = words(some_parts()[0])
    assert {word_flaw(said[:length]).flaw for length in range(33)} == {ShareFlaw.LENGTH, ShareFlaw.CHECKSUM}
    assert word_flaw("").flaw == ShareFlaw.LENGTH


@given(st.lists(st.sampled_from(words(some_parts()[1])), max_size=40) | st.text(max_size=300))
def test_whatever_is_typed_is_a_part_or_refused(typed: list[str] | str) -> None:
    try:
        part = read_words(typed)
    except ShareUnfit:
        return
    assert read_words(words(part)).identifier == part.identifier


@given(st.lists(st.integers(0, 1023), min_size=15, max_size=40))
def test_the_other_program_takes_no_words_that_we_refuse_but_for_their_length(numbers: list[int]) -> None:
    from shamir_mnemonic import rs1024
    from shamir_mnemonic.share import Share
    from shamir_mnemonic.wordlist import WORDLIST

    name = b"shamir_extendable" if numbers[1] >> 4 & 1 else b"shamir"
    said = " ".join(WORDLIST[number] for number in [*numbers, *rs1024.create_checksum(numbers, name)])
    try:
        part = read_words(said)
    except ShareUnfit as refused:
        if refused.flaw in (ShareFlaw.PADDING, ShareFlaw.CHECKSUM, ShareFlaw.WRONG_WORD):
            with pytest.raises(MnemonicError):
                Share.from_mnemonic(said)
    else:
        other = Share.from_mnemonic(said)
        assert (other.identifier, other.index, other.value) == (part.identifier, part.member_index, part.value)
        assert " ".join(words(part)) == said


def test_the_first_four_letters_capitals_and_spaces_are_enough() -> None:
    said = words(some_parts()[0])
    typed = "\n\t " + "  \n".join(word[:4].upper() for word in said) + " \r\n"
    assert words(read_words(typed)) == said
    assert words(read_words(word.title()[: 4 + place % 3] for place, word in enumerate(said))) == said


def test_no_refusal_says_a_word_of_the_share() -> None:
    said = list(words(some_parts()[0]))
    told = [
        word_flaw([*said[:5], "keybroker", *said[6:]]),
        word_flaw([*said[:5], "zero", *said[6:]]),
        word_flaw(said[:-1]),
    ]
    for refused in told:
        assert not {*said, "keybroker"} & set(refused.sentence.split())
        assert (refused.reason, refused.__cause__, refused.__context__) == ("SHARE_UNFIT", None, None)


def test_a_part_shows_no_value_and_is_equal_to_none_but_itself() -> None:
    part = some_parts()[0]
    assert part.value.hex() not in repr(part)
    assert repr(part.value) not in repr(part)
    assert part != some_parts()[0]
