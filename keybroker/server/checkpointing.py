"""When does the broker sign a checkpoint of its own ledger? SEC G2.27. Soon after N records or T seconds, if any.

A checkpoint is a request as others are: it goes down the line beside what callers ask, under the purpose
audit-checkpoint, and is recorded. Its own two records are no reason for another. One worker at a time asks: whoever
holds the lock ``<database>.checkpoint``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, final

from keybroker.config.checkpoints_table import CheckpointsTable
from keybroker.content.checkpoint import encode_checkpoint
from keybroker.errors import KeybrokerError
from keybroker.ledger.checkpoints import CHECKPOINT_RECORDS, newest_checkpoint
from keybroker.ledger.model import Concluded, Head, RequestIdentity
from keybroker.server.coalescer import Coalescer
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.standing import Current
from keybroker.signing import Ask
from keybroker.terms import Caller, CallerKind, ContentKind, KeyLabel, Operation, PartyName, RequestId, SystemName

TICK_SECONDS = 0.1
_LOOKS = 4
"""In ``every_seconds`` the ledger is looked at so often: other processes write there too."""
_LONGEST_PAUSE = 600.0
"""Seconds between two attempts while they fail; each is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """``uncovered``: records that no checkpoint covers, apart from the last one's own."""

    head: Head
    covered: int
    uncovered: int


@final
class Checkpointing:
    """Called every ``TICK_SECONDS`` on the event loop; most calls look at two numbers."""

    def __init__(
        self, table: CheckpointsTable, current: Current, coalescer: Coalescer[Any], metrics: Metrics, log: Logger
    ) -> None:
        self._table = table
        self._current = current
        self._coalescer = coalescer
        self._metrics = metrics
        self._log = log
        self._look_seconds = min(1.0, table.every_seconds / _LOOKS)
        self._covered, self._since = -1, float("-inf")
        """How many records the last checkpoint covers, and since when that is known here, on the monotonic clock."""
        self._next_look = 0.0
        self._not_before = 0.0
        self._failures = 0

    async def __call__(self) -> None:
        now = time.monotonic()
        known = self._current.standing.line.journal.ledger.known_size
        many = known >= self._covered + CHECKPOINT_RECORDS + self._table.every_records
        if now < self._not_before or not (many or now >= self._next_look):
            return
        self._next_look = now + self._look_seconds
        try:
            if self._is_due(await self._coalescer.run_unbounded(self._look)):
                await self._alone(self._sign)
        except KeybrokerError as error:
            self._put_off(error)

    def _look(self) -> _Looked:
        """On the signer thread. Raises: LedgerFault."""
        standing = self._current.standing
        head = standing.line.journal.head(standing.clock.now())
        last = newest_checkpoint(standing.line.journal.ledger)
        covered = 0 if last is None else last.tree_size
        return _Looked(
            head=head,
            covered=covered,
            uncovered=head.tree_size - covered - (0 if last is None else CHECKPOINT_RECORDS),
        )

    def _is_due(self, looked: _Looked) -> bool:
        if looked.covered != self._covered:
            # Seen for the first time: at a start its age is not known, and a checkpoint is made where anything is new.
            self._since = time.monotonic() if self._covered >= 0 else float("-inf")
            self._covered = looked.covered
        self._metrics.checkpoint(looked.covered, uncovered=max(looked.uncovered, 0))
        waited = time.monotonic() - self._since >= self._table.every_seconds - 2 * self._look_seconds
        return looked.uncovered >= self._table.every_records or (looked.uncovered > 0 and waited)

    async def _alone(self, sign: Callable[[], Awaitable[None]]) -> None:
        held = self._current.standing.line.journal.ledger.hold_checkpoints()
        if held is None:
            return  # another worker is at it
        try:
            await sign()
        finally:
            held.close()

    async def _sign(self) -> None:
        """Raises: KeybrokerError, why none was signed; it is recorded."""
        looked = await self._coalescer.run_unbounded(self._look)
        if not self._is_due(looked):
            return  # another worker was faster
        ask = _ask(looked.head, KeyLabel(self._table.key), self._party())
        deadline = self._current.standing.limits.deadline_seconds
        (outcome,) = await self._coalescer.sign([ask], expires=asyncio.get_running_loop().time() + deadline)
        if isinstance(outcome, KeybrokerError):
            raise outcome
        if isinstance(outcome, Concluded):
            self._failures = 0
            self._covered, self._since = looked.head.tree_size, time.monotonic()
            self._log.debug("checkpoint signed", tree_size=looked.head.tree_size)

    def _party(self) -> PartyName:
        """Whose key it is; of a key that is not there nobody's, and the line refuses."""
        key = self._current.standing.line.register.current().keys.get(KeyLabel(self._table.key))
        return PartyName("") if key is None else PartyName(key.party)

    def _put_off(self, error: KeybrokerError) -> None:
        pause = min(self._table.every_seconds * 2**self._failures, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        self._not_before = time.monotonic() + pause
        self._log.warning("no checkpoint signed", reason=error.reason, why=error.sentence, again_in_seconds=pause)


def _ask(head: Head, key: KeyLabel, party: PartyName) -> Ask:
    octets = encode_checkpoint(head.origin, head.tree_size, head.root_hash)
    identity = RequestIdentity(
        caller=Caller(
            identity="broker:checkpoints",
            party=party,
            system=SystemName("broker"),
            kind=CallerKind.BROKER,
            user_roles=frozenset(),
            euis=frozenset(),
            operations=frozenset({Operation.SIGN_CHECKPOINT}),
            keys=frozenset({key}),
        ),
        operation=Operation.SIGN_CHECKPOINT,
        key=key,
        request_id=RequestId(f"checkpoint-{head.tree_size}"),
        sha256=sha256(octets).digest(),
    )
    return Ask(identity=identity, kind=ContentKind.AUDIT_CHECKPOINT, octets=octets)
