"""What of a TLS handshake is to be signed? One octet that says which of four, then what it is built from.

    1  TLS 1.3 CertificateVerify of a client: Transcript-Hash (32 or 48)
    2  the same of a server
    3  TLS 1.2 ServerKeyExchange: client_random (32), server_random (32), ServerECDHParams
    4  TLS 1.2 CertificateVerify of a client: every handshake message so far

The signed content is built here; no request holds it. Sources: RFC 8446 section 4.4.3; RFC 5246 sections 7.4.3, 7.4.8;
RFC 8422 section 5.4. Always ecdsa_secp256r1_sha256: SHA-256 of that content.

For TLS 1.3 that content is itself mostly a hash: 64 spaces, a fixed sentence, and the Transcript-Hash. What was agreed
in the handshake, and with whom, cannot be read from it, only that it is a TLS 1.3 handshake and which peer signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import ClassVar

from keybroker.clause import clause
from keybroker.content.beside import check_beside
from keybroker.content.model import Accompanying
from keybroker.content.tls_key_exchange import KeyExchange, read_server_key_exchange
from keybroker.content.tls_messages import ClientHandshake, read_client_handshake
from keybroker.content.use import UseKind
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind

_TLS_1_3_SOURCE = "RFC 8446 section 4.4.3"


class Signed(IntEnum):
    """The first octet."""

    CLIENT_CERTIFICATE_VERIFY_1_3 = 1
    SERVER_CERTIFICATE_VERIFY_1_3 = 2
    SERVER_KEY_EXCHANGE_1_2 = 3
    CLIENT_CERTIFICATE_VERIFY_1_2 = 4


_TOLD = {
    Signed.CLIENT_CERTIFICATE_VERIFY_1_3: "TLS 1.3 CertificateVerify, client",
    Signed.SERVER_CERTIFICATE_VERIFY_1_3: "TLS 1.3 CertificateVerify, server",
    Signed.SERVER_KEY_EXCHANGE_1_2: "TLS 1.2 ServerKeyExchange",
    Signed.CLIENT_CERTIFICATE_VERIFY_1_2: "TLS 1.2 CertificateVerify, client",
}
_CONTEXTS = {
    Signed.CLIENT_CERTIFICATE_VERIFY_1_3: b"TLS 1.3, client CertificateVerify",
    Signed.SERVER_CERTIFICATE_VERIFY_1_3: b"TLS 1.3, server CertificateVerify",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsHandshake:
    """``to_be_signed`` is the content that TLS signs, ``sha256`` its digest. ``exchange`` is set for ServerKeyExchange
    alone, ``handshake`` for the TLS 1.2 CertificateVerify alone.
    """

    use_kind: ClassVar[UseKind] = UseKind.SIGNATURE

    kind: ContentKind
    octets: bytes
    sha256: bytes
    signed: Signed
    to_be_signed: bytes
    exchange: KeyExchange | None = None
    handshake: ClientHandshake | None = None
    accompanying: tuple[Accompanying, ...] = ()


@clause("G2.44(d)")
def decode_tls_handshake(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying]) -> TlsHandshake:
    """Raises: ContentMalformed."""
    check_beside(accompanying)
    if not octets or octets[0] not in tuple(Signed):
        raise ContentMalformed(
            offset=0, expected="1 to 4: what is signed", found=octets[:1].hex() or "the end", source="keybroker"
        )
    signed, exchange, handshake = Signed(octets[0]), None, None
    if signed in _CONTEXTS:
        to_be_signed = _certificate_verify_content(octets, _CONTEXTS[signed])
    elif signed is Signed.SERVER_KEY_EXCHANGE_1_2:
        exchange = read_server_key_exchange(octets)
        to_be_signed = octets[1:]
    else:
        handshake = read_client_handshake(octets, 1)
        to_be_signed = octets[1:]
    return TlsHandshake(
        kind=kind,
        octets=octets,
        sha256=sha256(to_be_signed).digest(),
        signed=signed,
        to_be_signed=to_be_signed,
        exchange=exchange,
        handshake=handshake,
    )


def tls_handshake_facts(content: TlsHandshake) -> dict[str, str]:
    """What records and explanations say of it, and what they cannot."""
    facts = {"kind": content.kind.value, "signed": _TOLD[content.signed]}
    if content.signed in _CONTEXTS:
        facts["transcript_hash"] = content.octets[1:].hex()
        facts["told"] = "the content is itself a hash: with whom the handshake is, and what it agreed, cannot be read"
    if content.exchange is not None:
        facts["curve"] = content.exchange.curve
        facts["client_random"], facts["server_random"] = content.octets[1:33].hex(), content.octets[33:65].hex()
    if content.handshake is not None:
        handshake = content.handshake
        facts["cipher_suite"] = f"{handshake.cipher_suite:04X}"
        facts["client_certificate"] = sha256(handshake.client_certificate).hexdigest()
        facts["client_random"], facts["server_random"] = handshake.client_random.hex(), handshake.server_random.hex()
        facts["server_certificate"] = sha256(handshake.server_certificate).hexdigest()
    return facts


def _certificate_verify_content(octets: bytes, context: bytes) -> bytes:
    """RFC 8446 section 4.4.3: "A string that consists of octet 32 (0x20) repeated 64 times; the context string; a
    single 0 byte which serves as the separator; the content to be signed".
    """
    transcript = octets[1:]
    if len(transcript) not in (32, 48):
        raise ContentMalformed(
            offset=len(octets),
            expected="a Transcript-Hash of 32 or 48 octets",
            found=str(len(transcript)),
            source=_TLS_1_3_SOURCE,
        )
    return b"\x20" * 64 + context + b"\x00" + transcript
