"""Does the evidence about a module agree with what the module reports of itself now? Which fact differs?

The newest evidence about a module counts, whether it still counts or not. About a module is what names its serial, or
has it among the members behind an HA slot.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from keybroker.clause import clause
from keybroker.gates.model import ModuleIdentity
from keybroker.gates.shortfall import Shortfall, void
from keybroker.policy.stated import newest
from keybroker.statement.payloads import ModuleClassification, ModuleNames, ModuleValidation
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

M = TypeVar("M", ModuleValidation, ModuleClassification)

GIVE = "have the module as it is now stated, and give it: keybroker evidence add"

_FACTS = (
    ("manufacturer", "MODULE_MANUFACTURER_DIFFERS"),
    ("model", "MODULE_MODEL_DIFFERS"),
    ("serial", "MODULE_SERIAL_DIFFERS"),
    ("firmware_version", "MODULE_FIRMWARE_DIFFERS"),
    ("hardware_version", "MODULE_HARDWARE_DIFFERS"),
    ("library", "MODULE_LIBRARY_DIFFERS"),
)


def evidence_of(model: type[M], serial: str, standing: Standing) -> tuple[Statement, M] | None:
    """The newest of its kind about the module of this serial; None where there never was one."""
    return newest(standing, model, lambda said: serial in (said.module.serial, *said.module.members))


def members_of(serial: str, standing: Standing) -> tuple[str, ...]:
    """The serials of every module behind the slot, as validation and classification say; its own at least."""
    named = {serial}
    for found in (evidence_of(ModuleValidation, serial, standing), evidence_of(ModuleClassification, serial, standing)):
        if found is not None:
            named.update(found[1].module.members)
    return tuple(sorted(named))


@clause("G2.44", "G2.44(f)", "G2.45")
def agreeing_evidence(
    model: type[M], module: ModuleIdentity, standing: Standing, at: datetime
) -> tuple[Statement, M] | Shortfall:
    """The evidence that counts and is about the module as it is now; or why there is none such: missing, lapsed, or of
    other facts.
    """
    found = evidence_of(model, module.serial, standing)
    if found is None:
        return _missing(model, module, standing)
    if unfit := standing.why_void(found[0], at):
        about = f"evidence about the module {module.serial}"
        return void(unfit, about=about, lapsed="MODULE_EVIDENCE_LAPSED", remedy=GIVE)
    return difference(found[1].module, module) or found


def difference(stated: ModuleNames, module: ModuleIdentity) -> Shortfall | None:
    """The first fact in which the statement and the module's own report differ. The library's is stated or not."""
    for fact, reason in _FACTS:
        said, reported = getattr(stated, fact), getattr(module, fact)
        if said is not None and said != reported:
            return _differs(fact.replace("_", " "), said, reported, reason)
    if module.serial not in stated.members:
        return _differs("serial among the members", ", ".join(stated.members), module.serial, "MODULE_SERIAL_DIFFERS")
    return None


def _missing(model: type[M], module: ModuleIdentity, standing: Standing) -> Shortfall:
    """Evidence about another of the same make is told as such: a module was exchanged."""
    make = (module.manufacturer, module.model)
    other = newest(standing, model, lambda said: (said.module.manufacturer, said.module.model) == make)
    if other is not None:
        return _differs("serial", other[1].module.serial, module.serial, "MODULE_SERIAL_DIFFERS")
    return Shortfall(
        expected=f"evidence about the module {module.serial}",
        found="none",
        reason="MODULE_EVIDENCE_MISSING",
        remedy=GIVE,
    )


def _differs(fact: str, said: str, reported: str, reason: str) -> Shortfall:
    return Shortfall(
        expected=f"{fact} {said}, as stated", found=f"{reported or 'nothing'}, as reported", reason=reason, remedy=GIVE
    )
