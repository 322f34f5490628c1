"""Inside the second transaction: how each intent ended, and what is left open when nobody can say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy import select

from keybroker.content.model import AuditCheckpoint
from keybroker.errors import KeybrokerError, OutcomeUnknown
from keybroker.ledger import canonical_json, record, tables
from keybroker.ledger.checkpoint_form import checkpoint_note
from keybroker.ledger.intending import OPEN
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Concluded, Failure, Product, Receipt, Signature
from keybroker.ledger.model import Result as Made
from keybroker.ledger.statements import Insert, Lookup, Update
from keybroker.ledger.turn import Turn

_BY_INTENT = Lookup(
    select(tables.request.c.intent_index, tables.request.c.state, tables.request.c.outcome_index),
    tables.request.c.intent_index,
)
_END = Update(tables.request, "intent_index", "state", "outcome_index")
_CHECKPOINT = Insert(tables.checkpoint, "intent_index", "tree_size", "note", "at")
_IS_OPEN = tables.request.c.state == OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the module did under one intent, and its record, made ready before the turn."""

    result: Made | Failure
    state: str
    record: bytes
    leaf_hash: bytes
    at: datetime

    @property
    def intent_index(self) -> int:
        return self.result.intent.receipt.leaf_index


def draft(writer: record.Writer, result: Made | Failure, at: datetime, moment: str) -> Result:
    """Write down one result, outside the turn; ``moment`` is ``at`` as records have it."""
    octets = canonical_json.encode(writer.outcome(result, moment))
    return Result(result=result, state=_state(result), record=octets, leaf_hash=leaf_hash(octets), at=at)


def _state(result: Made | Failure) -> str:
    match result:
        case Signature():
            return record.SIGNED
        case Product():
            return record.MADE if result.kept else record.DONE
        case Failure():
            return record.state_after(result.error)
        case _:
            assert_never(result)


def conclude(turn: Turn, results: Sequence[Result]) -> list[Concluded | KeybrokerError]:
    """Append the outcome of every intent that is still open; answer each in order."""
    rows = _BY_INTENT.run(turn.connection, [item.intent_index for item in results])
    known: dict[int, tuple[str, int | None]] = {index: (state, outcome) for index, state, outcome in rows}
    answers: list[Concluded | KeybrokerError] = []
    ended: list[tuple[int, str, int]] = []
    checkpoints: list[tuple[int, int, bytes, int]] = []
    for item in results:
        state, outcome = known.get(item.intent_index, (None, None))
        if state != OPEN:
            answers.append(_ended_before(turn, item, outcome))
            continue
        party = item.result.intent.identity.caller.party
        receipt = turn.append(kind="outcome", party=party, octets=item.record, leaf_hash=item.leaf_hash)
        ended.append((item.intent_index, item.state, receipt.leaf_index))
        checkpoints += _checkpoint(item)
        answers.append(_conclusion(item.result, receipt))
    if ended:
        _END.run(turn.connection, ended)
    if checkpoints:
        _CHECKPOINT.run(turn.connection, checkpoints)
    return answers


def _checkpoint(item: Result) -> Iterator[tuple[int, int, bytes, int]]:
    """The row of a checkpoint that was signed: with its outcome, so that neither is ever there alone."""
    decision = item.result.intent.permit.decision
    if isinstance(item.result, Signature) and isinstance(content := decision.content, AuditCheckpoint):
        note = checkpoint_note(
            content.origin,
            content.tree_size,
            content.root_hash,
            public_key=decision.key.public_key,
            signature=item.result.octets,
        )
        yield item.intent_index, content.tree_size, note, int(item.at.timestamp())


def close(
    turn: Turn, writer: record.Writer, workers: Collection[str], at: datetime, *, apart_from: Collection[int] = ()
) -> list[Receipt]:
    """Close what these workers left open: outcome unknown. ``apart_from`` are intents whose outcome will still come."""
    if not workers:
        return []
    rows = turn.connection.execute(
        select(tables.request)
        .where(_IS_OPEN, tables.request.c.worker.in_(workers))
        .order_by(tables.request.c.intent_index)
    ).all()
    ended, receipts = [], []
    for row in rows:
        if row.intent_index not in apart_from:
            octets = canonical_json.encode(writer.closed(row.intent_index, row.party, died=row.worker, at=at))
            receipts.append(turn.append(kind="closed", party=row.party, octets=octets, leaf_hash=leaf_hash(octets)))
            ended.append((row.intent_index, record.UNKNOWN, receipts[-1].leaf_index))
    if ended:
        _END.run(turn.connection, ended)
    return receipts


def workers_with_open_intents(turn: Turn) -> list[str]:
    """The workers, living or dead, that have an intent without an outcome."""
    return list(turn.connection.execute(select(tables.request.c.worker).where(_IS_OPEN).distinct()).scalars())


def _ended_before(turn: Turn, item: Result, outcome: int | None) -> Concluded | KeybrokerError:
    # Our own record, written by a commit that seemed to fail, counts; a closing by somebody else does too.
    if outcome is not None and turn.leaf_hash_at(outcome) == item.leaf_hash:
        receipt = Receipt(origin=turn.origin, leaf_index=outcome, leaf_hash=item.leaf_hash)
        return _conclusion(item.result, receipt)
    return OutcomeUnknown(
        "the ledger had closed this request before its outcome came: it stays unknown, nothing is released"
    )


def _conclusion(result: Made | Failure, receipt: Receipt) -> Concluded | KeybrokerError:
    if isinstance(result, Failure):
        return result.error
    outputs = (result.octets,) if isinstance(result, Signature) else result.outputs
    return Concluded(intent=result.intent, outputs=outputs, receipt=receipt, reused=result.intent.reused)
