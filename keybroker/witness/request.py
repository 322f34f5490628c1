"""What is asked of a witness? C2SP tlog-witness, section add-checkpoint: the body of a request, and sizes. Pure.

    old SIZE                  the last checkpoint's tree size, as the asker believes that the witness remembers it
    base64                    none to 63 hashes of a consistency proof (RFC 6962 section 2.1.2), one a line
    (empty line)
    checkpoint                a signed note (``ledger/note.py``), whose text is three lines (``content/checkpoint.py``)

Extension lines of a checkpoint are refused, as our decoder does: no ledger of ours writes any.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed
from keybroker.ledger.merkle import HASH_OCTETS
from keybroker.ledger.note import Note, read_note

MOST_HASHES = 63
"""Of a proof: "The client MUST NOT send more than 63 consistency proof lines"."""

SIZE_TYPE = "text/x.tlog.size"
"""The Content-Type of an answer that is a tree size."""

_SOURCE = "C2SP tlog-witness, add-checkpoint"
_OLD = b"old "


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """One request, read. ``checkpoint`` is the note's text; nothing is verified yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: AuditCheckpoint


def write_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of a request. Raises: ContentMalformed where it could not be read."""
    lines = [_OLD + b"%d\n" % old_size, *(b64encode(each) + b"\n" for each in proof), b"\n", note]
    octets = b"".join(lines)
    read_request(octets)
    return octets


def read_request(octets: bytes) -> AddCheckpoint:
    """Raises: ContentMalformed."""
    head, empty, noted = octets.partition(b"\n\n")
    if not empty:
        raise _malformed(len(octets), "an empty line before the checkpoint", "none")
    first, *hashes = head.split(b"\n")
    if not first.startswith(_OLD):
        raise _malformed(0, '"old", a space and a tree size', repr(first[:32])[1:])
    old_size = _size(first[len(_OLD) :], len(_OLD))
    if len(hashes) > MOST_HASHES:
        raise _malformed(len(first) + 1, f"{MOST_HASHES} hashes at most", f"{len(hashes)}")
    proof = []
    offset = len(first) + 1
    for line in hashes:
        proof.append(_hash(line, offset))
        offset += len(line) + 1
    note = read_note(noted)
    return AddCheckpoint(old_size=old_size, proof=tuple(proof), note=note, checkpoint=decode_checkpoint(note.body))


def write_size(size: int) -> bytes:
    """The body of an answer 409: the size of the last checkpoint that was cosigned."""
    return b"%d\n" % size


def read_size(octets: bytes) -> int:
    """Raises: ContentMalformed."""
    if not octets.endswith(b"\n"):
        raise _malformed(len(octets), "a tree size and 0x0A", repr(octets[:32])[1:])
    return _size(octets[:-1], 0)


def _size(line: bytes, offset: int) -> int:
    canonical = line.isdigit() and len(line) <= 20 and (line == b"0" or not line.startswith(b"0"))
    if not canonical or int(line) >= 2**64:
        raise _malformed(offset, "a decimal tree size below 2**64 without leading zero", repr(line[:32])[1:])
    return int(line)


def _hash(line: bytes, offset: int) -> bytes:
    try:
        octets = b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(offset, "base64 of a hash", repr(line[:48])[1:]) from error
    if len(octets) != HASH_OCTETS or b64encode(octets) != line:
        raise _malformed(offset, "base64, in its one spelling, of 32 octets", repr(line[:48])[1:])
    return octets


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
