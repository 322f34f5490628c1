"""What stands now? Line, callers and limits in one frozen value; a reload swaps the value, never a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from keybroker.config import Configuration
from keybroker.config.clock import Clock
from keybroker.signing import Line
from keybroker.terms import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Ours stand below the transport's, so that we are the ones who answer."""

    message_octets: int
    batch_items: int
    deadline_seconds: int
    connection_age_seconds: int

    @property
    def request_octets(self) -> int:
        """A whole request: as many octets as 64 of the longest messages."""
        return 64 * self.message_octets

    @property
    def stream_items(self) -> int:
        """How many items of one stream may be unanswered before we stop reading."""
        return self.batch_items


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    line: Line
    callers: Mapping[str, Caller]
    limits: Limits
    clock: Clock


@final
class Current:
    """Holds the Standing of this moment. Read ``standing`` once for each request or stream message."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing


def limits_of(configuration: Configuration) -> Limits:
    limits = configuration.file.limits
    return Limits(
        message_octets=limits.message_octets,
        batch_items=limits.batch_items,
        deadline_seconds=limits.deadline_seconds,
        connection_age_seconds=limits.connection_age_seconds,
    )
