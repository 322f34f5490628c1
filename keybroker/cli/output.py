"""How does the command line speak? Text for people, in colour where that is wanted, or one JSON object.

JSON: octets as hexadecimal, moments as ISO 8601, EUIs as DUIS writes them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from keybroker.errors import KeybrokerError, NotPermitted, Refusal
from keybroker.terms import EntityIdentifier, Finding

if TYPE_CHECKING:
    from rich.console import Console

Jsonable = None | bool | int | float | str | list["Jsonable"] | dict[str, "Jsonable"]

_NEXT: Mapping[str, str] = {
    "BROKER_UNREACHABLE": "is it running there, and does it trust your certificate? For a development broker:"
    " keybroker dev up DIRECTORY",
    "NOT_PERMITTED": "keybroker explain FILE --key NAME shows every rule",
    "PIN_WRONG": "correct the PIN, then: keybroker module unlatch --config FILE",
    "LEDGER_BROKEN": "keybroker ledger verify --config FILE names the first thing wrong",
    "MODULE_UNAVAILABLE": "keybroker module check --config FILE shows what the token can do",
    "CONFIGURATION_INVALID": "correct what is named, then: keybroker config check --config FILE",
}
"""What to do next, by reason."""


def be_plain() -> None:
    """From now on no colour, box or progress."""
    os.environ["NO_COLOR"] = "1"


def is_fancy(*, stderr: bool = False) -> bool:
    """Is somebody looking who likes colour?"""
    stream = sys.stderr if stderr else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> Console:
    """A console of rich: without colour where nobody likes it."""
    from rich.console import Console  # rich takes a tenth of a second to import: only for those who read text

    fancy = is_fancy(stderr=stderr)
    return Console(
        stderr=stderr,
        color_system="auto" if fancy else None,
        highlight=False,
        soft_wrap=True,
        emoji=False,
        markup=False,
    )


def show_json(value: object) -> None:
    """One JSON object on one line of standard output."""
    print(json.dumps(jsonable(value), ensure_ascii=False))


def jsonable(value: object) -> Jsonable:
    """Frozen dataclasses and what they hold, for JSON."""
    match value:
        case KeybrokerError():
            return error_facts(value)
        case Enum():
            return jsonable(value.value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat()
        case EntityIdentifier() | Path():
            return str(value)
        case Mapping():
            return {str(jsonable(key)): jsonable(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted((jsonable(each) for each in value), key=str)
        case Iterable():
            return [jsonable(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"no JSON for {type(value).__name__}")


def error_facts(error: KeybrokerError) -> dict[str, Jsonable]:
    """Reason, sentence, clause and what else the error carries."""
    facts: dict[str, Jsonable] = {
        "reason": error.reason,
        "refusal": isinstance(error, Refusal),
        "sentence": error.sentence,
        "clause": error.clause,
    }
    for name in ("offset", "expected", "found", "field", "gate", "findings"):
        if hasattr(error, name):
            facts[name] = jsonable(getattr(error, name))
    return facts


def show_error(error: KeybrokerError, *, as_json: bool) -> None:
    """What went wrong, the clause, and what to do next: JSON on standard output, text on standard error."""
    if as_json:
        show_json({"error": error})
        return
    out = console(stderr=True)
    kind = "refused" if isinstance(error, Refusal) else "failed"
    out.print(f"{kind}: {error.reason}", style="bold red")
    out.print(f"  {error.sentence}")
    if error.clause:
        out.print(f"  clause: {error.clause}")
    show_findings(out, [finding for finding in getattr(error, "findings", ()) if not finding.passed])
    # An unknown key, or an act that does not fit, has no rules to explain.
    explainable = error.reason != NotPermitted.reason or bool(error.clause)
    if explainable and error.reason in _NEXT:
        out.print(f"  next: {_NEXT[error.reason]}", style="dim")


def show_findings(out: Console, findings: Sequence[Finding]) -> None:
    """One line for each rule; a second one where it refuses."""
    for finding in findings:
        mark, style = ("pass  ", "green") if finding.passed else ("REFUSE", "bold red")
        out.print(f"  {mark} {finding.rule} ({finding.clause})", style=style)
        where = f" at offset {finding.offset}" if finding.offset is not None else ""
        if finding.expected:
            out.print(f"         expected {finding.expected}, found {finding.found}{where}")
        elif finding.found:
            out.print(f"         {finding.found}{where}")


def show_facts(facts: Mapping[str, object]) -> None:
    """``name  value`` lines."""
    out = console()
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        out.print(f"{name.ljust(width)}  {_word(value)}")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table: with a box for people, tab-separated for pipes and plain mode."""
    if not is_fancy():
        for row in rows:
            print("\t".join(_word(value) for value in row))
        return
    from rich.table import Table  # see console()

    table = Table(*columns)
    for row in rows:
        table.add_row(*(_word(value) for value in row))
    console().print(table)


def _word(value: object) -> str:
    plain = jsonable(value)
    if isinstance(plain, list):
        return ", ".join(map(str, plain))
    return "-" if plain is None or plain == "" else str(plain)
