"""GBCS key agreement on the host, from handbook 1.7 to 1.9 alone: what a MAC must be, and what encrypted data say.

A second implementation: nothing of ``keybroker.content`` or ``keybroker.hsm`` is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from scripts.replay_parts.slicing import Sliced

_MAC = 12
_ENCRYPTION = 4
_SECURITY_HEADER = bytes.fromhex("3100000000")


def mac_of(message: Sliced, private_key: ec.EllipticCurvePrivateKey, peer: ec.EllipticCurvePublicKey) -> bytes:
    """The MAC that the message has under the key agreed between these two: 12 octets (handbook 1.7, 1.8)."""
    key = _key(message, private_key, peer, mode=message.cra, counter=message.counter, recipient=message.recipient)
    encryptor = Cipher(algorithms.AES128(key), modes.GCM(_vector(message))).encryptor()
    encryptor.authenticate_additional_data(bytes.fromhex("110000000000") + message.inner)
    encryptor.finalize()
    return encryptor.tag[:_MAC]


def decipher(message: Sliced, private_key: ec.EllipticCurvePrivateKey, peer: ec.EllipticCurvePublicKey) -> list[bytes]:
    """Every encrypted item of the content that the key opens, in order (handbook 1.9).

    Found without reading the content: wherever a security header stands behind a length that makes its tag right.
    """
    party, counter = addressee(message), message.counter
    if len(message.other_information) == 26:
        counter = int.from_bytes(message.other_information[18:26], "big")
    key = _key(message, private_key, peer, mode=_ENCRYPTION, counter=counter, recipient=party)
    found = []
    at = message.unsigned.find(_SECURITY_HEADER)
    while at >= 0:
        found += [text for item in _candidates(message.unsigned, at) if (text := _opened(key, message, item))]
        at = message.unsigned.find(_SECURITY_HEADER, at + 1)
    return found


def addressee(message: Sliced) -> bytes:
    """Whose key deciphers: the supplementary remote party's where one is named, else the recipient's."""
    return message.other_information[2:10] if len(message.other_information) >= 10 else message.recipient


def has_security_header(message: Sliced) -> bool:
    """Does anything look encrypted?"""
    return _SECURITY_HEADER in message.unsigned


def _candidates(octets: bytes, at: int) -> Iterator[bytes]:
    """What stands there by a length of one octet before it, or of two."""
    for length in {int.from_bytes(octets[at - width : at], "big") for width in (1, 2)}:
        if len(_SECURITY_HEADER) + _MAC < length <= len(octets) - at:
            yield octets[at + len(_SECURITY_HEADER) : at + length]


def _opened(key: bytes, message: Sliced, item: bytes) -> bytes:
    tag = item[-_MAC:]
    decryptor = Cipher(algorithms.AES128(key), modes.GCM(_vector(message), tag, min_tag_length=_MAC)).decryptor()
    decryptor.authenticate_additional_data(_SECURITY_HEADER[:1])
    text = decryptor.update(item[:-_MAC])
    try:
        return text + decryptor.finalize()
    except InvalidTag:
        return b""


def _vector(message: Sliced) -> bytes:
    return message.originator + bytes(4)


def _key(
    message: Sliced,
    private_key: ec.EllipticCurvePrivateKey,
    peer: ec.EllipticCurvePublicKey,
    *,
    mode: int,
    counter: int,
    recipient: bytes,
) -> bytes:
    z = private_key.exchange(ec.ECDH(), peer)
    other = bytes.fromhex("60857406080300") + message.originator + b"\x09" + bytes([mode])
    other += counter.to_bytes(8, "big") + recipient
    return hashlib.sha256(b"\0\0\0\1" + z + other).digest()[:16]
