"""A request as octets on the wire, made by hand: HTTP/2 (RFC 9113) with one gRPC call, for peers that no library plays.

Header fields stand there literally and without an index (RFC 7541 section 6.2.2), so that nothing has to be remembered.
"""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, DATA = 0x4, 0x1, 0x0
END_STREAM, END_HEADERS = 0x1, 0x4


def call(path: str, message: bytes) -> bytes:
    """Everything that a client sends for a unary call of one message."""
    fields = {
        ":method": "POST",
        ":scheme": "https",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    head = b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields.items())
    body = b"\x00" + len(message).to_bytes(4, "big") + message
    return (
        PREFACE
        + _frame(SETTINGS, 0, 0, b"")
        + _frame(HEADERS, END_HEADERS, 1, head)
        + _frame(DATA, END_STREAM, 1, body)
    )


def _frame(kind: int, flags: int, stream: int, octets: bytes) -> bytes:
    return len(octets).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + octets


def _text(text: str) -> bytes:
    """Of fewer than 127 octets, not Huffman coded."""
    octets = text.encode()
    assert len(octets) < 127
    return bytes([len(octets)]) + octets
