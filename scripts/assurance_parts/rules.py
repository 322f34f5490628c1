"""What does the tree say of each rule and gate: its clauses, its function, what refuses and accepts by it?

A rule's cases stand in tables, so that its clause is theirs: ``REFUSALS`` of a module of tests/policy, and ``ACCEPTED``
for the rules of every content.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keybroker.gates import EXISTING_GATES
from keybroker.policy.rules import RULES
from scripts.assurance_parts.claims import AcceptingTests, Claims
from scripts.assurance_parts.numbers import numbers_in, placed
from tests.policy.accepted_cases import ACCEPTED
from tests.policy.every_refusal import refused_by_topic
from tests.situations import packaged_policies

OF_EVERY_CONTENT = "test_rules"
"""The module of tests/policy with the cases of the rules for every content."""
GOOD = f"tests/policy/{OF_EVERY_CONTENT}.py::test_accepts_a_good_case_of_every_purpose_with_every_finding_passed"
EDGE = f"tests/policy/{OF_EVERY_CONTENT}.py::test_accepts_at_the_edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A rule or a gate. ``clause`` is how it is told there, ``numbers`` are those of Section G in it."""

    name: str
    clause: str
    numbers: frozenset[str]
    held_by: tuple[str, ...]
    refuses: tuple[str, ...]
    accepts: tuple[str, ...]
    limits: str = ""


def rules_held(root: Path, accepting: AcceptingTests) -> tuple[Held, ...]:
    """Every rule, in the order in which they are run.

    Raises: ValueError when a rule has no function of its name, no case that refuses, or no test that accepts.
    """
    functions = _functions(root, "keybroker/policy/rules")
    refusing = _refusing_tests(root)
    return tuple(
        Held(
            name=name,
            clause=rule.clause,
            numbers=frozenset(numbers_in(rule.clause)),
            held_by=(_one(functions, name.replace("-", "_"), "function of its name"),),
            refuses=tuple(refusing[topic] for topic in _topics(name)),
            accepts=tuple(test for topic in _topics(name) for test in _accepting(name, topic, accepting)),
        )
        for name, rule in RULES.items()
    )


def gates_held(root: Path, claims: Claims) -> tuple[Held, ...]:
    """Every gate, in the order of ``EXISTING_GATES``; its clauses are those under which policies name it.

    Raises: ValueError when the file does not tell of exactly the gates that exist.
    """
    if set(claims.gate) != set(EXISTING_GATES):
        raise ValueError(f"[gate.*] of the claims tells of {sorted(claims.gate)}, there are {sorted(EXISTING_GATES)}")
    named = [gate for policy in packaged_policies().values() for gate in policy.gates]
    functions = _functions(root, "keybroker/gates")
    held = []
    for name, gate in EXISTING_GATES.items():
        told = claims.gate[name]
        numbers = {number for each in named if each.gate == name for number in numbers_in(each.clause)} | set(told.also)
        judge = _one(functions, gate.judge.__name__, "function that judges")
        held.append(
            Held(
                name=name,
                clause=", ".join(sorted(numbers, key=placed)),
                numbers=frozenset(numbers),
                held_by=(judge, *(each for each in told.held_by if each != judge)),
                refuses=told.refuses,
                accepts=told.accepts,
                limits=told.limits,
            )
        )
    return tuple(held)


def _topics(rule: str) -> tuple[str, ...]:
    """The modules of tests/policy with a case by which the rule refuses."""
    topics = tuple(topic for topic, rules in refused_by_topic().items() if rule in rules)
    if not topics:
        raise ValueError(f"{rule} has no case that refuses")
    return topics


def _accepting(rule: str, topic: str, accepting: AcceptingTests) -> tuple[str, ...]:
    if topic == OF_EVERY_CONTENT:
        edge = any(case.rule == rule for case in ACCEPTED)
        return (GOOD, EDGE) if edge else (GOOD,)
    test = accepting.of_rule.get(rule) or _one(accepting.of_module, topic, "accepting test")
    return (f"tests/policy/{topic}.py::{test}",)


def _refusing_tests(root: Path) -> dict[str, str]:
    """Module of tests/policy to the test that runs its cases."""
    return {topic: f"tests/policy/{topic}.py::{_test_of_refusals(root, topic)}" for topic in refused_by_topic()}


def _test_of_refusals(root: Path, topic: str) -> str:
    tree = ast.parse((root / "tests" / "policy" / f"{topic}.py").read_bytes())
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and any(isinstance(argument, ast.Name) and argument.id == "REFUSALS" for argument in decorator.args)
    ]
    if len(found) != 1:
        raise ValueError(f"tests/policy/{topic}.py: one test is parametrised by REFUSALS, found {found}")
    return found[0]


def _functions(root: Path, place: str) -> dict[str, str]:
    """The name of every function at the top of a file below the place, to ``path::name``."""
    return {
        node.name: f"{path.relative_to(root).as_posix()}::{node.name}"
        for path in sorted((root / place).rglob("*.py"))
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.FunctionDef)
    }


def _one(found: Mapping[str, str], name: str, what: str) -> str:
    if name not in found:
        raise ValueError(f"{name} has no {what}")
    return found[name]
