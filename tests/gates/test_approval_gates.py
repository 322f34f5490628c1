"""Approvals and quorums: how the gates open, what they rest on, and that no approval is used more often than it says.

How they are shut stands in ``approved`` and is tried with every other gate's cases (``test_every_gate``).
"""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.errors import EvidenceSpent, ModuleDisagrees
from keybroker.gates import EXISTING_GATES
from keybroker.gates.approvals import find_approval
from keybroker.gates.look import Look
from keybroker.gates.pma_approval import pma_approval
from keybroker.gates.shortfall import Shortfall
from keybroker.gates.split_key import obligation_of, split_key
from keybroker.gates.transfer_approved import TransferApproved, transfer_approved
from keybroker.ledger import audit
from keybroker.ledger.canonical_json import decode as read_record
from keybroker.ledger.model import Concluded, Head
from keybroker.policy.claim import Limited
from keybroker.policy.model import Decision
from keybroker.signing import explain, sign_batch
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, Finding, KeyState, Provenance
from tests.certificates import compose_info
from tests.fakes import FakeModule
from tests.gates.approved import (
    ANOTHER_KEY,
    ANOTHER_PLAN,
    KEY,
    MESSAGE,
    PLAN,
    RECOVERY,
    TO_DEVICE,
    a_quorum,
    a_transfer,
    an_approval,
)
from tests.gates.looks import DAY, a_look, a_standing, live
from tests.gates.using import a_recovery_line, an_ask, use_up
from tests.ledger import books
from tests.situations import AT, a_key

PMA, SPLIT = "pma-approval", "split-key"
MOVED = {"provenance": Provenance.UNWRAPPED}
COMBINED = {"state": KeyState.COMBINED}


def a_request() -> Content:
    return decode(ContentKind.CERTIFICATE_SIGNING_REQUEST, compose_info())


def looked(
    gate: str, *held: Statement, content: Content | None = None, key: dict[str, Any] | None = None, **changes: Any
) -> Look:
    """At the message of the Recovery key, or at ``content``; ``key`` are changes to the key, others to the evidence."""
    good = live(RECOVERY)
    decision = Decision(
        content=content or good.content,
        key=replace(good.key, **(key or {})),
        caller=good.caller,
        policy=good.policy,
        situation=good.situation,
        findings=(),
    )
    return a_look(decision, gate, a_standing(*held), **changes)


def found(gate: str, *held: Statement, **changes: Any) -> Finding:
    return EXISTING_GATES[gate].judge(looked(gate, *held, **changes)).finding


# ---- how the use of a key is decided


def test_refuses_a_request_for_the_certificate_of_a_combined_key_on_which_nobody_decided() -> None:
    finding = found(PMA, content=a_request(), key=COMBINED, quorum=a_quorum())
    assert (finding.passed, finding.reason) == (False, "APPROVAL_MISSING")


def test_a_request_for_its_own_certificate_asks_for_no_decision_while_its_module_holds_the_key_whole() -> None:
    looking = looked(PMA, content=a_request())
    assert pma_approval(looking).finding.passed
    assert pma_approval(looking).claims == ()
    assert not found(PMA, content=a_request(), key=MOVED).passed
    assert found(PMA, *a_transfer(), content=a_request(), key=MOVED).passed


def test_opens_by_the_message_code_and_the_device_and_takes_one_of_the_uses() -> None:
    approval = an_approval()
    decision = pma_approval(looked(PMA, approval))
    assert decision.finding.passed
    assert decision.finding.found.startswith("PMA-combine, at most 3 uses: approval ")
    (limited,) = decision.claims
    assert isinstance(limited, Limited)
    assert (limited.rule, limited.most, limited.name) == (PMA, 3, approval.identity.encode())


def test_opens_by_the_very_octets() -> None:
    octets = {"octets_sha256": sha256(MESSAGE).hexdigest()}
    assert found(PMA, an_approval(messages=[octets])).passed
    assert found(PMA, an_approval(messages=[TO_DEVICE | {"code": "0x0109"}, octets])).passed


def test_takes_the_newest_of_those_that_cover_the_message_for_the_quorums_own_plan() -> None:
    older, newer = an_approval(reference="OLDER"), an_approval(reference="NEWER", plan_sha256=ANOTHER_PLAN)
    others = an_approval(reference="OTHERS", messages=[TO_DEVICE | {"code": "0x0109"}])
    assert found(PMA, older, newer, others).found.startswith("NEWER")
    assert found(PMA, older, newer, others, key=COMBINED, quorum=a_quorum()).found.startswith("OLDER")


# ---- how a key came


@pytest.mark.clause("G2.22I(a)", shows="acceptance")
def test_a_key_that_came_by_an_approved_transfer_is_used_after_its_approvals_ended() -> None:
    ended = a_transfer(**{each: {"ago": 3 * DAY, "last": DAY} for each in ("transfer", "mechanism", "views")})
    finding = found(PMA, an_approval(), *ended, key=MOVED)
    assert finding.passed
    assert "came from dsp-1 to dsp-2 by pkcs11-wrap: PMA-transfer, PMA-mechanism, after views SSC" in finding.found


BEFORE_A_TRANSFER: dict[str, tuple[tuple[Statement, ...], str]] = {
    "nothing approved": ((), "TRANSFER_NOT_APPROVED"),
    "an approval that ended": (a_transfer(transfer={"last": DAY}), "TRANSFER_NOT_APPROVED"),
    "a mechanism whose approval ended": (a_transfer(mechanism={"last": DAY}), "MECHANISM_NOT_APPROVED"),
    "views whose time is over": (a_transfer(views={"last": DAY}), "VIEWS_NOT_ON_RECORD"),
    "another plan": (
        a_transfer(transfer={"plan_sha256": ANOTHER_PLAN}, mechanism={"plan_sha256": ANOTHER_PLAN}),
        "TRANSFER_NOT_APPROVED",
    ),
}


@pytest.mark.clause("G2.22I(a)", shows="refusal")
@pytest.mark.parametrize(("held", "reason"), BEFORE_A_TRANSFER.values(), ids=BEFORE_A_TRANSFER)
def test_before_a_transfer_everything_must_be_in_force_for_its_plan(held: tuple[Statement, ...], reason: str) -> None:
    short = transfer_approved(a_standing(*held), KEY, plan_sha256=PLAN, at=AT)
    assert isinstance(short, Shortfall)
    assert short.reason == reason


@pytest.mark.clause("G2.22I(a)", shows="acceptance")
def test_a_transfer_that_is_approved_names_its_two_approvals_and_the_views_whatever_plan_they_were_on() -> None:
    views = {"plan_sha256": None, "mechanism": "nshield-world"}
    approved = transfer_approved(a_standing(*a_transfer(views=views)), KEY, plan_sha256=PLAN, at=AT)
    assert isinstance(approved, TransferApproved)
    assert [each[1].about for each in (approved.transfer, approved.mechanism, approved.views)] == [
        "transfer",
        "mechanism",
        "views",
    ]


# ---- any approval of a plan

OF_A_PLAN: dict[str, tuple[tuple[Statement, ...], str]] = {
    "none": ((), "APPROVAL_MISSING"),
    "one of two keys": ((an_approval(),), "APPROVAL_MISSING"),
    "of another plan": ((an_approval(keys=[KEY, ANOTHER_KEY], plan_sha256=ANOTHER_PLAN),), "APPROVAL_OF_ANOTHER_PLAN"),
    "ended": ((an_approval(keys=[KEY, ANOTHER_KEY], last=DAY),), "APPROVAL_LAPSED"),
    "about something else": ((an_approval("split-of-appendix-l", keys=[KEY, ANOTHER_KEY]),), "APPROVAL_MISSING"),
}


@pytest.mark.parametrize(("held", "reason"), OF_A_PLAN.values(), ids=OF_A_PLAN)
def test_finds_no_approval_where_there_is(held: tuple[Statement, ...], reason: str) -> None:
    short = find_approval(a_standing(*held), "combine", keys=(KEY, ANOTHER_KEY), plan_sha256=PLAN, at=AT)
    assert isinstance(short, Shortfall)
    assert short.reason == reason


def test_finds_the_approval_in_force_of_the_plan_for_all_its_keys() -> None:
    good = an_approval(keys=[ANOTHER_KEY, KEY])
    held = a_standing(good, an_approval(keys=[KEY, ANOTHER_KEY], ago=3 * DAY, last=DAY))
    given = find_approval(held, "combine", keys=(KEY, ANOTHER_KEY), plan_sha256=PLAN, at=AT)
    assert not isinstance(given, Shortfall)
    assert given[0] is good


# ---- the quorum


@pytest.mark.clause("G2.44B(a)", "G2.44B(b)", shows="acceptance")
@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.ENROLLING])
def test_a_key_that_its_module_holds_whole_needs_no_quorum_and_g2_44_stands(state: KeyState) -> None:
    assert split_key(looked(SPLIT, key={"state": state})).finding.found == "held whole in its module: G2.44 stands"


@pytest.mark.clause("G2.44B(a)", "G2.44B(b)", shows="refusal")
def test_refuses_a_split_key_whatever_is_approved_where_no_quorum_is_in_the_room() -> None:
    for state in (KeyState.SPLIT, KeyState.COMBINED):
        finding = found(SPLIT, an_approval(), key={"state": state})
        assert (finding.reason, finding.clause) == ("QUORUM_NOT_PRESENT", "G2.44B(a)")
        assert "keybroker ceremony run" in finding.remedy


@pytest.mark.clause("G2.44B(a)", "G2.44B(b)", shows="acceptance")
def test_a_combined_key_is_open_to_its_quorum_until_it_ends_and_says_who_was_there() -> None:
    held = {"key": COMBINED, "quorum": a_quorum(until=AT + timedelta(seconds=1))}
    finding = found(SPLIT, an_approval(), **held)
    assert finding.passed
    assert "present ada, grace; ceremony combine-2026-1" in finding.found


@pytest.mark.clause("G2.44B(a)", "G2.44B(b)", shows="acceptance")
def test_g2_44b_is_claimed_only_where_the_smki_pma_stated_that_the_split_is_that_of_appendix_l() -> None:
    key = a_key(RECOVERY)
    for held in ((), (an_approval(),), (an_approval("split-of-appendix-l", keys=[ANOTHER_KEY]),)):
        assert obligation_of(key, a_standing(*held)).endswith("so G2.44 stands")
    stated = an_approval("split-of-appendix-l", ago=3 * DAY, last=DAY)
    assert obligation_of(key, a_standing(stated)) == ("split as Appendix L describes (G2.44B): PMA-split-of-appendix-l")


# ---- never more often than it says


def test_a_batch_gets_so_many_signatures_as_are_approved_and_the_others_are_refused(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        module = FakeModule()
        line = a_recovery_line(journal, module, an_approval(uses=3))
        outcomes = sign_batch(line, [an_ask(f"r-{number}", counter=1 + number) for number in range(8)], AT)
        assert [type(each) for each in outcomes] == [Concluded] * 3 + [EvidenceSpent] * 5
        assert module.uses == 3
        refused = outcomes[-1]
        assert isinstance(refused, EvidenceSpent)
        (finding,) = (each for each in refused.findings if not each.passed)
        assert (refused.gate, finding.reason, finding.clause) == (PMA, "USES_ALL_TAKEN", "SMKI Recovery Procedure")
        assert "PMA-combine: one of 3 uses" in finding.expected
        assert "have the SMKI PMA decide on further uses" in finding.remedy
        audit.verify(journal.ledger, AT)


def test_what_was_signed_is_given_again_and_is_no_further_use(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        line = a_recovery_line(journal, FakeModule(), an_approval(uses=1))
        first, again = (sign_batch(line, [an_ask("r")], AT)[0] for _ in range(2))
        assert isinstance(first, Concluded)
        assert type(again).__name__ == "GivenAgain"
        with pytest.raises(EvidenceSpent, match="that all are taken"):
            explain(line, an_ask("another"), AT)


def test_a_further_approval_gives_further_uses(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        module, approval = FakeModule(), an_approval(uses=1)
        assert isinstance(sign_batch(a_recovery_line(journal, module, approval), [an_ask("a")], AT)[0], Concluded)
        line = a_recovery_line(journal, FakeModule(), approval, an_approval(uses=1))
        outcomes = sign_batch(line, [an_ask("b", counter=2), an_ask("c", counter=3)], AT)
        assert [type(each) for each in outcomes] == [Concluded, EvidenceSpent]


def test_a_signature_that_was_made_and_withheld_is_a_use(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        module = FakeModule(signs_wrongly=True)
        line = a_recovery_line(journal, module, an_approval(uses=1))
        assert isinstance(sign_batch(line, [an_ask("r")], AT)[0], ModuleDisagrees)
        module.signs_wrongly = False
        assert isinstance(sign_batch(line, [an_ask("r")], AT)[0], EvidenceSpent)


def test_the_head_is_kept_outside_before_each_use(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        module = FakeModule()
        line = a_recovery_line(journal, module, an_approval())
        outcome = sign_batch(line, [an_ask("r")], AT)[0]
        assert isinstance(outcome, Concluded)
        kept = module.read_anchor()
        assert isinstance(kept, Head)
        assert kept.tree_size > outcome.intent.receipt.leaf_index


def test_the_record_says_which_of_the_uses_it_was(tmp_path: Path) -> None:
    approval = an_approval()
    with books.a_book(tmp_path) as journal:
        line = a_recovery_line(journal, FakeModule(), approval)
        for number in (1, 2):
            outcome = sign_batch(line, [an_ask(f"r-{number}", counter=number)], AT)[0]
            assert isinstance(outcome, Concluded)
            stored = journal.find(outcome.intent.receipt.leaf_index)
            assert stored is not None
            (taken,) = read_record(stored.octets)["taken"]  # type: ignore[misc, str-unpack]
            assert taken["form"] == "limited"  # type: ignore[index, call-overload]
            assert int(taken["value"], 16) == number  # type: ignore[index, call-overload, arg-type]
            assert bytes.fromhex(taken["name"]).decode() == approval.identity  # type: ignore[index, call-overload, arg-type]


def test_two_workers_together_get_exactly_so_many_signatures_as_are_approved(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.gates.using"])
    books.a_ledger(tmp_path).close()
    approval = an_approval(uses=25)
    workers = [context.Process(target=use_up, args=(tmp_path, f"worker-{number}", 40, approval)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    signed = [int((tmp_path / f"signed-worker-{number}").read_text()) for number in range(2)]
    assert sum(signed) == 25
    with books.a_book(tmp_path) as journal:
        audit.verify(journal.ledger, AT)
