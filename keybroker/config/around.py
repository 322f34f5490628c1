"""What does the broker see around itself? Its node, its clock, what is remembered outside the ledger, and by whom."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import final

from keybroker.gates.model import ClockStand, Node, Surroundings

_MACHINE = Path("/etc/machine-id")
_MARK_OCTETS = 8
_UNWATCHED = ClockStand(why_not="", told="compared with nothing (test deployment)")


def machine_mark() -> str:
    """Sixteen hexadecimal digits by which this machine is told from another with the same configuration.

    Of machine-id(5), which is not to be shown as it is; of the host's name where there is none.
    """
    try:
        own = _MACHINE.read_bytes().strip()
    except OSError:
        own = b""
    own = own or os.uname().nodename.encode()
    return hmac.digest(own, b"keybroker node", "sha256")[:_MARK_OCTETS].hex()


@final
class Around:
    """``clock``, ``remembered`` and ``witnessed`` are asked once a batch; without them nothing is compared."""

    def __init__(
        self,
        *,
        node: Node,
        part: str,
        clock: Callable[[datetime], ClockStand] | None = None,
        remembered: Callable[[datetime], str] | None = None,
        witnessed: Callable[[datetime], str] | None = None,
    ) -> None:
        self._node = node
        self._part = part
        self._clock = clock
        self._remembered = remembered
        self._witnessed = witnessed

    def seen(self, at: datetime) -> Surroundings:
        """As it is at this moment, by the broker's clock."""
        return Surroundings(
            node=self._node,
            clock=_UNWATCHED if self._clock is None else self._clock(at),
            rolled_back="" if self._remembered is None else self._remembered(at),
            unwitnessed="" if self._witnessed is None else self._witnessed(at),
            part=self._part,
        )
