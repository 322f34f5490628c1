"""Whose trust anchors does an Update Security Credentials Command (CS02b) replace, and by whose certificates?

    SEQUENCE { control, replacements SEQUENCE OF SEQUENCE { certificate, targetTrustAnchorCell SEQUENCE { role
    INTEGER, keyUsage BIT STRING, cellUsage INTEGER DEFAULT management } }, certificationPathCertificates SEQUENCE OF
    Certificate, executionDateTime GeneralizedTime OPTIONAL }

Source: handbook 3.5. ``payload.py`` has checked the DER, the control and the parts before.
"""

from __future__ import annotations

from keybroker.content.der import Element, read_members, read_unsigned
from keybroker.content.model import GbcsCommand
from keybroker.content.trust_anchor_cells import CellUsage, Replacement, TrustAnchorCell, UpdateCredentials
from keybroker.errors import ContentMalformed
from keybroker.terms import KeyUsage, RemotePartyRole

_SOURCE = "GBCS Update Security Credentials, handbook 3.5"
_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03
_KEY_USAGES = {b"\x07\x80": KeyUsage.DIGITAL_SIGNATURE, b"\x03\x08": KeyUsage.KEY_AGREEMENT}
"""The octets of the BIT STRING with one bit: digitalSignature (0) or keyAgreement (4)."""


def read_update_credentials(command: GbcsCommand) -> UpdateCredentials:
    """Of a decoded CS02b Command (0x0100 to 0x0109). Raises: ContentMalformed."""
    octets = command.message
    parts = read_members(octets, command.content_offset, len(octets))
    control, replacements, path = parts[:3]
    read = tuple(_read_replacement(octets, each) for each in _members(octets, replacements))
    cells = [each.cell for each in read]
    if len(set(cells)) != len(cells):
        raise _malformed(replacements.offset, "each trust anchor cell once", "one twice")
    return UpdateCredentials(
        mode=read_unsigned(octets, read_members(octets, control.offset, control.end)[0]),
        replacements=read,
        certification_path=tuple(_certificate(octets, each) for each in _members(octets, path)),
    )


def _members(octets: bytes, element: Element) -> list[Element]:
    return read_members(octets, element.offset, element.end)


def _read_replacement(octets: bytes, element: Element) -> Replacement:
    members = _members(octets, element) if element.tag == _SEQUENCE else []
    if [member.tag for member in members] != [_SEQUENCE, _SEQUENCE]:
        raise _malformed(element.offset, "SEQUENCE of a Certificate and a targetTrustAnchorCell", "another")
    return Replacement(certificate=_certificate(octets, members[0]), cell=_read_cell(octets, members[1]))


def _certificate(octets: bytes, element: Element) -> bytes:
    if element.tag != _SEQUENCE:
        raise _malformed(element.offset, "a Certificate, SEQUENCE 0x30", f"tag 0x{element.tag:02X}")
    return octets[element.offset : element.end]


def _read_cell(octets: bytes, element: Element) -> TrustAnchorCell:
    members = _members(octets, element)
    tags = [member.tag for member in members]
    if tags[:2] != [_INTEGER, _BIT_STRING] or tags[2:] not in ([], [_INTEGER]):
        raise _malformed(element.offset, "role INTEGER, keyUsage BIT STRING and at most cellUsage INTEGER", "another")
    usage = _KEY_USAGES.get(octets[members[1].content : members[1].end])
    if usage is None:
        raise _malformed(members[1].offset, "keyUsage digitalSignature or keyAgreement alone", "another")
    try:
        role = RemotePartyRole(read_unsigned(octets, members[0]))
        # DER leaves a DEFAULT out (X.690 section 11.5): what stands is not management.
        cell_usage = CellUsage(read_unsigned(octets, members[2])) if members[2:] else CellUsage.MANAGEMENT
    except ValueError as error:
        raise _malformed(element.offset, "a known role and cellUsage", "another") from error
    if members[2:] and cell_usage is CellUsage.MANAGEMENT:
        raise _malformed(members[2].offset, "no cellUsage where it is management, the default", "one")
    return TrustAnchorCell(role=role, key_usage=usage, cell_usage=cell_usage)


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
