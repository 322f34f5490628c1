"""May this OCA key sign this certificate? SEC G2.57-G2.61; SMKI Organisation Certificate Policy (handbook 3.2).

Here what holds of every certificate, and which rules run over which: a Root OCA key signs OCA Certificates and, once,
its own; an Issuing OCA key signs Organisation Certificates.
"""

from __future__ import annotations

import hashlib

from keybroker.clause import clause
from keybroker.content.certificate import TbsCertificate
from keybroker.content.signed_object import ECDSA_WITH_SHA256
from keybroker.content.x509_names import OrganisationName
from keybroker.policy.certificates import authority_identity
from keybroker.policy.claim import Bound, Claim, Once
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules import certificate_extensions as extensions
from keybroker.policy.rules import certificate_profile as profile
from keybroker.policy.rules import certificate_request as request
from keybroker.policy.rules import certificate_validity as validity
from keybroker.policy.rules import ecos, root_certificate
from keybroker.terms import ContentKind, Finding, Operation, RuleName

_OPERATIONS = {
    ContentKind.CERTIFICATE: Operation.SIGN_CERTIFICATE,
    ContentKind.ROOT_CERTIFICATE: Operation.SIGN_ROOT_CERTIFICATE,
}
_SERIAL_OCTETS = 16
_CLAIMED_SERIAL_OCTETS = 20
_AUTHORITY, _END_ENTITY = b"\x01", b"\x02"

# SEC G2.60: "any Root OCA Private Key is used only for the purposes of: (a) Digitally Signing an OCA Certificate". The
# self-signed one is the beginning of all trust: it is made in a ceremony, and no caller of the service can ask for it.
CERTIFICATE_KIND_FOR_OPERATION = Rule(
    name=RuleName("certificate-kind-for-operation"),
    clause="G2.60(a), G2.61(a)",
    remedy="have the self-signed Root OCA Certificate made in its ceremony, any other by SignCertificate",
)


def certificate_kind_for_operation(content: TbsCertificate, situation: Situation) -> Finding:
    """SignCertificate for a certificate under an issuer, SignRootCertificate for the self-signed one."""
    if _OPERATIONS[content.kind] is situation.operation:
        return CERTIFICATE_KIND_FOR_OPERATION.passed
    return CERTIFICATE_KIND_FOR_OPERATION.refused(expected=_OPERATIONS[content.kind], found=situation.operation)


# SEC G2.60(a), G2.61(a): what is signed is a Certificate of the SMKI profile (handbook 3.2): ecdsa-with-SHA256, whose
# parameters are absent (RFC 5758 section 3.2).
CERTIFICATE_SIGNATURE_ALGORITHM = Rule(
    name=RuleName("certificate-signature-algorithm"),
    clause="SMKI Organisation Certificate profile; RFC 5758 section 3.2",
    remedy="state ecdsa-with-SHA256 (1.2.840.10045.4.3.2) without parameters, not even NULL",
)


def certificate_signature_algorithm(content: TbsCertificate) -> Finding:
    """The AlgorithmIdentifier is ecdsa-with-SHA256 without parameters, octet for octet."""
    if content.signature_algorithm == ECDSA_WITH_SHA256:
        return CERTIFICATE_SIGNATURE_ALGORITHM.passed
    return CERTIFICATE_SIGNATURE_ALGORITHM.refused(
        expected="ecdsa-with-SHA256 without parameters", found=content.signature_algorithm.hex()
    )


# SEC G2.61(a): "Digitally Signing an Organisation Certificate". A certificate is its issuer's by name (RFC 5280 section
# 6.1.3(a)(4)): one that names another issuer would be signed by this key and verify nowhere, or under another CA's
# name.
CERTIFICATE_ISSUER_IS_SIGNING_KEY = Rule(
    name=RuleName("certificate-issuer-is-signing-key"),
    clause="RFC 5280 section 4.1.2.4; G2.60(a), G2.61(a)",
    remedy="state as issuer the subject of the signing key's own certificate",
)


def certificate_issuer_is_signing_key(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """The issuer's name is, octet for octet, the subject of the signing key's certificate; a root's its own subject."""
    own = content.subject.der if _is_root(content) else key.certificate.subject if key.certificate else b""
    if own and content.issuer.der == own:
        return CERTIFICATE_ISSUER_IS_SIGNING_KEY.passed
    return CERTIFICATE_ISSUER_IS_SIGNING_KEY.refused(
        expected=f"the issuer {own.hex()}" if own else "a signing key with a certificate",
        found=str(content.issuer),
        offset=content.issuer.offset,
    )


# SEC G2.60(a), G2.61(a); SMKI profile (handbook 3.2; GBCS 0.8.1 p.141): AKI is the issuer's key identifier, and is left
# out of the self-signed root alone.
CERTIFICATE_AUTHORITY_KEY_IDENTIFIER = Rule(
    name=RuleName("certificate-authority-key-identifier"),
    clause="RFC 5280 section 4.2.1.1; GBCS certificate profile",
    remedy="state the subject key identifier of the signing key's certificate, in the self-signed root none",
)


def certificate_authority_key_identifier(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """AKI is the SKI of the signing key's own certificate; a root has none."""
    stated = content.extensions.authority_key_identifier
    expected = None if _is_root(content) else key.certificate.subject_key_identifier if key.certificate else b""
    if stated == expected and expected != b"":
        return CERTIFICATE_AUTHORITY_KEY_IDENTIFIER.passed
    return CERTIFICATE_AUTHORITY_KEY_IDENTIFIER.refused(
        expected="none" if expected is None else expected.hex() or "a signing key with a certificate",
        found="none" if stated is None else stated.hex(),
    )


# SEC G2.60(a), G2.61(a); SMKI profile (handbook 3.2): "serial 16 bytes positive". RFC 5280 section 4.1.2.2: "MUST be
# unique for each certificate issued by a given CA", which the ledger sees to.
CERTIFICATE_SERIAL = Rule(
    name=RuleName("certificate-serial"),
    clause="SMKI Organisation Certificate profile; RFC 5280 section 4.1.2.2",
    remedy="take a random positive serial number whose INTEGER has 16 octets",
)


def certificate_serial(content: TbsCertificate) -> Finding:
    """Positive, and exactly 16 octets in its INTEGER."""
    octets = content.serial_octets
    if content.serial > 0 and len(octets) == _SERIAL_OCTETS:
        return CERTIFICATE_SERIAL.passed
    sign = "positive" if content.serial > 0 else "not positive"
    return CERTIFICATE_SERIAL.refused(
        expected="a positive serial number of 16 octets", found=f"{len(octets)} octets, {sign}"
    )


RULES: tuple[Rule, ...] = (
    CERTIFICATE_KIND_FOR_OPERATION,
    CERTIFICATE_SIGNATURE_ALGORITHM,
    CERTIFICATE_ISSUER_IS_SIGNING_KEY,
    CERTIFICATE_AUTHORITY_KEY_IDENTIFIER,
    CERTIFICATE_SERIAL,
    *validity.RULES,
    *profile.RULES,
    *extensions.RULES,
    *request.RULES,
    *ecos.RULES,
    *root_certificate.RULES,
)


def findings(content: TbsCertificate, key: RegisteredKey, policy: Policy, situation: Situation) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    settings = policy.settings.certificates
    # 1. Of every certificate; 2. of the profile that this key certifies by.
    of_every = (
        certificate_kind_for_operation(content, situation),
        certificate_signature_algorithm(content),
        certificate_issuer_is_signing_key(content, key),
        certificate_authority_key_identifier(content, key),
        certificate_serial(content),
        *validity.findings(content, key, settings, situation),
        *profile.findings(content, key, settings),
        *extensions.findings(content, settings),
    )
    # 3. Of the request beside it, and of what G2.58 rules out; or 4. of the self-signed root.
    if _is_root(content):
        return (*of_every, *root_certificate.findings(content, key, settings))
    return (*of_every, *request.findings(content), *ecos.findings(content, policy, situation))


@clause("G2.60(a)", "G2.61(a)")
def claims(content: TbsCertificate, key: RegisteredKey) -> tuple[Claim, ...]:
    """The serial number, once; what became of it, for revocation lists; whose the certified key is."""
    constraints, named = content.extensions.basic_constraints, content.subject.named
    authority = constraints is not None and constraints.certificate_authority
    serial = authority_identity(key.public_key) + content.serial.to_bytes(_CLAIMED_SERIAL_OCTETS, "big")
    lifetime = int(content.not_after.timestamp()).to_bytes(8, "big")
    return (
        Once(
            rule="certificate-serial-never-used",
            clause="RFC 5280 section 4.1.2.2; SMKI Organisation Certificate profile",
            scope="certificate-serial",
            name=serial,
            told=f"serial number {content.serial_octets.hex()} of this issuer",
        ),
        Bound(
            rule="certificate-of-serial",
            clause="RFC 5280 section 4.1.2.2; SMKI Organisation Certificate profile",
            scope="certificate",
            name=serial,
            told=f"the certificate of serial number {content.serial_octets.hex()}",
            value=(_AUTHORITY if authority else _END_ENTITY) + lifetime,
        ),
        Bound(
            rule="certified-key-of-one-entity",
            clause="SMKI Organisation Certificate profile; G2.61(a)",
            scope="certified-key",
            name=hashlib.sha256(content.public_key).digest(),
            told="the Entity Identifier for which this public key is certified",
            value=named.eui.octets if isinstance(named, OrganisationName) else b"ca",
        ),
    )


def _is_root(content: TbsCertificate) -> bool:
    return content.kind is ContentKind.ROOT_CERTIFICATE
