"""Use the keys: every Intent spent once, every digest signed with CKM_ECDSA, every result verified, each answered in
order.

Two passes over a batch: first every signature, then every verification. Taking turns costs 15 us more a signature, for
token and host push each other's tables out of the processor's cache. Ours is about 5 us a signature (docs/hsm.md).
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from keybroker.errors import KeybrokerError, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.connection import SignDigest
from keybroker.hsm.held_keys import HeldKey
from keybroker.hsm.return_values import CallFailed, Rung, fault
from keybroker.hsm.verify import Verifier
from keybroker.ledger.model import Failure, Intent, Signature
from keybroker.terms import KeyLabel

Report = Callable[[CallFailed], None]


_Use = tuple[Intent, HeldKey | None]
"""One use of one key; None where the module does not hold the key that was judged."""

_Made = tuple[Verifier, bytes]
"""What the module returned, and what checks it."""


class Batch:
    """One batch of intents at the module.

    ``report`` hears of every call that failed; the first that recovery must mend stops the rest, whose keys stay
    unused.
    """

    def __init__(
        self, intents: Sequence[Intent], keys: Mapping[KeyLabel, HeldKey], *, serial: str, report: Report
    ) -> None:
        """Spends every intent. Raises: RuntimeError for one that was spent before."""
        self._uses: list[_Use] = [(intent, _held(intent, keys)) for intent in intents]
        self._serial = serial
        self._report = report
        self._stopped = False

    def sign_with(self, signer: SignDigest) -> list[Signature | Failure]:
        """All in turn, in one session and the calling thread."""
        return self._answers([self._sign(use, signer) for use in self._uses])

    def sign_in_parallel(self, signers: Sequence[SignDigest], executor: Executor) -> list[Signature | Failure]:
        """Each session takes the next intent that waits; answers stand in the intents' order."""
        waiting: queue.SimpleQueue[tuple[int, _Use]] = queue.SimpleQueue()
        for place in enumerate(self._uses):
            waiting.put(place)
        made: dict[int, _Made | KeybrokerError] = {}

        def work(signer: SignDigest) -> None:
            while True:
                try:
                    index, use = waiting.get_nowait()
                except queue.Empty:
                    return
                made[index] = self._sign(use, signer)

        for done in [executor.submit(work, signer) for signer in signers]:
            done.result()
        return self._answers([made[index] for index in range(len(self._uses))])

    def _sign(self, use: _Use, signer: SignDigest) -> _Made | KeybrokerError:
        intent, held = use
        if held is None:
            return ModuleDisagrees("the module does not hold the key that was judged; nothing was signed")
        if self._stopped:
            return ModuleUnavailable("the module went away before this was signed; ask again later")
        try:
            return held.verifier, signer(held.handle, intent.digest)
        except CallFailed as failure:
            if failure.value.rung is not Rung.NONE:
                self._stopped = True
            self._report(failure)
            return fault(failure, used=failure.call == "C_Sign")

    def _answers(self, made: Sequence[_Made | KeybrokerError]) -> list[Signature | Failure]:
        return [self._answer(intent, each) for (intent, _), each in zip(self._uses, made, strict=True)]

    def _answer(self, intent: Intent, made: _Made | KeybrokerError) -> Signature | Failure:
        if isinstance(made, KeybrokerError):
            return Failure(intent=intent, error=made, module_serial=self._serial)
        verifier, octets = made
        try:
            verifier.check(octets, intent.digest)
        except ModuleDisagrees as disagrees:
            return Failure(intent=intent, error=disagrees, module_serial=self._serial)
        return Signature(intent=intent, octets=octets, module_serial=self._serial)


def _held(intent: Intent, keys: Mapping[KeyLabel, HeldKey]) -> HeldKey | None:
    """Spend the intent; the key it permits, when it is the very key that is held."""
    key = intent.spend().decision.key
    held = keys.get(key.label)
    return held if held is not None and held.verifier.public_point == key.public_key else None
