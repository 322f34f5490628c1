"""What is held about each module, and until when does it count? For whoever looks at it before a gate shuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.gates.module_clock import End, ends
from keybroker.policy.model import Policy
from keybroker.policy.settings import ModuleValidationSettings
from keybroker.policy.stated import newest
from keybroker.statement.payloads import ModuleClassification, ModuleNames, ModuleValidation
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When the validation ends for these purposes, whose policies date the standards alike; the soonest first."""

    purposes: tuple[KeyPurpose, ...]
    ends: tuple[End, ...]

    def counts(self, at: datetime) -> bool:
        """Has none of the ends come?"""
        return all(at < end.at for end in self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEvidence:
    """The newest of each kind about the module of this serial; None where there is none.

    ``validation_void`` and ``classification_void`` say why a statement does not count now; empty where it does.
    """

    serial: str
    module: ModuleNames
    validation: ModuleValidation | None
    validation_void: str
    clocks: tuple[Clock, ...]
    classification: ModuleClassification | None
    classification_void: str


def modules(standing: Standing, policies: Mapping[KeyPurpose, Policy], at: datetime) -> tuple[ModuleEvidence, ...]:
    """Every module that any statement is about, by serial."""
    validated = {said.module.serial for _, said in standing.ever(ModuleValidation)}
    classified = {said.module.serial for _, said in standing.ever(ModuleClassification)}
    return tuple(_evidence(serial, standing, policies, at) for serial in sorted(validated | classified))


def _evidence(serial: str, standing: Standing, policies: Mapping[KeyPurpose, Policy], at: datetime) -> ModuleEvidence:
    validated = newest(standing, ModuleValidation, lambda said: said.module.serial == serial)
    classified = newest(standing, ModuleClassification, lambda said: said.module.serial == serial)
    validation = validated[1] if validated else None
    classification = classified[1] if classified else None
    about = validation or classification
    if about is None:
        raise ValueError(f"no statement is about {serial}")
    return ModuleEvidence(
        serial=serial,
        module=about.module,
        validation=validation,
        validation_void=_void(standing, validated[0] if validated else None, at),
        clocks=tuple(_clocks(validation, policies)) if validation else (),
        classification=classification,
        classification_void=_void(standing, classified[0] if classified else None, at),
    )


def _void(standing: Standing, statement: Statement | None, at: datetime) -> str:
    unfit = None if statement is None else standing.why_void(statement, at)
    return "" if unfit is None else f"{unfit.flaw.value}: {unfit.found}"


def _clocks(said: ModuleValidation, policies: Mapping[KeyPurpose, Policy]) -> Iterator[Clock]:
    dated: dict[ModuleValidationSettings, list[KeyPurpose]] = {}
    for policy in policies.values():
        if (settings := policy.settings.module_validation) is not None:
            dated.setdefault(settings, []).append(policy.purpose)
    for settings, purposes in dated.items():
        yield Clock(purposes=tuple(sorted(purposes)), ends=ends(said, settings))
