"""Inside the first transaction: what becomes of a communication that exceeds an Anomaly Detection Threshold? SEC G6.1.

It is quarantined with the record of its refusal, once however often it is asked for, and stays there although the
period may be over meanwhile; or deleted, where it is a SMETS1 Service Request with a data value out of range. What its
User released is let through once, whether it still exceeds a threshold or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select, text, update

from keybroker.clause import clause
from keybroker.errors import ThresholdExceeded
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.counting import GATE, WAITING, Tallied
from keybroker.ledger.model import Refused
from keybroker.ledger.quarantine_state import QuarantineState
from keybroker.ledger.statements import Insert, Lookup, Update
from keybroker.policy.claim import Counted
from keybroker.terms import Finding, RuleName

IN_QUARANTINE = "COMMUNICATION_IN_QUARANTINE"
_CLAUSE = "G6.1(a)(iii)"

_row = tables.quarantine.c
_HELD = Lookup(
    select(_row.sha256, _row.key, _row.party, _row.state, _row.leaf_index).where(text(tables.HELD)),
    _row.sha256,
)
_PUT = Insert(
    tables.quarantine,
    "leaf_index",
    "party",
    "caller",
    "user_id",
    "key",
    "name",
    "sha256",
    "octets",
    "counts",
    "state",
    "at",
)
_PROCESS = Update(tables.quarantine, "leaf_index", "state", "octets")


class Communication(NamedTuple):
    """What is the same when it is asked for again: SHA-256 of its octets, key and party."""

    sha256: bytes
    key: str
    party: str


class Held(NamedTuple):
    """A communication that is quarantined, or released and not yet processed."""

    state: str
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Refused):
    """A refusal with which a communication was quarantined, or deleted: ``leaf_index`` is of its record, ``user`` the
    User ID to which it relates, ``counts`` what it exceeded.
    """

    state: QuarantineState
    leaf_index: int
    user: str
    counts: tuple[str, ...]


class Quarantining:
    """The quarantine as one batch sees it. Read with the first of the batch that counts."""

    def __init__(self, connection: Connection, digests: Sequence[bytes], at: int) -> None:
        """``digests`` are SHA-256 of the octets of everything in the batch, ``at`` its moment in whole seconds."""
        self._connection = connection
        self._digests = digests
        self._at = at
        self._held: dict[Communication, Held] | None = None
        self._put: list[tuple[object, ...]] = []
        self._processed: list[tuple[int, str, None]] = []

    def find(self, which: Communication) -> Held | None:
        """Is it held now?"""
        if self._held is None:
            rows = _HELD.run(self._connection, list(set(self._digests)))
            self._held = {Communication(*row[:3]): Held(*row[3:]) for row in sorted(rows, key=lambda row: row[4])}
        return self._held.get(which)

    def process(self, which: Communication) -> None:
        """It was released, and has its intent in this transaction: no second use rests on that release."""
        held = self.find(which)
        if held is not None and self._held is not None:
            del self._held[which]
            self._processed.append((held.leaf_index, QuarantineState.PROCESSED.value, None))

    def told(self, which: Communication, exceeded: Sequence[Counted], user: str) -> dict[str, Json]:
        """What the record of the refusal says: what became of it, of which counts, and of which ``user``. What is held
        already exceeds nothing anew."""
        held = self.find(which)
        counts: list[Json] = [each.name for each in exceeded]
        told: dict[str, Json] = {"counts": counts, "state": _state(exceeded).value, "user": user}
        if held is not None:
            told["held"] = held.leaf_index
        return told

    @clause("G6.1")
    def put(
        self,
        which: Communication,
        refused: Refused,
        exceeded: Sequence[Counted],
        *,
        leaf_index: int,
        octets: bytes | None,
    ) -> Refused:
        """Quarantine or delete it, unless it is in quarantine already. ``leaf_index`` is of its refusal."""
        if self.find(which) is not None:
            return refused
        identity, state = refused.identity, _state(exceeded)
        if state is QuarantineState.QUARANTINED and self._held is not None:
            self._held[which] = Held(state.value, leaf_index)
        self._put.append(
            (
                leaf_index,
                which.party,
                identity.caller.identity,
                exceeded[0].user,
                which.key,
                f"{identity.operation} {identity.key} {identity.request_id}",
                which.sha256,
                octets if state is QuarantineState.QUARANTINED else None,
                "\n".join(each.name for each in exceeded)[:4096],
                state.value,
                self._at,
            )
        )
        return Kept(
            identity=identity,
            error=refused.error,
            findings=refused.findings,
            octets_sha256=refused.octets_sha256,
            state=state,
            leaf_index=leaf_index,
            user=exceeded[0].user,
            counts=tuple(each.name for each in exceeded),
        )

    def write(self) -> None:
        """Write down all of it."""
        if self._processed:
            _PROCESS.run(self._connection, self._processed)
        if self._put:
            _PUT.run(self._connection, self._put)


# SEC G6.1(a)(iii): the User says "whether it considers that a communication which has been quarantined should be
# deleted from the DCC Systems or processed by the DCC". Nobody else does, and no waiting.
@clause("G6.1")
def why_not(tallied: Tallied, held: Held | None) -> ThresholdExceeded | None:
    """Why a use that was tallied is not served; None where it is, and ``held`` is then what was released, if any."""
    exceeded = tallied.exceeded
    if held is not None and held.state == QuarantineState.RELEASED and not any(each.deletes for each in exceeded):
        return None
    if exceeded:
        return tallied.refusal()
    return None if held is None or held.state == QuarantineState.RELEASED else _in_quarantine(held)


def _in_quarantine(held: Held) -> ThresholdExceeded:
    finding = Finding(
        rule=RuleName(GATE),
        clause=_CLAUSE,
        passed=False,
        expected="a communication that is not in quarantine",
        found=f"one that is, since record {held.leaf_index}",
        reason=IN_QUARANTINE,
        remedy=WAITING,
    )
    told = f"{GATE}: expected {finding.expected}, found {finding.found} ({_CLAUSE}); {WAITING}"
    return ThresholdExceeded(told, gate=GATE, clause=_CLAUSE, findings=(finding,))


# SEC G6.1(d)(i): "in the case of any SMETS1 Service Request which contains a data value that is inconsistent with a
# maximum or minimum [...], shall include the deletion by the DCC of that Service Request".
def _state(exceeded: Sequence[Counted]) -> QuarantineState:
    return QuarantineState.DELETED if any(each.deletes for each in exceeded) else QuarantineState.QUARANTINED


def forget_releases(connection: Connection) -> int:
    """After a restore: a release that was used in the lost part would let a second use through, so its User says anew
    what becomes of each. Answers how many.
    """
    table = tables.quarantine
    released = update(table).where(table.c.state == QuarantineState.RELEASED.value)
    return connection.execute(released.values(state=QuarantineState.QUARANTINED.value)).rowcount
