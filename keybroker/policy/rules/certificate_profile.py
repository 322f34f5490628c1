"""Does this certificate follow the profile by which this key certifies? SEC G2.60(a), G2.61(a); handbook 3.2.

OCA profile for what a Root OCA key signs, Organisation profile for what an Issuing OCA key signs.
"""

from __future__ import annotations

from keybroker.content import object_identifier as oid
from keybroker.content.certificate import TbsCertificate
from keybroker.content.x509_extensions import KeyUsageBit
from keybroker.content.x509_names import AuthorityName, OrganisationName
from keybroker.policy.model import RegisteredKey
from keybroker.policy.rule import Rule
from keybroker.policy.settings import CertificateSettings
from keybroker.terms import ContentKind, Finding, KeyPurpose, RemotePartyRole, RuleName

_PROFILE = "SMKI Organisation Certificate profile"
_OF_AUTHORITIES = frozenset({RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY})
_CERTIFICATE_SIGNING = frozenset({KeyUsageBit.KEY_CERT_SIGN, KeyUsageBit.CRL_SIGN})
_END_ENTITY_USAGES = (frozenset({KeyUsageBit.DIGITAL_SIGNATURE}), frozenset({KeyUsageBit.KEY_AGREEMENT}))

# SEC G2.60: the Root OCA Private Key "is used only for the purposes of: (a) Digitally Signing an OCA Certificate";
# G2.61: the Issuing OCA's for "(a) Digitally Signing an Organisation Certificate". The first names a CA, the second
# never.
CERTIFICATE_SORT_FOR_KEY = Rule(
    name=RuleName("certificate-sort-for-key"),
    clause="G2.60(a), G2.61(a)",
    remedy="have an OCA Certificate signed by the Root OCA key, an Organisation Certificate by an Issuing OCA key",
)


def certificate_sort_for_key(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """basicConstraints says CA where a Root OCA key signs, and nowhere else: there it is absent or says nothing."""
    constraints = content.extensions.basic_constraints
    is_authority = constraints is not None and constraints.certificate_authority
    if is_authority is _certifies_authorities(key):
        return CERTIFICATE_SORT_FOR_KEY.passed
    sorts = {True: "an OCA Certificate (CA true)", False: "an Organisation Certificate (CA absent or false)"}
    return CERTIFICATE_SORT_FOR_KEY.refused(expected=sorts[not is_authority], found=sorts[is_authority])


# SEC G2.61(a), G2.60(a); SMKI profile (handbook 3.1, 3.2): an Organisation is named [CN], OU, x500UniqueIdentifier, its
# OU a Remote Party Role and its identifier an EUI-64; an Issuing OCA OU=07, CN; the Root OCA OU=00, CN.
CERTIFICATE_SUBJECT = Rule(
    name=RuleName("certificate-subject"),
    clause=_PROFILE,
    remedy="name an Organisation by [CN], OU and EUI-64, an authority by OU and CN, in that order",
)


def certificate_subject(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """The name is of the profile's form, and its role one that may stand there."""
    match content.subject.named:
        case AuthorityName(role=role) if _certifies_authorities(key) and role is _authority_role(content):
            return CERTIFICATE_SUBJECT.passed
        case OrganisationName(role=role) if not _certifies_authorities(key) and role not in _OF_AUTHORITIES:
            return CERTIFICATE_SUBJECT.passed
        case _:
            authority = f"OU={_authority_role(content).ou}, CN"
            organisation = "[CN], OU=a known role but 00 and 07, x500UniqueIdentifier of 8 octets"
            return CERTIFICATE_SUBJECT.refused(
                expected=authority if _certifies_authorities(key) else organisation,
                found=str(content.subject),
                offset=content.subject.offset,
            )


# SEC G2.60(a); SMKI profile (handbook 3.2): an Issuing OCA has "CA=true pathLen 0". The Root's own path is as long as
# the one it allows below it, or open.
CERTIFICATE_PATH_LENGTH = Rule(
    name=RuleName("certificate-path-length"),
    clause="SMKI Organisation Certificate profile; RFC 5280 section 4.2.1.9",
    remedy="state the path length of the policy (certificates.path_length); in the Root's own none, or a greater one",
)


def certificate_path_length(content: TbsCertificate, settings: CertificateSettings | None) -> Finding:
    """An OCA's is the configured one; the Root's own is absent or greater than that."""
    constraints = content.extensions.basic_constraints
    if constraints is None or not constraints.certificate_authority:
        return CERTIFICATE_PATH_LENGTH.not_applicable
    stated, configured = constraints.path_length, settings.path_length if settings else None
    if _may_have_path_length(content.kind, stated, configured):
        return CERTIFICATE_PATH_LENGTH.passed
    greater = "none, or more than " if content.kind is ContentKind.ROOT_CERTIFICATE else ""
    return CERTIFICATE_PATH_LENGTH.refused(
        expected=f"{greater}{_length(configured)}",
        found=_length(stated),
        offset=content.extensions.offset(oid.BASIC_CONSTRAINTS),
    )


# SEC G2.61(a), G2.60(a); SMKI profile (handbook 3.2; GBCS 0.8.1 p.141): "keyUsage(c) exactly one of digitalSignature /
# keyAgreement"; of an OCA keyCertSign and cRLSign.
CERTIFICATE_KEY_USAGE = Rule(
    name=RuleName("certificate-key-usage"),
    clause="SMKI Organisation Certificate profile; RFC 5280 section 4.2.1.3",
    remedy="state digitalSignature or keyAgreement, not both; for an OCA keyCertSign and cRLSign",
)


def certificate_key_usage(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """Exactly the bits of the profile."""
    usage = content.extensions.key_usage
    if usage in ((_CERTIFICATE_SIGNING,) if _certifies_authorities(key) else _END_ENTITY_USAGES):
        return CERTIFICATE_KEY_USAGE.passed
    either = "keyCertSign and cRLSign" if _certifies_authorities(key) else "either digitalSignature or keyAgreement"
    return CERTIFICATE_KEY_USAGE.refused(
        expected=either, found=" ".join(sorted(usage or ())) or "none", offset=content.extensions.offset(oid.KEY_USAGE)
    )


RULES: tuple[Rule, ...] = (
    CERTIFICATE_SORT_FOR_KEY,
    CERTIFICATE_SUBJECT,
    CERTIFICATE_PATH_LENGTH,
    CERTIFICATE_KEY_USAGE,
)


def findings(content: TbsCertificate, key: RegisteredKey, settings: CertificateSettings | None) -> tuple[Finding, ...]:
    """Every rule of the profile, in order."""
    return (
        certificate_sort_for_key(content, key),
        certificate_subject(content, key),
        certificate_path_length(content, settings),
        certificate_key_usage(content, key),
    )


def _certifies_authorities(key: RegisteredKey) -> bool:
    return key.purpose is KeyPurpose.ROOT_OCA


def _authority_role(content: TbsCertificate) -> RemotePartyRole:
    root = content.kind is ContentKind.ROOT_CERTIFICATE
    return RemotePartyRole.ROOT if root else RemotePartyRole.ISSUING_AUTHORITY


def _may_have_path_length(kind: ContentKind, stated: int | None, configured: int | None) -> bool:
    if kind is ContentKind.ROOT_CERTIFICATE:
        return stated is None or (configured is not None and stated > configured)
    return stated == configured


def _length(path_length: int | None) -> str:
    return "no path length" if path_length is None else f"path length {path_length}"
