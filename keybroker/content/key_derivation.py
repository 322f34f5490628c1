"""What goes into a GBCS key: OtherInfo of the one-step KDF, and the initialisation vector.

Key = leftmost 16 octets of SHA-256(00000001 || Z || OtherInfo), SP 800-56C with SHA-256; OtherInfo, 33 octets, is
algorithm id (7) || originator (8) || 09 || mode (1) || counter (8) || recipient (8). Sources: handbook 1.7-1.10.
"""

from __future__ import annotations

from enum import IntEnum

from keybroker.content.use import Agreement
from keybroker.terms import EntityIdentifier

_ALGORITHM_ID = bytes.fromhex("60857406080300")
_TRANSACTION_ID_LENGTH = b"\x09"
_NO_INVOCATION_COUNTER = bytes(4)


class Mode(IntEnum):
    """What the key is for; 1 to 3 are the CRA flags of what the MAC stands on."""

    COMMAND_MAC = 1
    RESPONSE_MAC = 2
    ALERT_MAC = 3
    ENCRYPTION = 4


def agreement(
    peer: bytes, *, mode: Mode, originator: EntityIdentifier, counter: int, recipient: EntityIdentifier
) -> Agreement:
    """The agreement with ``peer`` (65 octets) under these names; ``counter`` has at most 64 bits."""
    transaction = _TRANSACTION_ID_LENGTH + bytes([mode]) + counter.to_bytes(8, "big")
    return Agreement(peer=peer, other_information=_ALGORITHM_ID + originator.octets + transaction + recipient.octets)


def initialisation_vector(originator: EntityIdentifier) -> bytes:
    """12 octets: the message's originator, then an invocation counter of zero."""
    return originator.octets + _NO_INVOCATION_COUNTER
