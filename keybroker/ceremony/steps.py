"""Which step comes next, where, and who signs for it? The order of every ceremony, as a pure state machine.

A step is begun once and concluded once. A ceremony that was interrupted goes on with the step that was begun and not
concluded; what of it stands already is found by whoever does it. Pure: states in, states out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from keybroker.ceremony.plan import SLIP39, CeremonyKind, Plan, Role, Side
from keybroker.clause import clause
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.terms import KeyAlgorithm, KeyPurpose


class StepName(StrEnum):
    """What is done in a step. The same word stands in plans, entries, records and guides."""

    GATHER = "gather"
    CHECK_MODULE = "check-module"
    TICK_CONDITIONS = "tick-conditions"
    MAKE_KEY = "make-key"
    MAKE_REQUEST = "make-request"
    MAKE_ROOT_CERTIFICATE = "make-root-certificate"
    ENROL_CERTIFICATE = "enrol-certificate"
    ACTIVATE_KEY = "activate-key"
    SWITCH_KEYS = "switch-keys"
    OFFER_WRAPPING_KEY = "offer-wrapping-key"
    WITHHOLD_KEY = "withhold-key"
    WRAP_KEY = "wrap-key"
    IMPORT_KEY = "import-key"
    ACTIVATE_TRANSFERRED = "activate-transferred"
    RENOUNCE = "renounce"
    SETTLE_SOURCE = "settle-source"
    SHARE_KEY = "share-key"
    OPEN_SHARES = "open-shares"
    TRIAL_QUORUM = "trial-quorum"
    READ_BACK_BLOBS = "read-back-blobs"
    DESTROY_IN_MODULE = "destroy-in-module"
    COMBINE_AND_USE = "combine-and-use"
    LET_GO = "let-go"
    RESHARE_KEY = "reshare-key"
    RETIRE_OLD_SHARES = "retire-old-shares"
    PROVE_SHARES = "prove-shares"
    COUNT_COPIES = "count-copies"
    DESTROY_COPIES = "destroy-copies"
    CONFIRM_DESTRUCTION = "confirm-destruction"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``signed_by``: everybody in one of these roles signs its entry. ``word`` is typed exactly before it is done where
    it cannot be undone; empty elsewhere."""

    name: StepName
    side: Side = Side.HERE
    signed_by: frozenset[Role] = frozenset({Role.ADMINISTRATOR, Role.WITNESS})
    word: str = ""

    @property
    def told(self) -> str:
        """As a plan lists it: ``source:wrap-key``, or ``make-key`` where there is one side alone."""
        return self.name.value if self.side is Side.HERE else f"{self.side.value}:{self.name.value}"


_ALL = frozenset(Role)
_OFFICERS = frozenset({Role.ADMINISTRATOR, Role.WITNESS, Role.SECURITY_OFFICER})
_WITH_CUSTODIANS = frozenset({Role.ADMINISTRATOR, Role.WITNESS, Role.CUSTODIAN})


@clause("G2.22I(b)(i)", "G5.13(a)", "G5.24(a)")
def procedure(plan: Plan) -> tuple[Step, ...]:
    """The steps of this plan's kind and keys, in order."""
    first = (Step(name=StepName.GATHER, signed_by=_ALL), Step(name=StepName.CHECK_MODULE))
    last = (Step(name=StepName.CLOSE, signed_by=_ALL),)
    if plan.kind is CeremonyKind.TRANSFER:
        return _transfer(plan)
    conditions = (Step(name=StepName.TICK_CONDITIONS),) if plan.conditions else ()
    return (*first, *conditions, *_middle(plan), *last)


def _middle(plan: Plan) -> tuple[Step, ...]:
    match plan.kind:
        case CeremonyKind.GENERATE:
            return (*_made(plan), *_certified(plan), Step(name=StepName.ACTIVATE_KEY))
        case CeremonyKind.RENEW:
            switch = Step(name=StepName.SWITCH_KEYS, word="SWITCH")
            return (*_made(plan), *_certified(plan), switch)
        case CeremonyKind.SPLIT:
            return _split(plan)
        case CeremonyKind.COMBINE:
            return (
                Step(name=StepName.COMBINE_AND_USE, signed_by=_ALL, word="COMBINE"),
                Step(name=StepName.LET_GO, signed_by=_WITH_CUSTODIANS),
            )
        case CeremonyKind.RESHARE:
            return (
                Step(name=StepName.RESHARE_KEY, signed_by=_OFFICERS, word="RESHARE"),
                *_tried(plan),
                Step(name=StepName.RETIRE_OLD_SHARES, signed_by=_WITH_CUSTODIANS),
            )
        case CeremonyKind.DESTROY:
            return (
                Step(name=StepName.COUNT_COPIES),
                Step(name=StepName.DESTROY_COPIES, signed_by=_OFFICERS, word="DESTROY"),
                Step(name=StepName.CONFIRM_DESTRUCTION, signed_by=_OFFICERS),
            )
        case CeremonyKind.VERIFY_SHARES:
            return (Step(name=StepName.PROVE_SHARES, signed_by=_WITH_CUSTODIANS),)
        case CeremonyKind.TRANSFER:
            return ()
        case _:
            assert_never(plan.kind)


def _made(plan: Plan) -> tuple[Step, ...]:
    return (Step(name=StepName.MAKE_KEY, signed_by=_OFFICERS if plan.in_role(Role.SECURITY_OFFICER) else _TWO),)


_TWO = frozenset({Role.ADMINISTRATOR, Role.WITNESS})


def _certified(plan: Plan) -> tuple[Step, ...]:
    """How the key comes by its certificate; one that is bound by its public key has none, and no key neither."""
    if not plan.keys:
        return ()
    purpose = plan.keys[0].purpose
    if purpose is KeyPurpose.ROOT_OCA:
        return (Step(name=StepName.MAKE_ROOT_CERTIFICATE), Step(name=StepName.ENROL_CERTIFICATE))
    obligation = OBLIGATIONS[purpose]
    if obligation.binding != "certificate-role" or obligation.algorithm is KeyAlgorithm.AES_GCM:
        return ()
    return (Step(name=StepName.MAKE_REQUEST), Step(name=StepName.ENROL_CERTIFICATE))


def _split(plan: Plan) -> tuple[Step, ...]:
    """SEC G2.44B. The key object goes only after shares and copies were shown to bring it back."""
    return (
        Step(name=StepName.SHARE_KEY, signed_by=_OFFICERS),
        *_tried(plan),
        Step(name=StepName.DESTROY_IN_MODULE, signed_by=_OFFICERS, word="SPLIT"),
    )


def _tried(plan: Plan) -> tuple[Step, ...]:
    """A module's own quorum has no envelopes and no blobs of ours."""
    trial = Step(name=StepName.TRIAL_QUORUM, signed_by=_WITH_CUSTODIANS)
    if plan.split is not None and plan.split.mechanism != SLIP39:
        return (trial,)
    return (
        Step(name=StepName.OPEN_SHARES, signed_by=_WITH_CUSTODIANS),
        trial,
        Step(name=StepName.READ_BACK_BLOBS),
    )


RENOUNCE = Step(name=StepName.RENOUNCE, side=Side.DESTINATION, signed_by=_ALL, word="RENOUNCE")
"""In no procedure: the last step of a destination that aborts once its offer may be out. It takes the place of what was
left, so that the source has its people's word that nothing of the keys is there."""


def _transfer(plan: Plan) -> tuple[Step, ...]:
    """SEC G2.22G-G2.22I. At every instant at most one side may use the key and at least one holds it."""
    source, destination = Side.SOURCE, Side.DESTINATION
    conditions = (Step(name=StepName.TICK_CONDITIONS, side=source),) if plan.conditions else ()
    return (
        Step(name=StepName.GATHER, side=destination, signed_by=_ALL),
        Step(name=StepName.CHECK_MODULE, side=destination),
        Step(name=StepName.OFFER_WRAPPING_KEY, side=destination, signed_by=_WITH_CUSTODIANS),
        Step(name=StepName.GATHER, side=source, signed_by=_ALL),
        Step(name=StepName.CHECK_MODULE, side=source),
        *conditions,
        Step(name=StepName.WITHHOLD_KEY, side=source, signed_by=_OFFICERS, word="WITHHOLD"),
        Step(name=StepName.WRAP_KEY, side=source, signed_by=_OFFICERS),
        Step(name=StepName.IMPORT_KEY, side=destination, signed_by=_WITH_CUSTODIANS),
        Step(name=StepName.ACTIVATE_TRANSFERRED, side=destination, word="ACTIVATE"),
        Step(name=StepName.CLOSE, side=destination, signed_by=_ALL),
        # Its word is typed within the step, once the destination's proof was checked.
        Step(name=StepName.SETTLE_SOURCE, side=source, signed_by=_OFFICERS),
        Step(name=StepName.CLOSE, side=source, signed_by=_ALL),
    )


class WrongOrder(Exception):
    """A step that is not the next one; never a person's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one side of a ceremony is. ``concluded`` counts its own steps; ``begun``: the next one is under way.

    The steps of the other side are done there, and known here by the files that come from there.
    """

    steps: tuple[Step, ...]
    concluded: int = 0
    begun: bool = False
    aborted: bool = False

    @property
    def is_done(self) -> bool:
        return self.concluded == len(self.steps)

    @property
    def next(self) -> Step | None:
        return None if self.is_done or self.aborted else self.steps[self.concluded]

    @clause("G5.13(a)", "G5.24(a)")
    def begin(self, step: Step) -> Progress:
        """Raises: WrongOrder."""
        if step != self.next:
            raise WrongOrder(f"expected {self.next and self.next.told}, found {step.told}")
        return replace(self, begun=True)

    @clause("G5.13(a)", "G5.24(a)")
    def conclude(self, step: Step) -> Progress:
        """Raises: WrongOrder: only what was begun is concluded."""
        if not self.begun or step != self.next:
            raise WrongOrder(f"expected {self.next and self.next.told} begun, found {step.told}")
        return replace(self, concluded=self.concluded + 1, begun=False)

    @property
    def offers(self) -> bool:
        """Is it a destination whose wrapping pair may stand? It is not aborted without a renunciation."""
        return any(step.name is StepName.OFFER_WRAPPING_KEY for step in self._passed)

    @property
    def renounces(self) -> bool:
        return self.steps[-1:] == (RENOUNCE,)

    @property
    def _passed(self) -> tuple[Step, ...]:
        return self.steps[: self.concluded + self.begun]

    def renounce(self) -> Progress:
        """The step takes the place of what is left, also of one that was begun. Raises: WrongOrder where there is
        nothing to renounce, or the keys may be in use (``why_not_aborted``)."""
        if self.is_done or self.aborted or not self.offers or why_not_aborted(self):
            raise WrongOrder(why_not_aborted(self) or "there is nothing to renounce")
        return replace(self, steps=(*self.steps[: self.concluded], RENOUNCE), begun=True)

    def abort(self) -> Progress:
        """Raises: WrongOrder where it ended, or where going on is the only safe way (``why_not_aborted``)."""
        if self.is_done or self.aborted or why_not_aborted(self):
            raise WrongOrder(why_not_aborted(self) or "it ended already")
        return replace(self, aborted=True)


_POINTS_OF_NO_RETURN: Mapping[StepName, str] = {
    StepName.WRAP_KEY: "the wrapped key may have left for the destination: go on, so that one of the two can use it",
    StepName.DESTROY_IN_MODULE: "the key is being destroyed in the module: go on, its shares were tried",
    StepName.RENOUNCE: "what was imported is being destroyed: go on, so that the source learns that nothing is left",
    StepName.SETTLE_SOURCE: "the destination holds the key and uses it: go on, so that the source does not keep it",
    StepName.DESTROY_COPIES: "copies of the key are being destroyed: go on, or nobody can say which are left",
    StepName.RETIRE_OLD_SHARES: "new shares are out: go on, so that the old ones are accounted for",
    StepName.LET_GO: "the key was combined: go on, so that it is let go",
    StepName.COMBINE_AND_USE: "the shares may have been joined: go on, so that the key is let go",
    StepName.ACTIVATE_TRANSFERRED: "the key may be in use at the destination: go on",
}


_GIVEN_AWAY = frozenset({StepName.WRAP_KEY, StepName.SETTLE_SOURCE})


def why_not_aborted(progress: Progress, *, given_back: bool = False) -> str:
    """From a step that was begun and cannot be undone, and from those behind it, the way is forward. ``given_back``:
    the destination renounced what the source gave away, or nobody may ever use it again."""
    passed = (step.name for step in progress.steps[: progress.concluded + progress.begun])
    left = (name for name in passed if not (given_back and name in _GIVEN_AWAY))
    return next((told for name in left if (told := _POINTS_OF_NO_RETURN.get(name))), "")


def own_steps(plan: Plan, side: Side) -> tuple[Step, ...]:
    """The steps of one side of a plan; of a plan with one side, all of them."""
    steps = procedure(plan)
    return steps if side is Side.HERE else tuple(step for step in steps if step.side is side)


def followed_steps(plan: Plan, side: Side, concluded: Sequence[str]) -> tuple[Step, ...]:
    """The steps of one side: those concluded, by these names, and those to come; ``renounce`` is the last of all."""
    steps = own_steps(plan, side)
    if side is not Side.DESTINATION or tuple(concluded[-1:]) != (StepName.RENOUNCE.value,):
        return steps
    return (*steps[: len(concluded) - 1], RENOUNCE)
