"""Is this a protected response of a SMETS1 Device? The Device's EUI-64 (8 octets), then one protected xDLMS APDU.

The Device's system title is its EUI-64 (RECALLED): where the APDU names one, it must be that. It enters the
initialisation vector, so a response opens only as that Device's. SEC G2.44(c), (e).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.ciphered_apdu import (
    RESPONSES,
    SECURITY_CONTROL,
    CipheredApdu,
    decode_response_apdu,
    initialisation_vector,
)
from keybroker.content.model import Accompanying
from keybroker.content.smets1_instruction import EUI_OCTETS, read_device
from keybroker.content.use import OpeningUse, UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind, EntityIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Smets1Response:
    """``octets`` are Device and APDU; ``sha256`` is over both."""

    use_kind: ClassVar[UseKind] = UseKind.OPENING

    kind: ContentKind
    octets: bytes
    sha256: bytes
    device: EntityIdentifier
    apdu: CipheredApdu
    accompanying: tuple[Accompanying, ...] = ()


def decode_smets1_response(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> Smets1Response:
    """Raises: ContentMalformed."""
    device = read_device(octets, accompanying)
    apdu = decode_response_apdu(octets, EUI_OCTETS)
    if apdu.system_title is not None and apdu.system_title != device.octets:
        raise ContentMalformed(
            offset=EUI_OCTETS + 2,
            expected=f"the Device's system title {device}",
            found=str(EntityIdentifier(apdu.system_title)),
            source="IEC 62056-5-3 general-glo-ciphering",
        )
    return Smets1Response(kind=kind, octets=octets, sha256=sha256(octets).digest(), device=device, apdu=apdu)


def smets1_response_facts(content: Smets1Response) -> dict[str, str]:
    """What records and explanations say of it. What it holds is known to nobody before the key is used."""
    return {
        "device": str(content.device),
        "frame": RESPONSES[content.apdu.frame],
        "invocation_counter": str(content.apdu.counter),
        "kind": content.kind.value,
    }


def smets1_response_use(content: Smets1Response) -> OpeningUse:
    """What the module is asked to do."""
    return OpeningUse(
        initialisation_vector=initialisation_vector(content.device.octets, content.apdu.counter),
        authenticated=SECURITY_CONTROL,
        ciphertext=content.apdu.ciphertext,
        tag=content.apdu.tag,
    )
