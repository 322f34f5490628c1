"""What docs/ceremonies says of plans, transcripts and refusals is what the code reads, writes and refuses."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from keybroker.ceremony import judging, judging_approvals, judging_keys, judging_people, plan
from keybroker.ceremony.judging_approvals import demanded_approvals
from keybroker.ceremony.judging_people import DEMANDED
from keybroker.ceremony.plan import CeremonyKind, Role, Side, read_plan
from keybroker.ceremony.steps import RENOUNCE, StepName, procedure
from keybroker.ceremony.transcript_form import ApprovalForm, PersonForm, RecordForm, StepForm, TranscriptForm
from keybroker.ceremony.witness_commands import extracted
from keybroker.statement.said import Table
from keybroker.terms import KeyPurpose
from tests.ceremony.made import KEY, a_plan, a_transcript, as_dict

GUIDES = Path(__file__).parents[2] / "docs" / "ceremonies"
README, TRANSCRIPT = ((GUIDES / name).read_text() for name in ("README.md", "transcript.md"))

PLAN_TABLES: dict[str, type[BaseModel]] = {
    "Keys of a plan": plan.Plan,
    "Keys of a `[[keys]]` table": plan.PlannedKey,
    "Keys of a `[[modules]]` table": plan.PlannedModule,
    "Keys of a `[[people]]` table": plan.Participant,
    "Keys of the `[quorum]` table": plan.Quorum,
    "Keys of an `[[approvals]]` table": plan.DemandedApproval,
    "Keys of a `[[conditions]]` table": plan.Condition,
    "Keys of the `[transfer]` table": plan.TransferTerms,
    "Keys of the `[split]` table": plan.SplitTerms,
}
TRANSCRIPT_TABLES: dict[str, type[BaseModel]] = {
    "Fields of a transcript": TranscriptForm,
    "Fields of a person": PersonForm,
    "Fields of an approval": ApprovalForm,
    "Fields of a step": StepForm,
    "Fields of a record": RecordForm,
}


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without their heads."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", document, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    rows = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def first(document: str, heading: str) -> list[str]:
    """What stands in backticks in the first cells of a table."""
    return [name for row in table(document, heading) for name in re.findall(r"`([^`]+)`", row[0])]


@pytest.mark.parametrize(("heading", "form"), PLAN_TABLES.items(), ids=[form.__name__ for form in PLAN_TABLES.values()])
def test_the_plan_reference_has_every_key_and_no_other(heading: str, form: type[BaseModel]) -> None:
    assert first(README, heading) == list(form.model_fields)


def test_every_table_of_a_plan_has_a_reference() -> None:
    forms = {each for each in vars(plan).values() if isinstance(each, type) and issubclass(each, Table)}
    assert forms - {Table} == set(PLAN_TABLES.values())


def test_every_key_with_a_default_says_so_and_no_other() -> None:
    for heading, form in PLAN_TABLES.items():
        for name, said in table(README, heading):
            optional = not form.model_fields[name.strip("`")].is_required()
            told = re.search(r"Default: |\bof `|None where|and of no other kind|a live deployment refuses", said)
            # Of a plan, lists that are judged afterwards may be left out as well.
            assert optional or not re.search("Default: ", said), name
            assert not optional or told or name.strip("`") in {"keys", "modules", "people"}, name


@pytest.mark.parametrize(
    ("heading", "form"), TRANSCRIPT_TABLES.items(), ids=[form.__name__ for form in TRANSCRIPT_TABLES.values()]
)
def test_the_schema_has_every_field_of_a_transcript_and_no_other(heading: str, form: type[BaseModel]) -> None:
    assert sorted(first(TRANSCRIPT, heading)) == sorted(form.model_fields)


def test_the_schema_has_every_field_of_an_entry_and_no_other() -> None:
    entry = json.loads(as_dict(a_transcript())["steps"][0]["entry"])
    assert sorted(first(TRANSCRIPT, "Fields of an entry")) == sorted(entry)
    assert f"the text `{entry['form']}`" in TRANSCRIPT
    assert f"the text `{as_dict(a_transcript())['form']}`" in TRANSCRIPT


def test_the_schema_says_who_signs_each_step() -> None:
    words = {
        "administrator": Role.ADMINISTRATOR,
        "witness": Role.WITNESS,
        "security officer": Role.SECURITY_OFFICER,
        "Key Custodians": Role.CUSTODIAN,
    }
    told: dict[str, frozenset[Role]] = {}
    for names, signed_by in table(TRANSCRIPT, "Who signs which step"):
        everybody = frozenset(Role)
        roles = everybody if signed_by == "everybody" else {role for word, role in words.items() if word in signed_by}
        told |= dict.fromkeys(re.findall(r"`([^`]+)`", names), frozenset(roles))
    plans = [a_plan(kind, conditions=[{"id": "c", "words": "w"}]) for kind in CeremonyKind]
    plans.append(a_plan(CeremonyKind.GENERATE, keys=[{"label": "k", "purpose": "root-oca", "party": "dcc"}]))
    steps = [RENOUNCE, *(step for each in plans for step in procedure(read_plan(each).plan))]
    assert {step.name.value: step.signed_by for step in steps} == told
    assert set(told) == set(StepName)


def test_the_schema_says_which_files_are_taken_out() -> None:
    shapes = {
        re.sub(r"NAME", "[a-z]+", name).replace("NN-step", r"\d\d-[a-z-]+")
        for name in first(TRANSCRIPT, "For a witness, without us")
    }
    patterns = [re.compile(shape.replace("NN", r"\d\d").replace(".", r"\.")) for shape in shapes]
    files = extracted(a_transcript(a_plan(CeremonyKind.SPLIT)))
    assert [name for name in files if not any(pattern.fullmatch(name) for pattern in patterns)] == []
    assert [each.pattern for each in patterns if not any(each.fullmatch(name) for name in files)] == []


def test_the_example_of_a_plan_is_one() -> None:
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    example = read_plan(block[1].encode()).plan
    assert example.steps == tuple(step.told for step in procedure(example))
    assert {each.about: each.committee for each in example.approvals} == demanded_approvals(example)


def test_every_reason_for_which_a_plan_is_refused_is_told_and_no_other() -> None:
    reasons: set[str] = set()
    for module in (judging, judging_approvals, judging_keys, judging_people):
        assert module.__file__ is not None
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(node.value)):
                reasons.add(str(node.value))
    assert set(first(README, "What `check` refuses")) == reasons


def test_says_of_every_kind_who_is_needed() -> None:
    numbers = {"a": 1, "an": 1, "two": 2, "one": 1, "as many": 2}
    words = {
        "administrator": Role.ADMINISTRATOR,
        "witness": Role.WITNESS,
        "security officer": Role.SECURITY_OFFICER,
        "representative": Role.PMA_REPRESENTATIVE,
        "custodian": Role.CUSTODIAN,
    }
    section = README.partition("At least so many")[2].partition("## The plan file")[0]
    for line in [row for row in section.splitlines() if row.startswith("| `")]:
        kinds, told = (cell.strip() for cell in line.strip("|").split(" | "))
        # Behind the semicolon stands what some keys need besides.
        always = told.partition(";")[0]
        found = {
            role: numbers[number[1]]
            for word, role in words.items()
            if (number := re.search(rf"\b(an?|two|one|as many) {word}", always))
        }
        for kind in re.findall(r"`([^`]+)`", kinds):
            assert found == DEMANDED[CeremonyKind(kind)], kind
    assert {kind for kind in CeremonyKind if f"`{kind.value}`" not in section} == set()


def test_says_of_every_kind_which_approvals_it_demands() -> None:
    told = {
        kind: set(re.findall(r"`([^`]+)`", row[1]))
        for row in table(README, "Approvals that a kind demands")
        for kind in re.findall(r"`([^`]+)`", row[0])
    }
    assert set(told) == set(CeremonyKind)
    for kind in CeremonyKind:
        purpose = KeyPurpose.ROOT_OCA if kind is CeremonyKind.GENERATE else KeyPurpose.RECOVERY_COMMAND
        key = {"label": "k", "purpose": purpose.value, "party": "dcc"}
        fingerprint = {} if kind is CeremonyKind.GENERATE else {"public_key_sha256": KEY}
        demanded = set(demanded_approvals(read_plan(a_plan(kind, keys=[key | fingerprint])).plan))
        own = demanded == {kind.value} and told[kind] == {"split-of-appendix-l"}
        assert own or demanded == told[kind], kind


@pytest.mark.parametrize("name", [*CeremonyKind, *Role, *Side])
def test_names_every_kind_role_and_side(name: str) -> None:
    assert f"`{name}`" in README


def test_every_guide_is_listed() -> None:
    guides = {path.name for path in GUIDES.glob("*.md")} - {"README.md"}
    assert [name for name in sorted(guides) if f"]({name})" not in README] == []
