"""Use the keys: every Intent spent once, every digest signed with CKM_ECDSA or used on as its Content says, every
result verified, each answered in order.

Two passes over a batch: first every signature, then every verification. Taking turns costs 15 us more a signature, for
token and host push each other's tables out of the processor's cache. Ours is about 5 us a signature (docs/hsm.md).
What is no signature is made and checked in the first pass: the check needs the same key in the same session.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from keybroker.content.use import Use, UseKind
from keybroker.content.uses import use_of
from keybroker.errors import KeybrokerError, ModuleDisagrees, ModuleUnavailable, ProtectionInvalid
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.processing import KeyUses
from keybroker.hsm.return_values import CallFailed, Rung, fault
from keybroker.hsm.verify import Verifier
from keybroker.ledger.model import Failure, Intent, Product, Result, Signature
from keybroker.terms import KeyLabel

Report = Callable[[CallFailed], None]


_Use = tuple[Intent, HeldKey | None, Use | None]
"""One use of one key; no key where the module does not hold the one that was judged, no Use for a signature."""

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
        self._uses: list[_Use] = [(intent, _held(intent, keys), _use(intent)) for intent in intents]
        self._serial = serial
        self._report = report
        self._stopped = False

    def use_with(self, session: KeyUses) -> list[Result | Failure]:
        """All in turn, in one session and the calling thread."""
        return self._answers([self._make(use, session) for use in self._uses])

    def use_in_parallel(self, sessions: Sequence[KeyUses], executor: Executor) -> list[Result | Failure]:
        """Each session takes the next intent that waits; answers stand in the intents' order."""
        waiting: queue.SimpleQueue[tuple[int, _Use]] = queue.SimpleQueue()
        for place in enumerate(self._uses):
            waiting.put(place)
        made: dict[int, _Made | Product | KeybrokerError] = {}

        def work(session: KeyUses) -> None:
            while True:
                try:
                    index, use = waiting.get_nowait()
                except queue.Empty:
                    return
                made[index] = self._make(use, session)

        for done in [executor.submit(work, session) for session in sessions]:
            done.result()
        return self._answers([made[index] for index in range(len(self._uses))])

    def _make(self, use: _Use, session: KeyUses) -> _Made | Product | KeybrokerError:
        intent, held, how = use
        if held is None:
            return ModuleDisagrees("the module does not hold the key that was judged; nothing was done with it")
        if self._stopped:
            return ModuleUnavailable("the module went away before this was done; ask again later")
        try:
            if how is not None:
                return self._product(intent, session.process(how, held))
            if held.verifier is None:
                return ModuleDisagrees("a symmetric key signs nothing")
            return held.verifier, session.sign(held.handle, intent.digest)
        except (ModuleDisagrees, ProtectionInvalid) as error:
            return error
        except CallFailed as failure:
            if failure.value.rung is not Rung.NONE:
                self._stopped = True
            self._report(failure)
            return fault(failure, used=failure.used)

    def _product(self, intent: Intent, outputs: tuple[bytes, ...]) -> Product:
        kept = intent.permit.decision.content.use_kind.result_is_kept
        return Product(intent=intent, outputs=outputs, module_serial=self._serial, kept=kept)

    def _answers(self, made: Sequence[_Made | Product | KeybrokerError]) -> list[Result | Failure]:
        return [self._answer(intent, each) for (intent, _, _), each in zip(self._uses, made, strict=True)]

    def _answer(self, intent: Intent, made: _Made | Product | KeybrokerError) -> Result | Failure:
        if isinstance(made, Product):
            return made
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
    return held if held is not None and held.identity == key.public_key else None


def _use(intent: Intent) -> Use | None:
    decision = intent.permit.decision
    if decision.content.use_kind is UseKind.SIGNATURE:
        return None
    return use_of(decision.content, intent.counter, decision.key.eui)
