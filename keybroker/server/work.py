"""What does the signer thread do with a batch? It begins it while the batch before ends, down the one line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import structlog

from keybroker.errors import CallerUnknown
from keybroker.ledger.model import Refused
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.quarantine_notices import QuarantineNotices
from keybroker.server.standing import Current, Standing
from keybroker.signing import Ask, Begun, Item, Outcome, conclude, turn_over, use
from keybroker.terms import CallerKind


@dataclass(frozen=True, slots=True)
class Flying:
    """A batch whose intents are durable. ``ended`` are its outcomes where it is over already."""

    standing: Standing
    items: Sequence[Item]
    started: float
    begun: Begun
    ended: Sequence[Outcome] | None = None


@final
class Work:
    """Reads Standing and clock once a batch, so that the whole of it is judged by one set of policies at one moment."""

    def __init__(self, current: Current, metrics: Metrics, log: Logger | None = None) -> None:
        self._current = current
        self._metrics = metrics
        self._notices = QuarantineNotices(metrics, log or structlog.get_logger())

    def begin(self, items: Sequence[Item], after: Flying | None) -> tuple[Sequence[Outcome], Flying]:
        """The outcomes of the batch before, in order, and this one, of which no key was used yet."""
        started = time.perf_counter()
        standing = self._current.standing
        items = [_as_known_now(standing, item) for item in items]
        if _names_one_twice(items):
            outcomes = () if after is None else self.end(after)
            return outcomes, Flying(standing, items, started, Begun(answers=()), self._in_rounds(standing, items))
        if after is None or after.ended is not None or after.standing.line is not standing.line:
            # Nothing goes before, or a reload made another line: a batch ends on the line where it was begun.
            outcomes = () if after is None else self.end(after)
            _, begun = turn_over(standing.line, None, items, standing.clock.now())
        else:
            ended, begun = turn_over(standing.line, after.begun, items, standing.clock.now())
            outcomes = self._told(after, ended)
        return outcomes, Flying(standing, items, started, self._noticed(begun))

    def use(self, flying: Flying) -> Flying:
        """The module uses its keys."""
        return flying if flying.ended is not None else replace(flying, begun=use(flying.standing.line, flying.begun))

    def end(self, flying: Flying) -> Sequence[Outcome]:
        """The outcomes of a batch that no other follows."""
        if flying.ended is not None:
            return self._told(flying, flying.ended)
        return self._told(flying, conclude(flying.standing.line, flying.begun, flying.standing.clock.now()))

    def _told(self, flying: Flying, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        self._metrics.batch(flying.items, outcomes, seconds=time.perf_counter() - flying.started)
        return outcomes

    def _in_rounds(self, standing: Standing, items: Sequence[Item]) -> Sequence[Outcome]:
        """The first of each name, and then the rest: by then the first ones are concluded."""
        outcomes: dict[int, Outcome] = {}
        for indexes in _rounds(items):
            at = standing.clock.now()
            _, begun = turn_over(standing.line, None, [items[index] for index in indexes], at)
            ended = conclude(standing.line, use(standing.line, self._noticed(begun)), at)
            outcomes.update(zip(indexes, ended, strict=True))
        return [outcomes[index] for index in range(len(items))]

    def _noticed(self, begun: Begun) -> Begun:
        self._notices.tell(begun.answers)
        return begun


def _as_known_now(standing: Standing, item: Item) -> Item:
    """A caller who was taken out of the table while the item waited is no caller any more."""
    if isinstance(item, Refused):
        return item
    was = item.identity.caller
    if was.kind is CallerKind.BROKER:
        return item  # the broker itself stands in no table, and no table can name one
    now = standing.callers.get(was.identity)
    if now is was:
        return item
    if now is not None:
        return replace(item, identity=replace(item.identity, caller=now))
    error = CallerUnknown("this caller was removed from the caller table while its request waited")
    digest = hashlib.sha256(item.octets).digest()
    return Refused(identity=item.identity, error=error, findings=(), octets_sha256=digest)


def _name(item: Ask) -> tuple[str, str, str]:
    identity = item.identity
    return identity.operation, identity.key, identity.request_id


def _names_one_twice(items: Sequence[Item]) -> bool:
    asks = [item for item in items if isinstance(item, Ask)]
    return len({_name(ask) for ask in asks}) < len(asks)


def _rounds(items: Sequence[Item]) -> tuple[Sequence[int], Sequence[int]]:
    """Where the first of each name stand, and where the rest."""
    names: set[tuple[str, str, str]] = set()
    rounds: tuple[list[int], list[int]] = ([], [])
    for index, item in enumerate(items):
        again = isinstance(item, Ask) and _name(item) in names
        rounds[again].append(index)
        if isinstance(item, Ask):
            names.add(_name(item))
    return rounds
