"""Is this the self-signed Root OCA Certificate, whole? SEC G2.60(a); handbook 3.2; RFC 5934 for the wrapped key.

That it verifies under itself is looked at when it is made (``hsm/whole.py``): before, there is no signature.
"""

from __future__ import annotations

from keybroker.content.apex_contingency_key import read_apex_contingency_key
from keybroker.content.certificate import TbsCertificate
from keybroker.errors import ContentMalformed
from keybroker.policy.model import RegisteredKey
from keybroker.policy.rule import Rule
from keybroker.policy.settings import CertificateSettings
from keybroker.terms import Finding, RuleName

# SEC G2.60: "any Root OCA Private Key is used only for the purposes of: (a) Digitally Signing an OCA Certificate". A
# self-signed certificate is signed by the key that it certifies, or it is signed by nobody.
ROOT_CERTIFICATE_PUBLIC_KEY = Rule(
    name=RuleName("root-certificate-public-key"),
    clause="G2.60(a); RFC 5280 section 3.2",
    remedy="state the signing key's own public key",
)


def root_certificate_public_key(content: TbsCertificate, key: RegisteredKey) -> Finding:
    """The certified public key is the signing key's."""
    if content.public_key == key.public_key:
        return ROOT_CERTIFICATE_PUBLIC_KEY.passed
    return ROOT_CERTIFICATE_PUBLIC_KEY.refused(expected=key.public_key.hex(), found=content.public_key.hex())


# SEC G2.60(a), as above; SMKI profile (handbook 3.2): the Root OCA Certificate carries the Contingency Public Key,
# wrapped (SEC glossary "Contingency Private Key": a field of the Root OCA Certificate Profile). Devices that lost every
# other trust anchor take the next one by it. RFC 5934: not critical.
ROOT_CERTIFICATE_CONTINGENCY_KEY = Rule(
    name=RuleName("root-certificate-contingency-key"),
    clause="SMKI Root OCA Certificate profile; RFC 5934 ApexContingencyKey",
    remedy="add the WrappedApexContingencyKey under the OID of the policy (certificates.apex_contingency_key_oid)",
)


def root_certificate_contingency_key(content: TbsCertificate, settings: CertificateSettings | None) -> Finding:
    """The extension is there, not critical, and holds an ApexContingencyKey in DER."""
    name = settings.apex_contingency_key_oid if settings else None
    found = [each for each in content.extensions.stated if each.oid == name]
    if not found:
        return ROOT_CERTIFICATE_CONTINGENCY_KEY.refused(expected=f"the extension {name or 'configured'}", found="none")
    (extension,) = found
    try:
        wrapped = read_apex_contingency_key(extension)
    except ContentMalformed as error:
        offset = extension.offset + error.offset
        return ROOT_CERTIFICATE_CONTINGENCY_KEY.refused(expected=error.expected, found=error.found, offset=offset)
    if extension.critical:
        return ROOT_CERTIFICATE_CONTINGENCY_KEY.refused(expected="one that is not critical", found="a critical one")
    return ROOT_CERTIFICATE_CONTINGENCY_KEY.passed_with(f"wrapped by {wrapped.wrap_algorithm}")


RULES: tuple[Rule, ...] = (ROOT_CERTIFICATE_PUBLIC_KEY, ROOT_CERTIFICATE_CONTINGENCY_KEY)


def findings(content: TbsCertificate, key: RegisteredKey, settings: CertificateSettings | None) -> tuple[Finding, ...]:
    """Every rule of the root alone, in order."""
    return (root_certificate_public_key(content, key), root_certificate_contingency_key(content, settings))
