"""Every gate, every way to fail it: gate, reason and clause are told, and the refusal is the gate's own; then the one
way to pass. What only the ledger can find (spent, too many, out of range) is found down the whole line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from keybroker.content.decoding import decode
from keybroker.content.model import GbcsCommand
from keybroker.errors import (
    CheckNotShown,
    ClockUnreliable,
    EvidenceSpent,
    GateShut,
    LedgerNotRemembered,
    ModuleDisagrees,
    ThresholdExceeded,
    WitnessSilent,
)
from keybroker.gates import EXISTING_GATES
from keybroker.ledger.counting import EXCEEDED, OUT_OF_RANGE
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.model import KeyRegister
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, Operation, RequestId
from tests import evidence, messages
from tests.content.test_data_values import ADJUST, adjustment, command
from tests.fakes import FakeModule
from tests.gates.checks import CALLER, CHECK, CODE, a_check, through
from tests.gates.every_gate import (
    ASKED_FOR,
    CASES,
    CHECKED,
    COUNTED,
    Case,
    a_good_scene,
    good_standing,
    purpose_of,
    with_instead,
)
from tests.gates.every_reason import (
    COUNTING,
    FORETOLD,
    GATES,
    GIVEN_BY,
    GIVEN_BY_ANY,
    demanded,
    files_with_reasons,
    reasons_in,
    unreadable_reasons,
)
from tests.gates.looks import SUPPLIER
from tests.gates.people_cases import REFUSALS
from tests.gates.test_anomaly_threshold import notified, on, value
from tests.gates.test_gates import gates_of
from tests.ledger import books
from tests.situations import AT, a_caller, a_private_key
from tests.test_line import ARegister, a_line

_OF_ANY = {
    "CLOCK_UNRELIABLE": ClockUnreliable,
    "LEDGER_NOT_REMEMBERED": LedgerNotRemembered,
    "WITNESS_SILENT": WitnessSilent,
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_refuses_and_tells_gate_reason_and_clause(case: Case) -> None:
    with pytest.raises(GateShut) as refusal:
        case.scene().opened()
    shut = {str(finding.rule): finding for finding in refusal.value.findings if not finding.passed}
    finding = shut[case.gate]
    assert (finding.reason, finding.clause) == (case.reason, case.clause)
    assert finding.expected
    assert finding.found
    assert finding.remedy
    first, told = next(iter(shut.values())), refusal.value
    assert (type(told), told.clause) == (leaf_of(first.rule, first.reason), first.clause)
    assert f"{first.rule}: expected {first.expected}, found {first.found} ({first.clause}); " in told.sentence


def leaf_of(gate: str, reason: str) -> type[GateShut]:
    """The refusal that belongs to a gate that is shut for that reason."""
    if gate == ASKED_FOR:
        return CheckNotShown
    return _OF_ANY.get(reason) or EXISTING_GATES[gate].shut


# ---- what only the ledger can find


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The User's good scene down the whole line, live."""

    line: Line
    module: FakeModule

    def asked(self, name: str, content: GbcsCommand, *checks: bytes) -> Outcome:
        identity = RequestIdentity(
            caller=a_caller(),
            operation=Operation.SIGN_PRE_COMMAND,
            key=KeyLabel("supplier-a"),
            request_id=RequestId(name),
            sha256=sha256(name.encode()).digest(),
        )
        return sign_batch(
            self.line, [Ask(identity=identity, kind=content.kind, octets=content.octets, statements=checks)], AT
        )[0]


@contextmanager
def a_stage(directory: Path, *thresholds: Statement) -> Iterator[Stage]:
    """``thresholds``: in place of those that are good."""
    scene, module = a_good_scene(), FakeModule()
    key = replace(scene.decision.key, public_key=module.add("supplier-a", a_private_key()))
    standing = with_instead(StatementKind.THRESHOLD_NOTIFICATION, *thresholds) if thresholds else good_standing()
    register = KeyRegister(version=0, keys={key.label: key}, standing=standing)
    with books.a_book(directory) as journal:
        line = a_line(journal, module, key)
        source = ARegister(now=register, seen=register)
        yield Stage(line=replace(line, deployment=DeploymentKind.LIVE, register=source), module=module)


def fresh(content: GbcsCommand, variant: str = "7.2") -> bytes:
    return a_check(
        content,
        request_id=f"{content.originator}:{content.recipient}:{content.originator_counter}",
        variant=variant,
        chain=through((CHECK, CALLER, evidence.NODE.name)),
    )


def numbered(counter: int) -> GbcsCommand:
    return command_of(messages.compose_command(CODE, counter=counter))


def command_of(octets: bytes) -> GbcsCommand:
    content = decode(ContentKind.PRE_COMMAND, octets)
    assert isinstance(content, GbcsCommand)
    return content


def test_refuses_a_check_that_was_spent(tmp_path: Path) -> None:
    content = numbered(1_000)
    check = fresh(content)
    with a_stage(tmp_path) as stage:
        assert isinstance(stage.asked("r-1", content, check), Concluded)
        refused = stage.asked("r-2", content, check)
        assert isinstance(refused, EvidenceSpent)
        assert (refused.gate, refused.reason, refused.clause) == (CHECKED, "EVIDENCE_SPENT", "G3.25")
        assert stage.module.uses == 1


def test_refuses_a_check_that_was_spent_also_after_every_restart(tmp_path: Path) -> None:
    content = numbered(1_000)
    check = fresh(content)
    outcomes, uses = [], []
    for name in ("r-1", "r-2", "r-3"):
        with a_stage(tmp_path) as stage:
            outcomes.append(stage.asked(name, content, check))
            uses.append(stage.module.uses)
    assert [type(outcome) for outcome in outcomes] == [Concluded, EvidenceSpent, EvidenceSpent]
    assert uses == [1, 0, 0]


def test_a_check_is_spent_by_a_signature_that_was_made_and_withheld(tmp_path: Path) -> None:
    content = numbered(1_000)
    check = fresh(content)
    with a_stage(tmp_path) as stage:
        stage.module.signs_wrongly = True
        assert isinstance(stage.asked("r", content, check), ModuleDisagrees)
        stage.module.signs_wrongly = False
        assert isinstance(stage.asked("r", content, check), EvidenceSpent)
        assert isinstance(stage.asked("r", content, fresh(content)), Concluded)
        assert stage.module.uses == 2


TOO_MANY: Mapping[str, tuple[int, Statement, str]] = {
    # how many are signed before, under which thresholds, and by which clause the next one is not
    "one more than the threshold": (2, notified(on(warning=0, quarantine=2)), "G6.3(a)(i)"),
    "one of what the User has not tested": (0, notified(on(warning=0, quarantine=0, tested=False)), "G6.4A"),
}


@pytest.mark.parametrize(("most", "held", "clause"), TOO_MANY.values(), ids=TOO_MANY)
def test_refuses_what_exceeds_a_threshold(tmp_path: Path, most: int, held: Statement, clause: str) -> None:
    with a_stage(tmp_path, held) as stage:
        for counter in range(most):
            content = numbered(1_000 + counter)
            assert isinstance(stage.asked(f"r-{counter}", content, fresh(content)), Concluded)
        content = numbered(2_000)
        check_exceeded(stage.asked("r", content, fresh(content)), EXCEEDED, clause)
        assert stage.module.uses == most


def test_refuses_a_data_value_out_of_range(tmp_path: Path) -> None:
    good, outside = (command_of(command(ADJUST, adjustment(amount))) for amount in (100, 101))
    with a_stage(tmp_path, notified(on("1.5"), value(ADJUST, "adjust-meter-balance", -100, 100))) as stage:
        assert isinstance(stage.asked("r-1", good, fresh(good, "1.5")), Concluded)
        check_exceeded(stage.asked("r-2", outside, fresh(outside, "1.5")), OUT_OF_RANGE, "G6.3(b)")
        assert stage.module.uses == 1


def check_exceeded(refused: Outcome, reason: str, clause: str) -> None:
    assert isinstance(refused, ThresholdExceeded), refused
    (finding,) = (each for each in refused.findings if not each.passed)
    assert (refused.gate, refused.clause, finding.rule) == (COUNTED, clause, COUNTED)
    assert (finding.reason, finding.clause) == (reason, clause)
    assert finding.expected
    assert finding.found
    assert finding.remedy


# ---- no way to fail is left out


def test_every_reason_that_the_gates_can_give_has_its_case_and_every_case_its_reason() -> None:
    assert {(case.gate, str(case.reason)) for case in CASES} == demanded()
    assert EXISTING_GATES.keys() < {case.gate for case in CASES}


def test_every_file_of_the_gates_that_gives_reasons_is_looked_at() -> None:
    assert files_with_reasons() == {*GIVEN_BY, *GIVEN_BY_ANY, FORETOLD}
    assert unreadable_reasons() == []


def test_the_ledger_gives_no_other_reason_than_those_found_down_the_line() -> None:
    assert reasons_in(COUNTING) == {EXCEEDED, OUT_OF_RANGE}


def test_every_reason_for_which_a_person_may_not_act_has_its_case() -> None:
    assert reasons_in(*(GATES / "people").glob("*.py")) <= {case.reason for case in REFUSALS}


# ---- the one way to pass


@pytest.mark.parametrize("gate", EXISTING_GATES)
def test_every_gate_opens_in_the_good_situation_and_says_what_it_rests_on(gate: str) -> None:
    purpose = purpose_of(gate)
    permit = a_good_scene(purpose).opened()
    (finding,) = (each for each in permit.findings if each.rule == gate)
    assert finding.passed
    assert finding.clause == gates_of(purpose)[gate]
    assert finding.expected
    assert finding.found
    assert len(permit.used) == (purpose is SUPPLIER)
    assert permit.counts


def test_what_every_gate_lets_through_is_signed_once(tmp_path: Path) -> None:
    content = numbered(1_000)
    with a_stage(tmp_path) as stage:
        assert isinstance(stage.asked("r-1", content, fresh(content)), Concluded)
        assert stage.module.uses == 1
