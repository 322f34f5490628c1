"""What do the records answer to what people ask? One frozen row a line, in the order of its columns. Pure.

Moments are as records write them. No answer holds octets, signatures, statements or what a decoder read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from keybroker.ledger.record import moment


class Grain(IntEnum):
    """How long a bar of time is: so many characters of a moment name it."""

    MONTH = len("2026-03")
    DAY = len("2026-03-01")
    HOUR = len("2026-03-01T09")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``since`` on, and before ``until``; None: from the first record, up to the last."""

    since: datetime | None = None
    until: datetime | None = None
    grain: Grain = Grain.DAY

    @property
    def bounds(self) -> tuple[str, str]:
        """As records write moments, which sort as they are."""
        first = "" if self.since is None else moment(self.since)
        return first, "~" if self.until is None else moment(self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRow:
    """Uses of keys of one purpose that began ``when``, and how they ended so far (SEC G2.6; ``clause`` is the
    purpose's). ``made``: with a signature or another result.
    """

    when: str
    purpose: str
    clause: str
    uses: int
    made: int
    failed: int
    unknown: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """``clause``: of the findings that refused, empty where no rule spoke. ``what``: the operation, or the act."""

    reason: str
    clause: str
    caller: str
    what: str
    count: int
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """Who used which key. ``again``: results that were given a second time."""

    key: str
    purpose: str
    caller: str
    system: str
    party: str
    uses: int
    again: int
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyRow:
    """``people`` signed a step; ``steps`` are those that were concluded. ``state``: open, done or aborted."""

    name: str
    kind: str
    side: str
    state: str
    begun: str
    ended: str
    keys: tuple[str, ...]
    people: tuple[str, ...]
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """What a person ordered, and how often; of a ceremony, how many steps he signed."""

    person: str
    act: str
    count: int
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRow:
    """``event`` is the leaf index of the record that tells of it, ``record`` of what gave rise to it."""

    event: int
    at: str
    detector: str
    subject: str
    record: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """A review of the audit log (SEC G2.26)."""

    record: int
    at: str
    person: str
    up_to: int
    marked: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one pass over the records gave. ``records`` were there, ``within`` of them in the period; ``key_uses`` are
    intents of each key since the first record.
    """

    records: int
    within: int
    first: str
    last: str
    uses: tuple[UseRow, ...]
    refusals: tuple[RefusalRow, ...]
    users: tuple[UserRow, ...]
    ceremonies: tuple[CeremonyRow, ...]
    people: tuple[PersonRow, ...]
    anomalies: tuple[AnomalyRow, ...]
    reviews: tuple[ReviewRow, ...]
    key_uses: tuple[tuple[str, int], ...]
