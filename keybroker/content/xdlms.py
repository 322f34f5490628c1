"""Which xDLMS request is this, whole? GET, SET and ACTION of one COSEM attribute or method, plain, in A-XDR.

    get-request-normal     C0 01  invoke-id-and-priority  class (2) instance (6) attribute (1)  selection
    set-request-normal     C1 01  invoke-id-and-priority  class (2) instance (6) attribute (1)  selection  Data
    action-request-normal  C3 01  invoke-id-and-priority  class (2) instance (6) method (1)     00, or 01 Data

A selection is 00, or 01, selector (1) and Data. Other requests (lists, blocks, short names) have no reading here, so
they are refused. Sources: IEC 62056-5-3 (xDLMS APDUs), IEC 61334-6 (A-XDR); RECALLED but for what the Green Book's
example of a protected get-request shows, which a test holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from keybroker.content.axdr import Datum, encode_data, read_data
from keybroker.errors import ContentMalformed

_SOURCE = "IEC 62056-5-3 xDLMS request"
_NORMAL = 0x01
_RESERVED_BITS = 0x30
_HEADER_OCTETS = 12


class Service(IntEnum):
    """The tag of the APDU."""

    GET = 0xC0
    SET = 0xC1
    ACTION = 0xC3

    @property
    def told(self) -> str:
        return f"{self.name.lower()}-request-normal"


_ASSOCIATION = 15
_SETS_A_SECRET = frozenset({(Service.SET, _ASSOCIATION, 7), (Service.ACTION, _ASSOCIATION, 2)})
"""``secret`` and ``change_HLS_secret`` of an Association LN (Blue Book). Keys are transferred wrapped (class 64)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Selective access: the selector (1 octet) and its parameters."""

    selector: int
    parameters: Datum


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``instance`` is the OBIS code (6 octets); ``member`` the attribute's or method's number, 1 to 127,
    or -128 to -1; ``value`` what is set, or the method's parameter.
    """

    service: Service
    invoke_id_and_priority: int
    class_id: int
    instance: bytes
    member: int
    selection: Selection | None
    value: Datum | None

    @property
    def discloses_secret(self) -> bool:
        """Its value is the secret of an Association (class 15: attribute 7, method 2), in the clear. RECALLED."""
        return (self.service, self.class_id, self.member) in _SETS_A_SECRET

    @property
    def target(self) -> str:
        """Class, instance and member as policies write them: ``115/0.0.19.40.0.255/1``."""
        return f"{self.class_id}/{'.'.join(map(str, self.instance))}/{self.member}"


def decode_request(octets: bytes, start: int) -> Request:
    """Read ``octets`` from ``start`` to the end as one request. Raises: ContentMalformed."""
    service = _service(octets, start)
    if len(octets) < start + _HEADER_OCTETS:
        raise ContentMalformed(
            offset=len(octets), expected=f"{_HEADER_OCTETS} octets of request", found="the end", source=_SOURCE
        )
    invoke = _invoke(octets, start + 2)
    member_at = start + 11
    member = int.from_bytes(octets[member_at : member_at + 1], "big", signed=True)
    if member == 0:
        # Attribute 0 is every attribute of the object, for which there is no single reading.
        raise ContentMalformed(offset=member_at, expected="one attribute or method", found="0", source=_SOURCE)
    selection, value, end = _parameters(octets, member_at + 1, service)
    if end != len(octets):
        raise ContentMalformed(
            offset=end, expected="nothing after the request", found=f"{len(octets) - end} octets", source=_SOURCE
        )
    return Request(
        service=service,
        invoke_id_and_priority=invoke,
        class_id=int.from_bytes(octets[start + 3 : start + 5], "big"),
        instance=octets[start + 5 : member_at],
        member=member,
        selection=selection,
        value=value,
    )


def encode_request(request: Request) -> bytes:
    """The very octets that were decoded."""
    head = bytes([request.service, _NORMAL, request.invoke_id_and_priority])
    attribute = request.class_id.to_bytes(2, "big") + request.instance + request.member.to_bytes(1, "big", signed=True)
    value = b"" if request.value is None else encode_data(request.value)
    if request.service is Service.ACTION:
        return head + attribute + (b"\x01" + value if value else b"\x00")
    selected = request.selection
    selection = b"\x00" if selected is None else bytes([1, selected.selector]) + encode_data(selected.parameters)
    return head + attribute + selection + value


def _service(octets: bytes, at: int) -> Service:
    tags = {service.value: service for service in Service}
    found = octets[at : at + 2]
    if len(found) < 2 or found[0] not in tags or found[1] != _NORMAL:
        raise ContentMalformed(
            offset=at,
            expected="get-, set- or action-request-normal (C0 01, C1 01 or C3 01)",
            found=found.hex(" ").upper() or "the end",
            source=_SOURCE,
        )
    return tags[found[0]]


def _invoke(octets: bytes, at: int) -> int:
    if octets[at] & _RESERVED_BITS:
        raise ContentMalformed(
            offset=at, expected="reserved bits 4 and 5 at zero", found=f"0x{octets[at]:02X}", source=_SOURCE
        )
    return octets[at]


def _parameters(octets: bytes, at: int, service: Service) -> tuple[Selection | None, Datum | None, int]:
    present = _is_present(octets, at)
    at += 1
    if service is Service.ACTION:
        if not present:
            return None, None, at
        value, at = read_data(octets, at)
        return None, value, at
    selection = None
    if present:
        if at >= len(octets):
            raise ContentMalformed(offset=at, expected="an access selector", found="the end", source=_SOURCE)
        selector = octets[at]
        parameters, at = read_data(octets, at + 1)
        selection = Selection(selector=selector, parameters=parameters)
    if service is Service.GET:
        return selection, None, at
    value, at = read_data(octets, at)
    return selection, value, at


def _is_present(octets: bytes, at: int) -> bool:
    found = octets[at : at + 1]
    if found not in (b"\x00", b"\x01"):
        raise ContentMalformed(
            offset=at,
            expected="00 (absent) or 01 (present)",
            found=found.hex().upper() or "the end",
            source="IEC 61334-6 OPTIONAL",
        )
    return found == b"\x01"
