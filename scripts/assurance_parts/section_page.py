"""How is it told which clauses are claimed here? As docs/section-g.md, one table a section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from scripts.assurance_parts.case import Case
from scripts.assurance_parts.claims import Claim
from scripts.assurance_parts.page import anchor_of
from scripts.assurance_parts.section_g import Clause, Leaf, Part, Scope, SectionG, leaves

_HEAD = """\
# Section G, clause by clause

<!-- Made by scripts/make_assurance: change docs/section_g.toml and make it again. -->

Every clause of the Smart Energy Code's Section G: **in scope**, where a claim of [the assurance case](assurance.md)
covers it (and what of it remains the deployer's); **out of scope**, and why; or the **deployer's duty**, and what
keybroker gives for it. The deployer is whoever runs a broker: a User, a Shared Resource Provider, or the DCC and its
Service Providers. What a clause says is told in few words; the words that bind are the Code's.

That no clause is missing is held against `docs/section_g_numbers.txt`, and that what is in scope is claimed, refused
and accepted against the case, by `tests/architecture/test_section_g.py`.
"""


def section_page(section_g: SectionG, numbers: Mapping[str, tuple[str, ...]], case: Case) -> str:
    """The whole page, ending in a line feed."""
    found = {leaf.number: leaf for leaf in leaves(section_g, numbers, case)}
    parts = [_HEAD, *_summary(found), *_sections(section_g, numbers, found)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _summary(found: Mapping[str, Leaf]) -> Iterator[str]:
    counted = Counter(leaf.part.scope for leaf in found.values())
    told = ", ".join(f"{counted[scope]} {scope}" for scope in Scope)
    yield f"Of {len(found)} clauses and lettered parts: {told}."


def _sections(section_g: SectionG, numbers: Mapping[str, tuple[str, ...]], found: Mapping[str, Leaf]) -> Iterator[str]:
    for name, section in section_g.section.items():
        rows = [
            row
            for number, clause in section.clauses.items()
            for row in _rows(number, clause, numbers, found, section_g)
        ]
        table = "\n".join(["| clause | says | scope | claims, reason, or what is given |", "|---|---|---|---|", *rows])
        yield f"## {name} {section.title}\n\n{table}"


def _rows(
    number: str, clause: Clause, numbers: Mapping[str, tuple[str, ...]], found: Mapping[str, Leaf], section_g: SectionG
) -> Iterator[str]:
    """One row for the clause, and one for each run of parts that are another than the clause."""
    letters = numbers[number]
    rest = [f"{number}({letter})" for letter in letters if letter not in clause.parts] or [number]
    mine = tuple(dict.fromkeys(claim for leaf in rest for claim in found[leaf].claims)) if rest[0] in found else ()
    yield f"| {number} | {clause.says} | {clause.scope} | {_told(clause, mine, section_g)} |"
    for letter, part in clause.parts.items():
        leaf = found[f"{number}({letter})"]
        yield f"| {leaf.number} | | {part.scope} | {_told(part, leaf.claims, section_g)} |"


def _told(part: Part, claims: tuple[Claim, ...], section_g: SectionG) -> str:
    match part.scope:
        case Scope.IN:
            linked = ", ".join(dict.fromkeys(_link(claim) for claim in claims))
            remains = section_g.given(part)
            return f"{linked}. The deployer's: {remains}" if remains else linked
        case Scope.OUT:
            return section_g.why(part)
        case Scope.DEPLOYER:
            return section_g.given(part)


def _link(claim: Claim) -> str:
    return f"[{', '.join(claim.clauses)}](assurance.md#{anchor_of(claim.clauses)})"
