"""Did this ceremony take place as its transcript says? All in it is checked, offline and from nothing else. Pure.

The plan is read, its steps are those of its kind and its people fill the roles of it; every entry is canonical, follows
the one before and is signed by everybody who must sign it, with the certificate that the plan names (here); the records
are those of these entries (``transcript_records.py``); every approval that the plan demands is signed and names this
plan's digest (``transcript_approvals.py``). Whose certificates they are, the plan and people say: that a stranger
compares, by the digests that he is shown.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from keybroker.ceremony.entry import NOTHING_BEFORE, Entry, EntryUnfit, read_entry
from keybroker.ceremony.judging_people import judge_quorum, judge_roles
from keybroker.ceremony.plan import Plan, PlanFile, Side, read_plan
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.steps import RENOUNCE, Progress, Step, followed_steps, own_steps, why_not_aborted
from keybroker.ceremony.transcript_approvals import check_approvals
from keybroker.ceremony.transcript_form import StepForm, TranscriptForm, expect, read_form
from keybroker.ceremony.transcript_records import check_records
from keybroker.errors import CmsUnfit, ConfigurationInvalid
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.statement import Statement


class TranscriptUnfit(Exception):
    """What is wrong, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """``signed_at``: by number of the entry and name. ``approvals`` are those of this plan. ``complete``: every step of
    the plan's side is in it."""

    plan: Plan
    plan_sha256: str
    side: Side
    state: str
    entries: tuple[Entry, ...]
    signed_at: Mapping[tuple[int, str], datetime]
    approvals: tuple[Statement, ...]
    complete: bool


def verify_transcript(octets: bytes) -> Verified:
    """Raises: TranscriptUnfit."""
    try:
        return _verify(read_form(octets))
    except (ConfigurationInvalid, EntryUnfit, CmsUnfit, StatementUnfit, ValueError) as error:
        raise TranscriptUnfit(str(error)) from error


def _verify(form: TranscriptForm) -> Verified:
    plan_file = read_plan(form.plan.encode())
    plan, side = plan_file.plan, Side(form.side)
    steps = _steps(form, plan_file, side)
    _check_people(form, plan)
    entries: list[Entry] = []
    signed_at: dict[tuple[int, str], datetime] = {}
    moments: list[datetime] = []
    for step, given in zip(steps, form.steps, strict=False):
        entry = _entry(given, step, form, entries)
        signed_at |= {(entry.number, name): at for name, at in _signatures(given, step, entry, plan, form).items()}
        after = form.steps[len(entries) - 1].concluded.leaf_index if entries else -1
        begun = check_records(given, entry, deployment=form.deployment, after=after)
        if not _no_way_back(steps, entry):
            moments.append(begun)
        _check_in_force(plan, steps, entry, begun)
        entries.append(entry)
    return Verified(
        plan=plan,
        plan_sha256=form.plan_sha256,
        side=side,
        state=form.state,
        entries=tuple(entries),
        signed_at=signed_at,
        approvals=check_approvals(form.approvals, plan_file, origin=form.ledger, moments=moments),
        complete=len(entries) == len(steps) and RENOUNCE not in steps,
    )


def _steps(form: TranscriptForm, plan_file: PlanFile, side: Side) -> tuple[Step, ...]:
    """The steps of this side: the transcript is of this very plan, on its ledger, and as far as it says."""
    plan, digest = plan_file.plan, plan_file.sha256.hex()
    expect(form.plan_sha256 == digest, f"plan_sha256 {digest}", form.plan_sha256)
    expect(form.ceremony == plan.name, f"the ceremony {plan.name}", form.ceremony)
    module = plan.module(side)
    planned = "none" if module is None else module.ledger
    expect(form.ledger == planned, f"the ledger of the plan's side {side}, {planned}", form.ledger)
    # A test deployment's ledger has TEST in its origin, and opens with no other (``ledger/store.py``).
    expect(form.deployment == "live" or "TEST" in form.ledger, "a ledger marked TEST", form.ledger)
    whole = own_steps(plan, Side.HERE)
    steps = followed_steps(plan, side, [read_entry(each.entry.encode()).step for each in form.steps])
    expect(plan.steps == tuple(each.told for each in whole), "the steps of its kind", ", ".join(plan.steps))
    for finding in (*judge_quorum(plan), *judge_roles(plan)):
        expect(finding.passed, f"{finding.rule}: {finding.expected}", finding.found)
    expect(len(form.steps) <= len(steps), f"at most {len(steps)} steps", str(len(form.steps)))
    _check_state(form, steps)
    return steps


def _check_state(form: TranscriptForm, steps: tuple[Step, ...]) -> None:
    done = len(form.steps) == len(steps)
    if RENOUNCE in steps:
        # What may stand before it is what leads to no use: it takes the place of the first step that was left.
        renounces = Progress(steps=steps, concluded=len(steps) - 1)
        right = renounces.offers and not why_not_aborted(renounces) and form.state == "aborted"
        expect(right, "a renunciation that ends what was offered and not in use, state aborted", form.state)
    else:
        expect(done is (form.state == "done"), "state done with every step, and else another", f"{form.state}")


def _check_people(form: TranscriptForm, plan: Plan) -> None:
    """Exactly the plan's people, each with the certificate whose digest the plan names."""
    found = [(each.name, each.role, sha256(base64.b64decode(each.certificate)).hexdigest()) for each in form.people]
    wanted = [(person.name, person.role.value, person.signing_sha256) for person in plan.people]
    told = next((str(one) for one in found if one not in wanted), f"{len(found)} people")
    expect(found == wanted, f"the {len(wanted)} people of the plan, with their certificates", told)


def _entry(given: StepForm, step: Step, form: TranscriptForm, before: list[Entry]) -> Entry:
    entry = read_entry(given.entry.encode())
    previous = before[-1].sha256 if before else NOTHING_BEFORE
    expected = (len(before) + 1, step.name.value, previous, form.plan_sha256, form.side, form.ledger, form.ceremony)
    found = (entry.number, entry.step, entry.previous, entry.plan_sha256, entry.side, entry.ledger, entry.ceremony)
    expect(found == expected, f"entry {expected}", str(found))
    expect(not before or entry.at >= before[-1].at, "an entry no earlier than the one before", entry.at.isoformat())
    return entry


def _no_way_back(steps: tuple[Step, ...], entry: Entry) -> bool:
    """Did the steps before leave no way but forward, or is it the way out, which no end of a plan may close?"""
    return entry.step == RENOUNCE.name or bool(why_not_aborted(Progress(steps=steps, concluded=entry.number - 1)))


def _check_in_force(plan: Plan, steps: tuple[Step, ...], entry: Entry, begun: datetime) -> None:
    """Later alone where the steps before leave no way but forward."""
    span = f"{plan.valid_from.isoformat()} to {plan.valid_until.isoformat()}"
    right = plan.valid_from <= begun and (begun < plan.valid_until or _no_way_back(steps, entry))
    expect(right, f"step {entry.number} begun while the plan was in force, {span}", begun.isoformat())


def _signatures(given: StepForm, step: Step, entry: Entry, plan: Plan, form: TranscriptForm) -> Mapping[str, datetime]:
    """Everybody in the step's roles signed these very octets: when."""
    signers = [person.name for person in plan.people if person.role in step.signed_by]
    expect(list(entry.people) == signers, f"the people {', '.join(signers)}", ", ".join(map(str, entry.people)))
    expect(
        sorted(given.signatures) == sorted(signers), f"signatures of {', '.join(signers)}", ", ".join(given.signatures)
    )
    certificates = {each.name: base64.b64decode(each.certificate) for each in form.people}
    at: dict[str, datetime] = {}
    for name, signed in given.signatures.items():
        read = verify(base64.b64decode(signed), certificates=certificates[name])
        expect(read.octets == given.entry.encode(), f"{name}'s signature over this entry", "one over something else")
        at[name] = read.at
    return at
