"""Did the holder of the key ask for this certificate? SEC G2.61(a), G2.60(a); RFC 2986; handbook 3.4.

A PKCS#10 request stands beside every certificate but the self-signed one: who has a key certified proves that it holds
the private half, and gets what it asked for.
"""

from __future__ import annotations

from keybroker.content.certificate import TbsCertificate
from keybroker.content.certification_request import CertificationRequest
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, RuleName

# SEC G2.61(a): "Digitally Signing an Organisation Certificate". Such a certificate is issued upon a Certificate Signing
# Request (SEC G2.56(b), G3.29(b): keys are "used [...] for Digitally Signing Certificate Signing Requests").
CERTIFICATE_REQUEST_PRESENT = Rule(
    name=RuleName("certificate-request-present"),
    clause="G2.56(b), G3.29(b); G2.60(a), G2.61(a)",
    remedy="send the subscriber's Certificate Signing Request beside the certificate",
)


def certificate_request_present(request: CertificationRequest | None) -> Finding:
    """A PKCS#10 request came beside the certificate."""
    if request is not None:
        return CERTIFICATE_REQUEST_PRESENT.passed
    return CERTIFICATE_REQUEST_PRESENT.refused(expected="a Certificate Signing Request beside it", found="none")


# SEC G2.56(b), G3.29(b), as above: the request is signed with the very key that is to be certified (RFC 2986 section
# 4.2; handbook 3.4). Otherwise somebody's signatures would be taken for another's.
CERTIFICATE_REQUEST_PROVES_POSSESSION = Rule(
    name=RuleName("certificate-request-proves-possession"),
    clause="RFC 2986 section 4.2; G2.56(b), G3.29(b)",
    remedy="have the subscriber sign the request with the key that is to be certified, by ecdsa-with-SHA256",
)


def certificate_request_proves_possession(request: CertificationRequest | None) -> Finding:
    """The request's own signature verifies under the public key that it states."""
    if request is None:
        return CERTIFICATE_REQUEST_PROVES_POSSESSION.not_applicable
    if request.possession_proven:
        return CERTIFICATE_REQUEST_PROVES_POSSESSION.passed
    return CERTIFICATE_REQUEST_PROVES_POSSESSION.refused(
        expected="a signature of the request that verifies under its own public key", found="one that does not"
    )


# SEC G2.61(a), G2.60(a); RFC 2986: what possession is proven of is what is certified.
CERTIFICATE_REQUEST_PUBLIC_KEY = Rule(
    name=RuleName("certificate-request-public-key"),
    clause="RFC 2986 section 4.1; G2.60(a), G2.61(a)",
    remedy="certify the public key of the request",
)


def certificate_request_public_key(content: TbsCertificate, request: CertificationRequest | None) -> Finding:
    """The certificate's public key is the request's."""
    if request is None:
        return CERTIFICATE_REQUEST_PUBLIC_KEY.not_applicable
    if request.requested.public_key == content.public_key:
        return CERTIFICATE_REQUEST_PUBLIC_KEY.passed
    return CERTIFICATE_REQUEST_PUBLIC_KEY.refused(
        expected=f"the public key of the request {request.requested.public_key.hex()}", found=content.public_key.hex()
    )


# SEC G2.61(a), G2.60(a); RFC 2986: the certificate names whom the request names: same role, same EUI-64, same common
# name.
CERTIFICATE_REQUEST_SUBJECT = Rule(
    name=RuleName("certificate-request-subject"),
    clause="RFC 2986 section 4.1; G2.60(a), G2.61(a)",
    remedy="name the subject as its request does, or have it ask again",
)


def certificate_request_subject(content: TbsCertificate, request: CertificationRequest | None) -> Finding:
    """Both subjects say the same, in whatever string types."""
    if request is None:
        return CERTIFICATE_REQUEST_SUBJECT.not_applicable
    asked = request.requested.subject
    if asked.named == content.subject.named and str(asked) == str(content.subject):
        return CERTIFICATE_REQUEST_SUBJECT.passed
    return CERTIFICATE_REQUEST_SUBJECT.refused(
        expected=str(asked), found=str(content.subject), offset=content.subject.offset
    )


# SEC G2.61(a), G2.60(a); RFC 2985 section 5.4.2: a key that asked to sign is not certified to agree, nor the reverse.
CERTIFICATE_REQUEST_KEY_USAGE = Rule(
    name=RuleName("certificate-request-key-usage"),
    clause="RFC 2985 section 5.4.2; G2.60(a), G2.61(a)",
    remedy="certify the key usage that the request asks for",
)


def certificate_request_key_usage(content: TbsCertificate, request: CertificationRequest | None) -> Finding:
    """The key usage that the request asks for, where it asks for one, is the certificate's."""
    asked = request.requested.extensions.key_usage if request else None
    if asked is None:
        return CERTIFICATE_REQUEST_KEY_USAGE.not_applicable
    stated = content.extensions.key_usage
    if asked == stated:
        return CERTIFICATE_REQUEST_KEY_USAGE.passed
    return CERTIFICATE_REQUEST_KEY_USAGE.refused(
        expected=" ".join(sorted(asked)), found=" ".join(sorted(stated or ())) or "none"
    )


RULES: tuple[Rule, ...] = (
    CERTIFICATE_REQUEST_PRESENT,
    CERTIFICATE_REQUEST_PROVES_POSSESSION,
    CERTIFICATE_REQUEST_PUBLIC_KEY,
    CERTIFICATE_REQUEST_SUBJECT,
    CERTIFICATE_REQUEST_KEY_USAGE,
)


def findings(content: TbsCertificate) -> tuple[Finding, ...]:
    """Every rule of the request beside a certificate, in order."""
    request = content.request
    return (
        certificate_request_present(request),
        certificate_request_proves_possession(request),
        certificate_request_public_key(content, request),
        certificate_request_subject(content, request),
        certificate_request_key_usage(content, request),
    )
