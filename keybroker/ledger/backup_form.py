"""How is a back-up of a ledger written, so that only its recipients read it and no part of it can be changed? Pure.

SEC G2.16(a). The file: a line that says what it is; four octets, the length of the header (big-endian); the header,
canonical JSON; then the database in chunks of one mebibyte, the last one shorter or as long, each under AES-256-GCM
with a key of this file alone. Nonce: the chunk's number (11 octets, big-endian) and 1 for the last chunk, else 0; the
additional data is SHA-256 of all that stands before the chunks. So chunks cannot be changed, exchanged, left out or
added, and a file that was cut anywhere is refused. The header holds that key once for each recipient, sealed as CMS
AuthEnvelopedData to his certificate, which ``openssl cms`` opens too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json, decode, encode

MAGIC = b"keybroker ledger back-up 1\n"
CHUNK = 1 << 20
KEY_OCTETS = 32
_TAG, _LENGTH = 16, 4
_LONGEST_HEADER = 1 << 20
_FIELDS = frozenset({"at", "deployment", "octets", "origin", "recipients", "root_hash", "sha256", "tree_size", "v"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What everybody may read of a back-up: whose ledger it is, its head, SHA-256 (hex) and length of the database.

    ``recipients``: SHA-256 (hex) of each certificate, and the envelope that its owner opens to the key (32 octets).
    """

    origin: str
    deployment: str
    at: str
    tree_size: int
    root_hash: str
    octets: int
    sha256: str
    recipients: tuple[tuple[str, bytes], ...]

    def encoded(self) -> bytes:
        """The whole of what stands before the chunks."""
        told: dict[str, Json] = {
            "at": self.at,
            "deployment": self.deployment,
            "octets": self.octets,
            "origin": self.origin,
            "recipients": [[certificate, envelope.hex()] for certificate, envelope in self.recipients],
            "root_hash": self.root_hash,
            "sha256": self.sha256,
            "tree_size": self.tree_size,
            "v": 1,
        }
        octets = encode(told)
        return MAGIC + len(octets).to_bytes(_LENGTH, "big") + octets

    def envelope_for(self, certificate: bytes) -> bytes:
        """The envelope to the owner of this certificate (DER). Raises: LedgerBroken where there is none."""
        name = sha256(certificate).hexdigest()
        found = dict(self.recipients).get(name)
        if found is None:
            whose = ", ".join(each for each, _ in self.recipients)
            raise LedgerBroken(f"back-up: expected a recipient {name}, found {whose} (SHA-256 of certificates)")
        return found


def read_header(file: BinaryIO) -> Header:
    """What stands before the chunks, which the file stands at afterwards. Raises: LedgerBroken."""
    magic, length = file.read(len(MAGIC)), int.from_bytes(file.read(_LENGTH), "big")
    if magic != MAGIC or length > _LONGEST_HEADER:
        raise _unfit("a back-up of a ledger, version 1", "something else")
    octets = file.read(length)
    try:
        header = _header(decode(octets))
    except ValueError as error:
        raise _unfit("the header of a back-up", "something else") from error
    # Hexadecimal has several spellings, and what is bound to the chunks is ours.
    if not header.encoded().endswith(octets):
        raise _unfit("the header of a back-up as it was written", "another spelling of it")
    return header


def _header(told: dict[str, Json]) -> Header:
    match told:
        case {
            "v": 1,
            "origin": str(origin),
            "deployment": str(deployment),
            "at": str(at),
            "tree_size": int(size),
            "root_hash": str(root),
            "octets": int(octets),
            "sha256": str(digest),
            "recipients": list(recipients),
        } if frozenset(told) == _FIELDS and octets > 0:
            return Header(
                origin=origin,
                deployment=deployment,
                at=at,
                tree_size=size,
                root_hash=root,
                octets=octets,
                sha256=digest,
                recipients=tuple(_recipient(each) for each in recipients),
            )
        case _:
            raise ValueError("fields")


def _recipient(told: Json) -> tuple[str, bytes]:
    match told:
        case [str(certificate), str(envelope)]:
            return certificate, bytes.fromhex(envelope)
        case _:
            raise ValueError("a recipient")


def sealed_chunks(database: BinaryIO, header: Header, key: bytes) -> Iterator[bytes]:
    """The chunks of a database that is as long as the header says. Raises: LedgerBroken where it is not."""
    gcm, bound = AESGCM(key), sha256(header.encoded()).digest()
    for number, length in _lengths(header.octets):
        chunk = database.read(length)
        if len(chunk) != length:
            raise _unfit(f"a database of {header.octets} octets", "fewer")
        yield gcm.encrypt(_nonce(number, header.octets), chunk, bound)


def opened_chunks(file: BinaryIO, header: Header, key: bytes) -> Iterator[bytes]:
    """The database's octets again, chunk by chunk: nothing is given that was not authenticated, and it is whole when
    this ends without an error.

    Raises: LedgerBroken for a file that was changed, cut or lengthened, or is of another key.
    """
    gcm, bound, digest = AESGCM(key), sha256(header.encoded()).digest(), sha256()
    for number, length in _lengths(header.octets):
        sealed = file.read(length + _TAG)
        if len(sealed) != length + _TAG:
            raise _unfit(f"chunk {number} whole", "a file that was cut there")
        try:
            chunk = gcm.decrypt(_nonce(number, header.octets), sealed, bound)
        except InvalidTag as error:
            raise _unfit(f"chunk {number} as it was sealed", "another") from error
        digest.update(chunk)
        yield chunk
    if file.read(1):
        raise _unfit("nothing behind the last chunk", "more")
    if digest.hexdigest() != header.sha256:
        raise _unfit(f"a database with SHA-256 {header.sha256}", digest.hexdigest())


def _lengths(octets: int) -> Iterator[tuple[int, int]]:
    """Number and length of each chunk."""
    for number in range(-(-octets // CHUNK)):
        yield number, min(CHUNK, octets - number * CHUNK)


def _nonce(number: int, octets: int) -> bytes:
    is_last = (number + 1) * CHUNK >= octets
    return number.to_bytes(11, "big") + bytes([is_last])


def _unfit(expected: str, found: str) -> LedgerBroken:
    return LedgerBroken(f"back-up: expected {expected}, found {found}")
