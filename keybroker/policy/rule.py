"""What a rule is: a name, a clause and a remedy. There is no rule without a clause; making one fails."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from keybroker.terms import Finding, RuleName

CLAUSE = re.compile(r"(G\d+\.\d+[A-Z]?|(GBCS|DUIS|SMKI|DLMS|XMLDSIG|RFC|X\.|IEC) ?[A-Za-z0-9]).*")
"""A clause of SEC Section G, or a named part of what it rests on: GBCS, DUIS, the SMKI profile, an RFC."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule's fixed parts. Its findings are made here, so that a pass costs nothing and always carries the clause.

    ``name`` is kebab case; ``clause`` is a clause of SEC Section G or a named part of GBCS; ``remedy`` tells the caller
    or operator what to do about a refusal. ``not_applicable`` is the pass of a rule that has nothing to look at.

    Raises: ValueError when the name is no kebab case, the clause no clause, or the remedy missing.
    """

    name: RuleName
    clause: str
    remedy: str
    passed: Finding = field(init=False)
    not_applicable: Finding = field(init=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a rule's name is kebab case, found {self.name!r}")
        if not CLAUSE.fullmatch(self.clause):
            raise ValueError(f"rule {self.name} needs a clause, found {self.clause!r}")
        if not self.remedy:
            raise ValueError(f"rule {self.name} needs a remedy")
        # The two constant findings; object.__setattr__ is the frozen dataclass's own way to set a field once.
        object.__setattr__(self, "passed", Finding(rule=self.name, clause=self.clause, passed=True))
        not_applicable = Finding(
            rule=self.name, clause=self.clause, passed=True, found="not applicable to this purpose"
        )
        object.__setattr__(self, "not_applicable", not_applicable)

    def refused(self, *, expected: str, found: str, offset: int | None = None, clause: str = "") -> Finding:
        """The finding of a refusal: what was expected, what was found, and at which octet where one is to blame.

        ``clause`` is given where the purpose's own says more than the rule's.
        """
        return Finding(
            rule=self.name,
            clause=clause or self.clause,
            passed=False,
            expected=expected,
            found=found,
            offset=offset,
        )

    def passed_with(self, found: str) -> Finding:
        """A pass that tells what it rests on, for the record: which circumstance, whose trust anchor."""
        return Finding(rule=self.name, clause=self.clause, passed=True, found=found)
