"""What is a checkpoint's note, from what the records tell of it? C2SP tlog-checkpoint, signed-note. Pure.

The key's name in the note is the ledger's origin ("The first line of the note text is the log's origin", which "SHOULD
match the name of the key" of the log's signature), its type 0x02: ECDSA, on P-256 (``note_keys``).
"""

from __future__ import annotations

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.ledger.note import Note, write_note
from keybroker.ledger.note_keys import EcdsaNoteKey


def checkpoint_note(origin: str, tree_size: int, root_hash: bytes, *, public_key: bytes, signature: bytes) -> bytes:
    """The signed note, octets: ``public_key`` is an uncompressed point (65), ``signature`` r || s (64).

    Raises: ContentMalformed for an origin that may not stand in a note.
    """
    line = EcdsaNoteKey(name=origin, point=public_key).signature(signature)
    return write_note(Note(body=encode_checkpoint(origin, tree_size, root_hash), signatures=(line,)))
