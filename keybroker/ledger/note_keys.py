"""Does a key that is trusted verify this note? C2SP signed-note's keys, key ids and verifier keys. Pure.

    0x01  Ed25519NoteKey     RFC 8032 over the text; signed-note, section Ed25519 signatures
    0x02  EcdsaNoteKey       ECDSA on P-256 with SHA-256, in DER (Ecdsa-Sig-Value of RFC 3279 section 2.2.3)
    0x04  CosignatureKey     Ed25519 over "cosignature/v1", a time and the text; tlog-cosignature, section Format

The ledger's checkpoints are signed with 0x02, because a PKCS#11 module that serves the SEC holds P-256 keys: section
Signature types of signed-note assigns it to "ECDSA signatures as implemented by github.com/transparency-dev/witness",
allows P-256, and makes its key id the first four octets of SHA-256 of the DER SubjectPublicKeyInfo, without the name.
The other two ids are those of SHA-256(name || 0x0A || type || public key). Other types are refused: which
implementations "SHOULD avoid supporting at runtime" (the same section).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.errors import ContentMalformed, NoteUnfit
from keybroker.ledger.note import KEY_ID_OCTETS, Note, NoteSignature, check_key_name

_ED25519, _ECDSA, _COSIGNATURE = b"\x01", b"\x02", b"\x04"
_POINT_OCTETS = 65
_SCALAR_OCTETS = 32
_ED25519_OCTETS = 32
_SIGNATURE_OCTETS = 64
_TIME_OCTETS = 8

_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""All of a DER SubjectPublicKeyInfo on P-256 that stands before its point (RFC 5480 section 2)."""


class NoteKey(Protocol):
    """A public key under a name, for signatures of one type."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes:
        """4 octets."""

    @property
    def material(self) -> bytes:
        """Signature type and public key, as a verifier key holds them."""

    def verify(self, body: bytes, signature: bytes) -> None:
        """Raises: NoteUnfit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EcdsaNoteKey:
    """``point``: uncompressed, 65 octets 04 || x || y, on P-256."""

    name: str
    point: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(_SPKI_PREFIX + self.point).digest()[:KEY_ID_OCTETS]

    @property
    def material(self) -> bytes:
        return _ECDSA + _SPKI_PREFIX + self.point

    def signature(self, r_and_s: bytes) -> NoteSignature:
        """What a module gave for SHA-256 of the text (r || s, 64 octets), as a line of the note."""
        r, s = (int.from_bytes(half, "big") for half in (r_and_s[:_SCALAR_OCTETS], r_and_s[_SCALAR_OCTETS:]))
        return NoteSignature(name=self.name, key_id=self.key_id, signature=encode_dss_signature(r, s))

    def verify(self, body: bytes, signature: bytes) -> None:
        """``signature`` is DER in its one encoding. Raises: NoteUnfit."""
        try:
            r, s = decode_dss_signature(signature)
            if encode_dss_signature(r, s) != signature:
                raise _unverified(self)
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.point)
            key.verify(signature, body, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError) as error:
            raise _unverified(self) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519NoteKey:
    """``public_key``: 32 octets (RFC 8032)."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        return _key_id(self)

    @property
    def material(self) -> bytes:
        return _ED25519 + self.public_key

    def verify(self, body: bytes, signature: bytes) -> None:
        """Raises: NoteUnfit."""
        _verify_ed25519(self, self.public_key, body, signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignatureKey:
    """A witness's key, ``public_key`` of 32 octets. Its signatures are a time (8 octets) and an Ed25519 signature."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        return _key_id(self)

    @property
    def material(self) -> bytes:
        return _COSIGNATURE + self.public_key

    def signature(self, timestamp: int, signature: bytes) -> NoteSignature:
        """An Ed25519 signature over ``cosigned_message``, as a line of the note."""
        timed = timestamp.to_bytes(_TIME_OCTETS, "big") + signature
        return NoteSignature(name=self.name, key_id=self.key_id, signature=timed)

    def verify(self, body: bytes, signature: bytes) -> None:
        """Raises: NoteUnfit."""
        timestamp = int.from_bytes(signature[:_TIME_OCTETS], "big")
        if len(signature) != _TIME_OCTETS + _SIGNATURE_OCTETS or not 0 < timestamp < 2**63:
            raise _unverified(self)
        _verify_ed25519(self, self.public_key, cosigned_message(body, timestamp), signature[_TIME_OCTETS:])

    def cosigned_at(self, note: Note) -> int:
        """When this witness cosigned the note, in POSIX seconds; the latest when it did so twice. Raises: NoteUnfit."""
        lines = check_signed(note, self)
        return max(int.from_bytes(line.signature[:_TIME_OCTETS], "big") for line in lines)


def cosigned_message(body: bytes, timestamp: int) -> bytes:
    """What a witness signs of a checkpoint's text (tlog-cosignature, section Ed25519 signed message)."""
    return b"cosignature/v1\ntime %d\n%b" % (timestamp, body)


def check_signed(note: Note, key: NoteKey) -> tuple[NoteSignature, ...]:
    """The key's signatures in the note, one or more; each of them verifies, or the whole note is refused.

    Raises: NoteUnfit.
    """
    lines = tuple(each for each in note.signatures if (each.name, each.key_id) == (key.name, key.key_id))
    if not lines:
        raise NoteUnfit(f"the note bears no signature of {key.name} with key id {key.key_id.hex()}: expected one")
    for line in lines:
        key.verify(note.body, line.signature)
    return lines


def write_vkey(key: NoteKey) -> str:
    """The verifier key: name, key id in hexadecimal, and type and public key in base64, joined by "+"."""
    return f"{key.name}+{key.key_id.hex()}+{b64encode(key.material).decode('ascii')}"


def read_vkey(text: str) -> EcdsaNoteKey | Ed25519NoteKey | CosignatureKey:
    """Read a verifier key, whose key id must be its key's. Raises: ContentMalformed."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    check_key_name(name)
    try:
        key = _read_material(name, b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _no_vkey("standard base64 of type and public key", "something else") from error
    if write_vkey(key) != text:
        raise _no_vkey(f"key id {key.key_id.hex()}, and each part in its one spelling", "another")
    return key


def _read_material(name: str, material: bytes) -> EcdsaNoteKey | Ed25519NoteKey | CosignatureKey:
    """Raises: ValueError when the public key is none; ContentMalformed."""
    kind, octets = material[:1], material[1:]
    if kind == _ECDSA and octets.startswith(_SPKI_PREFIX) and len(octets) == len(_SPKI_PREFIX) + _POINT_OCTETS:
        point = octets[len(_SPKI_PREFIX) :]
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        return EcdsaNoteKey(name=name, point=point)
    if kind in (_ED25519, _COSIGNATURE) and len(octets) == _ED25519_OCTETS:
        return (Ed25519NoteKey if kind == _ED25519 else CosignatureKey)(name=name, public_key=octets)
    expected = "type 01 or 04 and 32 octets of Ed25519, or type 02 and a SubjectPublicKeyInfo on P-256"
    raise _no_vkey(expected, f"type {kind.hex() or 'missing'} and {len(octets)} octets")


def _key_id(key: Ed25519NoteKey | CosignatureKey) -> bytes:
    return sha256(key.name.encode() + b"\n" + key.material).digest()[:KEY_ID_OCTETS]


def _verify_ed25519(key: NoteKey, public_key: bytes, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise _unverified(key) from error


def _unverified(key: NoteKey) -> NoteUnfit:
    return NoteUnfit(f"a signature of {key.name} with key id {key.key_id.hex()} does not verify over the note's text")


def _no_vkey(expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=0, expected=expected, found=found, source="C2SP signed-note, Verifier keys")
