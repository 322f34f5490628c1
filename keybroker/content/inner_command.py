"""Is this the inner part of a Command, ready for its MAC? A message with its signature field, and who stands behind it.

From 0xDF through the signature length octet 0x00, or 0x40 and r || s. Beside it: the Device's Key Agreement
certificate, and the originator's where there is a signature; for a message that carries the certificate of an Unknown
Remote Party, that certificate with its issuers. Sources: handbook 1.2-1.8. Whether the Message Code wants a signature,
and a MAC at all, is policy's question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.beside import chain_beside, check_beside, device_chain_beside
from keybroker.content.device_certificate import device_public_point
from keybroker.content.grouping_header import BEFORE_MAC, read_grouping_header
from keybroker.content.key_derivation import Mode, agreement, initialisation_vector
from keybroker.content.mac_wrapper import TAG_OCTETS, authenticated, wrap
from keybroker.content.model import Accompanying, MessageCode, PayloadFamily
from keybroker.content.payload import read_payload_family
from keybroker.content.signature_field import read_signature_field
from keybroker.content.use import MacUse, UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier

ANY_BY_CONTINGENCY = 0x0109
"""Its payload holds a symmetric key in the clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerCommand:
    """``message`` runs from 0xDF to the end of the content, ``signature`` has 64 octets or none.

    ``sha256`` is over what the MAC authenticates. ``peer`` is the public point of ``device_chain[0]``.
    ``supplementary_certificate`` is the X.509 certificate, DER, of an Unknown Remote Party for whom the Device is to
    encipher its answer, or nothing.
    """

    use_kind: ClassVar[UseKind] = UseKind.MAC

    kind: ContentKind
    octets: bytes
    sha256: bytes
    message: bytes
    signature: bytes
    originator_counter: int
    originator: EntityIdentifier
    recipient: EntityIdentifier
    message_code: MessageCode
    message_code_offset: int
    supplementary_party: EntityIdentifier | None
    supplementary_counter: int | None
    supplementary_certificate: bytes
    payload_family: PayloadFamily
    content_offset: int
    peer: bytes
    device_chain: tuple[bytes, ...]
    originator_chain: tuple[bytes, ...]
    accompanying: tuple[Accompanying, ...] = ()
    discloses_key: bool = False
    """It holds a plaintextSymmetricKey (CS02b anyByContingency): its octets are not kept, only their digest."""

    @property
    def to_be_signed(self) -> bytes:
        """What the signature is over (handbook 1.5)."""
        return self.message[1:]


def decode_inner_command(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> InnerCommand:
    """Read the message, and what came beside it.

    Raises: ContentMalformed, of which ContentMacWrapped, ContentIsResponse, ContentIsAlert, MessageCodeUnknown.
    """
    # 1. The message, whole.
    header = read_grouping_header(octets, BEFORE_MAC)
    family = read_payload_family(octets, header.content, header.end, code=header.message_code, counter=header.counter)
    signature = read_signature_field(octets, header.end)
    # 2. What came beside it.
    check_beside(accompanying, AccompanyingKind.DEVICE_CERTIFICATE, AccompanyingKind.ORIGINATOR_CERTIFICATE)
    device_chain = device_chain_beside(accompanying)
    originator_chain = chain_beside(accompanying, AccompanyingKind.ORIGINATOR_CERTIFICATE)
    if originator_chain and not signature and not header.certificate:
        raise ContentMalformed(
            offset=0,
            expected="no originator's certificate beside a message without a signature",
            found=f"{len(originator_chain)}",
            source="GBCS Command, handbook 1.6",
        )
    return InnerCommand(
        kind=kind,
        octets=octets,
        sha256=sha256(authenticated(octets)).digest(),
        message=octets[: header.end],
        signature=signature,
        originator_counter=header.counter,
        originator=header.originator,
        recipient=header.recipient,
        message_code=header.message_code,
        message_code_offset=header.message_code_offset,
        supplementary_party=header.supplementary_party,
        supplementary_counter=header.supplementary_counter,
        supplementary_certificate=header.certificate,
        payload_family=family,
        content_offset=header.content,
        peer=device_public_point(device_chain[0]),
        device_chain=device_chain,
        originator_chain=originator_chain,
        accompanying=tuple(accompanying),
        discloses_key=header.message_code.value == ANY_BY_CONTINGENCY,
    )


def inner_command_facts(content: InnerCommand) -> dict[str, str]:
    """What records and explanations say of it."""
    facts = {
        "code": str(content.message_code),
        "counter": str(content.originator_counter),
        "family": content.payload_family.value,
        "kind": content.kind.value,
        "originator": str(content.originator),
        "recipient": str(content.recipient),
        "signed": "yes" if content.signature else "no",
        "use_case": content.message_code.use_case,
    }
    if content.supplementary_party is not None:
        facts["supplementary_party"] = str(content.supplementary_party)
        facts["supplementary_counter"] = str(content.supplementary_counter)
    if content.supplementary_certificate:
        facts["supplementary_certificate_sha256"] = sha256(content.supplementary_certificate).hexdigest()
    return facts


def inner_command_use(content: InnerCommand) -> MacUse:
    """What the module is asked to do: a tag of 12 octets."""
    return MacUse(
        agreement=agreement(
            content.peer,
            mode=Mode.COMMAND_MAC,
            originator=content.originator,
            counter=content.originator_counter,
            recipient=content.recipient,
        ),
        initialisation_vector=initialisation_vector(content.originator),
        authenticated=authenticated(content.octets),
        tag_octets=TAG_OCTETS,
    )


def assemble_command(content: InnerCommand, tag: bytes) -> bytes:
    """The Command as the Device expects it."""
    return wrap(content.octets, tag)
