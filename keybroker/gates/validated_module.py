"""Is the key's module validated to FIPS 140 Level 3, as evidence in force says, and is it that module? SEC G2.44."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from keybroker.clause import clause
from keybroker.gates.look import Look
from keybroker.gates.model import Looked, ModuleIdentity
from keybroker.gates.module_agreement import GIVE, agreeing_evidence
from keybroker.gates.module_clock import ends, is_historical
from keybroker.gates.shortfall import Shortfall
from keybroker.policy.settings import ModuleValidationSettings
from keybroker.statement.payloads import ModuleValidation
from keybroker.statement.said import moment
from keybroker.statement.standing import Standing
from keybroker.terms import DeploymentKind, Finding

LEVEL = 3
_REQUIRED = f"a module validated to FIPS 140 Level {LEVEL}, and evidence of it in force"
_ANOTHER_MODULE = "use a module that is validated to FIPS 140 Level 3"
_NEW_CERTIFICATE = "have the module validated anew (its maker's certificate), and have that stated"


# SEC G2.44: "is carried out within Cryptographic Modules which are compliant with FIPS 140-2 Level 3 (or any equivalent
# to that Federal Information Processing Standard which updates or replaces it from time to time)." A test deployment
# relaxes this gate and no other.
def validated_module(look: Look) -> Looked:
    """The newest validation about the module that is there now; the same for every use of the purpose in a batch."""
    if look.use.situation.deployment is DeploymentKind.TEST:
        return Looked(finding=look.passed(expected=_REQUIRED, found="relaxed (test deployment)"))
    policy = look.use.policy
    return Looked(finding=look.once(policy.purpose, policy.sha256.hex(), find=lambda: _finding(look)))


def _finding(look: Look) -> Finding:
    found = judge_module(look.use.policy.settings.module_validation, look.evidence.module, look.standing, look.at)
    if isinstance(found, Shortfall):
        return found.shuts(look)
    return look.passed(expected=_REQUIRED, found=found)


@clause("G1.2", "G1.3")
def judge_module(
    settings: ModuleValidationSettings | None, module: ModuleIdentity, standing: Standing, at: datetime
) -> str | Shortfall:
    """What a live deployment's module is validated by, and until when; or what falls short."""
    if settings is None:
        return _undated()
    found = _software(module) or agreeing_evidence(ModuleValidation, module, standing, at)
    if isinstance(found, Shortfall):
        return found
    statement, said = found
    if (short := next(_shortfalls(said, module, settings, at), None)) is not None:
        return short
    counts = ends(said, settings)[0]
    told = f"{said.standard} Level {said.level}, certificate {said.certificate}, counts until {counts.at:%Y-%m-%d}"
    return f"{told} ({counts.what}); {statement.told()}"


def _software(module: ModuleIdentity) -> Shortfall | None:
    """Whatever is stated of it: software at hand is no Cryptographic Module of any level."""
    told = f"{module.manufacturer} {module.model} {module.library}"
    if "softhsm" not in told.lower() and module.level > 0:
        return None
    return Shortfall(
        expected="a hardware module",
        found=f"software: {told}",
        reason="MODULE_IS_SOFTWARE",
        remedy=_ANOTHER_MODULE,
        clause="G2.44",
    )


def _undated() -> Shortfall:
    return Shortfall(
        expected="a policy with a table [module.validation]",
        found="none",
        reason="STANDARD_NOT_LISTED",
        remedy="give the purpose's policy file the standards and their dates",
        clause="G1.3",
    )


def _shortfalls(
    said: ModuleValidation, module: ModuleIdentity, settings: ModuleValidationSettings, at: datetime
) -> Iterator[Shortfall]:
    """Everything in the validation that G2.44 or the dated standards speak against."""
    certificate = f"certificate {said.certificate}"
    if said.status == "revoked":
        yield Shortfall(
            expected="a certificate that stands",
            found=f"{certificate}, revoked",
            reason="CERTIFICATE_REVOKED",
            remedy=_NEW_CERTIFICATE,
        )
    if min(said.level, module.level) < LEVEL:
        yield Shortfall(
            expected=f"Level {LEVEL}",
            found=f"Level {said.level} stated, Level {module.level} by the device's profile",
            reason="MODULE_LEVEL_TOO_LOW",
            remedy=_ANOTHER_MODULE,
        )
    if not said.approved_mode:
        yield Shortfall(
            expected="a module operated in its approved mode",
            found="another mode of operation",
            reason="MODULE_NOT_IN_APPROVED_MODE",
            remedy="put the module into its approved mode, as its security policy has it, and have that stated",
        )
    if moment(said.checked) > at:
        yield Shortfall(
            expected=f"a certificate that was looked up by {at.isoformat()}",
            found=f"{certificate}, looked up {moment(said.checked).isoformat()}",
            reason="MODULE_CHECKED_IN_THE_FUTURE",
            remedy=GIVE,
        )
    yield from _of_standard(said, settings, at)


# SEC G1.3: "(a) [...] comply with the updated or replaced standard [...] from such date as is determined by the Panel
# [...]; and (b) prior to that date [...] (at its discretion) with either".
@clause("G1.2", "G1.3")
def _of_standard(said: ModuleValidation, settings: ModuleValidationSettings, at: datetime) -> Iterator[Shortfall]:
    dates = settings.dates_of(said.standard)
    if dates is None:
        yield Shortfall(
            expected=f"one of {', '.join(each.standard for each in settings.standards)}",
            found=said.standard,
            reason="STANDARD_NOT_LISTED",
            remedy=_NEW_CERTIFICATE,
            clause="G1.3",
        )
        return
    if at < dates.since or (dates.until is not None and at >= dates.until):
        early = at < dates.since
        yield Shortfall(
            expected=f"a standard in force at {at.isoformat()}",
            found=f"{said.standard}, in force from {dates.since:%Y-%m-%d}" + _until(dates.until),
            reason="STANDARD_NOT_IN_FORCE_YET" if early else "STANDARD_SUPERSEDED",
            remedy=_NEW_CERTIFICATE,
            clause="G1.3",
        )
    if is_historical(said, dates, at):
        accepted = settings.historical_accepted_until
        if accepted is None or at >= accepted:
            yield Shortfall(
                expected="an active certificate" + _until(accepted, ", or a historical one"),
                found=f"certificate {said.certificate}, {said.standard}, historical",
                reason="CERTIFICATE_HISTORICAL",
                remedy=_NEW_CERTIFICATE,
            )


def _until(moment_: datetime | None, before: str = "") -> str:
    return f"{before} until {moment_:%Y-%m-%d}" if moment_ else ""
