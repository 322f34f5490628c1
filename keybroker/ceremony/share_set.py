"""What is split among whom? One document for a split key, the same for every custodian; nothing in it is secret.

SEC G2.44B, G5.13(b). Canonical JSON (as records are written: keys in order, no spaces, ASCII), and its SHA-256 stands
in every share and in the record of the ceremony: a share of another set, or of an earlier one of the same key, is known
for what it is. The check value tells the right wrapping key from any other without telling the key.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from keybroker.ceremony.part import IDENTIFIER_BITS, Part
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.split_key import ITERATION_EXPONENT, MOST
from keybroker.errors import ShareUnfit
from keybroker.ledger.canonical_json import encode
from keybroker.statement.said import Name, Sha256, Table

LONGEST_OCTETS = 64 * 1024

_CHECK_VALUE_OF = b"keybroker check value v1"
_SHARE_CHECK_OF = b"keybroker share v1"
_CHECK_VALUE_OCTETS = 8


class Holder(Table):
    """Who holds which share. ``index`` counts from 1 and is SLIP-0039's member index plus one."""

    index: Annotated[int, Field(ge=1, le=MOST)]
    custodian: Name
    check: Sha256
    """``share_check`` of it."""


class ShareSet(Table):
    """``public_key_sha256`` is of the public key's octets as the register has them, ``blobs`` of every wrapped blob.

    ``generation`` counts the sets that one key was split into: it grows by one with every new wrapping key.
    """

    form: Literal["keybroker share set v1"] = "keybroker share set v1"
    ceremony: Name
    key: Name
    purpose: Name
    public_key_sha256: Sha256
    generation: Annotated[int, Field(ge=1, le=1_000_000)]
    identifier: Annotated[int, Field(ge=0, lt=1 << IDENTIFIER_BITS)]
    threshold: Annotated[int, Field(ge=2, le=MOST)]
    count: Annotated[int, Field(ge=2, le=MOST)]
    blobs: Annotated[tuple[Sha256, ...], Field(min_length=1, max_length=64)]
    check_value: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    shares: Annotated[tuple[Holder, ...], Field(min_length=2, max_length=MOST)]

    @model_validator(mode="after")
    def _one_share_each(self) -> Self:
        if not self.threshold <= self.count == len(self.shares):
            raise ValueError("expected as many shares as count, and a threshold of at most that")
        if [each.index for each in self.shares] != list(range(1, self.count + 1)):
            raise ValueError("shares: expected the indexes from 1 in order")
        # Two shares with one person are one person less in every quorum.
        for what in ([each.custodian for each in self.shares], [each.check for each in self.shares], self.blobs):
            if len(set(what)) != len(what):
                raise ValueError("expected every custodian, share and blob once")
        return self

    @property
    def octets(self) -> bytes:
        """As it is written down and hashed."""
        return encode(self.model_dump(mode="json"))

    @property
    def sha256(self) -> bytes:
        return sha256(self.octets).digest()

    def told(self) -> str:
        """For people: which set it is."""
        return f"key {self.key}, generation {self.generation}, set {self.sha256.hex()[:16]}"

    def find_holder(self, part: Part) -> Holder | None:
        """Whose share this part is, None where it is not of this set or not what was given out."""
        if not self.has_identifier_of(part):
            return None
        check = share_check(part.value, part.member_index + 1)
        found = (each for each in self.shares if each.index == part.member_index + 1)
        return next((each for each in found if hmac.compare_digest(each.check, check)), None)

    def has_identifier_of(self, part: Part) -> bool:
        """Does the part say that it is of this set?"""
        said = (part.identifier, part.extendable, part.iteration_exponent, part.group_index, part.group_threshold)
        whole = (*said, part.group_count, part.member_threshold)
        return whole == (self.identifier, True, ITERATION_EXPONENT, 0, 1, 1, self.threshold)


def make_share_set(
    parts: Sequence[Part],
    *,
    wrapping_key: bytes,
    custodians: Sequence[str],
    ceremony: str,
    key: str,
    purpose: str,
    public_key_sha256: str,
    generation: int,
    blobs: Sequence[str],
) -> ShareSet:
    """The set of what ``split`` gave: the first part goes to the first custodian, and so on.

    Raises: ShareUnfit with MALFORMED where it cannot be: more custodians than parts, one twice, a name that is none.
    """
    if not parts or len(parts) != len(custodians):
        found = f"{len(custodians)} custodians for {len(parts)} parts"
        raise ShareUnfit(f"expected one custodian for every part, found {found}", flaw=ShareFlaw.MALFORMED)
    try:
        return ShareSet(
            ceremony=ceremony,
            key=key,
            purpose=purpose,
            public_key_sha256=public_key_sha256,
            generation=generation,
            identifier=parts[0].identifier,
            threshold=parts[0].member_threshold,
            count=len(parts),
            blobs=tuple(blobs),
            check_value=check_value_of(wrapping_key),
            shares=tuple(_holder(part, custodian) for part, custodian in zip(parts, custodians, strict=True)),
        )
    except ValidationError as error:
        raise ShareUnfit(f"no set of shares: {what_is_wrong(error)}", flaw=ShareFlaw.MALFORMED) from error


def read_share_set(octets: bytes) -> ShareSet:
    """Raises: ShareUnfit with MALFORMED for anything but the canonical JSON of a set."""
    if len(octets) > LONGEST_OCTETS:
        expected = f"at most {LONGEST_OCTETS} octets"
        raise ShareUnfit(f"expected {expected}, found {len(octets)}", flaw=ShareFlaw.MALFORMED)
    try:
        share_set = ShareSet.model_validate_json(octets)
    except ValidationError as error:
        raise ShareUnfit(f"no set of shares: {what_is_wrong(error)}", flaw=ShareFlaw.MALFORMED) from error
    # What was read last of two equal keys, or with other spaces, is not what was hashed.
    if share_set.octets != octets:
        raise ShareUnfit("a set of shares, but not in canonical JSON", flaw=ShareFlaw.MALFORMED)
    return share_set


def check_value_of(wrapping_key: bytes) -> str:
    """Eight octets in hexadecimal: HMAC-SHA-256 under the key over a text of ours, its left."""
    return hmac.digest(wrapping_key, _CHECK_VALUE_OF, "sha256")[:_CHECK_VALUE_OCTETS].hex()


def share_check(value: bytes, index: int) -> str:
    """SHA-256, in hexadecimal, by which a share is known: over a text of ours, the share's value and its index (from 1,
    one octet). A value of 32 random octets is not found from it.
    """
    return sha256(_SHARE_CHECK_OF + value + bytes([index])).hexdigest()


def what_is_wrong(error: ValidationError) -> str:
    """Where and what, never what stands there: of a share that would be its words."""
    told = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)[:4])
    return "; ".join(told)[:300]


def _holder(part: Part, custodian: str) -> Holder:
    index = part.member_index + 1
    return Holder(index=index, custodian=custodian, check=share_check(part.value, index))
