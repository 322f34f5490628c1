"""Which kinds of statement are there, and for how long may each be valid?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class StatementKind(StrEnum):
    """One ``typ`` for each; a statement of one kind is never taken for another."""

    MODULE_VALIDATION = "module-validation"
    """A Cryptographic Module is compliant with FIPS 140 (SEC G2.44)."""
    MODULE_CLASSIFICATION = "module-classification"
    """A Cryptographic Module was established under the Information Classification Scheme (SEC G2.45, G3.22)."""
    LOCATION = "location"
    """Where a module, a node, a system or a person is (SEC G3.23, G3.24)."""
    SUPPLY_SENSITIVE_CHECK = "supply-sensitive-check"
    """These very octets were checked (SEC G3.25). The only kind that comes with a request."""
    VARIANT_NOT_SENSITIVE = "variant-not-sensitive"
    """One of two people says that a 'possibly' supply sensitive variant needs no check (SEC G3.25)."""
    THRESHOLD_NOTIFICATION = "threshold-notification"
    """Anomaly Detection Thresholds that a User or the DCC sets (SEC G6.3, G6.6)."""
    COMMITTEE_OPINION = "committee-opinion"
    """What the Security Sub-Committee was asked or told, and said (SEC G2.22B(c), G6.7(b), G6.8)."""
    QUARANTINE_ACTION = "quarantine-action"
    """A User says whether a quarantined communication is released or deleted (SEC G6.1(a)(iii))."""
    QUARANTINE_REPORT = "quarantine-report"
    """Whoever quarantines tells Users what was quarantined or deleted, in a file (SEC G6.1(a)(ii))."""
    PERSON = "person"
    """Roles, clearance, screening and engagements of a person (SEC G2.22B, G2.23, G3.12, G4)."""
    ORDER = "order"
    """A person orders one administrative act."""
    DEVICE_CATEGORY = "device-category"
    """Which Devices the SMETS1 Supporting Requirements put into which category (SEC G2.44A(b), (c))."""
    APPLICATION_ASSOCIATION = "application-association"
    """A SMETS1 Symmetric Key is valid for one Application Association alone (SEC G2.44A(c))."""
    RECOVERY_REVOCATION = "recovery-revocation"
    """A certificate was revoked in a recovery, so that its replacement is excepted (SEC G2.59)."""
    APPROVAL = "approval"
    """What the SMKI PMA approved of one exact ceremony plan, or what must stand beside it (SEC G2.22I, G2.44B)."""

    @property
    def typ(self) -> str:
        """What stands in the JWS header (RFC 7515 section 4.1.9)."""
        return f"keybroker-{self.value}+jws"


_YEAR, _DAY = timedelta(days=400), timedelta(days=1)

LONGEST: Mapping[StatementKind, timedelta] = {
    StatementKind.MODULE_VALIDATION: _YEAR,
    StatementKind.MODULE_CLASSIFICATION: _YEAR,
    StatementKind.LOCATION: _YEAR,
    StatementKind.SUPPLY_SENSITIVE_CHECK: _DAY,
    StatementKind.VARIANT_NOT_SENSITIVE: _YEAR,
    StatementKind.THRESHOLD_NOTIFICATION: _YEAR,
    StatementKind.COMMITTEE_OPINION: 10 * _YEAR,
    StatementKind.QUARANTINE_ACTION: _DAY,
    StatementKind.QUARANTINE_REPORT: _YEAR,
    StatementKind.PERSON: _YEAR,
    StatementKind.ORDER: _DAY,
    StatementKind.DEVICE_CATEGORY: _YEAR,
    StatementKind.APPLICATION_ASSOCIATION: _YEAR,
    StatementKind.RECOVERY_REVOCATION: _YEAR,
    StatementKind.APPROVAL: _YEAR,
}
"""From ``iat`` to ``exp`` at most: what is said about a year ago is looked at again (as SEC G4.1(b) has it yearly)."""

STANDING = frozenset(StatementKind) - {
    StatementKind.SUPPLY_SENSITIVE_CHECK,
    StatementKind.ORDER,
    StatementKind.QUARANTINE_ACTION,
    StatementKind.QUARANTINE_REPORT,
}
"""Kinds that are held until they lapse or are withdrawn; the others are used once."""
