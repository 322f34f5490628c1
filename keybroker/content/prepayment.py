"""What top-up is a prepayment token asked for, and what is the token?

    asked for    originator (8) || Device (8) || counter (8) || class (1: 0 pence, 1 pounds) || value (2)
    high 32 bits 0000000 || counter bits 41..32 (10) || class (2) || value (13)
    low 32 bits  the last 4 of the 16 octets of GMAC over
                 11 00 00 00 00 00 || originator || Device || 01 || counter || high 32 bits

PTUT is both (8 octets). Source: GBCS section 14, handbook 1.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from struct import Struct
from typing import ClassVar

from keybroker.content.beside import check_beside, device_chain_beside
from keybroker.content.device_certificate import device_public_point
from keybroker.content.key_derivation import Mode, agreement, initialisation_vector
from keybroker.content.mac_wrapper import authenticated
from keybroker.content.model import Accompanying
from keybroker.content.use import MacUse, UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier

_SOURCE = "GBCS 14, handbook 1.10"
_FIELDS = Struct(">8s8sQBH")
_CLASS_OFFSET, _VALUE_OFFSET = 24, 25
_COUNTER_BITS, _CLASS_SHIFT, _COUNTER_SHIFT = 0x3FF, 13, 15
_TAG_OCTETS = 16
_LOW_OCTETS = 4

LARGEST_VALUE = 8_191
"""13 bits."""


class AmountClass(Enum):
    """In what the value is counted; what the class says in the token."""

    PENCE = 0
    POUNDS = 1

    @property
    def told(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentTopUp:
    """``sha256`` is over what the MAC authenticates; ``high`` are the upper 32 bits of the token."""

    use_kind: ClassVar[UseKind] = UseKind.MAC

    kind: ContentKind
    octets: bytes
    sha256: bytes
    originator: EntityIdentifier
    recipient: EntityIdentifier
    originator_counter: int
    amount_class: AmountClass
    value: int
    high: bytes
    peer: bytes
    device_chain: tuple[bytes, ...]
    accompanying: tuple[Accompanying, ...] = ()


def decode_prepayment_top_up(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> PrepaymentTopUp:
    """Raises: ContentMalformed."""
    if len(octets) != _FIELDS.size:
        raise _malformed(min(len(octets), _FIELDS.size), f"{_FIELDS.size} octets", str(len(octets)))
    originator, device, counter, amount_class, value = _FIELDS.unpack(octets)
    if amount_class not in (AmountClass.PENCE.value, AmountClass.POUNDS.value):
        raise _malformed(_CLASS_OFFSET, "class 0 (pence) or 1 (pounds)", str(amount_class))
    if value > LARGEST_VALUE:
        raise _malformed(_VALUE_OFFSET, f"a value of at most {LARGEST_VALUE}", str(value))
    check_beside(accompanying, AccompanyingKind.DEVICE_CERTIFICATE)
    chain = device_chain_beside(accompanying)
    high = _high(counter, amount_class, value)
    return PrepaymentTopUp(
        kind=kind,
        octets=octets,
        sha256=sha256(_authenticated(octets, high)).digest(),
        originator=EntityIdentifier(originator),
        recipient=EntityIdentifier(device),
        originator_counter=counter,
        amount_class=AmountClass(amount_class),
        value=value,
        high=high,
        peer=device_public_point(chain[0]),
        device_chain=chain,
        accompanying=tuple(accompanying),
    )


def prepayment_facts(content: PrepaymentTopUp) -> dict[str, str]:
    """What records and explanations say of it."""
    return {
        "amount": f"{content.value} {content.amount_class.told}",
        "counter": str(content.originator_counter),
        "kind": content.kind.value,
        "originator": str(content.originator),
        "recipient": str(content.recipient),
    }


def prepayment_use(content: PrepaymentTopUp) -> MacUse:
    """What the module is asked to do: a whole tag of 16 octets."""
    return MacUse(
        agreement=agreement(
            content.peer,
            mode=Mode.COMMAND_MAC,
            originator=content.originator,
            counter=content.originator_counter,
            recipient=content.recipient,
        ),
        initialisation_vector=initialisation_vector(content.originator),
        authenticated=_authenticated(content.octets, content.high),
        tag_octets=_TAG_OCTETS,
    )


def assemble_token(content: PrepaymentTopUp, tag: bytes) -> bytes:
    """The PTUT, 8 octets."""
    return content.high + tag[-_LOW_OCTETS:]


def _authenticated(octets: bytes, high: bytes) -> bytes:
    return authenticated(octets[:16] + bytes([Mode.COMMAND_MAC]) + octets[16:24] + high)


def _high(counter: int, amount_class: int, value: int) -> bytes:
    number = (counter >> 32 & _COUNTER_BITS) << _COUNTER_SHIFT | amount_class << _CLASS_SHIFT | value
    return number.to_bytes(4, "big")


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
