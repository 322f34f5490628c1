"""How is the case told? As docs/assurance.md: each claim with its argument, what holds it, what shows it, its limits.

As it is committed the page names tests; with a run of the suite it tells beside each how it ended there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scripts.assurance_parts.case import Argued, Case
from scripts.assurance_parts.claims import Shown
from scripts.assurance_parts.results import Run
from scripts.assurance_parts.rules import EDGE, GOOD, OF_EVERY_CONTENT, Held

_HEAD = """\
# Assurance: claim, argument, function, test

<!-- Made by scripts/make_assurance: change docs/assurance.toml, or what the code says of itself, and make it again. -->

What keybroker claims under each clause of the Smart Energy Code's Section G, why that should be believed, the
functions that hold it, the tests that show it refuses and that show it accepts, and what it does not cover. [Section
G, clause by clause](section-g.md) says of every clause whether it is claimed here at all.

Rules and gates have their clauses by themselves; any other function says so by `@clause`, a test by a marker; the
rest stands in `docs/assurance.toml`. `tests/architecture/test_assurance.py` fails when a rule has no clause, a claim
no function, no refusing or no accepting test, when what is named does not exist, and when this page is not what
`scripts/make_assurance` makes.
"""
_NO_RESULTS = """
Tests are named here without their last result, which would be of another day's tree. `scripts/test` writes this page
with the result of every test in its run to `build/assurance.md`, and fails when a claim is not shown there. By hand:
`python -m pytest --junitxml=results.xml`, then `scripts/make_assurance --results results.xml --output
assurance-with-results.md`.
"""
_RULES = """
A rule refuses in its cases: those of `REFUSALS` of the module named that bear its name. Rules for every content
accept the *good* case of every purpose that they concern (`{good}`) and, some of them, cases of `ACCEPTED` at the
*edge* (`{edge}`). `tests/policy/test_rules.py::test_every_rule_has_a_case_that_refuses` demands at least one case of
each.
"""
_GATES = """
How gates are tested as one:

- each reason for which one can be shut, with its clause:
  `tests/gates/test_every_gate.py::test_refuses_and_tells_gate_reason_and_clause`; that no reason lacks its case:
  `tests/gates/test_every_gate.py::test_every_reason_that_the_gates_can_give_has_its_case_and_every_case_its_reason`;
- the one way to pass:
  `tests/gates/test_every_gate.py::test_every_gate_opens_in_the_good_situation_and_says_what_it_rests_on`;
- what only the ledger can find, down the line: `tests/gates/test_every_gate.py::test_refuses_a_check_that_was_spent`,
  `tests/gates/test_every_gate.py::test_refuses_what_exceeds_a_threshold`,
  `tests/gates/test_every_gate.py::test_refuses_a_data_value_out_of_range`;
- no state to which evidence, time, thresholds and people lead signs without every fact that is demanded at that moment,
  and where all of them hold it is signed:
  `tests/gates/test_no_fact_no_signature.py::test_no_state_signs_without_every_demanded_fact_and_every_state_with_all_of_them_does`.
"""


def assurance_page(case: Case, run: Run | None = None) -> str:
    """The whole page, ending in a line feed."""
    parts = (
        _HEAD + (_NO_RESULTS if run is None else f"\nWith the results of the run that began at {run.began}.\n"),
        "## Invariants\n\nWhat holds whatever is asked.\n\n" + "\n".join(_shown(case.claims.invariant, run)),
        "## Clauses\n\n" + "\n".join(_clauses(case, run)),
        "## Every rule\n" + _RULES.format(good=GOOD, edge=EDGE) + "\n" + "\n".join(_rules(case.rules, run)),
        "## Every gate\n" + _GATES + "\n" + "\n".join(_gates(case.gates, run)),
        "## What else is refused\n\n" + "\n".join(_shown(case.claims.refusal, run)),
        "## The shape of the code\n\n" + "\n".join(_shown(case.claims.shape, run)),
    )
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def heading_of(clauses: Sequence[str]) -> str:
    return ", ".join(clauses)


def anchor_of(clauses: Sequence[str]) -> str:
    """The anchor of the heading of claims under these clauses, as both mkdocs and code forges make it."""
    kept = "".join(letter for letter in heading_of(clauses).lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _clauses(case: Case, run: Run | None) -> Iterator[str]:
    told: set[tuple[str, ...]] = set()
    for argued in case.argued:
        clauses = argued.claim.clauses
        if clauses not in told:
            told.add(clauses)
            yield f"### {heading_of(clauses)}\n"
            for each in case.argued:
                if each.claim.clauses == clauses:
                    yield from _claim(each, run)


def _claim(argued: Argued, run: Run | None) -> Iterator[str]:
    claim = argued.claim
    yield f"**{_capital(claim.claim)}.** {claim.argument}\n"
    yield f"- Held by {_listed(argued.held_by, None)}."
    yield f"- Refusal shown by {_listed(argued.refuses, run)}."
    yield f"- Acceptance shown by {_listed(argued.accepts, run)}."
    if claim.limits:
        yield f"- Limits: {claim.limits}"
    yield ""


def _shown(claims: Iterable[Shown], run: Run | None) -> Iterator[str]:
    for shown in claims:
        argument = f" {shown.argument}" if shown.argument else ""
        held = f" Held by {_listed(shown.held_by, None)}." if shown.held_by else ""
        limits = f" Limits: {shown.limits}" if shown.limits else ""
        yield f"- **{shown.claim}**{argument}{held} Shown by {_listed(shown.shown_by, run)}.{limits}"


def _rules(rules: Iterable[Held], run: Run | None) -> Iterator[str]:
    yield "| rule | clause | function | refuses | accepts |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        function, refuses, accepts = rule.held_by[0], _listed(rule.refuses, run), _listed(rule.accepts, run)
        if run is None and OF_EVERY_CONTENT in rule.refuses[0]:
            accepts = "good, edge" if EDGE in rule.accepts else "good"
        yield f"| `{rule.name}` | {rule.clause} | `{function}` | {refuses} | {accepts} |"


def _gates(gates: Iterable[Held], run: Run | None) -> Iterator[str]:
    yield "| gate | clause | held by | refuses | accepts | limits |"
    yield "|---|---|---|---|---|---|"
    for gate in gates:
        held, refuses, accepts = _listed(gate.held_by, None), _listed(gate.refuses, run), _listed(gate.accepts, run)
        yield f"| `{gate.name}` | {gate.clause} | {held} | {refuses} | {accepts} | {gate.limits} |"


def _listed(names: Iterable[str], run: Run | None) -> str:
    return ", ".join(f"`{name}`{_ending(name, run)}" for name in names)


def _ending(name: str, run: Run | None) -> str:
    return "" if run is None or "::test_" not in _plain(name) else f" ({run.of(name)})"


def _plain(name: str) -> str:
    """``path::Class.test_it`` as ``path::test_it``."""
    path, _, inside = name.partition("::")
    return f"{path}::{inside.rpartition('.')[2]}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:].removesuffix(".")
