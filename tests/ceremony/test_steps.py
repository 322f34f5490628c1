"""The order of every ceremony: whatever is asked in another order is refused, and there is a way to its end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ceremony.performing import PERFORMED
from keybroker.ceremony.plan import CeremonyKind, Plan, Role, Side
from keybroker.ceremony.steps import Progress, Step, StepName, WrongOrder, own_steps, procedure, why_not_aborted
from keybroker.terms import KeyPurpose
from tests.ceremony.plans import a_key, a_plan

PURPOSES = {
    CeremonyKind.GENERATE: KeyPurpose.ISSUING_OCA,
    CeremonyKind.RENEW: KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    CeremonyKind.TRANSFER: KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    CeremonyKind.DESTROY: KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
}


def plan_of(kind: CeremonyKind) -> Plan:
    return a_plan(kind, a_key(PURPOSES.get(kind, KeyPurpose.RECOVERY_COMMAND), "key")).plan


EVERY = [plan_of(kind) for kind in CeremonyKind]


def sides(plan: Plan) -> tuple[Side, ...]:
    return (Side.SOURCE, Side.DESTINATION) if plan.kind is CeremonyKind.TRANSFER else (Side.HERE,)


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize("plan", EVERY, ids=lambda plan: plan.kind)
def test_no_step_is_begun_before_its_turn_or_concluded_before_it_was_begun(plan: Plan) -> None:
    for side in sides(plan):
        progress = Progress(steps=own_steps(plan, side))
        for step in progress.steps:
            for other in progress.steps:
                if other != step:
                    with pytest.raises(WrongOrder):
                        progress.begin(other)
                with pytest.raises(WrongOrder):
                    progress.conclude(other)
            progress = progress.begin(step).conclude(step)
        assert progress.is_done
        assert progress.next is None
        with pytest.raises(WrongOrder):
            progress.begin(progress.steps[0])


@pytest.mark.parametrize("plan", EVERY, ids=lambda plan: plan.kind)
def test_somebody_signs_every_step_and_everybody_the_first_and_the_last(plan: Plan) -> None:
    for side in sides(plan):
        steps = own_steps(plan, side)
        assert all(len(step.signed_by) >= 2 for step in steps)
        assert steps[0].signed_by == steps[-1].signed_by == frozenset(Role)
        assert steps[-1].name is StepName.CLOSE


def test_every_step_of_every_kind_is_performed_by_somebody() -> None:
    assert {step.name for plan in EVERY for step in procedure(plan)} <= PERFORMED.keys()
    assert {*StepName} == PERFORMED.keys()


@pytest.mark.parametrize("plan", EVERY, ids=lambda plan: plan.kind)
def test_from_a_point_of_no_return_there_is_no_way_back(plan: Plan) -> None:
    for side in sides(plan):
        progress, passed = Progress(steps=own_steps(plan, side)), False
        for step in progress.steps:
            begun = progress.begin(step)
            passed = passed or bool(why_not_aborted(begun))
            if passed:
                with pytest.raises(WrongOrder):
                    begun.abort()
            else:
                assert begun.abort().next is None
            progress = begun.conclude(step)
        with pytest.raises(WrongOrder):
            progress.abort()


# What they do was agreed to with an earlier word, or is within the step, after the proof of the other side was checked.
FOLLOWS = frozenset({StepName.LET_GO, StepName.RETIRE_OLD_SHARES, StepName.WRAP_KEY, StepName.SETTLE_SOURCE})


def test_what_cannot_be_undone_wants_its_word() -> None:
    for plan in EVERY:
        for step in procedure(plan):
            progress = Progress(steps=(step,), begun=True)
            if why_not_aborted(progress) and step.name not in FOLLOWS:
                assert step.word, step


def test_of_a_transfer_the_source_gives_up_before_it_wraps_and_destroys_after_the_other_activated() -> None:
    order = [step.told for step in procedure(plan_of(CeremonyKind.TRANSFER))]
    wanted = [
        "destination:offer-wrapping-key",
        "source:withhold-key",
        "source:wrap-key",
        "destination:import-key",
        "destination:activate-transferred",
        "source:settle-source",
    ]
    assert all(order.index(one) < order.index(other) for one, other in pairwise(wanted))


def test_a_split_key_is_destroyed_only_after_every_share_was_opened_and_tried() -> None:
    order = [step.name for step in procedure(plan_of(CeremonyKind.SPLIT))]
    tried = [StepName.OPEN_SHARES, StepName.TRIAL_QUORUM, StepName.READ_BACK_BLOBS, StepName.DESTROY_IN_MODULE]
    assert [name for name in order if name in tried] == tried


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
@given(st.sampled_from(EVERY), st.lists(st.sampled_from(["begin", "conclude", "abort"]), max_size=40))
def test_whatever_is_tried_no_step_is_left_out_and_none_done_twice(plan: Plan, tried: list[str]) -> None:
    steps = own_steps(plan, sides(plan)[0])
    progress, done = Progress(steps=steps), list[Step]()
    for act in tried:
        step = progress.next or steps[-1]
        try:
            if act == "begin":
                progress = progress.begin(step)
            elif act == "conclude":
                progress = progress.conclude(step)
                done.append(step)
            else:
                progress = progress.abort()
        except WrongOrder:
            continue
    assert tuple(done) == steps[: len(done)]
    assert progress.concluded == len(done)
