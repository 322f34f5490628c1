"""How does a proof travel as one file? C2SP tlog-proof: index, hashes, an empty line, and the checkpoint. Pure.

    c2sp.org/tlog-proof@v1
    index 73894
    base64 of each hash, from the leaf upwards
    (empty line)
    the checkpoint, a signed note

Source: C2SP tlog-proof, section Format. A proof with a line ``extra`` is refused: ours has none, and nothing of it
would be authenticated. Whose record it is, the leaf hash says, which whoever checks makes himself of the record.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.model import AuditCheckpoint
from keybroker.errors import ContentMalformed
from keybroker.ledger.merkle import HASH_OCTETS
from keybroker.ledger.note import read_note
from keybroker.ledger.note_keys import NoteKey, check_signed
from keybroker.ledger.proofs import MOST_HASHES, check_inclusion

_FIRST = b"c2sp.org/tlog-proof@v1"
_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,19})")
_SOURCE = "C2SP tlog-proof, Format"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """``hashes`` of 32 octets; ``note`` is the checkpoint as it was signed."""

    leaf_index: int
    hashes: tuple[bytes, ...]
    note: bytes


def write_proof(proof: TlogProof) -> bytes:
    lines = [_FIRST, b"index %d" % proof.leaf_index, *map(b64encode, proof.hashes)]
    return b"\n".join(lines) + b"\n\n" + proof.note


def read_proof(octets: bytes) -> TlogProof:
    """Reads; verifies nothing. Raises: ContentMalformed."""
    head, empty, note = octets.partition(b"\n\n")
    first, *rest = head.split(b"\n")
    index = _INDEX.fullmatch(rest[0]) if rest else None
    if first != _FIRST or index is None or not empty:
        raise _malformed(f"{_FIRST.decode()}, an index, hashes, an empty line and a checkpoint", "something else")
    read_note(note)
    return TlogProof(leaf_index=int(index[1]), hashes=_read_hashes(rest[1:]), note=note)


def check_proof(proof: TlogProof, leaf: bytes, key: NoteKey) -> AuditCheckpoint:
    """The leaf (its hash, 32 octets) is in the tree whose checkpoint the ledger's key signed. Answers the checkpoint.

    Raises: ContentMalformed, NoteUnfit, ProofUnfit.
    """
    note = read_note(proof.note)
    check_signed(note, key)
    checkpoint = decode_checkpoint(note.body)
    if checkpoint.origin != key.name:
        raise _malformed(f"a checkpoint of {key.name}", f"one of {checkpoint.origin}")
    check_inclusion(leaf, proof.leaf_index, checkpoint.tree_size, proof.hashes, checkpoint.root_hash)
    return checkpoint


def _read_hashes(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise _malformed(f"{MOST_HASHES} hashes at most", f"{len(lines)}")
    return tuple(map(_read_hash, lines))


def _read_hash(line: bytes) -> bytes:
    try:
        octets = b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("base64 of a hash", repr(line[:48])) from error
    if len(octets) != HASH_OCTETS or b64encode(octets) != line:
        raise _malformed("base64 of a hash of 32 octets, in its one spelling", repr(line[:48]))
    return octets


def _malformed(expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=0, expected=expected, found=found, source=_SOURCE)
