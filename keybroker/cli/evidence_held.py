"""What do the commands on evidence share? What is held, one of it by the beginning of its name, how long it lasts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import typer

from keybroker.config import Configuration
from keybroker.gates.lapses import WARNED_DAYS
from keybroker.keys.standing import read_standing
from keybroker.ledger.reading import open_for_reading
from keybroker.statement.standing import Standing

_FEWEST_DIGITS = 8


@contextmanager
def held(configuration: Configuration) -> Iterator[Standing]:
    """The evidence as it is committed now. Raises: ConfigurationInvalid, LedgerFault."""
    ledger = open_for_reading(
        configuration.ledger_url, origin=configuration.ledger_origin, deployment=configuration.deployment
    )
    try:
        with ledger.read() as connection:
            yield read_standing(connection)
    finally:
        ledger.close()


def days_left(until: datetime, at: datetime) -> int:
    """Whole days, rounded down; negative where it has lapsed."""
    return (until - at) // timedelta(days=1)


def warning_of(days: int) -> str:
    """Empty where there is time enough."""
    if days < 0:
        return "lapsed"
    due = min((each for each in WARNED_DAYS if days <= each), default=None)
    return "" if due is None else f"lapses within {due} days"


def find_one(names: Collection[str], prefix: str, *, param: str, listed: str) -> str:
    """The one of ``names`` that begins so. Raises: BadParameter for a short beginning, for none and for several."""
    found = [name for name in names if name.startswith(prefix.lower())]
    if len(prefix) < _FEWEST_DIGITS or len(found) != 1:
        told = f"expected {_FEWEST_DIGITS} digits or more of one of those of {listed}, found {len(found)} for {prefix}"
        raise typer.BadParameter(told, param_hint=param)
    return found[0]
