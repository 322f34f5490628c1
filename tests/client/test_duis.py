"""White space between elements is taken out, and nothing else is changed."""

from __future__ import annotations

import pytest
from lxml import etree

from keybroker.client.duis import strip_white_space
from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind
from tests import duis
from tests.duis import a_request

GOOD = a_request(body="<sr:DisplayMessage><sr:Note>a  &gt; b &lt;c</sr:Note><sr:Empty/></sr:DisplayMessage>")


def pretty(document: bytes) -> bytes:
    root = etree.fromstring(document)
    etree.indent(root)
    return duis.DECLARATION.encode() + etree.tostring(root) + b"\n"


def test_a_document_laid_out_for_reading_is_refused_until_it_is_stripped() -> None:
    with pytest.raises(ContentMalformed, match=r"keybroker\.client\.duis\.strip_white_space"):
        decode(ContentKind.SERVICE_REQUEST, pretty(GOOD))
    stripped = decode(ContentKind.SERVICE_REQUEST, strip_white_space(pretty(GOOD)))
    assert stripped.sha256 == decode(ContentKind.SERVICE_REQUEST, GOOD).sha256


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\n\t  "])
def test_every_kind_of_white_space_goes(line_end: bytes) -> None:
    spread = GOOD.replace(b"><", b">" + line_end + b"<")
    assert strip_white_space(spread) == strip_white_space(GOOD)


def test_text_stays_as_it_is() -> None:
    text = b"<a><b> x </b><c>y > </c><d> </d><e f='>' /></a>"
    assert strip_white_space(text) == text


@pytest.mark.parametrize("markup", [b"<!-- a -->", b"<![CDATA[a]]>", b"<?a?>", b"<!DOCTYPE a>"])
def test_refuses_what_is_for_the_caller_to_take_out(markup: bytes) -> None:
    with pytest.raises(ValueError, match="found"):
        strip_white_space(GOOD.replace(b"<sr:Empty/>", markup))
