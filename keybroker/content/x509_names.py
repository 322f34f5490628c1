"""Whom does a distinguished name name? An organisation by role and EUI-64, an authority by role and name, or another.

Syntax: RFC 5280 section 4.1.2.4, one attribute in each RDN. Forms: SMKI Organisation and OCA Certificates (handbook
3.2). Whether a name of this form may stand here is policy's question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybroker.content.der import Element
from keybroker.content.der_members import Members
from keybroker.content.object_identifier import (
    COMMON_NAME,
    ORGANIZATIONAL_UNIT_NAME,
    X500_UNIQUE_IDENTIFIER,
    read_object_identifier,
)
from keybroker.errors import ContentMalformed
from keybroker.terms import EntityIdentifier, RemotePartyRole

_SOURCE = "RFC 5280 section 4.1.2.4"
_BIT_STRING, _UTF8_STRING, _PRINTABLE_STRING = 0x03, 0x0C, 0x13
_LONGEST_COMMON_NAME = 64
_is_role = re.compile(r"[0-9A-F]{2}").fullmatch
_is_printable = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]+").fullmatch
_ORGANISATION = (ORGANIZATIONAL_UNIT_NAME, X500_UNIQUE_IDENTIFIER)
_AUTHORITY = (ORGANIZATIONAL_UNIT_NAME, COMMON_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute: its type (dotted), its value's tag, and that value: text, or the octets of another type."""

    oid: str
    tag: int
    value: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationName:
    """[CN], OU, x500UniqueIdentifier, in that order."""

    role: RemotePartyRole
    eui: EntityIdentifier
    common_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityName:
    """OU, CN, in that order."""

    role: RemotePartyRole
    common_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherName:
    """Any other; ``common_name`` is the only one it has, None where it has none or several."""

    common_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinguishedName:
    """``der`` is the whole RDNSequence, by which names are compared; ``offset`` is where it stands."""

    der: bytes
    offset: int
    attributes: tuple[Attribute, ...]
    named: OrganisationName | AuthorityName | OtherName

    def __str__(self) -> str:
        short = {COMMON_NAME: "CN", ORGANIZATIONAL_UNIT_NAME: "OU", X500_UNIQUE_IDENTIFIER: "UID"}
        shown = (f"{short.get(each.oid, each.oid)}={_shown(each)}" for each in self.attributes)
        return ", ".join(shown) or "an empty name"


def read_name(octets: bytes, element: Element) -> DistinguishedName:
    """Read an RDNSequence that ``der.check_der`` has passed. Raises: ContentMalformed."""
    sets = Members(octets, element, _SOURCE).take_rest(0x31, "a SET, a relative distinguished name")
    attributes = tuple(_read_attribute(octets, each) for each in sets)
    return DistinguishedName(
        der=octets[element.offset : element.end], offset=element.offset, attributes=attributes, named=_named(attributes)
    )


def _read_attribute(octets: bytes, element: Element) -> Attribute:
    alone = Members(octets, element, _SOURCE)
    parts = alone.inside(alone.take(0x30, "an attribute, type and value"))
    alone.expect_end()
    oid = read_object_identifier(octets, parts.take(0x06, "an attribute type"))
    value = parts.take_any("an attribute value")
    parts.expect_end()
    return Attribute(oid=oid, tag=value.tag, value=_read_value(octets, value))


def _read_value(octets: bytes, element: Element) -> str | bytes:
    content = octets[element.content : element.end]
    if element.tag not in (_UTF8_STRING, _PRINTABLE_STRING):
        return content
    expected = "UTF8String or PrintableString of printable characters, not empty"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(element, expected, "octets that are no UTF-8") from error
    # What cannot be seen is not signed: no control or format characters, no line ends, no surrogates.
    if not text.isprintable() or not text or (element.tag == _PRINTABLE_STRING and not _is_printable(text)):
        raise _malformed(element, expected, ascii(text[:48]))
    return text


def _named(attributes: tuple[Attribute, ...]) -> OrganisationName | AuthorityName | OtherName:
    types = tuple(each.oid for each in attributes)
    if types in (_ORGANISATION, (COMMON_NAME, *_ORGANISATION)):
        role, eui = _role(attributes[-2]), _eui(attributes[-1])
        common_name = None if len(attributes) == 2 else _text(attributes[0])
        if role is not None and eui is not None and (common_name is not None or len(attributes) == 2):
            return OrganisationName(role=role, eui=eui, common_name=common_name)
    if types == _AUTHORITY:
        role, authority = _role(attributes[0]), _text(attributes[1])
        if role is not None and authority is not None:
            return AuthorityName(role=role, common_name=authority)
    names = [each for each in attributes if each.oid == COMMON_NAME]
    return OtherName(common_name=_text(names[0]) if len(names) == 1 else None)


def _shown(attribute: Attribute) -> str:
    eui = _eui(attribute)
    return str(eui) if eui else attribute.value if isinstance(attribute.value, str) else attribute.value.hex()


def _text(attribute: Attribute) -> str | None:
    """UTF8String or PrintableString, which alone are looked at, of ub-common-name characters at most (appendix A.1)."""
    value = attribute.value
    return value if isinstance(value, str) and len(value) <= _LONGEST_COMMON_NAME else None


def _role(attribute: Attribute) -> RemotePartyRole | None:
    """Two upper-case hexadecimal digits that are a role we know; None where they are not."""
    text = _text(attribute)
    known = {role.ou: role for role in RemotePartyRole}
    return known.get(text) if text is not None and _is_role(text) else None


def _eui(attribute: Attribute) -> EntityIdentifier | None:
    # X.690 section 8.6.2.2: the first octet counts the unused bits; an EUI-64 leaves none.
    value = attribute.value
    whole = attribute.tag == _BIT_STRING and isinstance(value, bytes) and len(value) == 9 and value[0] == 0
    return EntityIdentifier(value[1:]) if whole and isinstance(value, bytes) else None


def _malformed(element: Element, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=element.content, expected=expected, found=found, source=_SOURCE)
