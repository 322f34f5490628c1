"""Are the extensions of this certificate those of the profile? SEC G2.60(a), G2.61(a); handbook 3.2."""

from __future__ import annotations

from keybroker.content import object_identifier as oid
from keybroker.content.certificate import TbsCertificate
from keybroker.content.public_key import public_key_identifier
from keybroker.content.x509_extensions import Extension
from keybroker.policy.rule import Rule
from keybroker.policy.settings import CertificateSettings
from keybroker.terms import ContentKind, Finding, RuleName

_CRITICAL = {
    oid.KEY_USAGE: True,
    oid.BASIC_CONSTRAINTS: True,
    oid.CERTIFICATE_POLICIES: True,
    oid.SUBJECT_KEY_IDENTIFIER: False,
    oid.AUTHORITY_KEY_IDENTIFIER: False,
}
"""Which extensions a certificate may have, and whether they are critical."""

# SEC G2.61(a); SMKI profile (handbook 3.2; GBCS 0.8.1 p.145): "SKI = 8 bytes by RFC 5280 4.2.1.2 method 2".
CERTIFICATE_SUBJECT_KEY_IDENTIFIER = Rule(
    name=RuleName("certificate-subject-key-identifier"),
    clause="RFC 5280 section 4.2.1.2; GBCS certificate profile",
    remedy="compute it from the public point: 0100 and the last 60 bits of its SHA-1",
)


def certificate_subject_key_identifier(content: TbsCertificate) -> Finding:
    """SKI is the eight octets that method (2) gives for the public point."""
    stated, expected = content.extensions.subject_key_identifier, public_key_identifier(content.public_key)
    if stated == expected:
        return CERTIFICATE_SUBJECT_KEY_IDENTIFIER.passed
    return CERTIFICATE_SUBJECT_KEY_IDENTIFIER.refused(
        expected=expected.hex(),
        found="none" if stated is None else stated.hex(),
        offset=content.extensions.offset(oid.SUBJECT_KEY_IDENTIFIER),
    )


# SEC G2.61(a); SMKI profile (GBCS 0.8.1 p.141): "at least one critical policy OID". Which are in force is RECALLED.
CERTIFICATE_POLICIES = Rule(
    name=RuleName("certificate-policies"),
    clause="SMKI Organisation Certificate profile",
    remedy="state a policy OID that the policy lists (certificates.policy_oids), and no other",
)


def certificate_policies(content: TbsCertificate, settings: CertificateSettings | None) -> Finding:
    """At least one policy, each of them configured."""
    stated = content.extensions.certificate_policies
    allowed = settings.policy_oids if settings else frozenset()
    if stated and allowed.issuperset(stated):
        return CERTIFICATE_POLICIES.passed
    return CERTIFICATE_POLICIES.refused(
        expected=f"of {' '.join(sorted(allowed))}",
        found=" ".join(stated) or "none",
        offset=content.extensions.offset(oid.CERTIFICATE_POLICIES),
    )


# SEC G2.60(a), G2.61(a); SMKI profile (handbook 3.2): keyUsage, basicConstraints and certificatePolicies are critical,
# the key identifiers are not, and there are no others but the Root's WrappedApexContingencyKey. RFC 5280 section 4.2:
# whoever meets a critical extension that it does not know refuses; nobody signs here what nobody here can read.
CERTIFICATE_EXTENSIONS = Rule(
    name=RuleName("certificate-extensions"),
    clause="SMKI Organisation Certificate profile; RFC 5280 section 4.2",
    remedy="leave out what the profile does not have, and mark as critical what it has so",
)


def certificate_extensions(content: TbsCertificate, settings: CertificateSettings | None) -> Finding:
    """Every extension is one of the profile's, critical or not as the profile has it."""
    root = content.kind is ContentKind.ROOT_CERTIFICATE
    apex = settings.apex_contingency_key_oid if settings and root else None
    for extension in content.extensions.stated:
        if extension.oid == apex:
            continue
        if _CRITICAL.get(extension.oid) is not extension.critical:
            return CERTIFICATE_EXTENSIONS.refused(
                expected=_as_profiled(extension), found=_as_stated(extension), offset=extension.offset
            )
    return CERTIFICATE_EXTENSIONS.passed


RULES: tuple[Rule, ...] = (CERTIFICATE_SUBJECT_KEY_IDENTIFIER, CERTIFICATE_POLICIES, CERTIFICATE_EXTENSIONS)


def findings(content: TbsCertificate, settings: CertificateSettings | None) -> tuple[Finding, ...]:
    """Every rule of the extensions, in order."""
    return (
        certificate_subject_key_identifier(content),
        certificate_policies(content, settings),
        certificate_extensions(content, settings),
    )


def _as_profiled(extension: Extension) -> str:
    critical = _CRITICAL.get(extension.oid)
    return "no such extension" if critical is None else f"{extension.oid}{'' if critical else ' not'} critical"


def _as_stated(extension: Extension) -> str:
    return f"{extension.oid}{'' if extension.critical else ' not'} critical"
