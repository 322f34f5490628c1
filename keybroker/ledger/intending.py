"""Inside the first transaction: which requests were seen before, which counters were used, what each item becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from keybroker.content.model import AuditCheckpoint
from keybroker.errors import (
    EvidenceSpent,
    KeybrokerError,
    LedgerBroken,
    NotPermitted,
    OutcomeUnknown,
    RequestRepeated,
    ThresholdExceeded,
)
from keybroker.ledger import canonical_json, record, tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.claiming import IN_PROGRESS, Claiming, Granted
from keybroker.ledger.counting import COUNTS_NOTHING, Counting, Tallied
from keybroker.ledger.drafting import Draft, communication_of, refused_in_turn
from keybroker.ledger.intent_form import IntentForms
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import GivenAgain, Intent, Receipt, Refused, RequestIdentity
from keybroker.ledger.quarantining import Quarantining, why_not
from keybroker.ledger.record import Takes
from keybroker.ledger.statements import Insert, Lookup, Update, Write
from keybroker.ledger.turn import Turn

OPEN = IN_PROGRESS
"""The state of an intent whose outcome is not written yet; the others are those of ``record``."""

Answer = Intent | GivenAgain | Refused

_GIVEN_AGAIN = (record.SIGNED, record.MADE)

_REQUESTS = Lookup(
    select(
        tables.request.c.name,
        tables.request.c.caller,
        tables.request.c.sha256,
        tables.request.c.state,
        tables.request.c.outcome_index,
        tables.request.c.intent_index,
    ),
    tables.request.c.name,
)
_USES = Lookup(select(tables.counter_use.c.relation, tables.counter_use.c.uses), tables.counter_use.c.relation)
_RECORDS = Lookup(
    select(tables.record.c.leaf_index, tables.record.c.leaf_hash, tables.record.c.octets), tables.record.c.leaf_index
)
_FORGET = Write(delete(tables.request).where(tables.request.c.name == bindparam("which")), "which")
_REMEMBER = Insert(
    tables.request,
    "intent_index",
    "name",
    "caller",
    "party",
    "sha256",
    "state",
    "outcome_index",
    "worker",
    "at",
)
_FIRST_USE = Insert(tables.counter_use, "relation", "uses")
_USE_AGAIN = Update(tables.counter_use, "relation", "uses")
_KEEP = Insert(tables.octets, "leaf_index", "sha256", "octets", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Takes:
    """What a use takes and counts in this turn; ``released`` is the record of the refusal whose quarantine it ends."""

    granted: Granted | None = None
    tallied: Tallied = COUNTS_NOTHING
    released: int | None = None

    @property
    def told(self) -> Takes:
        return Takes(
            taken=() if self.granted is None else self.granted.told,
            counted=self.tallied.told,
            warned=self.tallied.warned,
            released=self.released,
        )


_NOTHING = _Takes()


class Before(NamedTuple):
    """The last intent under a name: whose, for what, how it ended, where that is written, and where it is itself."""

    caller: str
    sha256: bytes
    state: str
    outcome: int | None
    intent: int | None = None


class Intending:
    """One batch in its first transaction. Reads everything at once, decides in order, writes everything at once."""

    def __init__(
        self, writer: record.Writer, forms: IntentForms, turn: Turn, drafts: Sequence[Draft | Refused], at: datetime
    ) -> None:
        self._writer = writer
        self._forms = forms
        self._turn = turn
        self._drafts = drafts
        self._at = at
        self._seconds = int(at.timestamp())
        permitted = [item for item in drafts if isinstance(item, Draft)]
        connection = turn.connection
        self._requests = {
            name: Before(*rest) for name, *rest in _REQUESTS.run(connection, [*map(_name, filter(_is_asked, drafts))])
        }
        relations = [item.relation for item in permitted if item.relation is not None]
        self._uses: dict[bytes, int] = dict(_USES.run(connection, relations))
        self._used_before = frozenset(self._uses)
        self._used: set[bytes] = set()
        self._kept: list[tuple[int, bytes, bytes, int]] = []
        self._remembered: dict[str, tuple[RequestIdentity, int]] = {}
        self._claiming = Claiming(connection, [claim for it in permitted for claim in it.permit.claims])
        self._counting = Counting(connection, [each for it in permitted for each in it.permit.counts], self._seconds)
        digests = [bytes.fromhex(item.octets_sha256) for item in permitted if item.permit.counts]
        self._quarantining = Quarantining(connection, digests, self._seconds)
        given = [before.outcome for before in self._requests.values() if before.state in _GIVEN_AGAIN]
        self._signed: dict[int, tuple[bytes, bytes]] = {
            index: (hashed, octets) for index, hashed, octets in _RECORDS.run(connection, given)
        }
        if given:
            # The batch before may have ended in this very turn.
            self._signed.update(turn.appended())

    def answers(self) -> list[Answer]:
        """What each item became, in order; everything is written but the commit.

        Raises: LedgerBroken when a recorded signature is not as it was hashed.
        """
        answers = [self._too_late(it) if isinstance(it, Refused) else self._permitted(it) for it in self._drafts]
        if self._remembered:
            self._remember()
            self._count()
            self._claiming.write()
            self._counting.write()
        self._quarantining.write()
        if self._kept:
            _KEEP.run(self._turn.connection, self._kept)
        return answers

    def _too_late(self, item: Refused) -> Answer:
        """Refused, unless the very same was served while its evidence counted."""
        before = self._requests.get(item.identity.name) if item.decision is not None else None
        if before is None or before.state not in _GIVEN_AGAIN or not _is_same(item, before):
            return self._refused(item)
        return self._given_again(item, before)

    def _permitted(self, item: Draft) -> Answer:
        if item.name in self._remembered:
            first, _ = self._remembered[item.name]
            return self._taken(item, Before(first.caller.identity, first.sha256, OPEN, None))
        before = self._requests.get(item.name)
        if before is None:
            return self._intent(item)
        if not _is_same(item, before) or before.state == OPEN:
            return self._taken(item, before)
        if before.state in _GIVEN_AGAIN:
            return self._given_again(item, before)
        return self._intent(item, before)

    def _intent(self, item: Draft, before: Before | None = None) -> Intent | Refused:
        permit = item.permit
        content = permit.decision.content
        if isinstance(content, AuditCheckpoint) and content.tree_size > self._turn.size:
            told = f"a checkpoint of {content.tree_size} records is of no ledger that has {self._turn.size}"
            return self._refused(refused_in_turn(item, NotPermitted(told)))
        if not permit.claims and not permit.counts:
            return self._begun(item, _NOTHING)
        own = before.intent if before is not None and before.state in record.MAY_TAKE_AGAIN else None
        try:
            granted = self._claiming.grant(permit.claims, own=own) if permit.claims else None
        except EvidenceSpent as spent:
            return self._refused(refused_in_turn(item, spent))
        if not permit.counts:
            return self._begun(item, _Takes(granted=granted))
        tallied, held = self._counting.tally(permit.counts), self._quarantining.find(communication_of(item))
        if error := why_not(tallied, held):
            return self._quarantined(item, tallied, error)
        released = None if held is None else held.leaf_index
        return self._begun(item, _Takes(granted=granted, tallied=tallied, released=released))

    def _begun(self, item: Draft, takes: _Takes) -> Intent:
        reused = 0
        if item.relation is not None:
            reused = self._uses.get(item.relation, 0)
            self._uses[item.relation] = reused + 1
            self._used.add(item.relation)
        octets, hashed = self._written(item, takes, reused)
        caller = item.identity.caller
        receipt = self._turn.append(kind="intent", party=caller.party, octets=octets, leaf_hash=hashed)
        self._remembered[item.name] = (item.identity, receipt.leaf_index)
        content = item.permit.decision.content
        if record.may_keep(content):
            self._kept.append((receipt.leaf_index, bytes.fromhex(item.octets_sha256), content.octets, self._seconds))
        if takes.granted is not None:
            self._claiming.take(takes.granted, receipt.leaf_index)
        self._counting.take(takes.tallied)
        if takes.released is not None:
            self._quarantining.process(communication_of(item))
        return Intent(
            identity=item.identity,
            receipt=receipt,
            digest=item.digest,
            _permit=item.permit,
            reused=reused,
            counter=None if takes.granted is None else takes.granted.counter,
            warned=takes.tallied.warned,
        )

    def _written(self, item: Draft, takes: _Takes, reused: int) -> tuple[bytes, bytes]:
        """The record and its leaf hash: what was made ready before the turn, where that is all."""
        if item.record and not reused:
            return item.record, item.leaf_hash
        told = takes.told
        if item.halves is not None and not reused and not told.warned and told.released is None:
            octets = canonical_json.text(list(told.counted)).encode().join(item.halves)
        else:
            digests = {"octets": item.octets_sha256, "digest": item.digest.hex()}
            octets = self._forms.encode(item.identity, item.permit, **digests, reused=reused, at=item.at, takes=told)
        return octets, leaf_hash(octets)

    def _quarantined(self, item: Draft, tallied: Tallied, error: ThresholdExceeded) -> Refused:
        """Nothing is counted or taken for it; it is kept until its User says what becomes of it."""
        which = communication_of(item)
        refused = refused_in_turn(item, error)
        told = self._quarantining.told(which, tallied.exceeded, item.permit.counts[0].user)
        body = self._writer.refusal(refused, self._at, quarantine=told)
        receipt = self._append("refusal", item.identity, canonical_json.encode(body))
        content = item.permit.decision.content
        return self._quarantining.put(
            which,
            refused,
            tallied.exceeded,
            leaf_index=receipt.leaf_index,
            octets=content.octets if record.may_keep(content) else None,
        )

    def _given_again(self, item: Draft | Refused, before: Before) -> GivenAgain:
        outcome = before.outcome
        # The signature comes from the record itself, checked against its hash: the request table is not evidence.
        hashed, octets = (b"", b"") if outcome is None else self._signed.get(outcome, (b"", b""))
        if outcome is None or leaf_hash(octets) != hashed:
            raise LedgerBroken(f"the outcome of request {item.identity.request_id} is not as it was recorded")
        body = canonical_json.decode(octets)
        result: dict[str, Json] = {name: body[name] for name in ("signature", "result") if name in body}
        outputs = _outputs(result)
        if not outputs:
            raise LedgerBroken(f"the outcome of request {item.identity.request_id} (record {outcome}) holds no result")
        body = self._writer.release(item.identity, outcome=outcome, result=result, at=self._at)
        return GivenAgain(
            identity=item.identity,
            outputs=outputs,
            receipt=self._append("release", item.identity, canonical_json.encode(body)),
            first=Receipt(origin=self._turn.origin, leaf_index=outcome, leaf_hash=hashed),
        )

    def _taken(self, item: Draft, before: Before) -> Refused:
        error: KeybrokerError
        if _is_same(item, before):
            error = OutcomeUnknown("the same request is in progress; ask again for its outcome")
        elif before.caller != item.identity.caller.identity:
            error = RequestRepeated("this request_id was used by another caller; choose another one")
        else:
            error = RequestRepeated(
                f"this request_id was used for another request: expected SHA-256 {before.sha256.hex()},"
                f" found {item.identity.sha256.hex()}; choose another one"
            )
        return self._refused(refused_in_turn(item, error))

    def _refused(self, refused: Refused) -> Refused:
        self._append("refusal", refused.identity, canonical_json.encode(self._writer.refusal(refused, self._at)))
        return refused

    def _append(self, kind: str, identity: RequestIdentity, octets: bytes) -> Receipt:
        return self._turn.append(kind=kind, party=identity.caller.party, octets=octets, leaf_hash=leaf_hash(octets))

    def _remember(self) -> None:
        anew = [name for name in self._remembered if name in self._requests]
        if anew:
            _FORGET.run(self._turn.connection, [(name,) for name in anew])
        rows = [
            (
                index,
                name,
                it.caller.identity,
                it.caller.party,
                it.sha256,
                OPEN,
                None,
                self._writer.worker,
                self._seconds,
            )
            for name, (it, index) in self._remembered.items()
        ]
        _REMEMBER.run(self._turn.connection, rows)

    def _count(self) -> None:
        first = [(it, self._uses[it]) for it in self._used if it not in self._used_before]
        again = [(it, self._uses[it]) for it in self._used & self._used_before]
        if first:
            _FIRST_USE.run(self._turn.connection, first)
        if again:
            _USE_AGAIN.run(self._turn.connection, again)


def _outputs(result: Mapping[str, Json]) -> tuple[bytes, ...]:
    """The octets of a recorded result, none where it is of another form."""
    match result:
        case {"signature": str() as signature}:
            return (bytes.fromhex(signature),)
        case {"result": list() as outputs}:
            return tuple(bytes.fromhex(str(each)) for each in outputs)
        case _:
            return ()


def _is_asked(item: Draft | Refused) -> bool:
    """May something be given again for it?"""
    return isinstance(item, Draft) or item.decision is not None


def _name(item: Draft | Refused) -> str:
    return item.identity.name


def _is_same(item: Draft | Refused, before: Before) -> bool:
    return item.identity.sha256 == before.sha256 and item.identity.caller.identity == before.caller
