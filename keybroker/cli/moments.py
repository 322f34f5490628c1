"""How does a command read a moment that somebody typed? ISO 8601, with its time zone: nobody's clock is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import typer


def read_moment(text: str, *, param: str, expected: str = "a moment") -> datetime:
    """In UTC; ``param`` is the option that it was given with. Raises: BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {expected}, found {text!r}", param_hint=param) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"expected a moment with its time zone (Z), found {text}", param_hint=param)
    return moment.astimezone(UTC)


def read_day_or_moment(text: str, *, param: str) -> datetime:
    """A day is its beginning, in UTC. Raises: BadParameter."""
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
    except ValueError:
        return read_moment(text, param=param, expected="a day or a moment")
