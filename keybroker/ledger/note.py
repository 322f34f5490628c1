"""What was signed, and which signatures stand below it? C2SP signed-note: a text, an empty line, signature lines. Pure.

    text                      ends with 0x0A; it may hold empty lines, the last one in the note ends it
    (empty line)
    — name base64             one or more: U+2014, space, key name, space, 4 octets of key id and the signature

Source: C2SP signed-note, section Format. The whole is UTF-8 without control characters below U+0020 but 0x0A; key names
are not empty and hold no Unicode space and no "+". Base64 is that of RFC 4648 section 4, in its one spelling: a note is
read only when writing it again gives the same octets. Nothing of a note may be relied on before a key that is trusted
has verified it (``note_keys``).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from keybroker.errors import ContentMalformed

KEY_ID_OCTETS = 4
MOST_SIGNATURES = 64
"""A verifier must accept sixteen and should have a limit (section Format); witnesses of one ledger are a handful."""

_DASH = "\u2014 ".encode()
_SOURCE = "C2SP signed-note, Format"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line. Name and key id together say whose key it is and by which algorithm (section Signatures)."""

    name: str
    key_id: bytes
    """4 octets, big-endian as the specification counts them."""
    signature: bytes

    @property
    def line(self) -> bytes:
        """The line as it stands in a note, with its line end."""
        encoded = b64encode(self.key_id + self.signature)
        return _DASH + self.name.encode("utf-8", "surrogatepass") + b" " + encoded + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """``body`` is what is signed: the text with its last 0x0A, without the empty line behind it."""

    body: bytes
    signatures: tuple[NoteSignature, ...]


def write_note(note: Note) -> bytes:
    """The note's octets. What could not be read back as the same note is not written. Raises: ContentMalformed."""
    octets = note.body + b"\n" + b"".join(signature.line for signature in note.signatures)
    if read_note(octets) != note:
        raise _malformed(0, "a note that reads back as it was", "one that reads as another")
    return octets


def read_note(octets: bytes) -> Note:
    """Read text and signature lines; verifies nothing. Raises: ContentMalformed."""
    _check_text(octets)
    end = octets.rfind(b"\n\n")
    if end < 0:
        raise _malformed(len(octets), "an empty line behind the text", "none")
    return Note(body=octets[: end + 1], signatures=_read_lines(octets, end + 2))


def read_signature_lines(octets: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines alone, one or more, as C2SP tlog-witness's add-checkpoint answers. Raises: ContentMalformed."""
    _check_text(octets)
    return _read_lines(octets, 0)


def check_key_name(name: str) -> None:
    """May a key be called so? Raises: ContentMalformed."""
    _check_text(name.encode("utf-8", "surrogatepass"))
    _check_name(name, 0)


def _check_text(octets: bytes) -> None:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(error.start, "UTF-8", "octets that are not") from error
    for offset, octet in enumerate(octets):
        if octet < 0x20 and octet != 0x0A:
            raise _malformed(offset, "no control character but 0x0A", f"0x{octet:02X}")


def _read_lines(octets: bytes, start: int) -> tuple[NoteSignature, ...]:
    """The lines from ``start`` to the end, of which the last is ended by 0x0A too."""
    if not octets.endswith(b"\n") or start >= len(octets):
        raise _malformed(len(octets), "signature lines, each ended by 0x0A", "an end without one")
    lines = octets[start:-1].split(b"\n")
    if len(lines) > MOST_SIGNATURES:
        raise _malformed(start, f"{MOST_SIGNATURES} signature lines at most", f"{len(lines)}")
    signatures = []
    for line in lines:
        signatures.append(_read_line(line, start))
        start += len(line) + 1
    return tuple(signatures)


def _read_line(line: bytes, offset: int) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).rpartition(b" ")
    if not line.startswith(_DASH) or not space:
        raise _malformed(offset, "em dash, space, key name, space, base64", _shown(line))
    offset += len(_DASH)
    read = name.decode("utf-8")
    _check_name(read, offset)
    octets = _read_base64(encoded, offset + len(name) + 1)
    return NoteSignature(name=read, key_id=octets[:KEY_ID_OCTETS], signature=octets[KEY_ID_OCTETS:])


def _check_name(name: str, offset: int) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        expected = 'a key name, not empty, without spaces and "+"'
        raise _malformed(offset, expected, _shown(name.encode("utf-8", "surrogatepass")))


def _read_base64(encoded: bytes, offset: int) -> bytes:
    try:
        octets = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(offset, "standard base64", _shown(encoded)) from error
    if b64encode(octets) != encoded:
        raise _malformed(offset, "base64 in its one spelling", _shown(encoded))
    if len(octets) <= KEY_ID_OCTETS:
        raise _malformed(offset, "a key id of 4 octets, then a signature", f"{len(octets)} octets")
    return octets


def _shown(octets: bytes) -> str:
    """Its beginning, fit for a message: what is not printable ASCII is escaped."""
    return repr(octets[:48])[1:]


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
