"""What does one custodian receive? A share: its words, and the whole set that it belongs to.

SEC G2.44B. Canonical JSON; this is what is enveloped to the custodian's certificate. A ``Share`` was checked when it
was made: its words are those that the set says of this custodian, or it is refused with what is wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError

from keybroker.ceremony.part import Part, read_words, words
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import LONGEST_OCTETS, Holder, ShareSet, what_is_wrong
from keybroker.errors import ShareUnfit
from keybroker.ledger.canonical_json import encode
from keybroker.statement.said import Name, Sha256, Table

_FORM = "keybroker share v1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """``words`` are whole and in small letters; ``index`` counts from 1. Made by ``make_shares`` and ``read_share``."""

    share_set: ShareSet
    index: int
    words: tuple[str, ...] = field(repr=False)

    @property
    def custodian(self) -> str:
        """Whose it is."""
        return self.share_set.shares[self.index - 1].custodian

    @property
    def set_sha256(self) -> bytes:
        return self.share_set.sha256


class _ShareForm(Table):
    """As it stands in JSON."""

    model_config = ConfigDict(hide_input_in_errors=True)

    form: Literal["keybroker share v1"]
    set_sha256: Sha256
    share_set: ShareSet
    index: int
    custodian: Name
    words: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{4,8}$")], ...], Field(max_length=64, repr=False)]


def make_shares(parts: Iterable[Part], share_set: ShareSet) -> tuple[Share, ...]:
    """The shares of a set, in its order. Raises: ShareUnfit for a part that is not of the set."""
    return tuple(
        Share(share_set=share_set, index=check_part(part, share_set).index, words=words(part)) for part in parts
    )


def encode_share(share: Share) -> bytes:
    """As it goes into the envelope. Secret."""
    return encode(
        {
            "form": _FORM,
            "set_sha256": share.set_sha256.hex(),
            "share_set": share.share_set.model_dump(mode="json"),
            "index": share.index,
            "custodian": share.custodian,
            "words": list(share.words),
        }
    )


def read_share(octets: bytes) -> Share:
    """What came out of the envelope.

    Raises: ShareUnfit with MALFORMED, ANOTHER_SET, WRONG_CUSTODIAN or CHECK_DIFFERS, or as ``read_words`` does.
    """
    form = _read_form(octets)
    if form.set_sha256 != form.share_set.sha256.hex():
        raise ShareUnfit("the share is bound to another set than it came with", flaw=ShareFlaw.ANOTHER_SET)
    part = read_words(form.words)
    holder = check_part(part, form.share_set)
    if holder.index != form.index:
        raise ShareUnfit(f"the words are those of share {holder.index}", flaw=ShareFlaw.CHECK_DIFFERS)
    if holder.custodian != form.custodian:
        raise wrong_custodian(holder, form.custodian)
    share = Share(share_set=form.share_set, index=form.index, words=words(part))
    # Of two equal keys the last was read, words may have been shortened: only what we write is a share.
    if not hmac.compare_digest(encode_share(share), octets):
        raise ShareUnfit("a share, but not in canonical JSON", flaw=ShareFlaw.MALFORMED)
    return share


def check_part(part: Part, share_set: ShareSet, *, older: Sequence[ShareSet] = ()) -> Holder:
    """Whose share it is. ``older`` are sets that this key was split into before.

    Raises: ShareUnfit with OLD_GENERATION, ANOTHER_SET or CHECK_DIFFERS.
    """
    holder = share_set.find_holder(part)
    if holder is not None:
        return holder
    former = next((each for each in older if each.find_holder(part) is not None), None)
    if former is not None:
        raise old_generation(former, share_set)
    if not share_set.has_identifier_of(part):
        raise another_set(f"identifier {part.identifier}", f"identifier {share_set.identifier} of {share_set.told()}")
    raise ShareUnfit(
        f"it says that it is share {part.member_index + 1} of this set, and is not the one that was given out",
        flaw=ShareFlaw.CHECK_DIFFERS,
    )


def another_set(found: str, expected: str) -> ShareUnfit:
    return ShareUnfit(f"a share of another set: expected {expected}, found {found}", flaw=ShareFlaw.ANOTHER_SET)


def old_generation(former: ShareSet, share_set: ShareSet) -> ShareUnfit:
    return ShareUnfit(
        f"a share of an old generation: expected {share_set.told()}, found {former.told()}; an old share counts as live"
        " until every blob of its generation is accounted for",
        flaw=ShareFlaw.OLD_GENERATION,
    )


def wrong_custodian(holder: Holder, found: str) -> ShareUnfit:
    return ShareUnfit(
        f"share {holder.index} is bound to {holder.custodian}, not to {found}", flaw=ShareFlaw.WRONG_CUSTODIAN
    )


def _read_form(octets: bytes) -> _ShareForm:
    """Raises: ShareUnfit with MALFORMED. It comes from no other exception: that would hold what was read."""
    wrong = f"expected at most {LONGEST_OCTETS} octets, found {len(octets)}"
    if len(octets) <= LONGEST_OCTETS:
        try:
            return _ShareForm.model_validate_json(octets)
        except ValidationError as error:
            wrong = what_is_wrong(error)
    raise ShareUnfit(f"no share: {wrong}", flaw=ShareFlaw.MALFORMED)
