"""Which Z does this session hold already? A few non-extractable session objects, bounded in number and time.

Only where the profile allows it. Z stays in the module; what is kept is its handle. It goes when the counterparty's
certificate shows another public key, when a call failed, when its time is over, and with its session: an object of
this class belongs to one session of one generation.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from keybroker.content.use import Agreement
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.connection import Derived, Session
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.verify import Verifier

_CKD_NULL = 0x01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """``parties``: originator and recipient, in whichever order (OtherInfo, handbook 1.8)."""

    handle: int
    parties: frozenset[bytes]
    until: float


class AgreedSecrets:
    """``most``: how many are kept at once, 0 for none. ``seconds``: how long at most."""

    def __init__(
        self, session: Session, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session = session
        self._most, self._seconds, self._clock = most, seconds, clock
        # By our public key and theirs, the least recently used first.
        self._kept: OrderedDict[tuple[bytes, bytes], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def agreed_with(self, held: HeldKey, agreement: Agreement) -> Iterator[int]:
        """The handle of Z = ECDH(held, peer). Raises: ModuleDisagrees for a peer that is no point; CallFailed."""
        handle = self._secret(held, agreement)
        try:
            yield handle
        except CallFailed:
            # Its handle may be stale; none is worth keeping.
            self._drop(list(self._kept))
            raise
        finally:
            if not self._most:
                self._destroy(handle)

    def _secret(self, held: HeldKey, agreement: Agreement) -> int:
        now, place, parties = self._clock(), (held.identity, agreement.peer), _parties(agreement)
        self._drop([each for each, kept in self._kept.items() if kept.until <= now])
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place].handle
        self._drop([each for each, kept in self._kept.items() if each[0] == place[0] and kept.parties == parties])
        check_peer(agreement.peer)
        handle = self.session.agree(held.handle, agreement.peer, kdf=_CKD_NULL, shared=b"", derived=Derived.SECRET)
        if self._most:
            self._drop(list(self._kept)[: max(0, len(self._kept) - self._most + 1)])
            self._kept[place] = _Kept(handle=handle, parties=parties, until=now + self._seconds)
        return handle

    def _drop(self, places: list[tuple[bytes, bytes]]) -> None:
        for place in places:
            self._destroy(self._kept.pop(place).handle)

    def _destroy(self, handle: int) -> None:
        # What cannot be destroyed dies with the session.
        with suppress(CallFailed):
            self.session.destroy(handle)


def check_peer(point: bytes) -> None:
    """On P-256, before our static key meets it (SP 800-56A §5.6.2.3: a point on another curve draws the key out); the
    rules said so of the certificate, and not every module looks. Raises: ModuleDisagrees."""
    try:
        Verifier(point)
    except ValueError as error:
        raise ModuleDisagrees("the counterparty's public key is not on P-256; no key was agreed") from error


def _parties(agreement: Agreement) -> frozenset[bytes]:
    # 7 octets of algorithm, originator, 09, mode, counter, recipient.
    information = agreement.other_information
    return frozenset({information[7:15], information[25:33]})
