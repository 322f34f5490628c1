"""When is the same asked again, and after how long?

Only under the same request_id, only after what passes (UNAVAILABLE, RESOURCE_EXHAUSTED from a Fault, a stream that
ended), never past the deadline, and never in silence after a key may have been used and nobody knows how it ended.
"""

from __future__ import annotations

import random

from google.rpc import code_pb2

from keybroker.client.refusals import BrokerUnreachable, is_passing
from keybroker.client.stream import Ended
from keybroker.errors import Fault, KeybrokerError, OutcomeUnknown

_FIRST, _LONGEST = 0.05, 2.0
_UNREACHABLE_ATTEMPTS = 7
"""About three seconds: a worker that was killed is back by then; a wrong address need not be waited for longer."""

_STREAM_ENDS = frozenset({code_pb2.OK, code_pb2.UNAVAILABLE, code_pb2.CANCELLED})
"""How a stream ends when a worker drains, dies or a connection grows old."""


class Patience:
    """One request's: pauses grow with each repetition, with jitter, up to ``deadline`` (the event loop's clock)."""

    __slots__ = ("_attempts", "_deadline")

    def __init__(self, *, deadline: float) -> None:
        self._attempts = 0
        self._deadline = deadline

    def after(self, now: float, code: int, error: KeybrokerError, named: float | None) -> float | None:
        """Seconds until the next repetition, None: give up. ``named`` is what the broker asks for (RetryInfo)."""
        if not is_passing(code, error):
            return None
        if isinstance(error, BrokerUnreachable) and self._attempts >= _UNREACHABLE_ATTEMPTS:
            return None
        return self._next(now, named or 0.0)

    def after_end(self, now: float, ended: Ended) -> float | None:
        """The same after a stream ended with the item unanswered."""
        if ended.code not in _STREAM_ENDS or not isinstance(ended.error, Fault):
            return None
        if isinstance(ended.error, BrokerUnreachable) and self._attempts >= _UNREACHABLE_ATTEMPTS:
            return None
        return self._next(now, ended.retry_delay or 0.0)

    def _next(self, now: float, named: float) -> float | None:
        grown: float = min(_FIRST * 2**self._attempts, _LONGEST)
        self._attempts += 1
        # Jitter keeps many clients from coming back at one instant; it is no secret.
        pause = max(named, grown * (0.5 + random.random() / 2))  # noqa: S311
        return pause if now + pause < self._deadline else None


def no_answer_in_time(request_id: str, *, sent: bool) -> Fault:
    """The deadline passed. Once a broker may have taken the request, nobody here knows how it ended."""
    if not sent:
        return BrokerUnreachable("no broker took the request before the deadline; nothing was signed")
    return unknown_outcome(request_id, "no answer came before the deadline")


def unknown_outcome(request_id: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{why}: the key may have been used; ask again with request_id {request_id},"
        " which gives the recorded signature if there is one"
    )
