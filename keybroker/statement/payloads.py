"""What may each kind of statement say? One model a kind; a key that is missing, unknown or mistyped refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keybroker.clause import clause
from keybroker.statement.approval import Approval
from keybroker.statement.kind import StatementKind
from keybroker.statement.said import (
    Code,
    Country,
    Eui,
    Moment,
    Name,
    Reference,
    Said,
    Serial,
    Sha256,
    SystemPath,
    Table,
    Variant,
    Version,
    Words,
)

Standard = Literal["FIPS 140-2", "FIPS 140-3"]


class ModuleNames(Table):
    """What C_GetInfo and C_GetTokenInfo report of the module. ``serial`` is the slot's own; ``members`` are the serials
    of every module behind an HA slot, and repeat ``serial`` where there is but one. ``library``: maker, description and
    version by C_GetInfo, as ``keybroker module check`` joins them, for whoever wants them compared.
    """

    manufacturer: Reference
    model: Reference
    serial: Serial
    members: Annotated[list[Serial], Field(min_length=1, max_length=32)]
    firmware_version: Version
    hardware_version: Version
    library: Reference | None = None

    @model_validator(mode="after")
    def _members_once(self) -> Self:
        if len(set(self.members)) != len(self.members):
            raise ValueError("members: expected each serial once")
        return self


class ModuleValidation(Said):
    """SEC G2.44: the module's FIPS 140 certificate, as it was found."""

    module: ModuleNames
    standard: Standard
    level: Annotated[int, Field(ge=1, le=4)]
    certificate: Reference
    status: Literal["active", "historical", "revoked"]
    approved_mode: bool
    """Operated in the approved mode of operation, as its security policy has it."""
    obtained: Words
    checked: Moment


class ModuleClassification(Said):
    """SEC G2.45, G3.22: established in accordance with an Information Classification Scheme."""

    module: ModuleNames
    scheme: Reference
    classification: Reference


class SecurityCertificate(Table):
    """SEC G5.17: of the environment (ISO/IEC 27001)."""

    standard: Literal["ISO/IEC 27001"]
    reference: Reference
    expires: Moment


class Location(Said):
    """SEC G3.23, G3.24. ``subject`` is a module's member serial, a node's identity, a system's path or a person's name.

    ``people`` operate, configure, test and maintain it; of a person it is empty.
    """

    of: Literal["module", "node", "system", "person"]
    subject: Serial
    party: Name
    country: Country
    site: Name
    environment: SecurityCertificate | None = None
    people: Annotated[list[Name], Field(max_length=64)]

    @model_validator(mode="after")
    def _environment_of_things(self) -> Self:
        if (self.of == "person") is (self.environment is not None):
            raise ValueError("expected environment of a module, node or system, and none of a person")
        if (self.of == "person") is bool(self.people):
            raise ValueError("expected people of a module, node or system, and none of a person")
        return self


class Hop(Table):
    """A system through which the octets went between check and signature."""

    system: Serial


class SupplySensitiveCheck(Said):
    """SEC G3.25: this check system applied the Supply Sensitive Check to these very octets.

    ``octets_sha256`` is of the octets as they stand in the request to the broker. ``chain`` goes from the check system
    (``party/system``) to the broker's node (its name), both included, in order.
    """

    check_system: SystemPath
    user: Eui
    request_id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
    octets_sha256: Sha256
    variant: Variant
    device: Eui
    intended: Literal[True]
    confirmed_by: Words
    checked: Moment
    chain: Annotated[list[Hop], Field(min_length=2, max_length=16)]


class VariantNotSensitive(Said):
    """SEC G3.25: in this person's judgement the variant has no effect on the supply at premises."""

    variant: Variant
    because: Words


class Threshold(Table):
    """One Anomaly Detection Threshold.

    ``count`` of critical Commands and critical SMETS1 Service Requests, or of Service Requests with ``encrypted``
    responses, within ``period_seconds``: above ``warning`` it is signed and warned of, above ``quarantine`` it is not
    signed. ``value``: a data value of the payload outside ``least`` to ``most`` is not signed.
    """

    measure: Literal["critical", "encrypted", "value"]
    variant: Variant | None = None
    code: Code | None = None
    period_seconds: Annotated[int, Field(ge=60, le=31 * 86_400)] | None = None
    warning: Annotated[int, Field(ge=0, le=10**9)] | None = None
    quarantine: Annotated[int, Field(ge=0, le=10**9)] | None = None
    value: Name | None = None
    least: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    most: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    tested: bool = True

    @model_validator(mode="after")
    @clause("G6.4A")
    def _of_its_measure(self) -> Self:
        counts = [each is not None for each in (self.period_seconds, self.warning, self.quarantine)]
        values = [each is not None for each in (self.value, self.least, self.most)]
        if self.measure == "value":
            if any(counts) or not all(values) or self.code is None or self.variant is not None:
                raise ValueError("a value's threshold has code, value, least and most, and nothing else")
            if (self.least or 0) > (self.most or 0):
                raise ValueError("expected least of at most most")
            return self
        if any(values) or not all(counts) or (self.variant is None) is (self.code is None):
            raise ValueError("a count's threshold has period_seconds, warning, quarantine, and a variant or a code")
        if (self.warning or 0) > (self.quarantine or 0):
            raise ValueError("expected warning of at most quarantine")
        if not self.tested and self.quarantine:
            raise ValueError("expected a quarantine of 0 for what the User has not tested (G6.4A)")
        return self


class ThresholdNotification(Said):
    """SEC G6.3, G6.4(c), G6.6, G6.6A. ``user`` is the User ID whose they are; None for the DCC's own, over all Users.

    ``part`` is the part of the DCC Live Systems (or the User's own system) that it is for. Of two notifications by one
    ``user`` for one ``part`` the greater ``sequence`` is in force, and says all of that User's thresholds.
    ``guidance`` is the guidance or opinion that was taken into account (G6.4(b), G6.7(b)).
    """

    user: Eui | None
    part: Name
    sequence: Annotated[int, Field(ge=1, le=2**53)]
    guidance: Reference
    thresholds: Annotated[list[Threshold], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    @clause("G6.4")
    def _each_once(self) -> Self:
        named = [(each.measure, each.variant, each.code, each.value) for each in self.thresholds]
        if len(set(named)) != len(named):
            raise ValueError("thresholds: expected each of them once")
        return self


class CommitteeOpinion(Said):
    """What the Security Sub-Committee (or the SMKI PMA) said or was told, on record under ``reference``.

    ``about``: consulted before the DCC sets thresholds, ``subject`` the part (G6.7(b)); notified of some, ``subject``
    the notification's SHA-256 (G6.8); or a person's exclusion, shortened to ``until`` (G2.22B(c)).
    """

    committee: Literal["security-sub-committee", "smki-pma"]
    about: Literal["threshold-consulted", "threshold-notified", "exclusion-shortened"]
    subject: Serial
    reference: Reference
    until: Moment | None = None


class QuarantineAction(Said):
    """SEC G6.1(a)(iii): the User says what becomes of a quarantined communication."""

    user: Eui
    record: Annotated[int, Field(ge=0, le=2**53)]
    octets_sha256: Sha256
    action: Literal["release", "delete"]


class QuarantineReport(Said):
    """SEC G6.1(a)(ii): the Quarantined Communications Report File with this SHA-256 and so many communications in it is
    the attester's.
    """

    file_sha256: Sha256
    communications: Annotated[int, Field(ge=0, le=2**53)]


class Clearance(Table):
    """SEC G4.1, G4.4."""

    level: Reference
    reviewed: Moment


class Screening(Table):
    """SEC G4.3, G4.6: BS 7858, or abroad a comparable national standard."""

    standard: Reference
    passed: Moment


class Engagement(Table):
    """SEC G2.22B(c), (d), G2.23, G3.12: what the person does or did, on which system, from when to when."""

    system: Literal["user-systems", "dcc-live-systems-a", "dcc-live-systems-b", "dcc-live-systems-c"]
    activity: Literal["privileged-person", "bespoke-development", "engaged"]
    since: Moment
    until: Moment | None = None


class Person(Said):
    """SEC G2.22B, G2.23-G2.24, G3.12-G3.13, G4: what a clause needs to know of a person, and no more."""

    person: Name
    party: Name
    roles: Annotated[list[Name], Field(min_length=1, max_length=16)]
    clearance: Clearance
    screening: Screening
    security_check: Moment | None = None
    engagements: Annotated[list[Engagement], Field(max_length=64)]


class Order(Said):
    """One administrative act; ``target`` is SHA-256 over the canonical JSON of what it does to what."""

    act: Annotated[str, Field(pattern=r"^[A-Za-z-]{1,64}$")]
    target: Sha256
    at: Moment


class DeviceCategory(Said):
    """SEC G2.44A(b), (c): as the SMETS1 Supporting Requirements (``source``) have it."""

    category: Literal[1, 2]
    devices: Annotated[list[Eui], Field(min_length=1, max_length=400)]
    source: Reference


class ApplicationAssociation(Said):
    """SEC G2.44A(c)(i): the key is valid only for the duration of a single Application Association with a Device."""

    key: Name
    device: Eui


class RecoveryRevocation(Said):
    """SEC G2.59: this certificate was revoked in accordance with the SMKI Recovery Procedure (``reference``)."""

    certificate_sha256: Sha256
    role: Annotated[str, Field(pattern=r"^[0-9A-F]{2}$")]
    eui: Eui
    reference: Reference


MODELS: Mapping[StatementKind, type[Said]] = {
    StatementKind.MODULE_VALIDATION: ModuleValidation,
    StatementKind.MODULE_CLASSIFICATION: ModuleClassification,
    StatementKind.LOCATION: Location,
    StatementKind.SUPPLY_SENSITIVE_CHECK: SupplySensitiveCheck,
    StatementKind.VARIANT_NOT_SENSITIVE: VariantNotSensitive,
    StatementKind.THRESHOLD_NOTIFICATION: ThresholdNotification,
    StatementKind.COMMITTEE_OPINION: CommitteeOpinion,
    StatementKind.QUARANTINE_ACTION: QuarantineAction,
    StatementKind.QUARANTINE_REPORT: QuarantineReport,
    StatementKind.PERSON: Person,
    StatementKind.ORDER: Order,
    StatementKind.DEVICE_CATEGORY: DeviceCategory,
    StatementKind.APPLICATION_ASSOCIATION: ApplicationAssociation,
    StatementKind.RECOVERY_REVOCATION: RecoveryRevocation,
    StatementKind.APPROVAL: Approval,
}
"""Every kind has one."""

KINDS: Mapping[type[Said], StatementKind] = {model: kind for kind, model in MODELS.items()}
