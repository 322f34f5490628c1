"""What does a use take, so that no other use can take it again? A small vocabulary, for rules to make and the ledger
to spend.

Claims are taken in the very transaction that writes the intent: two requests at one instant cannot both be first, and
what was taken stays taken whatever becomes of the use. Only the same request (same name, same SHA-256) that is known to
have failed, or whose result is not kept, may take its own again; a number that the ledger gave is never given again,
not even to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """``name`` within ``scope`` is taken once and never again. ``value`` is kept beside it for later questions.

    ``remedy`` says what to do where it was taken before, where that is not to take another name.
    """

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    value: bytes = b""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The first use binds ``name`` to ``value``; later ones must bring the same value."""

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Increasing:
    """``number`` is greater than every number taken under ``name`` before: 0 to 2**160 - 1."""

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncreasingOnSuccess:
    """As Increasing, but what a use that failed took does not count: for a number of which only the use of the key can
    tell whether it is right. One use at a time: while one is in progress, another is refused.
    """

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated:
    """The ledger gives the next number under ``name``, ``first`` at the earliest and ``last`` at the latest.

    The Intent carries it (``Intent.counter``), but where it only counts (``carried`` false). ``remedy`` says what to do
    when all are used.
    """

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    first: int
    last: int
    carried: bool = True
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """One of ``most`` uses under ``name``; each has a number of its own, from 1 on.

    ``name`` is that of evidence which is void once the ledger was put back: a name that is not known there is new, and
    begins at 1 all the same. ``remedy`` says what to do when all are taken.
    """

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    most: int
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """``entries`` take the place of those taken under ``name`` before; none is missing but such as have expired.

    ``expires`` is looked up as the value of ``Bound`` claims of scope ``lifetimes`` under ``name || entry``: its last 8
    octets are the end of validity in seconds, big-endian. An entry of unknown lifetime never expires. Octets of each
    entry are of one length: 20.
    """

    rule: str
    clause: str
    scope: str
    name: bytes
    told: str
    entries: frozenset[bytes]
    lifetimes: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Takes nothing: whatever is held under any of ``names`` within ``scope`` begins with the octet ``begins``.

    Of names that the ledger does not know nothing is said. ``among`` is what the names have in common: it is left out
    where a refusal tells one.
    """

    rule: str
    clause: str
    scope: str
    among: bytes
    names: frozenset[bytes]
    told: str
    begins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One more under ``name`` within ``period_seconds``: at most ``quarantine``, with a warning above ``warning``.

    Taken by every use that has an intent, whatever becomes of it. No name of a claim: it takes nothing from another
    use until the threshold is reached. ``told`` says what is counted.

    A data value outside its threshold counts against a threshold of none: ``told`` is then what was expected, and
    ``found`` what was found. ``deletes``: what exceeds it is deleted, not quarantined (SEC G6.1(d)(i)). ``user`` is the
    User ID to which the communication relates, who says what becomes of it.
    """

    clause: str
    name: str
    told: str
    period_seconds: int
    warning: int
    quarantine: int
    user: str = ""
    found: str = ""
    deletes: bool = False


Claim = Once | Bound | Increasing | IncreasingOnSuccess | Allocated | Limited | Succession | Known
