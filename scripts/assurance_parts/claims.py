"""What is claimed, and why should it be believed? docs/assurance.toml, read strictly.

What holds a claim and what shows it stands in the code where it can: rules and gates have their clauses, functions a
``@clause``, tests a marker. The file names what cannot say it there: what shares its clause with another claim, above
all.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from keybroker.clause import NUMBER

Number = Annotated[str, Field(pattern=f"^{NUMBER.pattern}$")]
Sentence = Annotated[str, Field(min_length=1)]
Names = tuple[Annotated[str, Field(pattern=r"^[\w./*<>-]+(::[\w.]+|: \w+)?$")], ...]


class Table(BaseModel):
    """A table of the file: its keys and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(Table):
    """A claim under no clause: an invariant, something else that is refused, the shape of the code."""

    claim: Sentence
    argument: str = ""
    held_by: Names = ()
    shown_by: Names
    limits: str = ""


class Claim(Table):
    """What is claimed under clauses of Section G, and why what holds it does so.

    ``held_by``, ``refuses`` and ``accepts`` are what no annotation says; ``limits`` is what the claim does not cover.
    """

    clauses: Annotated[tuple[Number, ...], Field(min_length=1)]
    claim: Sentence
    argument: Sentence
    held_by: Names = ()
    refuses: Names = ()
    accepts: Names = ()
    limits: str = ""
    by_name_alone: bool = False
    """Another claim is made under one of these clauses too: what is annotated with it is that claim's."""


class GateShown(Table):
    """What holds a gate, beside the function of ``EXISTING_GATES``, and the tests of its own.

    ``also`` are clauses that it holds beside those under which policies name it.
    """

    also: tuple[Number, ...] = ()
    held_by: Names = ()
    refuses: Names
    accepts: Names
    limits: str = ""


class AcceptingTests(Table):
    """Which test accepts by the rules of one kind of content: of a module of tests/policy, and of single rules."""

    of_module: dict[str, str]
    of_rule: dict[str, str]


class Claims(Table):
    """The whole file."""

    invariant: tuple[Shown, ...]
    claim: tuple[Claim, ...]
    gate: dict[str, GateShown]
    accepting: AcceptingTests
    refusal: tuple[Shown, ...]
    shape: tuple[Shown, ...]

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every clause under which something is claimed."""
        return frozenset(number for claim in self.claim for number in claim.clauses)


def read_claims(path: Path) -> Claims:
    """Raises: ValidationError, TOMLDecodeError when the file is not as it should be."""
    return Claims.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
