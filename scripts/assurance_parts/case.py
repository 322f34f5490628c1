"""What is the whole case: for each claim, what holds it, what shows its refusal and its acceptance?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.assurance_parts.annotated import Annotation, Shows, annotations_in
from scripts.assurance_parts.claims import Claim, Claims, read_claims
from scripts.assurance_parts.numbers import placed
from scripts.assurance_parts.rules import Held, gates_held, rules_held

SOURCE = "docs/assurance.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argued:
    """A claim with everything that the file, the rules, the gates and the annotations say of it."""

    claim: Claim
    held_by: tuple[str, ...]
    refuses: tuple[str, ...]
    accepts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    claims: Claims
    argued: tuple[Argued, ...]
    """In the order of their first clauses, wherever they stand in the file."""
    rules: tuple[Held, ...]
    gates: tuple[Held, ...]
    annotations: tuple[Annotation, ...]

    @property
    def unclaimed(self) -> tuple[Annotation, ...]:
        """Annotations with clauses under which nothing is claimed but by name, so that they would stand nowhere."""
        taken = {number for claim in self.claims.claim if not claim.by_name_alone for number in claim.clauses}
        return tuple(each for each in self.annotations if not each.numbers & taken)


def read_case(root: Path) -> Case:
    """Raises: ValueError, TOMLDecodeError when file, rules, gates or annotations are not as they should be."""
    claims = read_claims(root / SOURCE)
    rules, gates = rules_held(root, claims.accepting), gates_held(root, claims)
    annotations = annotations_in(root, "keybroker", "tests")
    return Case(
        claims=claims,
        argued=tuple(argue(claim, annotations, rules, gates) for claim in sorted(claims.claim, key=_placed)),
        rules=rules,
        gates=gates,
        annotations=annotations,
    )


def claims_that_share(claims: Claims) -> tuple[Claim, ...]:
    """Claims under a clause of another claim of which neither is told by name alone: annotations would be of both."""
    counted = Counter(n for claim in claims.claim if not claim.by_name_alone for n in claim.clauses)
    return tuple(c for c in claims.claim if not c.by_name_alone and any(counted[n] > 1 for n in c.clauses))


def argue(claim: Claim, annotations: Iterable[Annotation], rules: Iterable[Held], gates: Iterable[Held]) -> Argued:
    """The claim with what the file names for it, and what rules, gates and annotations say under its clauses."""
    if claim.by_name_alone:
        return Argued(claim=claim, held_by=claim.held_by, refuses=claim.refuses, accepts=claim.accepts)
    mine = [each for each in annotations if each.numbers & set(claim.clauses)]
    ruled = [rule for rule in rules if rule.numbers & set(claim.clauses)]
    gated = [gate.held_by[0] for gate in gates if gate.numbers & set(claim.clauses)]
    return Argued(
        claim=claim,
        held_by=_once(claim.held_by, (name for rule in ruled for name in rule.held_by), gated, _named(mine, None)),
        refuses=_once(claim.refuses, (name for rule in ruled for name in rule.refuses), _named(mine, "refusal")),
        accepts=_once(claim.accepts, (name for rule in ruled for name in rule.accepts), _named(mine, "acceptance")),
    )


def _placed(claim: Claim) -> tuple[int, int, str, str]:
    return placed(claim.clauses[0])


def _named(annotations: Iterable[Annotation], shows: Shows | None) -> list[str]:
    return [each.name for each in annotations if each.shows == shows]


def _once(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))
