"""DUIS documents put together for the tests of their reading and their signing: a good one, signed, and changed."""

from __future__ import annotations

from keybroker.content.decoding import decode
from keybroker.content.service_request import ServiceRequest
from keybroker.terms import ContentKind
from tests import duis, messages
from tests.duis import a_request

GOOD = a_request()
SIGNED = duis.sign(GOOD, 1, duis.a_certificate(1, "87"))
PRE_COMMAND = messages.compose_command(0x0050)


NOTE = "<sr:Note>{}</sr:Note>"


def at(text: str, document: bytes = GOOD) -> int:
    return document.index(text.encode())


def in_body(text: str) -> bytes:
    return a_request(body=f"<sr:DisplayMessage>{text}</sr:DisplayMessage>")


def read(document: bytes) -> ServiceRequest:
    content = decode(ContentKind.SERVICE_REQUEST, document)
    assert isinstance(content, ServiceRequest)
    return content


CERTIFICATE = duis.a_certificate(1, "87")
