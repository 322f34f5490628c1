"""Who writes intents and outcomes? Two transactions round every use of a key, each for a whole batch.

No durable intent, no key use; no durable outcome, no reply. What cannot be known is called unknown (OutcomeUnknown),
never refused. Requests are idempotent by (operation, key, request_id): only a recorded signature is given again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

from sqlalchemy import delete, func, select

from keybroker.errors import EvidenceSpent, KeybrokerError, LedgerUnavailable, OutcomeUnknown, ThresholdExceeded
from keybroker.gates.model import Permit
from keybroker.ledger import canonical_json, concluding, drafting, intending, record, sqlite, tables
from keybroker.ledger.claim_form import ON_SUCCESS_OCTETS
from keybroker.ledger.claiming import Claiming
from keybroker.ledger.counting import Counting
from keybroker.ledger.intending import OPEN, Answer
from keybroker.ledger.intent_form import IntentForms
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import (
    Concluded,
    Entry,
    Failure,
    Head,
    InForce,
    Intent,
    Receipt,
    RecordKind,
    Refused,
    RequestIdentity,
    Result,
    StoredRecord,
)
from keybroker.ledger.quarantining import Quarantining, why_not
from keybroker.ledger.store import Ledger
from keybroker.ledger.turn import Turn

__all__ = ["Entry", "InForce", "Journal", "RecordKind", "RegisterMoved", "StoredRecord"]


class RegisterMoved(Exception):
    """The key register has changed since the batch was judged: nothing was written; judge again."""


class Journal:
    """One worker's pen. ``worker`` is its name; one life of it is told from another by a random incarnation.

    While it lives it holds a lock on a file beside the database, by which others know that its intents may still end.
    """

    def __init__(self, ledger: Ledger, *, in_force: InForce, worker: str, incarnation: str = "") -> None:
        """Raises: ValueError for a name that is not [a-z0-9-]{1,63}; LedgerUnavailable when it cannot be locked."""
        if not re.fullmatch(r"[a-z0-9-]{1,63}", worker):
            raise ValueError("a worker's name is 1 to 63 of [a-z0-9-]")
        self.ledger = ledger
        self.worker = f"{worker}.{incarnation or os.urandom(6).hex()}"
        self.writer = record.Writer(deployment=ledger.deployment, in_force=in_force, worker=self.worker)
        self._forms = IntentForms(self.writer)
        self._held: set[int] = set()
        self._left_open = False
        self._alive = ledger.begin_life(self.worker)

    def intend(
        self, judged: Sequence[tuple[RequestIdentity, Permit] | Refused], *, register_version: int, at: datetime
    ) -> list[Answer]:
        """``turn_over`` where no batch went before."""
        return self.turn_over((), judged, register_version=register_version, at=at)[1]

    def turn_over(
        self,
        results: Sequence[Result | Failure],
        judged: Sequence[tuple[RequestIdentity, Permit] | Refused],
        *,
        register_version: int,
        at: datetime,
    ) -> tuple[list[Concluded | KeybrokerError], list[Answer]]:
        """Write down how the batch before ended, what is about to happen in this one, and what will not.

        One transaction, one answer each, in order. Raises: RegisterMoved: nothing was written. LedgerUnavailable: no
        key of this batch was used and none will be. LedgerBroken. After each of them ``results`` must be given to
        ``conclude``, which finds what was written of them after all.
        """
        moment = record.moment(at)
        ready = [concluding.draft(self.writer, result, at, moment) for result in results]
        drafts = [it if isinstance(it, Refused) else drafting.draft(self._forms, *it, moment) for it in judged]
        taken: list[int] = []

        def work(turn: Turn) -> tuple[list[Concluded | KeybrokerError], list[Answer]]:
            if turn.register_version != register_version:
                raise RegisterMoved
            conclusions = concluding.conclude(turn, ready) if ready else []
            if self._left_open:
                concluding.close(turn, self.writer, [self.worker], at, apart_from=self._held)
            answers = intending.Intending(self.writer, self._forms, turn, drafts, at).answers()
            taken.extend(answer.receipt.leaf_index for answer in answers if isinstance(answer, Intent))
            self._held.update(taken)
            return conclusions, answers

        try:
            answered = self.ledger.transact(work)
        except KeybrokerError as fault:
            self._held.difference_update(taken)
            if not isinstance(fault, OutcomeUnknown):
                raise
            # The intents may be in the file, yet their permits go no further: they are closed at a later turn.
            self._left_open = True
            raise LedgerUnavailable("the ledger cannot be written now; nothing was signed") from fault
        self._left_open = False
        self._held.difference_update(item.intent_index for item in ready)
        return answered

    def conclude(self, results: Sequence[Result | Failure], *, at: datetime) -> list[Concluded | KeybrokerError]:
        """Write down how each intent ended: one transaction. Only what is Concluded may leave.

        Raises: OutcomeUnknown: keys may have been used, and no outcome could be written. LedgerBroken.
        """
        moment = record.moment(at)
        ready = [concluding.draft(self.writer, result, at, moment) for result in results]
        indexes = [item.intent_index for item in ready]
        try:
            try:
                return self.ledger.transact(lambda turn: concluding.conclude(turn, ready))
            except (LedgerUnavailable, OutcomeUnknown):
                # Once more: it finds what the first attempt may have written after all.
                return self.ledger.transact(lambda turn: concluding.conclude(turn, ready))
        except (LedgerUnavailable, OutcomeUnknown) as fault:
            self._left_open = True
            raise OutcomeUnknown(
                "the ledger could not take the outcome: the key may have been used, and nothing is released"
            ) from fault
        finally:
            self._held.difference_update(indexes)

    def check_takes(self, permit: Permit, at: datetime) -> None:
        """Could the use take now what it would take? Reads, and takes nothing.

        Raises: EvidenceSpent, ThresholdExceeded, holding the permit's findings too; LedgerUnavailable, LedgerBroken.
        """
        if not permit.claims and not permit.counts:
            return
        with self.ledger.read() as connection:
            try:
                Claiming(connection, permit.claims).grant(permit.claims, own=None)
                tallied = Counting(connection, permit.counts, int(at.timestamp())).tally(permit.counts)
                which = drafting.communication_in(permit)
                refusal = why_not(tallied, Quarantining(connection, [which.sha256], int(at.timestamp())).find(which))
                if permit.counts and refusal is not None:
                    raise refusal
            except (EvidenceSpent, ThresholdExceeded) as shut:
                raise drafting.after_permit(permit, shut) from shut

    def write(self, entries: Sequence[Entry], *, at: datetime) -> list[Receipt]:
        """Write reads, starts and stops, administrative acts: one transaction.

        Raises: LedgerUnavailable, OutcomeUnknown, LedgerBroken; ValueError for a body that a record cannot hold.
        """
        drafts = [(entry, canonical_json.encode(self.writer.entry(entry, at))) for entry in entries]
        return self.ledger.transact(
            lambda turn: [
                turn.append(kind=entry.kind.value, party=entry.party, octets=octets, leaf_hash=leaf_hash(octets))
                for entry, octets in drafts
            ]
        )

    def close_open_intents(self, at: datetime) -> list[Receipt]:
        """Close the open intents of dead workers, ``outcome unknown``: what they spent stays spent.

        For the start of a broker and of each worker. A worker is dead when the lock on its file is free, which the
        kernel sees to. Raises: LedgerUnavailable, OutcomeUnknown, LedgerBroken.
        """

        def work(turn: Turn) -> list[Receipt]:
            workers = concluding.workers_with_open_intents(turn)
            dead = [worker for worker in workers if not self.ledger.is_alive(worker)]
            return concluding.close(turn, self.writer, dead, at)

        receipts = self.ledger.transact(work)
        self.ledger.sweep_lives()
        return receipts

    def forget_requests(self, before: datetime) -> int:
        """Forget the names of requests whose intents are older; answers how many. Their records stay.

        A request_id that was forgotten counts as new: no caller may repeat requests that old. Kept for longer is one
        that came to nothing and was the last to take a number that counts on success alone: forgotten, it would count
        as served, and a forged answer with the largest counter would silence its Device.
        """
        request = tables.request.c
        came_to_nothing = request.state.in_((record.FAILED, record.UNKNOWN))
        on_success = func.length(tables.taken.c.value) == ON_SUCCESS_OCTETS
        takes_last = request.intent_index.in_(select(tables.taken.c.intent_index).where(on_success))
        old = (request.at < int(before.timestamp())) & (request.state != OPEN) & ~(came_to_nothing & takes_last)
        return self.ledger.transact(lambda turn: turn.connection.execute(delete(tables.request).where(old)).rowcount)

    def find(self, leaf_index: int) -> StoredRecord | None:
        """The record at a leaf index (``party`` says whose it is), None where the tree does not reach.

        Raises: LedgerUnavailable, LedgerBroken.
        """
        return self.ledger.find(leaf_index)

    def head(self, at: datetime) -> Head:
        """The tree's head as committed now. Raises: LedgerUnavailable, LedgerBroken."""
        return self.ledger.head(at)

    @contextmanager
    def keeping_head(self, at: datetime) -> Iterator[Head]:
        """The head, for whoever writes it outside; the other workers wait, for a second at most: SoftHSM's processes
        fail to find an object while another destroys one. Raises: LedgerUnavailable, LedgerBroken.
        """
        with ExitStack() as held:
            try:
                held.enter_context(sqlite.one_at_a_time(sqlite.beside(self.ledger.file, "head"), seconds=1))
            except OSError as error:
                raise sqlite.fault(error) from error
            yield self.head(at)

    def close(self) -> None:
        """Put the pen down: whatever it left open is a dead worker's from here on."""
        self._alive.close()
