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

from keybroker.errors import ConfigurationInvalid, KeybrokerError, NotPermitted, Refusal
from keybroker.terms import EntityIdentifier, Finding

if TYPE_CHECKING:
    from rich.console import Console

    from keybroker.ledger.model import Receipt

Jsonable = None | bool | int | float | str | list["Jsonable"] | dict[str, "Jsonable"]

_NEXT: Mapping[str, str] = {
    "BROKER_UNREACHABLE": "is it running there, and does it trust your certificate? For a development broker:"
    " keybroker dev up DIRECTORY",
    "CALLER_UNKNOWN": "the operator adds this certificate's identity to the caller table ([[caller]]) and reloads",
    "REQUEST_REPEATED": "leave --request-id out, or take another",
    "CONTENT_MALFORMED": "are the file and --kind right? A message is its octets, or the same as hexadecimal text",
    "CONTENT_ALREADY_SIGNED": "give the message as it was before it was signed; a signature is put on once",
    "CONTENT_MAC_WRAPPED": "give the Command without its MAC, which is put on after the signature",
    "CONTENT_IS_RESPONSE": "Devices send Responses; a broker signs Commands and Pre-Commands",
    "CONTENT_IS_ALERT": "Devices send Alerts; a broker signs Commands and Pre-Commands",
    "MESSAGE_CODE_UNKNOWN": "compare the code with GBCS; keybroker policy show PURPOSE lists those that a key may sign",
    "NOT_PERMITTED": "keybroker explain FILE --key NAME (or the same command with --explain) shows every rule and gate",
    "STATEMENT_REFUSED": "correct what is named, and have it stated anew; docs/operations/evidence.md says how",
    "PERSON_MAY_NOT_ACT": "keybroker people show NAME --config FILE shows every clause and until when",
    "EVIDENCE_SPENT": "what may be used once was used before: take a new serial, counter or RequestID",
    "PROTECTION_INVALID": "compare the message and the Device's certificate with their source; rely on nothing in it",
    "KEY_NOT_SERVED": "keybroker module check --config FILE shows what the token can do",
    "PERSON_PIN_WRONG": "start the command again; a token that is locked gets a new PIN from its security officer",
    "CMS_UNFIT": "was it changed on its way, or meant for or signed by somebody else? Ask who gave it to you",
    "NOTE_UNFIT": "is the verifier key that of this ledger, or of this witness? Ask who keeps it; else keep the"
    " note: it may show a fork",
    "WITNESS_SILENT": "ask again in a moment; the broker's log says which witness gives no cosignature, and why",
    "PIN_WRONG": "correct the PIN, then: keybroker module unlatch --config FILE",
    "MODULE_BUSY": "ask again in a moment",
    "MODULE_UNAVAILABLE": "keybroker module check --config FILE shows what the token can do",
    "LEDGER_BROKEN": "keybroker ledger verify --config FILE names the first thing wrong",
    "OUTCOME_UNKNOWN": "ask again with the same --request-id",
    "BROKER_STOPPING": "ask again in a moment",
    "CERTIFICATE_UNFIT": "a chain in PEM is the certificate, then its issuers up to an anchor (docs/operations.md)",
    "CONFIGURATION_INVALID": "correct what is named, then: keybroker config check --config FILE",
}
"""What to do next, by reason."""

_NEXT_BY_RULE: Mapping[str, str] = {
    "caller-entitled-to-key": "keybroker keys list shows your party's keys; the caller table says which you may use",
    "key-agreement-key-signs-one-request": "retire this key (keybroker keys retire) and generate another",
}
"""The same where a rule that refused says more than the reason does."""

_NEXT_WITHOUT_TRUST = "give the authority of this broker's certificate with --anchors"
_NEXT_WITHOUT_PIN = (
    'give the PIN as the configuration says; for a development broker: eval "$(keybroker dev env DIRECTORY --with-pin)"'
)


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
    for name in ("offset", "expected", "found", "field", "flaw", "gate", "findings"):
        if hasattr(error, name):
            facts[name] = jsonable(getattr(error, name))
    return facts


def usage_facts(sentence: str) -> dict[str, Jsonable]:
    """A command line that is wrong, in the form of an error."""
    return {"reason": "USAGE", "refusal": False, "sentence": sentence, "clause": ""}


def show_error(error: KeybrokerError, *, as_json: bool, explained: bool = False) -> None:
    """What went wrong, the clause, and what to do next: JSON on standard output, text on standard error.

    ``explained``: every finding was shown already.
    """
    if as_json:
        show_json({"error": error})
        return
    out = console(stderr=True)
    # Somebody at a narrow console reads whole words; in a file a line stays one line.
    out.soft_wrap = not sys.stderr.isatty()
    kind = "refused" if isinstance(error, Refusal) else "failed"
    out.print(f"{kind}: {error.reason}", style="bold red")
    out.print(f"  {error.sentence}")
    if error.clause:
        out.print(f"  clause: {error.clause}")
    if not explained:
        show_findings(out, _refusing(error))
    following = _next(error)
    if following and not (explained and following == _NEXT[NotPermitted.reason]):
        out.print(f"  next: {following}", style="dim")


def _refusing(error: KeybrokerError) -> list[Finding]:
    return [finding for finding in getattr(error, "findings", ()) if not finding.passed]


def _first_to_mend(error: KeybrokerError) -> list[Finding]:
    """What gates found beside a rule that refused comes after it; rules' findings have no remedy of their own."""
    refusing = _refusing(error)
    of_rules = [finding for finding in refusing if not finding.remedy]
    return of_rules if of_rules and isinstance(error, NotPermitted) else refusing


def _names_a_setting(error: KeybrokerError) -> bool:
    where: str = getattr(error, "where", "")
    return bool(where) and not Path(where).is_dir()


def _next(error: KeybrokerError) -> str:
    """What to type or look at, empty where there is nothing to add to the sentence."""
    if isinstance(error, ConfigurationInvalid) and error.where == "module.pin":
        return _NEXT_WITHOUT_PIN
    if error.reason == ConfigurationInvalid.reason and not _names_a_setting(error):
        return ""
    if "CERTIFICATE_VERIFY_FAILED" in error.sentence:
        return _NEXT_WITHOUT_TRUST
    for finding in _first_to_mend(error):
        if following := finding.remedy or _NEXT_BY_RULE.get(finding.rule, ""):
            return following
    # An act that does not fit has no rules to explain.
    explainable = error.reason != NotPermitted.reason or bool(error.clause)
    return _NEXT.get(error.reason, "") if explainable else ""


def show_findings(out: Console, findings: Sequence[Finding]) -> None:
    """One line for each rule and gate; a second one where there is more to say, and a third of what to do."""
    for finding in findings:
        mark, style = ("pass  ", "green") if finding.passed else ("REFUSE", "bold red")
        why = f" {finding.reason}" if finding.reason and not finding.passed else ""
        out.print(f"  {mark} {finding.rule} ({finding.clause}){why}", style=style)
        where = f" at offset {finding.offset}" if finding.offset is not None else ""
        if finding.expected:
            out.print(f"         expected {finding.expected}, found {finding.found}{where}")
        elif finding.found:
            out.print(f"         {finding.found}{where}")
        if finding.remedy and not finding.passed:
            out.print(f"         what to do: {finding.remedy}")


def show_facts(facts: Mapping[str, object]) -> None:
    """``name  value`` lines."""
    out = console()
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        out.print(f"{name.replace('_', ' ').ljust(width)}  {word_of(value)}")


def show_receipt(facts: Mapping[str, object], receipt: Receipt, *, as_json: bool) -> None:
    """What was done, and the record of it."""
    if as_json:
        show_json({**facts, "receipt": receipt})
    else:
        show_facts({**facts, "record": receipt.leaf_index})


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table: on a terminal in columns, boxed where colour is liked and it fits; for pipes tab-separated, no head.

    Nothing is ever cut short to fit: a key's label must be readable.
    """
    words = [[word_of(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in words:
            print("\t".join(line))
        return
    widths = [max(map(len, column)) for column in zip(columns, *words, strict=True)]
    if is_fancy():
        from rich.table import Table  # see console()

        out, table = console(), Table(*columns)
        for line in words:
            table.add_row(*line)
        if sum(widths) + 3 * len(widths) + 1 <= out.width:
            out.print(table)
            return
    for line in [list(columns), *words]:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


def word_of(value: object) -> str:
    """As people read it."""
    match jsonable(value):
        case bool(plain):
            return "yes" if plain else "no"
        case None | "":
            return "-"
        case list(each):
            return ", ".join(map(word_of, each)) or "-"
        case dict(each):
            return ", ".join(f"{name} {word_of(of)}" for name, of in each.items()) or "-"
        case plain:
            return str(plain)
