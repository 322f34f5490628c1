"""Is this a checkpoint of a ledger? C2SP tlog-checkpoint's text, without signature lines: three lines ended by 0x0A.

    origin                    not empty, UTF-8 without control characters
    tree size                 decimal, no leading zero, below 2**64
    root hash                 standard base64 of 32 octets

Source: C2SP tlog-checkpoint; signed-note for what text may hold. Extension lines are refused: our ledger writes none.
Signed by a key of its own purpose (SEC G2.45); whether the origin is this ledger's is policy's question.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256

from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind

_SOURCE = "C2SP tlog-checkpoint"
_MOST_DIGITS = 20  # of 2**64 - 1
_HASH_LENGTH = 32


def encode_checkpoint(origin: str, tree_size: int, root_hash: bytes) -> bytes:
    """The checkpoint's text. What could not be read back is not written. Raises: ContentMalformed."""
    octets = f"{origin}\n{tree_size}\n{b64encode(root_hash).decode('ascii')}\n".encode("utf-8", "surrogatepass")
    decode_checkpoint(octets)
    return octets


def decode_checkpoint(octets: bytes) -> AuditCheckpoint:
    """Read the three lines. Raises: ContentMalformed."""
    lines = octets.split(b"\n")
    if len(lines) != 4 or lines[3]:
        found = f"{len(lines) - 1} line ends, then {len(lines[-1])} octets"
        raise _malformed(0, "three lines, each ended by 0x0A, and no more", found)
    size_offset = len(lines[0]) + 1
    return AuditCheckpoint(
        kind=ContentKind.AUDIT_CHECKPOINT,
        octets=octets,
        sha256=sha256(octets).digest(),
        origin=_read_origin(lines[0]),
        tree_size=_read_tree_size(lines[1], size_offset),
        root_hash=_read_root_hash(lines[2], size_offset + len(lines[1]) + 1),
    )


def _read_origin(line: bytes) -> str:
    expected = "an origin in UTF-8, not empty, without control characters"
    try:
        origin = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(error.start, expected, "octets that are no UTF-8") from error
    if not line:
        raise _malformed(0, expected, "an empty line")
    for offset, octet in enumerate(line):
        if octet < 0x20 or octet == 0x7F:
            raise _malformed(offset, expected, f"0x{octet:02X}")
    return origin


def _read_tree_size(line: bytes, offset: int) -> int:
    canonical = line.isdigit() and len(line) <= _MOST_DIGITS and (line == b"0" or not line.startswith(b"0"))
    if not canonical or int(line) >= 2**64:
        expected = "a decimal tree size below 2**64 without leading zero"
        raise _malformed(offset, expected, f"{len(line)} octets: {_shown(line)}")
    return int(line)


def _read_root_hash(line: bytes, offset: int) -> bytes:
    expected = "standard base64 of a root hash of 32 octets"
    try:
        root_hash = b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(offset, expected, f"{len(line)} octets that are no base64: {_shown(line)}") from error
    if len(root_hash) != _HASH_LENGTH:
        raise _malformed(offset, expected, f"{len(root_hash)} octets")
    if b64encode(root_hash) != line:
        raise _malformed(offset, expected, f"another spelling: {_shown(line)}")
    return root_hash


def _shown(line: bytes) -> str:
    """The line's beginning, fit for a message: what is not printable ASCII is escaped."""
    return repr(line[:48])[1:]


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
