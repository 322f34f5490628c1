"""Is this a Response or Alert in its MAC wrapper? Sources: handbook 1.2, 1.7, 1.8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.answer import read_answer
from keybroker.content.beside import check_beside, device_chain_beside
from keybroker.content.device_certificate import device_public_point
from keybroker.content.key_derivation import Mode, agreement, initialisation_vector
from keybroker.content.mac_wrapper import SOURCE, authenticated
from keybroker.content.model import Accompanying, MessageCode
from keybroker.content.use import MacCheckUse, UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResponse:
    """``inner`` runs from 0xDF to the end of the signature field; ``mac`` has 12 octets; ``sha256`` is over what the
    MAC authenticates. ``originator`` is the Device; ``party`` the Remote Party whose key checks the MAC, the recipient.
    """

    use_kind: ClassVar[UseKind] = UseKind.MAC_CHECK

    kind: ContentKind
    octets: bytes
    sha256: bytes
    inner: bytes
    mac: bytes
    is_alert: bool
    originator_counter: int
    originator: EntityIdentifier
    recipient: EntityIdentifier
    message_code: MessageCode
    supplementary_party: EntityIdentifier | None
    peer: bytes
    device_chain: tuple[bytes, ...]
    accompanying: tuple[Accompanying, ...] = ()

    @property
    def party(self) -> EntityIdentifier:
        return self.recipient


def decode_protected_response(
    kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]
) -> ProtectedResponse:
    """Raises: ContentMalformed."""
    answer = read_answer(octets)
    if not answer.mac:
        raise ContentMalformed(offset=0, expected="a MAC wrapper 0xDD", found="0xDF, and a signature", source=SOURCE)
    check_beside(accompanying, AccompanyingKind.DEVICE_CERTIFICATE)
    chain = device_chain_beside(accompanying)
    header = answer.header
    return ProtectedResponse(
        kind=kind,
        octets=octets,
        sha256=sha256(authenticated(answer.inner)).digest(),
        inner=answer.inner,
        mac=answer.mac,
        is_alert=answer.is_alert,
        originator_counter=header.counter,
        originator=header.originator,
        recipient=header.recipient,
        message_code=header.message_code,
        supplementary_party=header.supplementary_party,
        peer=device_public_point(chain[0]),
        device_chain=chain,
        accompanying=tuple(accompanying),
    )


def protected_response_facts(content: ProtectedResponse) -> dict[str, str]:
    """What records and explanations say of it."""
    return {
        "answer": "alert" if content.is_alert else "response",
        "code": str(content.message_code),
        "counter": str(content.originator_counter),
        "kind": content.kind.value,
        "originator": str(content.originator),
        "recipient": str(content.recipient),
        "use_case": content.message_code.use_case,
    }


def protected_response_use(content: ProtectedResponse) -> MacCheckUse:
    """What the module is asked to do."""
    return MacCheckUse(
        agreement=agreement(
            content.peer,
            mode=Mode.ALERT_MAC if content.is_alert else Mode.RESPONSE_MAC,
            originator=content.originator,
            counter=content.originator_counter,
            recipient=content.recipient,
        ),
        initialisation_vector=initialisation_vector(content.originator),
        authenticated=authenticated(content.inner),
        tag=content.mac,
    )
