"""Does this certificate begin about now, and end in time? SEC G5.13(b); RFC 5280 section 4.1.2.5."""

from __future__ import annotations

from datetime import timedelta

from keybroker.content.certificate import TbsCertificate
from keybroker.policy.model import RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.settings import CertificateSettings
from keybroker.terms import ContentKind, Finding, RuleName

# SEC G5.13: "(b) the manner in which that Secret Key Material will be registered, ordered, generated, labelled,
# distributed, installed, superseded and renewed". What an authority certifies does not outlive the authority.
CERTIFICATE_WITHIN_ISSUERS_VALIDITY = Rule(
    name=RuleName("certificate-within-issuers-validity"),
    clause="G5.13(b); RFC 5280 section 4.1.2.5",
    remedy="let the certificate begin and end within the validity of the signing key's own",
)


def certificate_within_issuers_validity(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """It begins no earlier and ends no later than the signing key's certificate; a root has no issuer but itself."""
    if content.kind is ContentKind.ROOT_CERTIFICATE:
        return CERTIFICATE_WITHIN_ISSUERS_VALIDITY.not_applicable
    own = key.certificate
    if own is not None and own.not_before <= content.not_before and content.not_after <= own.not_after:
        return CERTIFICATE_WITHIN_ISSUERS_VALIDITY.passed
    return CERTIFICATE_WITHIN_ISSUERS_VALIDITY.refused(
        expected=f"within {own.not_before.isoformat()} to {own.not_after.isoformat()}" if own else "an issuer",
        found=_span(content),
    )


# SEC G5.13(b), as above. How long an SMKI certificate lives is RECALLED (handbook 3.2), so the policy says it.
CERTIFICATE_VALIDITY_LENGTH = Rule(
    name=RuleName("certificate-validity-length"),
    clause="G5.13(b); SMKI Organisation Certificate profile",
    remedy="let it end after it begins, and no later than certificates.longest_days of the policy allows",
)


def certificate_validity_length(content: TbsCertificate, settings: CertificateSettings | None) -> Finding:
    """notAfter lies after notBefore, by at most the configured days."""
    longest = timedelta(days=settings.longest_days if settings else 0)
    if timedelta(0) < content.not_after - content.not_before <= longest:
        return CERTIFICATE_VALIDITY_LENGTH.passed
    return CERTIFICATE_VALIDITY_LENGTH.refused(
        expected=f"more than none, at most {longest.days} days", found=_span(content)
    )


# SEC G5.13(b), as above: when a key came into use is not to be rewritten by a date of long ago, nor put off unseen.
CERTIFICATE_BEGINS_NOW = Rule(
    name=RuleName("certificate-begins-now"),
    clause="G5.13(b); RFC 5280 section 4.1.2.5",
    remedy="state a notBefore near to now",
)


def certificate_begins_now(
    content: TbsCertificate, settings: CertificateSettings | None, situation: Situation
) -> Finding:
    """notBefore lies within the configured hours of the broker's clock, on either side."""
    hours = settings.not_before_within_hours if settings else 0
    if settings is not None and abs(content.not_before - situation.at) <= timedelta(hours=hours):
        return CERTIFICATE_BEGINS_NOW.passed
    return CERTIFICATE_BEGINS_NOW.refused(
        expected=f"notBefore within {hours} hours of {situation.at.isoformat()}", found=content.not_before.isoformat()
    )


RULES: tuple[Rule, ...] = (CERTIFICATE_WITHIN_ISSUERS_VALIDITY, CERTIFICATE_VALIDITY_LENGTH, CERTIFICATE_BEGINS_NOW)


def findings(
    content: TbsCertificate, key: RegisteredKey, settings: CertificateSettings | None, situation: Situation
) -> tuple[Finding, ...]:
    """Every rule of the validity, in order."""
    return (
        certificate_within_issuers_validity(content, key),
        certificate_validity_length(content, settings),
        certificate_begins_now(content, settings, situation),
    )


def _span(content: TbsCertificate) -> str:
    return f"{content.not_before.isoformat()} to {content.not_after.isoformat()}"
