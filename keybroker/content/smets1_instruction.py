"""Which instruction to a SMETS1 Device is this? The Device's EUI-64 (8 octets), then one plain xDLMS request.

Only requests that ``xdlms`` reads are protected: what the key does, the record can tell. SEC G2.44(c), (e), G2.44A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.axdr import encode_data
from keybroker.content.beside import check_beside
from keybroker.content.ciphered_apdu import (
    COUNTER_OCTETS,
    SECURITY_CONTROL,
    TAG_OCTETS,
    encode_request_apdu,
    initialisation_vector,
)
from keybroker.content.model import Accompanying
from keybroker.content.use import ProtectionUse, UseKind
from keybroker.content.xdlms import Request, decode_request
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind, EntityIdentifier

EUI_OCTETS = 8
_LARGEST_APDU = 0xFFFF - len(SECURITY_CONTROL) - COUNTER_OCTETS - TAG_OCTETS
"""What a protected APDU can hold when its length is written in at most two octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smets1Instruction:
    """``octets`` are Device and APDU; ``sha256`` is over both. ``device`` is what the caller says, and no part of the
    protection: nothing may rest on it that policy has not enrolled.
    """

    use_kind: ClassVar[UseKind] = UseKind.PROTECTION

    kind: ContentKind
    octets: bytes
    sha256: bytes
    device: EntityIdentifier
    request: Request
    accompanying: tuple[Accompanying, ...] = ()

    @property
    def apdu(self) -> bytes:
        return self.octets[EUI_OCTETS:]

    @property
    def discloses_key(self) -> bool:
        """It sets a secret: neither its octets nor its value are kept, only their digest."""
        return self.request.discloses_secret


def decode_smets1_instruction(
    kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]
) -> Smets1Instruction:
    """Raises: ContentMalformed."""
    device = read_device(octets, accompanying)
    if len(octets) - EUI_OCTETS > _LARGEST_APDU:
        raise ContentMalformed(
            offset=EUI_OCTETS,
            expected=f"an APDU of at most {_LARGEST_APDU} octets",
            found=str(len(octets) - EUI_OCTETS),
            source="IEC 62056-5-3 glo-ciphered APDU",
        )
    return Smets1Instruction(
        kind=kind,
        octets=octets,
        sha256=sha256(octets).digest(),
        device=device,
        request=decode_request(octets, EUI_OCTETS),
    )


def read_device(octets: bytes, accompanying: Sequence[Accompanying]) -> EntityIdentifier:
    """The Device's EUI-64 in front of an APDU. Raises: ContentMalformed."""
    check_beside(accompanying)
    if len(octets) < EUI_OCTETS:
        raise ContentMalformed(
            offset=len(octets), expected="the Device's EUI-64, 8 octets", found="the end", source="keybroker"
        )
    return EntityIdentifier(octets[:EUI_OCTETS])


def smets1_instruction_facts(content: Smets1Instruction) -> dict[str, str]:
    """What records and explanations say of it: the service, class/instance/member, and the data."""
    request = content.request
    facts = {
        "device": str(content.device),
        "kind": content.kind.value,
        "service": request.service.told,
        "target": request.target,
    }
    if request.selection is not None:
        parameters = encode_data(request.selection.parameters)
        facts["selection"] = bytes([request.selection.selector]).hex() + parameters.hex()
    if request.value is not None and not content.discloses_key:
        facts["value"] = encode_data(request.value).hex()
    return facts


def smets1_instruction_use(content: Smets1Instruction, counter: int, eui: EntityIdentifier) -> ProtectionUse:
    """``counter`` is what the ledger gave, ``eui`` the key's own: our system title. Neither is the caller's to say."""
    return ProtectionUse(
        initialisation_vector=initialisation_vector(eui.octets, counter),
        authenticated=SECURITY_CONTROL,
        plaintext=content.apdu,
    )


def smets1_instruction_whole(content: Smets1Instruction, protected: bytes) -> bytes:
    """The protected APDU, from counter, ciphertext and tag as the module made them."""
    return encode_request_apdu(content.request.service, protected)
