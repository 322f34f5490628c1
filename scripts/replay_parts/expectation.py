"""What should become of a message? From the handbook's tables 2.1 and 2.2 and section 1 alone.

Where the handbook lists a Message Code under a Remote Party Role, a key of that role signs it, when the originator is
that key's own. Everything else is refused, and the first applicable reason is the one the broker must give.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.replay_parts.held_keys import HeldKey
from scripts.replay_parts.slicing import Sliced

SUPPLIER, NETWORK_OPERATOR, LOAD_CONTROLLER = 0x02, 0x03, 0x08
RECOVERY, ACCESS_CONTROL_BROKER, COS_PARTY, WAN_PROVIDER = 0x01, 0x04, 0x05, 0x06
USERS = frozenset({SUPPLIER, NETWORK_OPERATOR, LOAD_CONTROLLER})


def _codes(text: str) -> frozenset[int]:
    return frozenset(int(word, 16) for word in text.split())


SIGNS: dict[int, frozenset[int]] = {
    # Table 2.1, supplier. CS02f (0x011B) is left out there on purpose.
    SUPPLIER: _codes(
        """
        000A 000B 000C 000D 000F 0012 0019 001A 001B 001C 001D 001E 001F 0020 0043 0046
        004B 004F 0050 0051 0053 0054 0055 0062 0068 006B 006C 006D 006E 006F 0070 007C
        007D 007E 007F 0081 0085 0086 00A2 00A3 00AB 00AF 00B3 00B4 00B7 00C0 00C2 00C7
        00D7 00D8 00DB 00DE 00FC 0102 011A 011E 0126
        """
    ),
    NETWORK_OPERATOR: _codes("0103"),
    LOAD_CONTROLLER: _codes("011F 0125"),
    # Table 2.2. 0x0104 comes MAC-only from the Access Control Broker.
    ACCESS_CONTROL_BROKER: _codes("000F 00AB 00AF 0102 0103"),
    COS_PARTY: _codes("0008 0106 0107 011B"),
    WAN_PROVIDER: _codes("0105"),
    RECOVERY: _codes("0108"),
}
FOR_UNKNOWN_REMOTE_PARTY = _codes("000F 00AB 00AF")
"""Signed by the Access Control Broker with 18 octets of other-information (table 2.2, last row)."""

_COMMAND, _RESPONSE, _ALERT = 1, 2, 3
_PLAIN, _WITH_SUPPLEMENTARY = 2, 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """``reason`` is None where a signature is expected; ``rule`` is one that must be among those that refused.

    ``or_reason`` is as right as ``reason`` where the handbook leaves open which comes first.
    """

    reason: str | None
    rule: str = ""
    or_reason: str | None = None


SIGNED = Expectation(reason=None)


def expect(octets: bytes, message: Sliced, key: HeldKey) -> Expectation:
    """What the broker must answer when ``octets`` (read as ``message``) are sent for ``key``."""
    if (malformed := _malformed(octets, message)) is not None:
        return Expectation(reason=malformed)
    if len(message.other_information) != _PLAIN and message.code not in FOR_UNKNOWN_REMOTE_PARTY:
        # No table says which Commands without a signature may carry 18 octets: both reasons are true.
        return Expectation(reason="NOT_PERMITTED", or_reason="CONTENT_MALFORMED")
    if message.originator != key.eui:
        return Expectation(reason="NOT_PERMITTED", rule="originator-is-keys-eui")
    if message.code not in SIGNS.get(key.role, frozenset()):
        return Expectation(reason="NOT_PERMITTED", rule="message-code-for-purpose")
    acts_for_another = key.role == ACCESS_CONTROL_BROKER and message.code in FOR_UNKNOWN_REMOTE_PARTY
    if len(message.other_information) != (_WITH_SUPPLEMENTARY if acts_for_another else _PLAIN):
        return Expectation(reason="NOT_PERMITTED", rule="other-information-for-purpose")
    return SIGNED


def _malformed(octets: bytes, message: Sliced) -> str | None:
    if octets[0] == 0xDD:
        return "CONTENT_MAC_WRAPPED"
    if message.cra != _COMMAND:
        return {_RESPONSE: "CONTENT_IS_RESPONSE", _ALERT: "CONTENT_IS_ALERT"}.get(message.cra, "CONTENT_MALFORMED")
    if message.date_time or len(message.other_information) not in (_PLAIN, _WITH_SUPPLEMENTARY):
        return "CONTENT_MALFORMED"
    return "CONTENT_ALREADY_SIGNED" if message.signature else None
