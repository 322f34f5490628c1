"""The assurance case: every rule, gate and claim with what holds it and what shows it, and the page made of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from keybroker.clause import clause
from keybroker.policy.rules import RULES
from scripts.assurance_parts.__main__ import drifted, not_shown, pages
from scripts.assurance_parts.annotated import annotations_in
from scripts.assurance_parts.case import Argued, Case, argue, claims_that_share, read_case
from scripts.assurance_parts.claims import Claim, Claims
from scripts.assurance_parts.numbers import clause_of, numbers_in, part_of, placed
from scripts.assurance_parts.page import assurance_page
from scripts.assurance_parts.results import read_run
from scripts.assurance_parts.section_g import read_numbers
from tests.architecture.sources import ROOT


@cache
def the_case() -> Case:
    return read_case(ROOT)


@cache
def functions(path: str) -> frozenset[str]:
    """The functions of a Python file of ours, and ``Class.name`` of its methods: what holds a clause."""
    return frozenset(_functions(ast.parse((ROOT / path).read_bytes()).body))


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.ClassDef():
                yield from _functions(node.body, f"{prefix}{node.name}.")
            case _:
                pass


def wrong_with_holders(held_by: tuple[str, ...]) -> list[str]:
    """What is wrong with what holds a claim: each file of the package with a function of its, and one at least."""
    ours = [name.partition("::") for name in held_by if name.startswith("keybroker/")]
    wrong = [f"{path}: {name or 'a file alone'}" for path, _, name in ours if name not in functions(path)]
    return wrong if ours else ["no function at all"]


@pytest.mark.parametrize(
    "held_by",
    [
        (),
        ("policies/user-xml.toml",),
        ("keybroker/gates/uk_location.py",),
        ("keybroker/gates/uk_location.py::uk_location", "keybroker/gates/located.py"),
        ("keybroker/gates/located.py::Whereabouts",),
        ("keybroker/gates/located.py::UNITED_KINGDOM",),
        ("keybroker/gates/uk_location.py::no_such_function",),
    ],
)
def test_a_claim_that_no_function_holds_is_noticed(held_by: tuple[str, ...]) -> None:
    assert wrong_with_holders(held_by) != []


def test_every_claim_and_every_gate_is_held_by_functions() -> None:
    wrong = {argued.claim.claim: wrong_with_holders(argued.held_by) for argued in the_case().argued}
    wrong |= {gate.name: wrong_with_holders(gate.held_by) for gate in the_case().gates}
    assert {name: told for name, told in wrong.items() if told} == {}


def is_test(name: str) -> bool:
    return name.startswith("tests/") and name.partition("::")[2].rpartition(".")[2].startswith("test_")


def test_every_claim_has_a_refusing_and_an_accepting_test() -> None:
    shown = [(each.claim.clauses, each.refuses, each.accepts) for each in the_case().argued]
    assert [clauses for clauses, refuses, _ in shown if not any(map(is_test, refuses))] == []
    assert [clauses for clauses, _, accepts in shown if not any(map(is_test, accepts))] == []


def test_every_rule_and_every_gate_has_a_refusing_and_an_accepting_test() -> None:
    held = (*the_case().rules, *the_case().gates)
    assert [each.name for each in held if not any(map(is_test, each.refuses))] == []
    assert [each.name for each in held if not any(map(is_test, each.accepts))] == []


def test_every_rule_and_every_gate_has_a_clause_and_those_of_section_g_exist() -> None:
    numbers = read_numbers(ROOT)
    held = (*the_case().rules, *the_case().gates)
    assert [each.name for each in held if not each.clause] == []
    assert {each.name for each in the_case().rules} == set(RULES)
    named = {number for each in held for number in each.numbers}
    assert [each for each in sorted(named, key=placed) if not exists(each, numbers)] == []


def exists(number: str, numbers: dict[str, tuple[str, ...]]) -> bool:
    clause_number, part = clause_of(number), part_of(number)
    return clause_number in numbers and (not part or part in numbers[clause_number])


def test_every_clause_that_is_claimed_or_annotated_exists() -> None:
    numbers = read_numbers(ROOT)
    annotated = {number for each in the_case().annotations for number in each.numbers}
    assert [each for each in annotated | the_case().claims.numbers if not exists(each, numbers)] == []


def test_what_is_annotated_stands_under_one_claim_of_its_clause() -> None:
    assert [each.name for each in the_case().unclaimed] == []
    assert [claim.claim for claim in claims_that_share(the_case().claims)] == []


def test_what_the_file_names_is_not_said_by_an_annotation_already() -> None:
    """Said twice, it is changed once."""
    twice = []
    for each in the_case().argued:
        if not each.claim.by_name_alone:
            bare = each.claim.model_copy(update={"held_by": (), "refuses": (), "accepts": ()})
            said = argue(bare, the_case().annotations, the_case().rules, the_case().gates)
            named = (*each.claim.held_by, *each.claim.refuses, *each.claim.accepts)
            twice += [name for name in named if name in (*said.held_by, *said.refuses, *said.accepts)]
    assert twice == []


def test_the_pages_are_what_the_script_makes() -> None:
    assert list(drifted(pages(ROOT, the_case()))) == []


def test_a_page_that_drifted_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("one\ntwo\n")
    assert [line for line in drifted({page: "one\n2\n"}) if line[0] in "+-"][2:] == ["-two", "+2"]
    assert list(drifted({page: "one\ntwo\n"})) == []


CLAIM: dict[str, Any] = {"clauses": ["G2.60(a)"], "claim": "this", "argument": "so"}


@pytest.mark.parametrize(
    "changed",
    [
        {"clauses": []},
        {"clauses": ["2.60"]},
        {"clauses": ["G2.60 (a)"]},
        {"claim": ""},
        {"argument": ""},
        {"refuses": ["a test"]},
        {"hold_by": ["keybroker/clause.py::clause"]},
    ],
    ids=str,
)
def test_refuses_a_claim_that_is_not_whole(changed: dict[str, object]) -> None:
    Claim.model_validate(CLAIM)
    with pytest.raises(ValidationError):
        Claim.model_validate({**CLAIM, **changed})


def test_refuses_a_file_without_its_tables() -> None:
    with pytest.raises(ValidationError):
        Claims.model_validate({"claim": [CLAIM]})


@pytest.mark.parametrize("numbers", [(), ("2.60",), ("G2.60(a)", "G2.60 (b)"), ("G2.60(A)",)], ids=str)
def test_refuses_to_annotate_with_what_is_no_clause(numbers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="takes numbers of SEC Section G"):
        clause(*numbers)


def test_what_is_annotated_is_the_function_itself() -> None:
    def holds() -> None: ...

    assert clause("G2.60(a)", "G2.61(a)")(holds) is holds
    assert vars(holds)["__clauses__"] == ("G2.60(a)", "G2.61(a)")


@pytest.mark.parametrize(
    "decorator",
    [
        '@clause("2.60")',
        "@clause(NUMBER)",
        '@clause("G2.60(a)", "G2.60(a)")',
        '@pytest.mark.clause("G2.60(a)")',
        '@pytest.mark.clause(shows="refusal")',
        '@pytest.mark.clause("G2.60(a)", shows="something")',
    ],
)
def test_refuses_to_read_an_annotation_that_says_nothing(decorator: str, tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(f"{decorator}\ndef test_it(): ...\n")
    with pytest.raises(ValueError, match=re.escape("some.py::test_it")):
        annotations_in(tmp_path, ".")


def test_reads_annotations_of_functions_methods_and_tests(tmp_path: Path) -> None:
    marked = '    @pytest.mark.clause("G2.61", "G2.60", shows="refusal")\n    def test_it(self): ...\n'
    (tmp_path / "some.py").write_text(f'@clause("G2.60(a)")\ndef holds(): ...\n\nclass TestIt:\n{marked}')
    found = [(each.name, sorted(each.numbers), each.shows) for each in annotations_in(tmp_path, ".")]
    assert found == [
        ("some.py::holds", ["G2.60(a)"], None),
        ("some.py::TestIt.test_it", ["G2.60", "G2.61"], "refusal"),
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("G2.56(a), G3.29", ("G2.56(a)", "G3.29")),
        ("G2.44(a)+(f)", ("G2.44(a)", "G2.44(f)")),
        ("G2.44A(a) to (d); G1.3", ("G2.44A(a)", "G2.44A(b)", "G2.44A(c)", "G2.44A(d)", "G1.3")),
        ("RFC 5280 section 4.1.2.4; G3.23(a)(iii)", ("G3.23(a)(iii)",)),
        ("GBCS Grouping Header", ()),
    ],
)
def test_reads_the_clauses_that_a_text_names(text: str, numbers: tuple[str, ...]) -> None:
    assert numbers_in(text) == numbers


def a_run(path: Path, *cases: str) -> Path:
    path.write_text(
        f'<testsuites><testsuite timestamp="2026-01-02T03:04:05.6">{"".join(cases)}</testsuite></testsuites>'
    )
    return path


def a_case(name: str, ending: str = "", module: str = "tests.gates.test_it") -> str:
    return f'<testcase classname="{module}" name="{name}">{ending}</testcase>'


def test_a_run_counts_the_cases_of_every_test(tmp_path: Path) -> None:
    ended = [a_case("test_a[1]"), a_case("test_a[2]", "<failure/>"), a_case("test_b", "<skipped/>")]
    run = read_run(a_run(tmp_path / "run.xml", *ended, a_case("test_c", module="tests.gates.test_it.TestIt")))
    assert run.began == "2026-01-02T03:04:05"
    names = ("test_a", "test_b", "TestIt.test_c", "test_d")
    told = [str(run.of(f"tests/gates/test_it.py::{name}")) for name in names]
    assert told == ["1 FAILED, 1 passed", "1 skipped", "1 passed", "NOT RUN"]


@pytest.mark.parametrize("text", ["", "<html/>", "<testsuites><testsuite/></testsuites>", "{}"])
def test_refuses_what_is_no_run(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.xml").write_text(text)
    with pytest.raises(ValueError, match="expected the file of pytest --junitxml"):
        read_run(tmp_path / "run.xml")


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        ((a_case("test_no"), a_case("test_yes")), []),
        ((a_case("test_yes"),), ["no refusal shown"]),
        ((a_case("test_no"),), ["no acceptance shown"]),
        ((a_case("test_no", "<skipped/>"), a_case("test_yes")), ["no refusal shown"]),
        ((a_case("test_no"), a_case("test_yes[1]"), a_case("test_yes[2]", "<error/>")), ["no acceptance shown"]),
    ],
    ids=str,
)
def test_a_claim_that_a_run_does_not_show_is_told(cases: tuple[str, ...], told: list[str], tmp_path: Path) -> None:
    test = "tests/gates/test_it.py::test_"
    argued = Argued(claim=Claim.model_validate(CLAIM), held_by=(), refuses=(f"{test}no",), accepts=(f"{test}yes",))
    run = read_run(a_run(tmp_path / "run.xml", *cases))
    found = str(not_shown(replace(the_case(), argued=(argued,), rules=(), gates=()), run))
    assert [words for words in ("no refusal shown", "no acceptance shown") if words in found] == told


def test_a_page_with_results_tells_beside_each_test_how_it_ended(tmp_path: Path) -> None:
    first, *others = (name for argued in the_case().argued for name in argued.refuses if is_test(name))
    other = next(name for name in others if name != first)
    path, _, name = first.partition("::")
    module = path.removesuffix(".py").replace("/", ".")
    run = read_run(a_run(tmp_path / "run.xml", a_case(name, module=module)))
    page = assurance_page(the_case(), run)
    assert "the run that began at 2026-01-02T03:04:05" in page
    assert f"`{first}` (1 passed)" in page
    assert f"`{other}` (NOT RUN)" in page
