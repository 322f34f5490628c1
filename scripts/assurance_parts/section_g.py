"""Of which clauses of Section G is something claimed here, and what of the others? docs/section_g.toml, read strictly.

A clause is in scope, where claims of docs/assurance.toml cover it; or out of scope, and why; or the deployer's duty,
and what keybroker gives for it. A lettered part may be another than the rest of its clause.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from scripts.assurance_parts.case import Case
from scripts.assurance_parts.claims import Claim, Number, Sentence, Table
from scripts.assurance_parts.numbers import clause_of

SOURCE = "docs/section_g.toml"
NUMBERS = "docs/section_g_numbers.txt"


class Scope(StrEnum):
    IN = "in scope"
    OUT = "out of scope"
    DEPLOYER = "deployer's duty"


class Part(Table):
    """``why`` it is out of scope; what keybroker ``gives`` the deployer, or what of it remains the deployer's."""

    scope: Scope
    why: str = ""
    gives: str = ""

    @model_validator(mode="after")
    def _says_what_its_scope_needs(self) -> Self:
        needed = {Scope.IN: not self.why, Scope.OUT: bool(self.why), Scope.DEPLOYER: bool(self.gives)}
        if not needed[self.scope] or (self.why and self.gives):
            raise ValueError(f"{self.scope}: expected why (out of scope) or gives (deployer's duty), and not the other")
        return self


class Clause(Part):
    """``says`` paraphrases it, in few words: the Code's own are in the Code."""

    says: Sentence
    parts: dict[Annotated[str, Field(pattern=r"^[a-z]$")], Part] = Field(default_factory=dict)


class Section(Table):
    title: Sentence
    clauses: dict[Number, Clause]


class SectionG(Table):
    """The whole file: ``because`` are reasons that several clauses share, by a word that stands for each in ``why``."""

    because: dict[str, Sentence]
    gives: dict[str, Sentence]
    section: dict[str, Section]

    @property
    def clauses(self) -> Mapping[str, Clause]:
        return {number: clause for section in self.section.values() for number, clause in section.clauses.items()}

    def why(self, part: Part) -> str:
        return self.because.get(part.why, part.why)

    def given(self, part: Part) -> str:
        return self.gives.get(part.gives, part.gives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A clause without lettered parts, or one lettered part: what is in scope or is not."""

    number: str
    part: Part
    claims: tuple[Claim, ...]


def read_section_g(root: Path) -> SectionG:
    """Raises: ValidationError, TOMLDecodeError when the file is not as it should be."""
    return SectionG.model_validate(tomllib.loads((root / SOURCE).read_text(encoding="utf-8")))


def read_numbers(root: Path) -> dict[str, tuple[str, ...]]:
    """Every clause that Section G has, with the letters of its parts, as ``docs/section_g_numbers.txt`` lists them."""
    lines = (root / NUMBERS).read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {number: tuple("".join(letters)) for number, *letters in words}


def leaves(section_g: SectionG, numbers: Mapping[str, tuple[str, ...]], case: Case) -> Iterator[Leaf]:
    """Every leaf of Section G with the claims that cover it: of it, of its whole clause, or of what is below it."""
    claims = case.claims.claim
    for number, letters in numbers.items():
        clause = section_g.clauses[number]
        for leaf in (f"{number}({letter})" for letter in letters) if letters else (number,):
            part = clause.parts.get(leaf[-2], clause) if letters else clause
            yield Leaf(number=leaf, part=part, claims=tuple(c for c in claims if _covers(c, leaf)))


def _covers(claim: Claim, leaf: str) -> bool:
    return any(number in (leaf, clause_of(leaf)) or number.startswith(f"{leaf}(") for number in claim.clauses)
