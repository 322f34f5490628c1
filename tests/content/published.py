"""The DCC's published messages and test keys (KEYBROKER_RTDS), and GBCS cryptography on the host for comparison.

``compute`` does with ``cryptography`` and a private key what the module is asked to do: handbook 1.7-1.10.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from keybroker.content.use import Agreement, DecryptionUse, Enciphered, MacCheckUse, MacUse, Use


@dataclass(frozen=True)
class Message:
    name: str
    kind: str
    octets: bytes


def directory() -> Path:
    """Skips, loudly, where the published vectors are not at hand."""
    found = os.environ.get("KEYBROKER_RTDS")
    if not found:
        pytest.skip("KEYBROKER_RTDS is unset: the DCC's published messages are NOT tested")
    return Path(found)


@cache
def read_messages(where: Path) -> list[Message]:
    with (where / "rtds.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Message(row["name"], row["kind"], bytes.fromhex(row["hex"])) for row in rows]


@cache
def read_certificates(where: Path) -> Mapping[str, bytes]:
    """DER by file name: ``<eui>-ka`` and ``<eui>-ds``."""
    texts = {path.stem: path.read_bytes() for path in (where / "keys").glob("*.pem")}
    return {
        name: x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER)
        for name, text in texts.items()
        if b"BEGIN CERTIFICATE" in text
    }


@cache
def read_private_keys(where: Path) -> Mapping[str, ec.EllipticCurvePrivateKey]:
    found = {}
    for path in (where / "keys").glob("*.key"):
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        found[path.stem] = key
    return found


def agreed_key(private: ec.EllipticCurvePrivateKey, agreement: Agreement) -> bytes:
    peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), agreement.peer)
    z = private.exchange(ec.ECDH(), peer)
    return hashlib.sha256(b"\0\0\0\1" + z + agreement.other_information).digest()[:16]


def tag_of(key: bytes, initialisation_vector: bytes, authenticated: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES128(key), modes.GCM(initialisation_vector)).encryptor()
    encryptor.authenticate_additional_data(authenticated)
    encryptor.finalize()
    return encryptor.tag


def compute(private: ec.EllipticCurvePrivateKey, use: Use) -> tuple[bytes, ...]:
    """What the module would give. Raises: InvalidTag, AssertionError where a MAC or encrypted item is not right."""
    match use:
        case MacUse():
            tag = tag_of(agreed_key(private, use.agreement), use.initialisation_vector, use.authenticated)
            return (tag[: use.tag_octets],)
        case MacCheckUse():
            tag = tag_of(agreed_key(private, use.agreement), use.initialisation_vector, use.authenticated)
            assert tag[: len(use.tag)] == use.tag
            return ()
        case DecryptionUse():
            key = agreed_key(private, use.agreement)
            return tuple(_decipher(key, use.initialisation_vector, item) for item in use.items)
        case _:
            raise AssertionError(use)


def _decipher(key: bytes, vector: bytes, item: Enciphered) -> bytes:
    decryptor = Cipher(algorithms.AES128(key), modes.GCM(vector, item.tag, min_tag_length=12)).decryptor()
    decryptor.authenticate_additional_data(item.authenticated)
    return decryptor.update(item.ciphertext) + decryptor.finalize()
