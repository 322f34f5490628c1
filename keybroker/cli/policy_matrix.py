"""``keybroker policy matrix``: every key purpose, every kind of content, every operation, and who forbids the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from keybroker.cli.output import show_json, show_table
from keybroker.policy.matrix import Cell, cells, forbidding
from keybroker.policy.model import Policy
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.terms import ContentKind, KeyPurpose

_COLUMNS = ("purpose", "content", "operation", "is", "clause")
Row = tuple[str, str, str, str, str]


def show_matrix(policies: Mapping[KeyPurpose, Policy], *, as_json: bool, markdown: bool) -> None:
    """JSON names every cell; text the permitted ones and, in one line for each purpose, all others."""
    if as_json:
        show_json({"cells": [_facts(cell) for cell in cells(policies)]})
    elif markdown:
        print("\n".join(_markdown(policies)))
    else:
        show_table(_COLUMNS, _rows(policies))


def _facts(cell: Cell) -> dict[str, object]:
    facts = {"purpose": cell.purpose, "content": cell.kind, "operation": cell.operation, "permitted": cell.permitted}
    return {**facts, "clause": cell.clause, "rules": cell.rules}


def _rows(policies: Mapping[KeyPurpose, Policy]) -> Iterator[Row]:
    for purpose, of_purpose in groupby(cells(policies), lambda cell: cell.purpose):
        all_of_it = list(of_purpose)
        allowed = [cell for cell in all_of_it if cell.permitted]
        for cell in allowed:
            yield purpose, cell.kind, cell.operation, "permitted", cell.clause
        others = f"{len(all_of_it) - len(allowed)} others" if allowed else f"all {len(all_of_it)}"
        yield purpose, others, others, "refused", ", ".join(forbidding(all_of_it))


def _markdown(policies: Mapping[KeyPurpose, Policy]) -> Iterator[str]:
    """One column for each kind of content, under the one operation that it comes by; bold where it is permitted."""
    yield _line(("key purpose", *(f"{kind}<br>{operation}" for kind, operation in OPERATIONS.items())))
    yield _line(["---"] * (len(OPERATIONS) + 1))
    by_place = {(cell.purpose, cell.kind, cell.operation): cell for cell in cells(policies)}
    for purpose in policies:
        own = [by_place[purpose, kind, OPERATIONS[kind]] for kind in OPERATIONS]
        yield _line([purpose, *(f"**{cell.clause}**" if cell.permitted else f"no: {cell.clause}" for cell in own)])


def _line(words: Sequence[str | ContentKind]) -> str:
    return f"| {' | '.join(words)} |"
