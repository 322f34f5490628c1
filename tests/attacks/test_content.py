"""Messages made to be read in two ways, to break the decoder, or to say too much."""

from __future__ import annotations

import pytest

from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind
from tests.messages import compose_command, der, der_integer

NUMBER = der_integer(1, 0x83)
CELL = der(0xA2, der_integer(2), b"\x03\x02\x07\x80")


def update_credentials(code: int, *control: bytes, further: bytes = b"") -> bytes:
    """CS02b or CS02g with these members in its control, and ``further`` after its three parts."""
    content = der(0x30, der(0x30, *control), der(0x30), der(0x30), further)
    return compose_command(code, counter=1, content=content)


def activate_firmware(*further: bytes) -> bytes:
    return compose_command(0x0012, counter=1, content=der(0x30, der(0x04, bytes(32)), *further))


MALFORMED = {
    "a sequence number of thousands of digits": activate_firmware(der(0x02, b"\x01", bytes(2_500))),
    "an execution time that is no time": activate_firmware(der_integer(1), der(0x18, b"tomorrow")),
    "an execution time with two spellings": activate_firmware(der_integer(1), der(0x18, b"20300101000000.50Z")),
    "a symmetric key outside anyByContingency": update_credentials(
        0x0102, der_integer(2), der(0x80, b"k" * 16), NUMBER
    ),
    "a member of another class": update_credentials(0x0102, der_integer(2), NUMBER, der(0xC4, b"1")),
    "a member beyond [6]": update_credentials(0x0102, der_integer(2), NUMBER, der(0x89, b"1")),
    "a number in constructed form": update_credentials(0x0102, der_integer(2), NUMBER, der(0xA4, der_integer(3))),
    "a fourth part": update_credentials(0x0102, der_integer(2), NUMBER, further=der(0x30)),
    "a second [3], constructed": update_credentials(0x0126, der_integer(0), der(0xA3, der_integer(7)), NUMBER),
    "a second [3] of another class": update_credentials(0x0126, der_integer(0), NUMBER, der(0xC3, b"\x07")),
    "unused bits that are not zero": update_credentials(0x0102, der_integer(2), CELL[:-1] + b"\xff", NUMBER),
    "more unused bits than an octet has": update_credentials(
        0x0102, der_integer(2), der(0xA2, b"\x03\x02\x08\x80"), NUMBER
    ),
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=list(MALFORMED))
def test_refuses_as_malformed(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        decode(ContentKind.PRE_COMMAND, octets)


@pytest.mark.parametrize(
    "octets",
    [activate_firmware(b"\x05\x00" * 30_000), update_credentials(0x0102, der_integer(2), b"\x05\x00" * 30_000)],
    ids=["CS06", "CS02b"],
)
def test_says_what_it_found_in_a_sentence_that_a_reply_can_carry(octets: bytes) -> None:
    with pytest.raises(ContentMalformed) as refused:
        decode(ContentKind.PRE_COMMAND, octets)
    assert len(refused.value.sentence) < 512


def test_still_takes_what_the_vectors_hold() -> None:
    floor, others = der_integer(0, 0x84), der(0xA6, der(0x30))
    octets = update_credentials(
        0x0102, der_integer(2), der(0x81, b"\x01"), CELL, NUMBER, floor, others, further=der(0x18, b"20300101000000Z")
    )
    assert decode(ContentKind.PRE_COMMAND, octets).octets == octets
