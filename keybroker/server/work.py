"""What does the signer thread do with a batch? Asks go down the line; what was refused before it is written down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import final

from keybroker.errors import LedgerFault, LedgerUnavailable
from keybroker.ledger.journal import RegisterMoved
from keybroker.ledger.model import Refused
from keybroker.server.coalescer import Item
from keybroker.server.metrics import Metrics
from keybroker.server.standing import Current, Standing
from keybroker.signing import Ask, Line, Outcome, sign_batch


@final
class Work:
    """Reads Standing and clock once, so that a whole batch is judged by one set of policies at one moment."""

    def __init__(self, current: Current, metrics: Metrics) -> None:
        self._current = current
        self._metrics = metrics

    def __call__(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """An outcome for each item, in order."""
        started = time.perf_counter()
        outcomes = _outcomes(self._current.standing, items)
        self._metrics.batch(items, outcomes, seconds=time.perf_counter() - started)
        return outcomes


def _outcomes(standing: Standing, items: Sequence[Item]) -> list[Outcome]:
    at = standing.clock.now()
    by_index: dict[int, Outcome] = {}
    refused = {index: item for index, item in enumerate(items) if isinstance(item, Refused)}
    if refused:
        by_index.update(zip(refused, _write_down(standing.line, list(refused.values()), at), strict=True))
    for asks in _rounds(items):
        by_index.update(zip(asks, sign_batch(standing.line, list(asks.values()), at), strict=True))
    return [by_index[index] for index in range(len(items))]


def _rounds(items: Sequence[Item]) -> Iterator[dict[int, Ask]]:
    """Asks by index, no request_id twice in a round: the second of two equal requests finds the first one concluded."""
    left = {index: item for index, item in enumerate(items) if isinstance(item, Ask)}
    while left:
        names: dict[tuple[str, str, str], int] = {}
        for index, ask in left.items():
            identity = ask.identity
            names.setdefault((identity.operation, identity.key, identity.request_id), index)
        first = {index: left[index] for index in names.values()}
        yield first
        left = {index: ask for index, ask in left.items() if index not in first} if len(first) < len(left) else {}


def _write_down(line: Line, refused: Sequence[Refused], at: datetime) -> list[Outcome]:
    """Each refusal, once it is recorded; the ledger's fault where it could not be."""
    register = line.register.current()
    try:
        for _ in range(3):
            try:
                line.journal.intend(refused, register_version=register.version, at=at)
                return [item.error for item in refused]
            except RegisterMoved:
                register = line.register.refresh()
    except LedgerFault as fault:
        return [fault] * len(refused)
    return [LedgerUnavailable("the key register keeps changing; ask again")] * len(refused)
