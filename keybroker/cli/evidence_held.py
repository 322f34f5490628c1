"""What do the commands on evidence share? What is held, one of it by the beginning of its name, and a warning."""

from __future__ import annotations

from collections.abc import Collection

import typer

from keybroker.config import Configuration, reading
from keybroker.gates.lapses import warning_due
from keybroker.keys.standing import read_standing
from keybroker.statement.standing import Standing

_FEWEST_DIGITS = 8


def held(configuration: Configuration) -> Standing:
    """The evidence as it is committed now. Raises: ConfigurationInvalid, LedgerFault."""
    with reading(configuration) as ledger, ledger.read() as connection:
        return read_standing(connection)


def warning_of(days: int) -> str:
    """Empty where there is time enough."""
    if days < 0:
        return "lapsed"
    due = warning_due(days)
    return "" if due is None else f"lapses within {due} days"


def find_one(names: Collection[str], prefix: str, *, param: str, listed: str) -> str:
    """The one of ``names`` that begins so. Raises: BadParameter for a short beginning, for none and for several."""
    found = [name for name in names if name.startswith(prefix.lower())]
    if len(prefix) < _FEWEST_DIGITS or len(found) != 1:
        told = f"expected {_FEWEST_DIGITS} digits or more of one of those of {listed}, found {len(found)} for {prefix}"
        raise typer.BadParameter(told, param_hint=param)
    return found[0]
