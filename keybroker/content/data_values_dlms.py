"""Which data values does a DLMS access request set? Its whole content, held against the one form of its use case.

    D9, long-invoke-id (4), date-time 00      checked when the Command was decoded
    count, then for each: choice 02 (set) or 03 (action), class (2), instance (6), attribute or method (1)
    count, then for each its Data

Every specification stands at its place, every datum has the type of its place, nothing follows: so there is one
reading, and no second setting of the same attribute behind the first. Source: handbook 1.13; class 9000 is GBCS's own,
of whose attributes 2 and 4 hold a value and 6 the moment from which it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from keybroker.content.axdr import Datum, read_data
from keybroker.content.length import read_length
from keybroker.errors import ContentMalformed

_SOURCE = "GBCS access request, handbook 1.13"
_HEADER_OCTETS = 6
_ARRAY, _BOOLEAN, _DOUBLE_LONG, _DOUBLE_LONG_UNSIGNED, _OCTET_STRING, _LONG_UNSIGNED = 1, 3, 5, 6, 9, 0x12
_SIGNED = frozenset({_DOUBLE_LONG})
_DATE_TIME_OCTETS = 12


class Item(NamedTuple):
    """One specification (10 octets), the tag of its Data, and the name of the value where it is one."""

    specification: bytes
    tag: int
    name: str = ""


def _item(specification: str, tag: int, name: str = "") -> Item:
    return Item(bytes.fromhex(specification), tag, name)


LAYOUTS: Mapping[int, tuple[Item, ...]] = MappingProxyType(
    {
        # ECS04a: Credit, update_amount.
        0x001C: (_item("03 0070 0000130A00FF 01", _DOUBLE_LONG, "adjust-meter-balance"),),
        # ECS08: special days and calendar of non-disablement are arrays, whose members are nobody's threshold.
        0x001F: (
            _item("02 000B 00010B0002FF 02", _ARRAY),
            _item("02 2328 00005E2C0214 02", _DOUBLE_LONG, "max-meter-balance"),
            _item("02 2328 00005E2C020A 04", _DOUBLE_LONG, "max-credit-threshold"),
            _item("02 000A 00010C0001FF 02", _ARRAY),
            _item("02 2328 00005E2C800C 04", _LONG_UNSIGNED, "debt-recovery-rate-cap"),
            _item("02 2328 00005E2C800D 04", _DOUBLE_LONG, "debt-recovery-rate-cap-period"),
            _item("02 2328 00005E2C8009 04", _DOUBLE_LONG, "low-credit-threshold"),
            _item("02 2328 00005E2C8002 04", _DOUBLE_LONG, "emergency-credit-limit"),
            _item("02 2328 00005E2C801F 06", _OCTET_STRING),
            _item("02 2328 00005E2C8003 04", _DOUBLE_LONG, "emergency-credit-threshold"),
            _item("02 2328 00005E2C0214 06", _OCTET_STRING),
            _item("02 2328 00005E2C020A 06", _OCTET_STRING),
            _item("02 2328 00005E2C800C 06", _OCTET_STRING),
            _item("02 2328 00005E2C800D 06", _OCTET_STRING),
            _item("02 2328 00005E2C8009 06", _OCTET_STRING),
            _item("02 2328 00005E2C8002 06", _OCTET_STRING),
            _item("02 2328 00005E2C8003 06", _OCTET_STRING),
            _item("02 2328 00005E2C801C 06", _OCTET_STRING),
        ),
        # ECS28a.
        0x0043: (
            _item("02 2328 00005E2C0003 04", _BOOLEAN, "load-limit-supply-state"),
            _item("02 2328 00005E2C8007 04", _DOUBLE_LONG_UNSIGNED, "load-limit-power-threshold"),
            _item("02 2328 00005E2C8006 04", _DOUBLE_LONG_UNSIGNED, "load-limit-period"),
            _item("02 2328 00005E2C8008 04", _DOUBLE_LONG_UNSIGNED, "load-limit-restoration-period"),
            _item("02 2328 00005E2C0003 06", _OCTET_STRING),
            _item("02 2328 00005E2C8007 06", _OCTET_STRING),
            _item("02 2328 00005E2C8006 06", _OCTET_STRING),
            _item("02 2328 00005E2C8008 06", _OCTET_STRING),
        ),
    }
)


def read_dlms_values(octets: bytes, start: int, layout: tuple[Item, ...]) -> Mapping[str, int]:
    """Of the content from ``start`` to the end of ``octets``, which is one of ``layout``. Raises: ContentMalformed."""
    at = _read_specifications(octets, start + _HEADER_OCTETS, layout)
    at = _read_count(octets, at, layout, "data")
    values = {}
    for item in layout:
        datum, end = read_data(octets, at)
        _check_datum(datum, at, item)
        if item.name:
            values[item.name] = _number(datum)
        at = end
    if at != len(octets):
        raise _malformed(at, "nothing after the last datum", f"{len(octets) - at} octets")
    return values


def _read_specifications(octets: bytes, at: int, layout: tuple[Item, ...]) -> int:
    at = _read_count(octets, at, layout, "specifications")
    for item in layout:
        end = at + len(item.specification)
        if octets[at:end] != item.specification:
            raise _malformed(at, item.specification.hex().upper(), octets[at:end].hex().upper() or "the end")
        at = end
    return at


def _read_count(octets: bytes, at: int, layout: tuple[Item, ...], what: str) -> int:
    count, end = read_length(octets, at, len(octets), source=_SOURCE)
    if count != len(layout):
        raise _malformed(at, f"{len(layout)} {what}", f"{count}")
    return end


def _check_datum(datum: Datum, at: int, item: Item) -> None:
    if datum.tag != item.tag:
        raise _malformed(at, f"data of type 0x{item.tag:02X}", f"0x{datum.tag:02X}")
    if datum.tag == _OCTET_STRING and len(datum.octets) != _DATE_TIME_OCTETS:
        raise _malformed(at, f"a date-time of {_DATE_TIME_OCTETS} octets", f"{len(datum.octets)}")


def _number(datum: Datum) -> int:
    if datum.tag == _BOOLEAN:
        return int(datum.octets != b"\x00")
    return int.from_bytes(datum.octets, "big", signed=datum.tag in _SIGNED)


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
