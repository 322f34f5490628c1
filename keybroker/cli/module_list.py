"""``keybroker module list``: which evidence is held about each module, and until when does it count?

From the ledger as it is committed, with the configuration's policies; it asks neither token nor broker and writes
nothing. Exit status 0 whatever it shows: whether a gate is shut, the broker says of each request.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import typer

from keybroker.cli.evidence_held import held
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_json, show_table
from keybroker.config import read_configuration
from keybroker.gates.lapses import days_left
from keybroker.gates.module_clock import End
from keybroker.gates.module_evidence import Clock, ModuleEvidence, modules

_TOLD = {"statement": "the statement", "standard": "the standard", "historical": "acceptance as historical"}
_Row = tuple[object, ...]


def register(group: typer.Typer) -> None:
    group.command("list")(list_modules)


def list_modules(config: Config, as_json: Json = False) -> None:
    """The evidence about each module and its clock: the statement's end, the standard's, and that of acceptance once
    its certificate is historical (G1.3, G2.44, G2.45, G3.22)."""
    configuration = read_configuration(config)
    at = configuration.clock.now()
    found = modules(held(configuration), configuration.policies, at)
    if as_json:
        show_json({"at": at, "modules": [_facts(each) for each in found]})
        return
    for each in found:
        _show(each, at)
    if not found:
        print("no evidence about any module is held; give some with: keybroker evidence add")


def _facts(evidence: ModuleEvidence) -> dict[str, object]:
    return {
        "serial": evidence.serial,
        "module": evidence.module.model_dump(),
        "validation": evidence.validation.model_dump() if evidence.validation else None,
        "validation_void": evidence.validation_void,
        "clocks": evidence.clocks,
        "classification": evidence.classification.model_dump() if evidence.classification else None,
        "classification_void": evidence.classification_void,
    }


def _show(evidence: ModuleEvidence, at: datetime) -> None:
    module, said, classified = evidence.module, evidence.validation, evidence.classification
    show_facts(
        {
            "module": evidence.serial,
            "members": ", ".join(module.members),
            "token": f"{module.manufacturer} {module.model}, firmware {module.firmware_version},"
            f" hardware {module.hardware_version}",
            "library": module.library,
            "validation": "none"
            if said is None
            else f"{said.standard} Level {said.level}, certificate {said.certificate}, {said.status},"
            f" {'in' if said.approved_mode else 'not in'} its approved mode",
            "validation does not count": evidence.validation_void,
            "classification": "none"
            if classified is None
            else f"{classified.classification} under {classified.scheme}",
            "classified until": None if classified is None else classified.expires,
            "classification does not count": evidence.classification_void,
        }
    )
    rows = [row for clock in evidence.clocks for row in _rows(clock, at)]
    if rows:
        show_table(("ends with", "clause", "at", "days", "purposes"), rows)
    console().print("")


def _rows(clock: Clock, at: datetime) -> Iterator[_Row]:
    purposes = ", ".join(clock.purposes)
    return ((_TOLD[end.what], end.clause, end.at, _days(end, at), purposes) for end in clock.ends)


def _days(end: End, at: datetime) -> str:
    return "OVER" if at >= end.at else str(days_left(end.at, at))
