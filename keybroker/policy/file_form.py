"""Which keys has ``policies/<key-purpose>.toml``, and of what types? No other is taken, and nothing is converted."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.policy.rule import CLAUSE
from keybroker.terms import CallerKind, ContentKind, Export, KeyAlgorithm, KeyPurpose, KeyUsage, Operation

Clause = Annotated[str, Field(pattern=f"^{CLAUSE.pattern}$")]
_ObjectIdentifier = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$")]
_Eui = Annotated[str, Field(pattern=r"^([0-9A-F]{2}-){7}[0-9A-F]{2}$")]
GateName = Literal[
    "key-served",
    "validated-module",
    "information-classification-module",
    "uk-location",
    "supply-sensitive-check",
    "anomaly-threshold",
    "pma-approval",
    "split-key",
]
"""Every gate a policy may name. A name outside this list is a slip of the pen, and refuses."""

OrderedByTwo = Literal[
    "OrderKey",
    "EnrolCertificate",
    "ActivateKey",
    "SuspendKey",
    "ResumeKey",
    "SupersedeKey",
    "RenewKey",
    "RetireKey",
    "RevokeCertificate",
    "AddCopy",
    "DistributeKey",
]
"""Acts that a policy may have two people order. The others always need two or a ceremony, or follow from an order."""

OrderedInRole = OrderedByTwo | Literal["CompromiseKey", "ConfirmCopyDestroyed"]
"""Acts of which a policy may say in which roles they are ordered: all that people order."""
_Role = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]


class Table(BaseModel):
    """A table of the file: its keys and no other."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Standard(Table):
    """A line of ``[module.validation]``; ``from`` is a word of Python's."""

    standard: Literal["FIPS 140-2", "FIPS 140-3"]
    since: Annotated[AwareDatetime, Field(alias="from")]
    until: AwareDatetime | None = None
    historical_from: AwareDatetime | None = None

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        """SEC G1.3."""
        if any(each is not None and each <= self.since for each in (self.until, self.historical_from)):
            raise ValueError("expected until and historical_from after from (G1.3)")
        return self


class ModuleValidation(Table):
    """``[module.validation]``."""

    standards: Annotated[list[Standard], Field(min_length=1)]
    historical_accepted_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _check_each_once(self) -> Self:
        named = [each.standard for each in self.standards]
        if len(set(named)) != len(named):
            raise ValueError("standards: expected each of them once")
        return self


class _Module(Table):
    requirement: Literal["fips-level-3", "information-classification-scheme"]
    clause: Clause
    validation: ModuleValidation | None = None


class _Gate(Table):
    gate: GateName
    clause: Clause


class _Certificates(Table):
    policy_oids: Annotated[list[_ObjectIdentifier], Field(min_length=1)]
    longest_days: Annotated[int, Field(ge=1, le=36600)]
    not_before_within_hours: Annotated[int, Field(ge=1, le=24 * 366)]
    path_length: Annotated[int, Field(ge=0, le=3)] | None = None
    apex_contingency_key_oid: _ObjectIdentifier | None = None


class _RevocationLists(Table):
    longest_hours: Annotated[int, Field(ge=1, le=24 * 400)]
    this_update_within_minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    largest_number: Annotated[int, Field(ge=1, lt=2**63)]


class _Ecos(Table):
    service_live_date: AwareDatetime | None = None
    applied_from: AwareDatetime | None = None
    dcc_euis: list[_Eui]

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        """SEC G2.58: "on or from a date which is after the ECoS Service Live Date"."""
        if (self.service_live_date is None) is not (self.applied_from is None):
            raise ValueError("expected service_live_date and applied_from both, or neither")
        if self.service_live_date and self.applied_from and self.applied_from <= self.service_live_date:
            raise ValueError("expected applied_from after service_live_date (G2.58)")
        return self


class _Prepayment(Table):
    largest_pence: Annotated[int, Field(ge=0, le=8191)]
    largest_pounds: Annotated[int, Field(ge=0, le=8191)]


class _Smets1(Table):
    add_credit: list[Annotated[str, Field(pattern=r"^[0-9]{1,5}/[0-9]{1,3}(\.[0-9]{1,3}){5}/[0-9]{1,3}$")]]
    category_1: list[_Eui]
    category_2: list[_Eui]
    categories_as_of: AwareDatetime | None = None
    devices: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63} ([0-9A-F]{2}-){7}[0-9A-F]{2}$")]] = []
    single_association_keys: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]] = []
    session_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    handshake_within_seconds: Annotated[int, Field(ge=1, le=3_600)] | None = None

    @model_validator(mode="after")
    def _check_sessions(self) -> Self:
        """SEC G2.44A(d)."""
        if (self.session_seconds is None) != (self.handshake_within_seconds is None):
            raise ValueError("expected session_seconds and handshake_within_seconds together, or neither (G2.44A(d))")
        return self

    @model_validator(mode="after")
    def _check_enrolment(self) -> Self:
        """SEC G2.44A(b), (c): what exempts from Level 3 is dated, and a key is for one Device."""
        if (self.category_1 or self.category_2 or self.single_association_keys) and self.categories_as_of is None:
            raise ValueError("expected categories_as_of beside Device Categories (G2.44A)")
        labels = [each.split()[0] for each in self.devices]
        if len(set(labels)) != len(labels):
            raise ValueError("devices: expected each key once")
        return self


class _ServiceRequests(Table):
    smets1_critical_command_variants: list[Annotated[int, Field(ge=1, le=8)]]


class _SupplySensitiveCheck(Table):
    # No longer than a statement of the check may be valid.
    within_seconds: Annotated[int, Field(ge=1, le=86_400)]


class _AnomalyThresholds(Table):
    encrypted_response_variants: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_known(self) -> Self:
        unknown = [each for each in self.encrypted_response_variants if each not in SERVICE_REFERENCE_VARIANTS]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no Service Reference Variant of DUIS")
        return self


class Life(Table):
    demanded: list[Literal["cryptoperiod_days", "uses"]]
    two_people: list[OrderedByTwo]
    roles: dict[OrderedInRole, Annotated[list[_Role], Field(min_length=1)]] = {}
    cryptoperiod_days: Annotated[int, Field(ge=1, le=36_600)] | None = None
    uses: Annotated[int, Field(ge=1, lt=2**53)] | None = None

    @model_validator(mode="after")
    def _check_demanded(self) -> Self:
        """SEC G5.13, G5.24: what the key management procedures demand stands here, or the file is not read."""
        missing = [each for each in self.demanded if getattr(self, each) is None]
        if missing:
            raise ValueError(f"expected {' and '.join(missing)}, which is demanded (G5.13, G5.24)")
        return self


class PolicyFile(Table):
    """The file's keys. Everything is demanded but ``effective_until``: absent means open-ended."""

    purpose: Annotated[KeyPurpose, Field(strict=False)]
    title: Annotated[str, Field(min_length=1)]
    clauses: Annotated[list[Clause], Field(min_length=1)]
    use_clause: Clause
    effective_from: AwareDatetime
    effective_until: AwareDatetime | None = None
    binding: Literal["certificate-role", "public-key", "none"]
    roles: list[Annotated[str, Field(pattern=r"^[0-9A-F]{2}$")]]
    caller_kinds: list[Annotated[CallerKind, Field(strict=False)]]
    operations: list[Annotated[Operation, Field(strict=False)]]
    content_kinds: list[Annotated[ContentKind, Field(strict=False)]]
    location: Literal["united-kingdom", "not-restricted"]
    algorithm: Annotated[KeyAlgorithm, Field(strict=False)]
    key_usage: Annotated[KeyUsage, Field(strict=False)]
    export: Annotated[Export, Field(strict=False)]
    module: _Module
    gates: Annotated[list[_Gate], Field(min_length=1)]
    life: Life
    message_codes: dict[str, Annotated[list[Annotated[int, Field(ge=0, le=0xFFFF)]], Field(min_length=1)]]
    certificates: _Certificates | None = None
    revocation_lists: _RevocationLists | None = None
    ecos: _Ecos | None = None
    prepayment: _Prepayment | None = None
    smets1: _Smets1 | None = None
    service_requests: _ServiceRequests | None = None
    supply_sensitive_check: _SupplySensitiveCheck | None = None
    anomaly_thresholds: _AnomalyThresholds | None = None
