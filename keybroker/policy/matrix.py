"""Which keys may do what, and which clause forbids the rest? Every purpose, kind of content and operation. Pure.

Asked of the very rules that judge a request (``rules/purpose.py``) with the policies given: there is no second table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from keybroker.policy.model import Policy
from keybroker.policy.rules.purpose import OPERATIONS, content_kind_for_purpose, operation_for_purpose
from keybroker.terms import ContentKind, Finding, KeyPurpose, Operation, RuleName


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """May a key of ``purpose`` be used on content of ``kind`` by ``operation``? Empty ``rules``: yes.

    ``clause`` is the one that the purpose rests on, by which it is permitted or forbidden; ``rules`` are those that
    refuse, and ``expected`` what the first of them expects.
    """

    purpose: KeyPurpose
    kind: ContentKind
    operation: Operation
    clause: str
    rules: tuple[RuleName, ...]
    expected: str

    @property
    def permitted(self) -> bool:
        return not self.rules


def cells(policies: Mapping[KeyPurpose, Policy]) -> Iterator[Cell]:
    """Every cell, by purpose, kind and operation. Reads, and Explain, use no key and are not among them."""
    for purpose, kind, operation in product(policies, ContentKind, OPERATIONS.values()):
        yield _cell(policies[purpose], kind, operation)


def permitted(policies: Mapping[KeyPurpose, Policy]) -> Iterator[Cell]:
    """The cells that are not forbidden."""
    return (cell for cell in cells(policies) if cell.permitted)


def forbidding(cells_of_one_purpose: Iterable[Cell]) -> tuple[str, ...]:
    """The clauses by which the others are forbidden, each once."""
    return tuple(sorted({cell.clause for cell in cells_of_one_purpose if not cell.permitted}))


def _cell(policy: Policy, kind: ContentKind, operation: Operation) -> Cell:
    findings = (content_kind_for_purpose(kind, policy), operation_for_purpose(kind, policy, operation))
    refusals = [finding for finding in findings if not finding.passed]
    return Cell(
        purpose=policy.purpose,
        kind=kind,
        operation=operation,
        clause=_clause(refusals, policy),
        rules=tuple(finding.rule for finding in refusals),
        expected=refusals[0].expected if refusals else "",
    )


def _clause(refusals: list[Finding], policy: Policy) -> str:
    return refusals[0].clause if refusals else policy.use_clause
