"""Every way in which octets are not the Command they were declared to be: which refusal, and at which offset."""

from __future__ import annotations

import pytest

from keybroker.content.decoding import decode
from keybroker.errors import (
    ContentAlreadySigned,
    ContentIsAlert,
    ContentIsResponse,
    ContentMacWrapped,
    ContentMalformed,
    MessageCodeUnknown,
)
from keybroker.terms import ContentKind
from tests import messages
from tests.messages import SUPPLIER, compose_command, der, der_integer, dlms_content, gbz_content

PRE_COMMAND = compose_command()
CONTENT_OFFSET = 34
END = len(PRE_COMMAND)


def replaced(offset: int, octets: str, message: bytes = PRE_COMMAND) -> bytes:
    new = bytes.fromhex(octets)
    return message[:offset] + new + message[offset + len(new) :]


A_TIME = der(0x18, b"20300101000000Z")


def with_content(code: int, content: bytes, counter: int = 1_000) -> bytes:
    return compose_command(code, counter=counter, content=content)


def with_length_octets(octets: str, content: bytes) -> bytes:
    """The content preceded by these length octets instead of its own."""
    return PRE_COMMAND[: CONTENT_OFFSET - 1] + bytes.fromhex(octets) + content


def update_credentials(code: int, *control: bytes, sequence: int = 0x30) -> bytes:
    return with_content(code, der(0x30, der(sequence, *control), der(0x30), der(0x30)))


MODE_2 = der_integer(2)
NUMBER = der_integer(1_000, 0x83)
MAC_WRAPPED = bytes.fromhex("DD 000000000000 60 11 00000000") + PRE_COMMAND + bytes(13)
DATE_TIME = PRE_COMMAND[:29] + b"\x0c" + bytes(12) + PRE_COMMAND[30:]

REFUSALS = [
    # what is wrong, octets, refusal, offset, part of what was expected, part of what was found
    ("nothing at all", b"", ContentMalformed, 0, "Grouping Header", "the end"),
    ("a MAC wrapper", MAC_WRAPPED, ContentMacWrapped, 0, "0xDF", "0xDD"),
    ("another tag", replaced(0, "DB"), ContentMalformed, 0, "0xDF", "0xDB"),
    ("a transaction-id of 8 octets", replaced(1, "08"), ContentMalformed, 1, "0x09", "0x08"),
    ("CRA flag Response", replaced(2, "02"), ContentIsResponse, 2, "0x01 (Command)", "0x02 (Response)"),
    ("CRA flag Alert", replaced(2, "03"), ContentIsAlert, 2, "0x01 (Command)", "0x03 (Alert)"),
    ("CRA flag 0", replaced(2, "00"), ContentMalformed, 2, "0x01 (Command)", "0x00"),
    ("a Response cut short", replaced(2, "02")[:3], ContentIsResponse, 2, "Command", "Response"),
    ("an originator of 7 octets", replaced(11, "07"), ContentMalformed, 11, "originator length 0x08", "0x07"),
    ("a recipient of 9 octets", replaced(20, "09"), ContentMalformed, 20, "recipient length 0x08", "0x09"),
    ("a date-time", DATE_TIME, ContentMalformed, 29, "date-time length 0x00", "0x0C"),
    ("other-information of 1 octet", replaced(30, "01"), ContentMalformed, 30, "2 octets", "0x01"),
    ("other-information of 10 octets", replaced(30, "0A"), ContentMalformed, 30, "2 octets", "0x0A"),
    ("other-information of 26 octets", replaced(30, "1A"), ContentMalformed, 30, "2 octets", "0x1A"),
    ("other-information of 424 octets", replaced(30, "8201A8"), ContentMalformed, 30, "2 octets", "0x82"),
    ("other-information length not minimal", replaced(30, "8102"), ContentMalformed, 30, "2 octets", "0x81"),
    (
        "an Unknown Remote Party under a code of the supplier's alone",
        compose_command(supplementary=(SUPPLIER, 7)),
        ContentMalformed,
        30,
        "2 octets of other-information for 0x0062",
        "0x12",
    ),
    (
        "an Unknown Remote Party cut short",
        compose_command(messages.UNJOIN, supplementary=(SUPPLIER, 7))[:48],
        ContentMalformed,
        48,
        "18 octets",
        "the end",
    ),
    ("an unknown Message Code", replaced(31, "7FFF"), MessageCodeUnknown, 31, "Message Code", "0x7FFF"),
    ("the Message Code of an Alert", replaced(31, "0061"), ContentMalformed, 31, "of a Command", "0x0061"),
    ("content length 80", with_length_octets("80", b""), ContentMalformed, 33, "81 nn", "0x80"),
    ("content length of 3 octets", with_length_octets("83000014", b""), ContentMalformed, 33, "82 nn nn", "0x83"),
    (
        "content length cut short",
        with_length_octets("8201", b"")[:35],
        ContentMalformed,
        35,
        "2 length octets",
        "the end",
    ),
    (
        "content length 81 where one octet does",
        with_length_octets("8114", dlms_content(1_000)),
        ContentMalformed,
        33,
        "fewest octets for a length of 20",
        "81 14",
    ),
    (
        "content length 82 where 81 does",
        with_length_octets("8200FF", dlms_content(1_000, bytes(249))),
        ContentMalformed,
        33,
        "fewest octets for a length of 255",
        "82 00 FF",
    ),
    (
        "content shorter than its length",
        replaced(33, "15"),
        ContentMalformed,
        END,
        "21 octets from offset 34",
        "after 20",
    ),
    ("content longer than its length", replaced(33, "12"), ContentMalformed, END - 2, "null signature", "2 octets"),
    ("an octet after the content", PRE_COMMAND + b"\x01", ContentMalformed, END, "null signature", "1 octets"),
    ("two octets after the content", PRE_COMMAND + b"\0\0", ContentMalformed, END, "null signature", "2 octets"),
    ("a signature", compose_command(signature=bytes(64)), ContentAlreadySigned, END, "null signature", "64 octets"),
    ("a signature cut short", compose_command(signature=bytes(64))[:-1], ContentMalformed, END, "null", "64 octets"),
    ("a signature and more", compose_command(signature=bytes(64)) + b"\0", ContentMalformed, END, "null", "66 octets"),
    (
        "a null signature and a signature",
        compose_command() + b"\0\x40" + bytes(64),
        ContentMalformed,
        END,
        "null",
        "66",
    ),
    ("a signature length without a signature", PRE_COMMAND + b"\x40", ContentMalformed, END, "null", "0x40"),
    # payload families
    ("no content", with_content(0x62, b""), ContentMalformed, 34, "payload family DLMS for 0x0062", "no content"),
    ("one octet of content", with_content(0x62, b"\xd9"), ContentMalformed, 34, "DLMS", "0xD9"),
    ("a DLMS response", replaced(34, "DA"), ContentMalformed, 34, "DLMS", "0xDA20"),
    ("DLMS without long-invoke-id flags", replaced(35, "00"), ContentMalformed, 34, "DLMS", "0xD900"),
    ("GBZ under a DLMS code", with_content(0x62, gbz_content()), ContentMalformed, 34, "DLMS", "0x0109 (GBZ)"),
    ("ASN.1 under a DLMS code", with_content(0x62, der(0x30)), ContentMalformed, 34, "DLMS", "0x3000 (ASN.1)"),
    ("DLMS under a GBZ code", with_content(0x81, dlms_content(1_000)), ContentMalformed, 34, "GBZ", "0xD920 (DLMS)"),
    ("DLMS under an ASN.1 code", with_content(0x12, dlms_content(1_000)), ContentMalformed, 34, "ASN.1", "DLMS"),
    (
        "an unknown family under an unjudged code",
        with_content(0x116, b"??"),
        ContentMalformed,
        34,
        "DLMS, GBZ",
        "0x3F3F",
    ),
    # DLMS correlations
    ("another invoke-id", replaced(38, "E9"), ContentMalformed, 36, "long-invoke-id 0x0003E8", "0x0003E9"),
    ("another counter", replaced(10, "E9"), ContentMalformed, 36, "long-invoke-id 0x0003E9", "0x0003E8"),
    (
        "DLMS cut in the invoke-id",
        with_content(0x62, dlms_content(1_000)[:4]),
        ContentMalformed,
        36,
        "0x0003E8",
        "0x0003",
    ),
    (
        "DLMS cut after the invoke-id",
        with_content(0x62, dlms_content(0)[:5], 0),
        ContentMalformed,
        39,
        "date-time",
        "end",
    ),
    ("a DLMS date-time", replaced(39, "0C"), ContentMalformed, 39, "date-time length 0x00", "0x0C"),
    # GBZ
    (
        "GBZ without component count",
        with_content(0x81, gbz_content(b"")),
        ContentMalformed,
        36,
        "component count",
        "end",
    ),
    # DER
    (
        "octets after the DER element",
        with_content(0xF, der(0x04, bytes(8)) + b"\0"),
        ContentMalformed,
        44,
        "no more",
        "1",
    ),
    ("DER cut short", with_content(0xF, der(0x04, bytes(8))[:-1]), ContentMalformed, 43, "8 octets", "after 7"),
    ("DER without length", with_content(0x000A, b"\x30"), ContentMalformed, 35, "length octets", "the end"),
    ("BER indefinite length", with_content(0x000A, b"\x30\x80\0\0"), ContentMalformed, 35, "81 nn", "0x80"),
    ("DER length not minimal", with_content(0x000A, b"\x30\x81\x00"), ContentMalformed, 35, "fewest", "81 00"),
    (
        "an inner element too long",
        with_content(0x000A, b"\x30\x02\x04\x01"),
        ContentMalformed,
        38,
        "1 octets",
        "after 0",
    ),
    ("an inner element cut", with_content(0x000A, b"\x30\x01\x04"), ContentMalformed, 37, "length octets", "the end"),
    ("end-of-contents", with_content(0x000A, der(0x30, b"\0\0")), ContentMalformed, 36, "DER tag", "0x00"),
    ("a primitive SEQUENCE", with_content(0x000A, der(0x30, b"\x10\0")), ContentMalformed, 36, "DER tag", "0x10"),
    ("a constructed OCTET STRING", with_content(0x000A, der(0x30, b"\x24\0")), ContentMalformed, 36, "DER tag", "0x24"),
    ("a tag of more octets", with_content(0x000A, der(0x30, b"\x1f\x81\0")), ContentMalformed, 36, "DER tag", "0x1F"),
    ("an INTEGER without octets", with_content(0x000A, der(0x30, der(2))), ContentMalformed, 38, "INTEGER", "nothing"),
    ("an INTEGER too long", with_content(0x000A, der(0x30, der(2, b"\0\1"))), ContentMalformed, 38, "INTEGER", "00 01"),
    (
        "an INTEGER too long",
        with_content(0x000A, der(0x30, der(2, b"\xff\x80"))),
        ContentMalformed,
        38,
        "INTEGER",
        "FF 80",
    ),
    ("BOOLEAN 01", with_content(0x000A, der(0x30, der(1, b"\1"))), ContentMalformed, 38, "BOOLEAN", "01"),
    ("NULL with content", with_content(0x000A, der(0x30, der(5, b"\1"))), ContentMalformed, 38, "NULL", "01"),
    # CS06
    ("CS06 that is no SEQUENCE", with_content(0x12, der(0x04, bytes(8))), ContentMalformed, 34, "SEQUENCE", "0x04"),
    ("CS06 without members", with_content(0x12, der(0x30)), ContentMalformed, 34, "OCTET STRING, INTEGER", "no member"),
    (
        "CS06 with two times",
        with_content(0x12, der(0x30, der(0x04, bytes(32)), der_integer(1_000), A_TIME, A_TIME)),
        ContentMalformed,
        34,
        "at most one GeneralizedTime",
        "04 02 18 18",
    ),
    ("CS06 of another counter", with_content(0x12, messages.cs06_content(999)), ContentMalformed, 70, "1000", "999"),
    (
        "CS06 with a negative number",
        with_content(0x12, der(0x30, der(0x04, bytes(32)), der(0x02, b"\x83\xe8"))),
        ContentMalformed,
        72,
        "not negative",
        "sign bit",
    ),
    # CS02b and CS02g
    ("CS02b that is no SEQUENCE", with_content(0x102, der(0x04, bytes(8))), ContentMalformed, 34, "SEQUENCE", "0x04"),
    ("CS02b without members", with_content(0x102, der(0x30)), ContentMalformed, 36, "AuthorisingRemote", "empty"),
    (
        "CS02b with a primitive control",
        with_content(0x102, der(0x30, MODE_2)),
        ContentMalformed,
        36,
        "SEQUENCE",
        "0x02",
    ),
    ("CS02b with an empty control", update_credentials(0x102), ContentMalformed, 36, "ReplacementMode", "no member"),
    (
        "CS02b with a SET",
        update_credentials(0x102, MODE_2, NUMBER, sequence=0x31),
        ContentMalformed,
        36,
        "0x30",
        "0x31",
    ),
    ("CS02b of another mode", update_credentials(0x103, MODE_2, NUMBER), ContentMalformed, 38, "low octet", "2"),
    ("CS02b without mode", update_credentials(0x102, NUMBER), ContentMalformed, 36, "ReplacementMode", "tags 83"),
    ("CS02b without number", update_credentials(0x102, MODE_2), ContentMalformed, 36, "exactly one [3]", "0"),
    (
        "CS02b with two numbers",
        update_credentials(0x102, MODE_2, NUMBER, NUMBER),
        ContentMalformed,
        36,
        "at most",
        "83 83",
    ),
    (
        "CS02b out of order",
        update_credentials(0x102, MODE_2, der_integer(0, 0x84), NUMBER),
        ContentMalformed,
        36,
        "in order",
        "02 84 83",
    ),
    (
        "CS02b with two modes",
        update_credentials(0x102, MODE_2, MODE_2, NUMBER),
        ContentMalformed,
        36,
        "[1] to [6]",
        "02 02",
    ),
    (
        "CS02b of another counter",
        update_credentials(0x102, MODE_2, der_integer(1_001, 0x83)),
        ContentMalformed,
        41,
        "1000",
        "1001",
    ),
    (
        "CS02b with an empty number",
        update_credentials(0x102, MODE_2, der(0x83)),
        ContentMalformed,
        43,
        "INTEGER",
        "nothing",
    ),
    (
        "CS02b with a number not minimal",
        update_credentials(0x102, MODE_2, der(0x83, b"\0\x03\xe8")),
        ContentMalformed,
        43,
        "fewest",
        "00 03 E8",
    ),
    ("CS02g without number", update_credentials(0x126, MODE_2), ContentMalformed, 36, "exactly one [3]", "0"),
    ("CS02g with two numbers", update_credentials(0x125, NUMBER, NUMBER), ContentMalformed, 36, "exactly one [3]", "2"),
    (
        "CS02g of another counter",
        update_credentials(0x125, MODE_2, der_integer(1_001, 0x83)),
        ContentMalformed,
        41,
        "1000",
        "1001",
    ),
]


@pytest.mark.parametrize("kind", [ContentKind.PRE_COMMAND, ContentKind.COMMAND])
@pytest.mark.parametrize(
    ("octets", "refusal", "offset", "expected", "found"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
def test_refuses(
    kind: ContentKind,
    octets: bytes,
    refusal: type[ContentMalformed],
    offset: int,
    expected: str,
    found: str,
) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(kind, octets)
    assert type(caught.value) is refusal
    assert caught.value.offset == offset
    assert expected in caught.value.expected
    assert found in caught.value.found
    assert caught.value.source


VALID = {f"0x{code:04X}": compose_command(code) for code in messages.CRITICAL_CODES} | {
    "unknown remote party": compose_command(messages.UNJOIN, supplementary=(SUPPLIER, 2**64 - 1)),
    "content of 200 octets": with_content(0x62, dlms_content(1_000, bytes(194))),
    "content of 2,000 octets": with_content(0x62, dlms_content(1_000, bytes(1994))),
}


@pytest.mark.parametrize("message", VALID.values(), ids=VALID)
def test_refuses_truncation_at_every_length_and_says_where_the_end_is(message: bytes) -> None:
    for length in range(len(message)):
        with pytest.raises(ContentMalformed) as caught:
            decode(ContentKind.PRE_COMMAND, message[:length])
        assert caught.value.offset == length
        assert type(caught.value) is ContentMalformed


@pytest.mark.parametrize("message", VALID.values(), ids=VALID)
def test_refuses_any_trailing_octet_but_one_null_signature(message: bytes) -> None:
    for octet in range(1, 256):
        with pytest.raises(ContentMalformed) as caught:
            decode(ContentKind.PRE_COMMAND, message + bytes([octet]))
        assert caught.value.offset == len(message)
    for trailing in range(2, 70):
        with pytest.raises(ContentMalformed):
            decode(ContentKind.PRE_COMMAND, message + bytes(trailing))


@pytest.mark.parametrize("message", VALID.values(), ids=VALID)
def test_an_already_signed_message_is_its_own_refusal(message: bytes) -> None:
    with pytest.raises(ContentAlreadySigned) as caught:
        decode(ContentKind.COMMAND, messages.sign_message(message, bytes(range(64))))
    assert caught.value.offset == len(message)
    assert "64 octets" in caught.value.sentence
