"""Inside the first transaction: which requests were seen before, which counters were used, what each item becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from keybroker.errors import EvidenceSpent, KeybrokerError, LedgerBroken, OutcomeUnknown, RequestRepeated
from keybroker.gates.model import Permit
from keybroker.ledger import record, tables
from keybroker.ledger.claiming import IN_PROGRESS, Claiming, Granted
from keybroker.ledger.intent_form import IntentForms
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import GivenAgain, Intent, Json, Receipt, Refused, RequestIdentity
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
class Draft:
    """A permitted use, made ready before the turn: the shorter the turn, the sooner the next worker has its own.

    ``octets_sha256`` is in hex; ``record`` says that the counter was never used before. Of a use that takes something
    it is empty: what is taken is known in the turn alone.
    """

    identity: RequestIdentity
    permit: Permit
    name: str
    relation: bytes | None
    octets_sha256: str
    digest: bytes
    at: str
    record: bytes
    leaf_hash: bytes


def draft(forms: IntentForms, identity: RequestIdentity, permit: Permit, at: str) -> Draft:
    """Hash and write down one permitted use, outside the turn."""
    content = permit.decision.content
    octets_sha256 = sha256(content.octets).hexdigest()
    octets = b""
    if not permit.decision.claims:
        # ``content.sha256`` is over what the signature covers: a GBCS message from its second octet (handbook 1.5).
        octets = forms.encode(identity, permit, octets=octets_sha256, digest=content.sha256.hex(), reused=0, at=at)
    return Draft(
        identity=identity,
        permit=permit,
        name=f"{identity.operation} {identity.key} {identity.request_id}",
        relation=record.relation(content),
        octets_sha256=octets_sha256,
        digest=content.sha256,
        at=at,
        record=octets,
        leaf_hash=leaf_hash(octets),
    )


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
            name: Before(*rest) for name, *rest in _REQUESTS.run(connection, [it.name for it in permitted])
        }
        relations = [item.relation for item in permitted if item.relation is not None]
        self._uses: dict[bytes, int] = dict(_USES.run(connection, relations))
        self._used_before = frozenset(self._uses)
        self._counted: set[bytes] = set()
        self._kept: list[tuple[int, bytes, bytes, int]] = []
        self._remembered: dict[str, tuple[RequestIdentity, int]] = {}
        self._claiming = Claiming(connection, [claim for it in permitted for claim in it.permit.decision.claims])
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
        answers = [self._refused(item) if isinstance(item, Refused) else self._permitted(item) for item in self._drafts]
        if self._remembered:
            self._remember()
            self._count()
            self._claiming.write()
        if self._kept:
            _KEEP.run(self._turn.connection, self._kept)
        return answers

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
        claims = item.permit.decision.claims
        if not claims:
            return self._begun(item, None)
        own = before.intent if before is not None and before.state in record.MAY_TAKE_AGAIN else None
        try:
            return self._begun(item, self._claiming.grant(claims, own=own))
        except EvidenceSpent as spent:
            findings = item.permit.findings + spent.findings
            digest = bytes.fromhex(item.octets_sha256)
            return self._refused(Refused(identity=item.identity, error=spent, findings=findings, octets_sha256=digest))

    def _begun(self, item: Draft, granted: Granted | None) -> Intent:
        octets, hashed, reused = item.record, item.leaf_hash, 0
        if item.relation is not None:
            reused = self._uses.get(item.relation, 0)
            self._uses[item.relation] = reused + 1
            self._counted.add(item.relation)
        if reused or granted is not None:
            digests = {"octets": item.octets_sha256, "digest": item.digest.hex()}
            taken = () if granted is None else granted.told
            octets = self._forms.encode(item.identity, item.permit, **digests, reused=reused, at=item.at, taken=taken)
            hashed = leaf_hash(octets)
        caller = item.identity.caller
        receipt = self._turn.append(kind="intent", party=caller.party, octets=octets, leaf_hash=hashed)
        self._remembered[item.name] = (item.identity, receipt.leaf_index)
        content = item.permit.decision.content
        if record.may_keep(content):
            self._kept.append((receipt.leaf_index, bytes.fromhex(item.octets_sha256), content.octets, self._seconds))
        if granted is not None:
            self._claiming.take(granted, receipt.leaf_index)
        return Intent(
            identity=item.identity,
            receipt=receipt,
            digest=item.digest,
            _permit=item.permit,
            reused=reused,
            counter=None if granted is None else granted.counter,
        )

    def _given_again(self, item: Draft, before: Before) -> GivenAgain:
        outcome = before.outcome
        # The signature comes from the record itself, checked against its hash: the request table is not evidence.
        hashed, octets = (b"", b"") if outcome is None else self._signed.get(outcome, (b"", b""))
        if outcome is None or leaf_hash(octets) != hashed:
            raise LedgerBroken(f"the outcome of request {item.identity.request_id} is not as it was recorded")
        body = record.decode(octets)
        result: dict[str, Json] = {name: body[name] for name in ("signature", "result") if name in body}
        outputs = _outputs(result)
        if not outputs:
            raise LedgerBroken(f"the outcome of request {item.identity.request_id} (record {outcome}) holds no result")
        body = self._writer.release(item.identity, outcome=outcome, result=result, at=self._at)
        return GivenAgain(
            identity=item.identity,
            outputs=outputs,
            receipt=self._append("release", item.identity, record.encode(body)),
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
        digest = bytes.fromhex(item.octets_sha256)
        return self._refused(
            Refused(identity=item.identity, error=error, findings=item.permit.findings, octets_sha256=digest)
        )

    def _refused(self, refused: Refused) -> Refused:
        self._append("refusal", refused.identity, record.encode(self._writer.refusal(refused, self._at)))
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
        first = [(it, self._uses[it]) for it in self._counted if it not in self._used_before]
        again = [(it, self._uses[it]) for it in self._counted & self._used_before]
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


def _is_same(item: Draft, before: Before) -> bool:
    return item.identity.sha256 == before.sha256 and item.identity.caller.identity == before.caller
