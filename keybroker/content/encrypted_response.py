"""Which data in this Response or Alert are encrypted, and for whom?

For the supplementary remote party where one is named, else for the recipient; under the supplementary originator
counter where one is named, else the originator's own. Sources: handbook 1.3, 1.8, 1.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from keybroker.content.answer import read_answer
from keybroker.content.beside import check_beside, device_chain_beside
from keybroker.content.device_certificate import device_public_point
from keybroker.content.encrypted_data import find_encrypted
from keybroker.content.key_derivation import Mode, agreement, initialisation_vector
from keybroker.content.model import Accompanying, MessageCode
from keybroker.content.use import DecryptionUse, Enciphered, UseKind
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedResponse:
    """``items`` in the order in which they stand; ``sha256`` is over ``octets``. ``originator`` is the Device,
    ``party`` the Remote Party whose key deciphers, ``counter`` the one that went into that key.
    """

    use_kind: ClassVar[UseKind] = UseKind.DECRYPTION

    kind: ContentKind
    octets: bytes
    sha256: bytes
    is_alert: bool
    originator_counter: int
    originator: EntityIdentifier
    recipient: EntityIdentifier
    message_code: MessageCode
    supplementary_party: EntityIdentifier | None
    supplementary_originator_counter: int | None
    items: tuple[Enciphered, ...]
    peer: bytes
    device_chain: tuple[bytes, ...]
    accompanying: tuple[Accompanying, ...] = ()

    @property
    def party(self) -> EntityIdentifier:
        return self.recipient if self.supplementary_party is None else self.supplementary_party

    @property
    def counter(self) -> int:
        own = self.supplementary_originator_counter
        return self.originator_counter if own is None else own


def decode_encrypted_response(
    kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]
) -> EncryptedResponse:
    """Read a Response or Alert, in its MAC wrapper or signed.

    Raises: ContentMalformed, also where nothing is encrypted.
    """
    answer = read_answer(octets)
    items = find_encrypted(answer.inner, answer.header)
    check_beside(accompanying, AccompanyingKind.DEVICE_CERTIFICATE)
    chain = device_chain_beside(accompanying)
    header = answer.header
    return EncryptedResponse(
        kind=kind,
        octets=octets,
        sha256=sha256(octets).digest(),
        is_alert=answer.is_alert,
        originator_counter=header.counter,
        originator=header.originator,
        recipient=header.recipient,
        message_code=header.message_code,
        supplementary_party=header.supplementary_party,
        supplementary_originator_counter=header.supplementary_originator_counter,
        items=items,
        peer=device_public_point(chain[0]),
        device_chain=chain,
        accompanying=tuple(accompanying),
    )


def encrypted_response_facts(content: EncryptedResponse) -> dict[str, str]:
    """What records and explanations say of it."""
    facts = {
        "answer": "alert" if content.is_alert else "response",
        "code": str(content.message_code),
        "counter": str(content.originator_counter),
        "items": str(len(content.items)),
        "kind": content.kind.value,
        "originator": str(content.originator),
        "recipient": str(content.recipient),
        "use_case": content.message_code.use_case,
    }
    if content.supplementary_party is not None:
        facts["supplementary_party"] = str(content.supplementary_party)
    return facts


def encrypted_response_use(content: EncryptedResponse) -> DecryptionUse:
    """What the module is asked to do: every item under one key and initialisation vector."""
    return DecryptionUse(
        agreement=agreement(
            content.peer,
            mode=Mode.ENCRYPTION,
            originator=content.originator,
            counter=content.counter,
            recipient=content.party,
        ),
        initialisation_vector=initialisation_vector(content.originator),
        items=content.items,
    )
