"""What do the extensions of a certificate say, or of a request for one? Each at most once; those we know are read.

Source: RFC 5280 sections 4.2 and 4.2.1. One that nobody reads here stands in ``further``, and policy answers for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keybroker.content import object_identifier as oid
from keybroker.content.der import Element, read_unsigned
from keybroker.content.der_members import Members
from keybroker.errors import ContentMalformed


class KeyUsageBit(StrEnum):
    """The bits of keyUsage, in their order (RFC 5280 section 4.2.1.3)."""

    DIGITAL_SIGNATURE = "digitalSignature"
    NON_REPUDIATION = "nonRepudiation"
    KEY_ENCIPHERMENT = "keyEncipherment"
    DATA_ENCIPHERMENT = "dataEncipherment"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"
    CRL_SIGN = "cRLSign"
    ENCIPHER_ONLY = "encipherOnly"
    DECIPHER_ONLY = "decipherOnly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension: its dotted OID, the octets inside its OCTET STRING, and where they begin."""

    oid: str
    critical: bool
    value: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    certificate_authority: bool
    path_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """Those of one certificate; None or empty where one is absent. ``stated`` are all, in their order."""

    stated: tuple[Extension, ...] = ()
    key_usage: frozenset[KeyUsageBit] | None = None
    basic_constraints: BasicConstraints | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    certificate_policies: tuple[str, ...] = ()

    @property
    def further(self) -> tuple[Extension, ...]:
        """Those that nobody reads here."""
        return tuple(each for each in self.stated if each.oid not in READ)

    def offset(self, name: str) -> int | None:
        """Where the value of the extension of that OID stands; None where it is absent."""
        return next((each.offset for each in self.stated if each.oid == name), None)


READ = frozenset(
    {
        oid.KEY_USAGE,
        oid.BASIC_CONSTRAINTS,
        oid.SUBJECT_KEY_IDENTIFIER,
        oid.AUTHORITY_KEY_IDENTIFIER,
        oid.CERTIFICATE_POLICIES,
    }
)


def read_extensions(octets: bytes, element: Element) -> Extensions:
    """Read Extensions that ``der.check_der`` has passed. Raises: ContentMalformed."""
    stated = read_extension_list(octets, element)
    found = {each.oid: each for each in stated}
    usage, constraints = found.get(oid.KEY_USAGE), found.get(oid.BASIC_CONSTRAINTS)
    subject, authority = found.get(oid.SUBJECT_KEY_IDENTIFIER), found.get(oid.AUTHORITY_KEY_IDENTIFIER)
    policies = found.get(oid.CERTIFICATE_POLICIES)
    return Extensions(
        stated=stated,
        key_usage=_key_usage(usage) if usage else None,
        basic_constraints=_basic_constraints(octets, constraints) if constraints else None,
        subject_key_identifier=_subject_key_identifier(octets, subject) if subject else None,
        authority_key_identifier=read_authority_key_identifier(octets, authority) if authority else None,
        certificate_policies=_certificate_policies(octets, policies) if policies else (),
    )


def read_extension_list(octets: bytes, element: Element) -> tuple[Extension, ...]:
    """Every extension, at least one, none twice; their values are one DER element each. Raises: ContentMalformed."""
    source = "RFC 5280 section 4.2"
    members = Members(octets, element, source).take_rest(0x30, "an Extension")
    if not members:
        raise ContentMalformed(offset=element.content, expected="at least one Extension", found="none", source=source)
    stated: dict[str, Extension] = {}
    for member in members:
        extension = _read_extension(octets, member)
        if extension.oid in stated:
            expected = f"extension {extension.oid} once"
            raise ContentMalformed(offset=member.offset, expected=expected, found="it again", source=source)
        stated[extension.oid] = extension
    return tuple(stated.values())


def read_authority_key_identifier(octets: bytes, extension: Extension) -> bytes:
    """SEQUENCE { [0] keyIdentifier }, without issuer and serial number (section 4.2.1.1; handbook 3.2)."""
    parts = _inside(octets, extension, "AuthorityKeyIdentifier", "RFC 5280 section 4.2.1.1")
    identifier = parts.take(0x80, "a keyIdentifier")
    parts.expect_end()
    return octets[identifier.content : identifier.end]


def _read_extension(octets: bytes, member: Element) -> Extension:
    source = "RFC 5280 section 4.2"
    parts = Members(octets, member, source)
    name = read_oid(octets, parts)
    critical = parts.take_if(0x01)
    if critical is not None and octets[critical.content] == 0:
        expected = "critical left out where it is FALSE (X.690 section 11.5)"
        raise ContentMalformed(offset=critical.offset, expected=expected, found="FALSE", source=source)
    value = parts.take(0x04, "an OCTET STRING with the extension's value")
    parts.expect_end()
    Members.of_element(octets, value.content, value.end, "the extension's value", source)
    return Extension(
        oid=name, critical=critical is not None, value=octets[value.content : value.end], offset=value.content
    )


def read_oid(octets: bytes, parts: Members) -> str:
    return oid.read_object_identifier(octets, parts.take(0x06, "an OBJECT IDENTIFIER"))


def _inside(octets: bytes, extension: Extension, expected: str, source: str) -> Members:
    end = extension.offset + len(extension.value)
    return Members.of_whole(octets, expected, source, start=extension.offset, end=end)


def _key_usage(extension: Extension) -> frozenset[KeyUsageBit]:
    """Named bits: no zero bit stands last (X.690 section 11.2.2), and at least one is set."""
    value, source = extension.value, "RFC 5280 section 4.2.1.3"
    if value[0] != 0x03 or len(value) < 4:
        raise _malformed(extension, "a BIT STRING with at least one bit", value[:4].hex(), source)
    unused, bits = value[2], value[3:]
    number, count = int.from_bytes(bits, "big") >> unused, 8 * len(bits) - unused
    if not number & 1 or count > len(KeyUsageBit):
        raise _malformed(extension, "at most nine bits, the last of them set", value.hex(), source)
    return frozenset(bit for place, bit in enumerate(KeyUsageBit) if place < count and number >> count - 1 - place & 1)


def _basic_constraints(octets: bytes, extension: Extension) -> BasicConstraints:
    """SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }, section 4.2.1.9."""
    source = "RFC 5280 section 4.2.1.9"
    parts = _inside(octets, extension, "BasicConstraints", source)
    authority, length = parts.take_if(0x01), parts.take_if(0x02)
    parts.expect_end()
    if authority is not None and octets[authority.content] == 0:
        raise _malformed(extension, "cA left out where it is FALSE", "FALSE", source)
    if length is not None and authority is None:
        raise _malformed(extension, "a path length with cA alone", "one without", source)
    path_length = None if length is None else read_unsigned(octets, length)
    return BasicConstraints(certificate_authority=authority is not None, path_length=path_length)


def _subject_key_identifier(octets: bytes, extension: Extension) -> bytes:
    value, source = extension.value, "RFC 5280 section 4.2.1.2"
    if value[0] != 0x04:
        raise _malformed(extension, "an OCTET STRING", f"tag 0x{value[0]:02X}", source)
    element = Members.of_element(octets, extension.offset, extension.offset + len(value), "a KeyIdentifier", source)
    return octets[element.content : element.end]


def _certificate_policies(octets: bytes, extension: Extension) -> tuple[str, ...]:
    """SEQUENCE OF SEQUENCE { policyIdentifier }, without qualifiers, none twice (section 4.2.1.4)."""
    source = "RFC 5280 section 4.2.1.4"
    parts = _inside(octets, extension, "CertificatePolicies", source)
    policies = []
    for each in parts.take_rest(0x30, "a PolicyInformation"):
        information = parts.inside(each)
        policies.append(read_oid(octets, information))
        information.expect_end()
    if not policies or len(set(policies)) != len(policies):
        raise _malformed(extension, "at least one policy, none twice", f"{len(policies)}", source)
    return tuple(policies)


def _malformed(extension: Extension, expected: str, found: str, source: str) -> ContentMalformed:
    return ContentMalformed(offset=extension.offset, expected=expected, found=found, source=source)
