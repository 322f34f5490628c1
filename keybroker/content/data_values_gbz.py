"""Which data values does GCS05 set? Its whole content, component by component: Update Prepayment Configuration, GBZ.

    0109, count, then for each component:
    control (1)  cluster (2)  length (2)  [from-date-time (4) where control has bit 0x10]
    frame control (1)  sequence number (1)  command (1)  payload, little-endian

First come the four commands of the Prepayment cluster that hold values, each once, with payloads of one length; then
those of the Calendar cluster, which hold none and whose payloads are not read. Only the last component has bit 0x01 in
its control, and none is encrypted. Source: handbook 1.13; ZigBee Smart Energy Profile for the payloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from keybroker.errors import ContentMalformed

_SOURCE = "GBZ Update Prepayment Configuration, handbook 1.13"
_PROFILE_OCTETS, _EXTENDED_HEADER, _FROM_DATE_TIME, _ZCL_HEADER = 2, 5, 4, 3
_LAST, _DATED = 0x01, 0x10
_CALENDAR = b"\x07\x07"
_CALENDAR_FRAME = 0x09
_CALENDAR_COMMANDS = range(5)


class Command(NamedTuple):
    """A command of the Prepayment cluster: ``skipped`` octets (provider, event, time), then the values by their name,
    4 octets each. Only ``overall-debt-cap`` has a sign.
    """

    number: int
    control: int
    skipped: int
    names: tuple[str, ...]


_PREPAYMENT = b"\x07\x05"
_PREPAYMENT_FRAME = 0x01
_SIGNED = frozenset({"overall-debt-cap"})
_COMMANDS = (
    Command(0x03, 0x00, 8, ("emergency-credit-limit", "emergency-credit-threshold")),
    Command(0x0C, 0x00, 12, ("overall-debt-cap",)),
    Command(0x09, _DATED, 0, ("low-credit-threshold",)),
    Command(0x0B, 0x00, 12, ("max-meter-balance", "max-credit-threshold")),
)
"""Emergency Credit Setup, Set Overall Debt Cap, Set Low Credit Warning Level, Set Maximum Credit Limit."""

GBZ_NAMES: Mapping[int, frozenset[str]] = MappingProxyType(
    {0x006F: frozenset(name for command in _COMMANDS for name in command.names)}
)


class _Component(NamedTuple):
    offset: int
    control: int
    cluster: bytes
    frame: int
    command: int
    payload: bytes


def read_gbz_values(octets: bytes, start: int) -> Mapping[str, int]:
    """Of the content from ``start`` to the end of ``octets``, every one of ``GBZ_NAMES``. Raises: ContentMalformed."""
    components = _read_components(octets, start + _PROFILE_OCTETS)
    if len(components) < len(_COMMANDS):
        raise _malformed(start, f"at least {len(_COMMANDS)} components", f"{len(components)}")
    values: dict[str, int] = {}
    for component, command in zip(components, _COMMANDS, strict=False):
        values |= _read_command(component, command, is_last=component is components[-1])
    for component in components[len(_COMMANDS) :]:
        _check_calendar(component, is_last=component is components[-1])
    return values


def _read_components(octets: bytes, at: int) -> list[_Component]:
    # Decoding has seen that the count is there.
    components = []
    at, count = at + 1, octets[at]
    for _ in range(count):
        component, at = _read_component(octets, at)
        components.append(component)
    if at != len(octets):
        raise _malformed(at, f"nothing after {count} components", f"{len(octets) - at} octets")
    return components


def _read_component(octets: bytes, at: int) -> tuple[_Component, int]:
    inside = at + _EXTENDED_HEADER
    if inside > len(octets):
        raise _malformed(len(octets), f"{_EXTENDED_HEADER} octets of extended header", "the end")
    control = octets[at]
    end = inside + int.from_bytes(octets[inside - 2 : inside], "big")
    zcl = inside + (_FROM_DATE_TIME if control & _DATED else 0)
    payload = zcl + _ZCL_HEADER
    if not payload <= end <= len(octets):
        raise _malformed(inside - 2, f"a length from {payload - inside} to {len(octets) - inside}", f"{end - inside}")
    return _Component(at, control, octets[at + 1 : at + 3], octets[zcl], octets[zcl + 2], octets[payload:end]), end


def _read_command(component: _Component, command: Command, *, is_last: bool) -> Mapping[str, int]:
    _check_head(component, _PREPAYMENT, _PREPAYMENT_FRAME, range(command.number, command.number + 1))
    _check_control(component, command.control, is_last=is_last)
    if len(component.payload) != command.skipped + 4 * len(command.names):
        expected = f"a payload of {command.skipped + 4 * len(command.names)} octets"
        raise _malformed(component.offset, expected, f"{len(component.payload)}")
    places = enumerate(command.names)
    return {name: _number(component.payload, command.skipped + 4 * place, name) for place, name in places}


def _number(payload: bytes, at: int, name: str) -> int:
    return int.from_bytes(payload[at : at + 4], "little", signed=name in _SIGNED)


def _check_calendar(component: _Component, *, is_last: bool) -> None:
    _check_head(component, _CALENDAR, _CALENDAR_FRAME, _CALENDAR_COMMANDS)
    _check_control(component, 0x00, is_last=is_last)


def _check_head(component: _Component, cluster: bytes, frame: int, commands: range) -> None:
    if (component.cluster, component.frame) != (cluster, frame) or component.command not in commands:
        numbers = " to ".join(f"{each:02X}" for each in sorted({commands[0], commands[-1]}))
        expected = f"cluster {cluster.hex().upper()}, frame control {frame:02X}, command {numbers}"
        found = f"{component.cluster.hex().upper()}, {component.frame:02X}, {component.command:02X}"
        raise _malformed(component.offset, expected, found)


def _check_control(component: _Component, control: int, *, is_last: bool) -> None:
    expected = control | (_LAST if is_last else 0)
    if component.control != expected:
        raise _malformed(component.offset, f"control field 0x{expected:02X}", f"0x{component.control:02X}")


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
