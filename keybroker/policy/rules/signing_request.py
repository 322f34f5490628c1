"""May this key sign this Certificate Signing Request? SEC G2.56(b), G2.60(b), G2.61(b), G3.29(b).

Every key asks for itself alone: its public key, its role, its EUI, the usage of its purpose. A Key Agreement key does
so once in its life, on the way to its certificate (``rules/key.py`` says in which state).
"""

from __future__ import annotations

import hashlib
import re

from keybroker.clause import clause
from keybroker.content import object_identifier as oid
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.x509_extensions import KeyUsageBit
from keybroker.content.x509_names import Attribute, AuthorityName, OrganisationName
from keybroker.policy.claim import Claim, Once
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, KeyUsage, RemotePartyRole, RuleName

_CLAUSE = "G2.56(b), G2.60(b), G2.61(b), G3.29(b)"
_AGREEMENT = frozenset({KeyUsageBit.KEY_AGREEMENT})
_SIGNATURE = frozenset({KeyUsageBit.DIGITAL_SIGNATURE})
_USAGES = {
    KeyUsage.DIGITAL_SIGNATURE: (_SIGNATURE,),
    KeyUsage.KEY_AGREEMENT: (_AGREEMENT,),
    KeyUsage.CERTIFICATE_SIGNING: (frozenset({KeyUsageBit.KEY_CERT_SIGN, KeyUsageBit.CRL_SIGN}),),
    # A key that no Organisation Certificate names (TLS) signs, if it says anything of it.
    KeyUsage.NONE: (None, _SIGNATURE),
}
_is_hexadecimal_pair = re.compile("[0-9A-Fa-f]{2}").fullmatch
_ASKED_FOR = frozenset({oid.KEY_USAGE, oid.BASIC_CONSTRAINTS, oid.SUBJECT_KEY_IDENTIFIER})

# SEC G2.56, G3.29: "used only for the purposes of: [...] (b) Digitally Signing Certificate Signing Requests"; RFC 2986
# section 4.2: with the key that is to be certified. Under another it would prove possession of nothing.
REQUEST_PUBLIC_KEY_IS_SIGNING_KEY = Rule(
    name=RuleName("request-public-key-is-signing-key"),
    clause="G2.56(b), G2.60(b), G2.61(b), G3.29(b)",
    remedy="state the public key of the key that signs (keybroker keys show)",
)


def request_public_key_is_signing_key(content: CertificationRequestInfo, key: RegisteredKey) -> Finding:
    """The public key of the request is the one that the register holds for the signing key."""
    if content.public_key == key.public_key:
        return REQUEST_PUBLIC_KEY_IS_SIGNING_KEY.passed
    return REQUEST_PUBLIC_KEY_IS_SIGNING_KEY.refused(expected=key.public_key.hex(), found=content.public_key.hex())


# SEC G2.57, G2.58: the role in a certificate and what its key is used for belong together. A key asks for a role of its
# purpose, or it would be certified for what it may not do.
REQUEST_ROLE_FOR_PURPOSE = Rule(
    name=RuleName("request-role-for-purpose"),
    clause="G2.57, G2.58; G2.56(b), G2.60(b), G2.61(b), G3.29(b)",
    remedy="name [CN], OU and EUI-64 (an OCA: OU, CN; a TLS key: with a CN), the OU a role of the key's purpose",
)


def request_role_for_purpose(content: CertificationRequestInfo, policy: Policy) -> Finding:
    """The subject is of the form of its purpose, and its OU one of the purpose's roles."""
    if policy.binding == "public-key":
        return _has_common_name(content)
    authority = policy.key_usage is KeyUsage.CERTIFICATE_SIGNING
    named = content.subject.named
    if isinstance(named, AuthorityName if authority else OrganisationName) and _role(content) in policy.roles:
        return REQUEST_ROLE_FOR_PURPOSE.passed
    roles = " or ".join(role.ou for role in sorted(policy.roles))
    return REQUEST_ROLE_FOR_PURPOSE.refused(
        expected=f"OU={roles}, CN" if authority else f"[CN], OU={roles or 'none'}, x500UniqueIdentifier of 8 octets",
        found=str(content.subject),
        offset=content.subject.offset,
    )


# SEC G2.56(b), G3.29(b), as above; GBCS Grouping Header: a party is known by its EUI-64, and a key speaks for one
# party.
REQUEST_EUI_IS_KEYS_EUI = Rule(
    name=RuleName("request-eui-is-keys-eui"),
    clause="GBCS Grouping Header; G2.56(b), G3.29(b)",
    remedy="state the EUI of the register; a key ordered without one is ordered anew with it",
)


def request_eui_is_keys_eui(content: CertificationRequestInfo, key: RegisteredKey) -> Finding:
    """The EUI-64 in the subject is the register's for this key; an authority and a TLS key have none."""
    named = content.subject.named
    if not isinstance(named, OrganisationName):
        return REQUEST_EUI_IS_KEYS_EUI.not_applicable
    if named.eui == key.eui:
        return REQUEST_EUI_IS_KEYS_EUI.passed
    return REQUEST_EUI_IS_KEYS_EUI.refused(
        expected=str(key.eui) if key.eui else "a key with an EUI", found=str(named.eui), offset=content.subject.offset
    )


# SEC G2.56(b), G3.29(b), as above: a key is certified for what its purpose does, to sign or to agree, and asks for that
# (handbook 3.4: "extensionRequest keyUsage(c) single bit").
REQUEST_KEY_USAGE_FOR_PURPOSE = Rule(
    name=RuleName("request-key-usage-for-purpose"),
    clause="G2.56(b), G2.60(b), G2.61(b), G3.29(b); RFC 2985 section 5.4.2",
    remedy="ask for the key usage of the key's purpose, in an extensionRequest",
)


def request_key_usage_for_purpose(content: CertificationRequestInfo, policy: Policy) -> Finding:
    """The keyUsage that is asked for is exactly the purpose's."""
    asked = content.extensions.key_usage
    if asked in _USAGES[policy.key_usage]:
        return REQUEST_KEY_USAGE_FOR_PURPOSE.passed
    return REQUEST_KEY_USAGE_FOR_PURPOSE.refused(
        expected=policy.key_usage, found=" ".join(sorted(asked or ())) or "none asked for"
    )


# SEC G2.60(b), G2.61(b): an OCA key asks to be a CA, and no other does. What else might be asked for nobody reads here,
# and nobody signs what nobody can read.
REQUEST_EXTENSIONS = Rule(
    name=RuleName("request-extensions"),
    clause="RFC 2985 section 5.4.2; G2.60(b), G2.61(b)",
    remedy="ask for keyUsage, basicConstraints (CA for an OCA alone) and the subject key identifier, and nothing else",
)


def request_extensions(content: CertificationRequestInfo, policy: Policy) -> Finding:
    """No extension beyond those three, and CA where the purpose signs certificates."""
    further = [each for each in content.extensions.stated if each.oid not in _ASKED_FOR]
    constraints = content.extensions.basic_constraints
    is_authority = constraints is not None and constraints.certificate_authority
    if further:
        return REQUEST_EXTENSIONS.refused(
            expected="no further extension", found=further[0].oid, offset=further[0].offset
        )
    if is_authority and policy.key_usage is not KeyUsage.CERTIFICATE_SIGNING:
        return REQUEST_EXTENSIONS.refused(expected="no CA", found="basicConstraints with CA true")
    return REQUEST_EXTENSIONS.passed


RULES: tuple[Rule, ...] = (
    REQUEST_PUBLIC_KEY_IS_SIGNING_KEY,
    REQUEST_ROLE_FOR_PURPOSE,
    REQUEST_EUI_IS_KEYS_EUI,
    REQUEST_KEY_USAGE_FOR_PURPOSE,
    REQUEST_EXTENSIONS,
)


def findings(content: CertificationRequestInfo, key: RegisteredKey, policy: Policy) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        request_public_key_is_signing_key(content, key),
        request_role_for_purpose(content, policy),
        request_eui_is_keys_eui(content, key),
        request_key_usage_for_purpose(content, policy),
        request_extensions(content, policy),
    )


@clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)")
def claims(content: CertificationRequestInfo, key: RegisteredKey) -> tuple[Claim, ...]:
    """A Key Agreement key, known by the usage that it asks for, signs one request and no other."""
    if content.extensions.key_usage != _AGREEMENT:
        return ()
    return (
        Once(
            rule="key-agreement-key-signs-one-request",
            clause=_CLAUSE,
            scope="key-agreement-request",
            name=hashlib.sha256(key.public_key).digest(),
            told="the one Certificate Signing Request of this Key Agreement key",
        ),
    )


def _has_common_name(content: CertificationRequestInfo) -> Finding:
    """A CN, and no role nor EUI-64: of such a key's purpose there is none, and none may be asked for."""
    attributes = content.subject.attributes
    if any(each.oid == oid.COMMON_NAME for each in attributes) and not any(map(_states_a_role, attributes)):
        return REQUEST_ROLE_FOR_PURPOSE.passed
    return REQUEST_ROLE_FOR_PURPOSE.refused(
        expected="a subject with a CN, without role or EUI-64",
        found=str(content.subject),
        offset=content.subject.offset,
    )


def _states_a_role(attribute: Attribute) -> bool:
    """An x500UniqueIdentifier, or an OU that reads as a Remote Party Role, wherever in the name it stands."""
    if attribute.oid == oid.ORGANIZATIONAL_UNIT_NAME:
        return not isinstance(attribute.value, str) or _is_hexadecimal_pair(attribute.value.strip()) is not None
    return attribute.oid == oid.X500_UNIQUE_IDENTIFIER


def _role(content: CertificationRequestInfo) -> RemotePartyRole | None:
    named = content.subject.named
    return named.role if isinstance(named, AuthorityName | OrganisationName) else None
