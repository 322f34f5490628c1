"""How is one part of a split key written in words? SLIP-0039, "Format of the share mnemonic".

Ten bits a word: identifier 15, extendable 1, iteration exponent 4, group index 4, group threshold less one 4, group
count less one 4, member index 4, member threshold less one 4, the value padded with zeros on its left to whole words,
and a checksum of three words (RS1024: up to three wrong words are always noticed). Where words are read, the first four
letters of each are enough. What is refused is told by numbers, never by the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.errors import ShareUnfit

IDENTIFIER_BITS = 15
TOLD_BY = 4
"""Letters, at least, by which each word is told from every other."""

_LIST = files("keybroker.ceremony").joinpath("slip39_words.txt").read_text(encoding="ascii")
_WORDS = tuple(line for line in _LIST.splitlines() if not line.startswith("#"))
_NUMBERS = {word[:TOLD_BY]: number for number, word in enumerate(_WORDS)}
_BITS = 10
_HEAD, _CHECKSUM = 4, 3
"""Words before and after the value."""
_FIELDS = (IDENTIFIER_BITS, 1, 4, 4, 4, 4, 4, 4)
"""Bits of everything in the head, in order."""

SECRET_OCTETS = range(16, 33, 2)
"""How long a secret may be: "at least 128 bits", a multiple of 16 bits; and no key of ours is longer than 256."""
_VALUE_OCTETS = {_HEAD + -(-8 * octets // _BITS) + _CHECKSUM: octets for octets in SECRET_OCTETS}
"""Octets of the value by the number of words: 20 words for 128 bits, 33 for 256."""

_GENERATOR = (
    0xE0E040,
    0x1C1C080,
    0x3838100,
    0x7070200,
    0xE0E0009,
    0x1C0C2412,
    0x38086C24,
    0x3090FC48,
    0x21B1F890,
    0x3F3F120,
)
"""RS1024, SLIP-0039 "Checksum"."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One member share of a set. Thresholds and counts are as people say them (from 1), indexes from 0. No two are
    compared with ``==``: the value is secret.
    """

    identifier: int
    extendable: bool
    iteration_exponent: int
    group_index: int
    group_threshold: int
    group_count: int
    member_index: int
    member_threshold: int
    value: bytes = field(repr=False)


def words(part: Part) -> tuple[str, ...]:
    """The share mnemonic: 20 to 33 words in small letters."""
    head = 0
    for bits, number in zip(_FIELDS, _numbers_in_head(part), strict=True):
        head = head << bits | number
    value_words = -(-8 * len(part.value) // _BITS)
    whole = head << _BITS * value_words | int.from_bytes(part.value, "big")
    numbers = _numbers_of(whole, _HEAD + value_words)
    checksum = _numbers_of(_remainder((*numbers, 0, 0, 0), extendable=part.extendable) ^ 1, _CHECKSUM)
    return tuple(_WORDS[number] for number in numbers + checksum)


def read_words(text: str | Iterable[str]) -> Part:
    """Words between white space, in capitals or not, each whole or from its fourth letter on short.

    Raises: ShareUnfit with LENGTH, WRONG_WORD (and their numbers), CHECKSUM, PADDING or PARAMETERS.
    """
    numbers = _read_numbers(text)
    extendable = bool(numbers[1] >> 4 & 1)
    if _remainder(numbers, extendable=extendable) != 1:
        raise ShareUnfit(
            "every word is in the list, but together they are no share: a word is mistyped for another, or two stand in"
            " each other's place",
            flaw=ShareFlaw.CHECKSUM,
        )
    head = _read_head(_whole(numbers[:_HEAD]))
    value = _whole(numbers[_HEAD:-_CHECKSUM])
    octets = _VALUE_OCTETS[len(numbers)]
    if value >> 8 * octets:
        raise ShareUnfit("the bits before the value are not zero: no share of ours", flaw=ShareFlaw.PADDING)
    part = _part(head, value.to_bytes(octets, "big"))
    _check_groups(part)
    return part


def _read_numbers(text: str | Iterable[str]) -> tuple[int, ...]:
    """Raises: ShareUnfit with LENGTH or WRONG_WORD."""
    typed = (text if isinstance(text, str) else " ".join(text)).lower().split()
    if len(typed) > max(_VALUE_OCTETS):
        raise _of_another_length(len(typed))
    wrong = tuple(place for place, word in enumerate(typed, 1) if not _is_known(word))
    if wrong:
        raise ShareUnfit(
            f"expected words of the list, or their first {TOLD_BY} letters; not in it: word {told(wrong)}",
            flaw=ShareFlaw.WRONG_WORD,
            places=wrong,
        )
    if len(typed) not in _VALUE_OCTETS:
        raise _of_another_length(len(typed))
    return tuple(_NUMBERS[word[:TOLD_BY]] for word in typed)


def _is_known(word: str) -> bool:
    number = _NUMBERS.get(word[:TOLD_BY])
    return number is not None and _WORDS[number].startswith(word)


def told(places: Sequence[int]) -> str:
    """1, 2 and 3."""
    *before, last = map(str, places)
    return f"{', '.join(before)} and {last}" if before else last


def _of_another_length(found: int) -> ShareUnfit:
    lengths = ", ".join(map(str, sorted(_VALUE_OCTETS)[:-1]))
    expected = f"{max(_VALUE_OCTETS)} words (for shorter keys {lengths})"
    return ShareUnfit(
        f"expected {expected}, found {found}: is one left out, or there twice?",
        flaw=ShareFlaw.LENGTH,
    )


def _numbers_in_head(part: Part) -> tuple[int, ...]:
    return (
        part.identifier,
        part.extendable,
        part.iteration_exponent,
        part.group_index,
        part.group_threshold - 1,
        part.group_count - 1,
        part.member_index,
        part.member_threshold - 1,
    )


def _read_head(head: int) -> list[int]:
    read: list[int] = []
    for bits in reversed(_FIELDS):
        read.insert(0, head & (1 << bits) - 1)
        head >>= bits
    return read


def _part(head: Sequence[int], value: bytes) -> Part:
    identifier, extendable, exponent, group_index, group_threshold, group_count, member_index, member_threshold = head
    return Part(
        identifier=identifier,
        extendable=bool(extendable),
        iteration_exponent=exponent,
        group_index=group_index,
        group_threshold=group_threshold + 1,
        group_count=group_count + 1,
        member_index=member_index,
        member_threshold=member_threshold + 1,
        value=value,
    )


def _check_groups(part: Part) -> None:
    """Raises: ShareUnfit with PARAMETERS."""
    if not (part.group_threshold <= part.group_count and part.group_index < part.group_count):
        raise ShareUnfit(
            f"expected a group of {part.group_count}, of which at most as many are needed; found group"
            f" {part.group_index + 1}, {part.group_threshold} needed",
            flaw=ShareFlaw.PARAMETERS,
        )


def _numbers_of(whole: int, count: int) -> tuple[int, ...]:
    return tuple(whole >> _BITS * place & (1 << _BITS) - 1 for place in reversed(range(count)))


def _whole(numbers: Iterable[int]) -> int:
    whole = 0
    for number in numbers:
        whole = whole << _BITS | number
    return whole


def _remainder(numbers: Sequence[int], *, extendable: bool) -> int:
    """Of the customization string and the numbers by the generator over GF(1024); 1 where the checksum is right."""
    remainder = 1
    for number in (*(b"shamir_extendable" if extendable else b"shamir"), *numbers):
        top = remainder >> 20
        remainder = (remainder & 0xFFFFF) << _BITS ^ number
        for place, term in enumerate(_GENERATOR):
            remainder ^= term if top >> place & 1 else 0
    return remainder
