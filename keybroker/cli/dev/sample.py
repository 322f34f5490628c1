"""What does a Pre-Command look like, for a first signature? A plausible one, written by us, for no real Device.

Layout: handbook 1.2-1.6 (GBCS Grouping Header); DLMS access-request, one COSEM method or attribute. Not for live use:
the DCC makes Pre-Commands, a User signs what the DCC made.
"""

from __future__ import annotations

from keybroker.terms import EntityIdentifier

_SPECIFICATIONS = {
    # ECS42 Remotely Close the Load Switch: action, disconnect control (class 70), method 2 (reconnect), integer 0.
    0x004F: bytes.fromhex("01 03 0046 0000600300FF 02  01 0F00"),
    # ECS43 Remotely Open the Load Switch: the same, method 1 (disconnect).
    0x0050: bytes.fromhex("01 03 0046 0000600300FF 01  01 0F00"),
    # ECS70 Set Clock: set, clock (class 8), attribute 2 (time), octet-string of 12: 2030-01-01 (Tuesday) 00:00:00 UTC.
    0x0062: bytes.fromhex("01 02 0008 0000010000FF 02  01 090C 07EE0101 02 000000 00 0000 00"),
}


def sample_pre_command(
    originator: EntityIdentifier, recipient: EntityIdentifier, counter: int, code: int = 0x0062
) -> bytes:
    """A Pre-Command of one DLMS use case: 0x0062 (ECS70 Set Clock), 0x004F (ECS42) or 0x0050 (ECS43).

    ``counter`` is the Originator Counter, 0 to 2**64-1. The result has no null signature octet.

    Raises: KeyError for another code; OverflowError for another counter.
    """
    invoke_id = (counter % 2**24).to_bytes(3, "big")  # the low 24 bits of the counter, after the long-invoke-id flags
    content = b"\xd9\x20" + invoke_id + b"\x00" + _SPECIFICATIONS[code]
    header = b"\xdf\x09\x01" + counter.to_bytes(8, "big")
    parties = b"\x08" + originator.octets + b"\x08" + recipient.octets
    return header + parties + b"\x00\x02" + code.to_bytes(2, "big") + bytes([len(content)]) + content
