"""How is a DUIS document made ready to be signed? White space between elements is taken out, and nothing else changes.

Those who verify a DUIS signature parse against the schema and drop such white space, so a signature over it fails
there: the broker refuses it. A placeholder signature and comments are for the caller to take out.
"""

from __future__ import annotations

import re

_after_end = re.compile(rb"(</[^<>]*>|<[^<>]*/>)[ \t\r\n]+(?=<)")
_after_start = re.compile(rb"(<[^/<>][^<>]*(?<!/)>)[ \t\r\n]+(?=<[^/])")
_MARKUP_REFUSED = (b"<![CDATA[", b"<!--", b"<!DOCTYPE", b"<?")


def strip_white_space(document: bytes) -> bytes:
    """The document (UTF-8) without white space between its elements; the text of an element stays as it is.

    White space alone in an element without others stays too (it could be meant), and the broker refuses it.

    Raises: ValueError where a comment, CDATA section, DOCTYPE or processing instruction stands: take it out first.
    """
    declaration = re.match(rb"<\?xml[^>]*\?>", document)
    start = declaration.end() if declaration else 0
    for markup in _MARKUP_REFUSED:
        if markup in document[start:]:
            raise ValueError(f"expected elements, attributes and text alone, found {markup.decode()}")
    return document[:start] + _after_start.sub(rb"\1", _after_end.sub(rb"\1", document[start:].strip()))
