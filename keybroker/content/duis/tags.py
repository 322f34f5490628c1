"""Are these octets of the small part of XML that DUIS documents need? A walk over tags, before any parser sees them.

The part: UTF-8 without a byte order mark; at most the XML declaration; elements and attributes; text in which the five
predefined entities may stand. No DOCTYPE, no other entity, no comment, processing instruction or CDATA section, no
character reference, no carriage return, no white space between elements. Every refusal tells the octet. What passes has
one reading, whichever parser reads it. Sources: XML 1.0; handbook 4.3.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from keybroker.errors import ContentMalformed

_SOURCE = "DUIS XML, handbook 4.3"
_MOST_OCTETS = 1 << 18
_MOST_DEPTH = 32

_NAME = rb"[A-Za-z_][A-Za-z0-9_.\-]*+(?::[A-Za-z_][A-Za-z0-9_.\-]*+)?+"
_SPACE = rb"[ \t\n]"
_VALUE = rb"(?:\"[^\"<&\t\r\n]*+\"|'[^'<&\t\r\n]*+')"
_ATTRIBUTE = _SPACE + rb"++" + _NAME + _SPACE + rb"*+=" + _SPACE + rb"*+" + _VALUE

_match_declaration = re.compile(
    rb"<\?xml version=(?:\"1\.0\"|'1\.0')(?: encoding=(?:\"UTF-8\"|'UTF-8'))?+"
    rb"(?: standalone=(?:\"yes\"|\"no\"|'yes'|'no'))?+ ?\?>",
    re.IGNORECASE,
).match
_match_space = re.compile(_SPACE + rb"*+").match
_find_names = re.compile(_SPACE + rb"++(" + _NAME + rb")" + _SPACE + rb"*+=" + _SPACE + rb"*+" + _VALUE).findall
_match_start = re.compile(rb"<" + _NAME + rb"(?:" + _ATTRIBUTE + rb")*+" + _SPACE + rb"*+(/?+)>").match
_match_end = re.compile(rb"</" + _NAME + _SPACE + rb"*+>").match
_match_text = re.compile(rb"(?:[^<&\r]|&(?:amp|lt|gt|quot|apos);|&#(?:13|x[dD]);)++").match

_CARRIAGE_RETURNS = (b"&#13;", b"&#xD;", b"&#xd;")

WHITE_SPACE_REMEDY = (
    "no white space between elements: those who verify strip it, so a signature over it fails there; strip it before"
    " signing (keybroker.client.duis.strip_white_space)"
)


class Tags(NamedTuple):
    """``starts`` are the offsets of all start tags in document order; ``root_end`` is that of the last end tag.

    ``carriage_return`` is the offset of the first character reference to one, which only a signature's base64 may hold.
    ``declaring`` are those of the start tags below the root that declare a namespace, anew or once more.
    """

    starts: list[int]
    root_end: int
    carriage_return: int | None
    declaring: frozenset[int]


def read_tags(octets: bytes) -> Tags:
    """Walk over the whole document. Raises: ContentMalformed."""
    _check_octets(octets)
    declaration = _match_declaration(octets)
    position = _skip_space(octets, declaration.end() if declaration else 0)
    starts: list[int] = []
    declaring: set[int] = set()
    carriage_return: int | None = None
    depth, root_end, after_start = 0, 0, False
    while not starts or depth:
        if start := _match_start(octets, position):
            if _declares(start[0], position) and starts:
                declaring.add(position)
            starts.append(position)
            after_start, position = not start[1], start.end()
            depth += after_start
            if depth > _MOST_DEPTH:
                raise _malformed(starts[-1], f"elements at most {_MOST_DEPTH} deep", "more")
        elif depth and (end := _match_end(octets, position)):
            depth, after_start, root_end, position = depth - 1, False, position, end.end()
        elif depth and (text := _match_text(octets, position)):
            _check_text(octets, position, text[0], after_start)
            if carriage_return is None:
                carriage_return = _find_carriage_return(text[0], position)
            after_start, position = False, text.end()
        else:
            raise _unexpected(octets, position, "an end tag" if starts else "one root element")
    position = _skip_space(octets, position)
    if position != len(octets):
        raise _unexpected(octets, position, "the end after one root element")
    return Tags(starts, root_end, carriage_return, frozenset(declaring))


def _check_octets(octets: bytes) -> None:
    if len(octets) > _MOST_OCTETS:
        raise _malformed(_MOST_OCTETS, f"at most {_MOST_OCTETS} octets", f"{len(octets)}")
    if octets[:3] == b"\xef\xbb\xbf":
        raise _malformed(0, "UTF-8 without a byte order mark", "one")
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"0x{octets[error.start]:02X}"
        raise _malformed(error.start, "UTF-8, and no other encoding", found) from error
    carriage_return = octets.find(b"\r")
    if carriage_return >= 0:
        raise _malformed(carriage_return, "lines that end in 0x0A, if any", "a carriage return")


def _skip_space(octets: bytes, position: int) -> int:
    space = _match_space(octets, position)
    return space.end() if space else position


def _declares(tag: bytes, position: int) -> bool:
    """Does a start tag declare namespaces? The prefix ``xml`` needs no declaration, and canonical forms have none."""
    names = _find_names(tag) if b"xmlns" in tag else []
    if b"xmlns:xml" in names:
        raise _malformed(position, "no declaration of the prefix xml, which has its namespace anyway", "one")
    return any(name == b"xmlns" or name.startswith(b"xmlns:") for name in names)


def _check_text(octets: bytes, position: int, text: bytes, after_start: bool) -> None:
    """Text fills an element without others: it follows a start tag, and an end tag follows it."""
    if not text.strip(b" \t\n"):
        raise _malformed(position, WHITE_SPACE_REMEDY, f"{len(text)} octets of it")
    following = octets[position + len(text) : position + len(text) + 2]
    if not after_start or (following[:1] == b"<" and following[1:] not in (b"/", b"!", b"?")):
        raise _malformed(position, "text or elements in an element, not both", "text beside an element")


def _find_carriage_return(text: bytes, position: int) -> int | None:
    found = [text.find(each) for each in _CARRIAGE_RETURNS if each in text]
    return position + min(found) if found else None


def _unexpected(octets: bytes, position: int, expected: str) -> ContentMalformed:
    """What stands there instead of a tag or text, or of ``expected``."""
    for what, found in _REFUSED:
        if octets.startswith(what, position):
            return _malformed(position, "elements, attributes and text alone", found)
    return _malformed(position, expected, f"0x{octets[position]:02X}" if position < len(octets) else "the end")


_REFUSED = (
    (b"<!DOCTYPE", "a DOCTYPE"),
    (b"<!--", "a comment"),
    (b"<![CDATA[", "a CDATA section"),
    (b"<!", "a declaration"),
    (b"<?xml ", "an XML declaration other than version 1.0 in UTF-8, at the beginning"),
    (b"<?", "a processing instruction"),
    (b"&#", "a character reference"),
    (b"&", "an entity that is not one of the five predefined"),
    (b"<", "a tag that is not well formed, or one too many"),
)


def _malformed(offset: int, expected: str, found: str) -> ContentMalformed:
    return ContentMalformed(offset=offset, expected=expected, found=found, source=_SOURCE)
