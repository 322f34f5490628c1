"""What does a purpose leave to its policy file, besides who, what and where? One table of the file for each topic.

Each is what an assurance reviewer should be able to change without a programmer: figures and lists, never whether a
rule runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keybroker.clause import clause


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSettings:
    """``[certificates]``: what an OCA certifies.

    Dotted policy OIDs; the longest validity; how far notBefore may lie from now; the path length of the CAs that it
    certifies; the OID of the WrappedApexContingencyKey in a Root OCA Certificate.
    """

    policy_oids: frozenset[str]
    longest_days: int
    not_before_within_hours: int
    path_length: int | None = None
    apex_contingency_key_oid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationListSettings:
    """``[revocation_lists]``: the longest time from thisUpdate to nextUpdate, how far thisUpdate is from now, and the
    largest CRLNumber.
    """

    longest_hours: int
    this_update_within_minutes: int
    largest_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EcosSettings:
    """``[ecos]``: the ECoS Service Live Date, and the later date from which G2.58 is applied (both or neither)."""

    service_live_date: datetime | None
    applied_from: datetime | None
    dcc_euis: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentSettings:
    """``[prepayment]``: the largest top-up of each class."""

    largest_pence: int
    largest_pounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Smets1Settings:
    """``[smets1]``: which COSEM methods add credit, and the dated list of Device Categories and keys (G2.44A).

    ``add_credit`` are class/instance/method; the categories EUIs as DUIS writes them; ``devices`` the one Device of
    each key that has one, "label EUI"; ``single_association_keys`` the labels of keys valid for one Application
    Association. ``session_seconds`` is the longest life of a key made for one TLS session, ``handshake_within_seconds``
    how old our signature in its handshake may be when it is made; without them no such key is made.
    """

    add_credit: frozenset[str]
    category_1: frozenset[str]
    category_2: frozenset[str]
    categories_as_of: datetime | None
    devices: frozenset[str] = frozenset()
    single_association_keys: frozenset[str] = frozenset()
    session_seconds: int | None = None
    handshake_within_seconds: int | None = None

    def device_of(self, label: str) -> str:
        """The EUI of the Device that the key was made for; empty where none is enrolled."""
        return next((eui for name, eui in map(str.split, self.devices) if name == label), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequestSettings:
    """``[service_requests]``: the Command Variants under which a critical SMETS1 Service Request is sent."""

    smets1_critical_command_variants: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplySensitiveCheckSettings:
    """``[supply_sensitive_check]``: how long after the Supply Sensitive Check what was checked may still be signed."""

    within_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedStandard:
    """A standard for modules: in force from ``since``; no longer from ``until``, the date that the Panel determined
    for its successor (G1.3), None while it has determined none. From ``historical_from`` on every certificate of it is
    historical, whatever was stated before.
    """

    standard: str
    since: datetime
    until: datetime | None = None
    historical_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleValidationSettings:
    """``[module.validation]``: the standards of which a module's certificate may be, and until when one that is
    historical is accepted; None: never.
    """

    standards: tuple[DatedStandard, ...]
    historical_accepted_until: datetime | None = None

    @clause("G1.2", "G1.3")
    def dates_of(self, standard: str) -> DatedStandard | None:
        """None for a standard that is not listed."""
        return next((each for each in self.standards if each.standard == standard), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyThresholdSettings:
    """``[anomaly_thresholds]``: the Service Reference Variants whose Responses hold encrypted data (G6.3(a)(ii))."""

    encrypted_response_variants: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeSettings:
    """``[life]``: the cryptoperiod in days from a key's activation, and how often it is used at most (every intent
    counts); None: without end. ``two_people``: acts that two people order, beside those that need it anyway. ``roles``:
    of an act, in which roles it is ordered; one that is not named is an administrator's.

    ``demanded`` is what the file must have: a review that took such a figure away would be refused.
    """

    cryptoperiod_days: int | None = None
    uses: int | None = None
    two_people: frozenset[str] = frozenset()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    demanded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The tables that a policy file has; None for those that it does not."""

    certificates: CertificateSettings | None = None
    revocation_lists: RevocationListSettings | None = None
    ecos: EcosSettings | None = None
    prepayment: PrepaymentSettings | None = None
    smets1: Smets1Settings | None = None
    service_requests: ServiceRequestSettings | None = None
    module_validation: ModuleValidationSettings | None = None
    supply_sensitive_check: SupplySensitiveCheckSettings | None = None
    anomaly_thresholds: AnomalyThresholdSettings | None = None
    life: LifeSettings | None = None
