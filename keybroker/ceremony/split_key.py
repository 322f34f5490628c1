"""Which parts give a key back, and nothing else? M of N by SLIP-0039, and its passphrase is always empty. Pure.

SEC G2.44B: "unusable ... because of it being split into multiple parts". What is split is the key that wraps the
Private Key. A passphrase that is wrong yields another secret silently, so there is none here; what is combined is
checked against the digest that is shared with it, and is refused or right. We make one group, M of N; sets of several
groups, and a single part that is all, are read as the standard has them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import pbkdf2_hmac

from keybroker.ceremony.part import IDENTIFIER_BITS, SECRET_OCTETS, Part, read_words, words
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.errors import ShareUnfit

__all__ = ["ITERATION_EXPONENT", "MOST", "Part", "combine", "read_words", "split", "words"]

Draw = Callable[[int], bytes]
"""So many random octets."""

MOST = 16
"""Parts of a set."""
ITERATION_EXPONENT = 0
"""Iterations slow down who guesses passphrases; with an empty one there is nothing to guess."""

_SECRET_AT, _DIGEST_AT = 255, 254
"""Where on the polynomials the secret and its digest stand."""
_DIGEST_OCTETS = 4
_ROUNDS = range(4)
_ITERATIONS = 10_000
_POLYNOMIAL = 0x11B
"""x^8 + x^4 + x^3 + x + 1, of Rijndael's field."""


def split(secret: bytes, *, threshold: int, count: int, draw: Draw) -> tuple[Part, ...]:
    """``count`` parts of a secret of 16, 18 to 32 octets, any ``threshold`` of which give it back.

    Raises: ShareUnfit with QUORUM unless 2 <= threshold <= count <= 16, or with SECRET_LENGTH.
    """
    _check_sizes(secret, threshold, count)
    identifier = int.from_bytes(_drawn(draw, 2), "big") >> 16 - IDENTIFIER_BITS
    hidden = _ciphered(secret, _ROUNDS, passphrase=b"", salt=b"", exponent=ITERATION_EXPONENT)
    salt = _drawn(draw, len(hidden) - _DIGEST_OCTETS)
    points = {_SECRET_AT: hidden, _DIGEST_AT: _digest(hidden, salt) + salt}
    points |= {index: _drawn(draw, len(hidden)) for index in range(threshold - 2)}
    return tuple(
        Part(
            identifier=identifier,
            extendable=True,
            iteration_exponent=ITERATION_EXPONENT,
            group_index=0,
            group_threshold=1,
            group_count=1,
            member_index=index,
            member_threshold=threshold,
            value=_at(index, points),
        )
        for index in range(count)
    )


def combine(parts: Iterable[Part]) -> bytes:
    """The secret of exactly as many parts as are needed, in any order.

    Raises: ShareUnfit with ANOTHER_SET, MIXED_THRESHOLDS, DUPLICATE, TOO_FEW, TOO_MANY or DIGEST.
    """
    return _combined_under(b"", tuple(parts))


def _combined_under(passphrase: bytes, parts: Sequence[Part]) -> bytes:
    """Apart from ``combine`` only because the published vectors have a passphrase: nothing but their test gives one."""
    _check_one_set(parts)
    groups: dict[int, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.group_index, []).append(part)
    first = parts[0]
    _check_number(len(groups), first.group_threshold, "groups")
    joined = {index: _member_value(group) for index, group in groups.items()}
    salt = b"" if first.extendable else b"shamir" + first.identifier.to_bytes(2, "big")
    hidden = _joined(first.group_threshold, joined)
    return _ciphered(hidden, _ROUNDS[::-1], passphrase=passphrase, salt=salt, exponent=first.iteration_exponent)


def _check_sizes(secret: bytes, threshold: int, count: int) -> None:
    if not 2 <= threshold <= count <= MOST:
        raise ShareUnfit(
            f"expected M of N with 2 <= M <= N <= {MOST}, found {threshold} of {count}", flaw=ShareFlaw.QUORUM
        )
    if len(secret) not in SECRET_OCTETS:
        raise ShareUnfit(
            f"expected an even number of octets from {SECRET_OCTETS[0]} to {SECRET_OCTETS[-1]}, found {len(secret)}",
            flaw=ShareFlaw.SECRET_LENGTH,
        )


def _drawn(draw: Draw, octets: int) -> bytes:
    """Raises: ValueError where fewer come: a share would be guessed more easily, and nobody would notice."""
    drawn = draw(octets)
    if len(drawn) != octets:
        raise ValueError(f"expected {octets} random octets, found {len(drawn)}")
    return drawn


def _check_one_set(parts: Sequence[Part]) -> None:
    """Raises: ShareUnfit with TOO_FEW, ANOTHER_SET, MIXED_THRESHOLDS or DUPLICATE."""
    if not parts:
        raise ShareUnfit("expected parts, found none", flaw=ShareFlaw.TOO_FEW)
    if len({(part.identifier, part.extendable, part.iteration_exponent, len(part.value)) for part in parts}) > 1:
        told = " and ".join(sorted({f"{part.identifier} (exponent {part.iteration_exponent})" for part in parts}))
        raise ShareUnfit(f"expected parts of one set and length, found identifier {told}", flaw=ShareFlaw.ANOTHER_SET)
    thresholds = {(part.group_threshold, part.group_count) for part in parts}
    members = {(part.group_index, part.member_threshold) for part in parts}
    if len(thresholds) > 1 or len(members) > len({part.group_index for part in parts}):
        raise ShareUnfit("expected parts that need equally many others", flaw=ShareFlaw.MIXED_THRESHOLDS)
    if len({(part.group_index, part.member_index) for part in parts}) < len(parts):
        raise ShareUnfit("expected each part once, found one of them twice", flaw=ShareFlaw.DUPLICATE)


def _check_number(found: int, threshold: int, of: str) -> None:
    """Raises: ShareUnfit with TOO_FEW or TOO_MANY."""
    if found != threshold:
        flaw = ShareFlaw.TOO_FEW if found < threshold else ShareFlaw.TOO_MANY
        raise ShareUnfit(f"expected exactly {threshold} {of}, found {found}", flaw=flaw)


def _member_value(group: Sequence[Part]) -> bytes:
    """What the members of one group share. Raises: ShareUnfit with TOO_FEW, TOO_MANY or DIGEST."""
    threshold = group[0].member_threshold
    _check_number(len(group), threshold, "parts")
    return _joined(threshold, {part.member_index: part.value for part in group})


def _joined(threshold: int, points: Mapping[int, bytes]) -> bytes:
    """Raises: ShareUnfit with DIGEST."""
    if threshold == 1:
        (value,) = points.values()
        return value
    shared, digest = _at(_SECRET_AT, points), _at(_DIGEST_AT, points)
    if not hmac.compare_digest(digest[:_DIGEST_OCTETS], _digest(shared, digest[_DIGEST_OCTETS:])):
        raise ShareUnfit(
            "the parts do not give what was split: at least one of them is not what was given out",
            flaw=ShareFlaw.DIGEST,
        )
    return shared


def _digest(shared: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, shared, "sha256")[:_DIGEST_OCTETS]


def _at(x: int, points: Mapping[int, bytes]) -> bytes:
    """The value at ``x`` of the polynomials of least degree through the points (Lagrange), octet by octet."""
    if x in points:
        return points[x]
    total, length = 0, 0
    for here, value in points.items():
        factor = 1
        for other in points:
            if other != here:
                factor = _times(factor)[_times(other ^ x)[_times(other ^ here).index(1)]]
        total, length = total ^ int.from_bytes(value.translate(_times(factor)), "big"), len(value)
    return total.to_bytes(length, "big")


@cache
def _times(factor: int) -> bytes:
    """Of every octet its product by ``factor``; where it is 1 stands the inverse. Factors come of indexes alone."""
    return bytes(_product(factor, octet) for octet in range(256))


def _product(one: int, other: int) -> int:
    product = 0
    for bit in range(8):
        product ^= one << bit if other >> bit & 1 else 0
    for bit in reversed(range(8, 15)):
        product ^= _POLYNOMIAL << bit - 8 if product >> bit & 1 else 0
    return product


def _ciphered(octets: bytes, rounds: Iterable[int], *, passphrase: bytes, salt: bytes, exponent: int) -> bytes:
    """SLIP-0039 "Encryption of the master secret": a Feistel cipher, deciphered by its rounds the other way round."""
    left, right = octets[: len(octets) // 2], octets[len(octets) // 2 :]
    iterations = (_ITERATIONS << exponent) // len(_ROUNDS)
    for turn in rounds:
        mask = pbkdf2_hmac("sha256", bytes([turn]) + passphrase, salt + right, iterations, len(right))
        left, right = right, bytes(one ^ other for one, other in zip(left, mask, strict=True))
    return right + left
