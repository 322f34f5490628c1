"""SMETS1 instructions and responses: xDLMS requests read whole, and the protected APDUs of security suite 0."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble_outputs
from keybroker.content.axdr import DEEPEST, Datum, encode_data, read_data
from keybroker.content.ciphered_apdu import RESPONSES, CipheredApdu, decode_response_apdu, encode_apdu
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.use import OpeningUse, ProtectionUse
from keybroker.content.uses import use_of
from keybroker.content.xdlms import Request, Selection, Service, decode_request, encode_request
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier

DEVICE = EntityIdentifier.from_text("90-B3-D5-1F-30-01-00-00")
OURS = EntityIdentifier.from_text("90-B3-D5-1F-30-0C-00-01")
OBIS = bytes([1, 0, 1, 8, 0, 255])
TOKEN_GATEWAY = bytes([0, 0, 19, 40, 0, 255])
INVOKE = 0xC1

GET = bytes([0xC0, 1, INVOKE, 0, 3, *OBIS, 2, 0])
SET = bytes([0xC1, 1, INVOKE, 0, 1, *OBIS, 2, 0, 0x06, 0, 0, 0, 7])
ADD_CREDIT = bytes([0xC3, 1, INVOKE, 0, 115, *TOKEN_GATEWAY, 1, 1, 0x09, 3]) + b"abc"
SELECTED = bytes([0xC0, 1, INVOKE, 0, 7, *OBIS, 2, 1, 2, 0x02, 2, 0x12, 0, 1, 0x06, 0, 0, 0, 9])


def instruction(apdu: bytes, device: EntityIdentifier = DEVICE) -> Smets1Instruction:
    content = decode(ContentKind.SMETS1_INSTRUCTION, device.octets + apdu)
    assert isinstance(content, Smets1Instruction)
    return content


def response(apdu: bytes, device: EntityIdentifier = DEVICE) -> Smets1Response:
    content = decode(ContentKind.SMETS1_RESPONSE, device.octets + apdu)
    assert isinstance(content, Smets1Response)
    return content


def with_value(*octets: int) -> bytes:
    return SET[:13] + bytes(octets)


INSTRUCTION_REFUSALS = [
    # what is wrong, the APDU, offset in it, part of what was expected
    ("nothing", b"", 0, "request-normal"),
    ("one octet", b"\xc0", 0, "request-normal"),
    ("a response", b"\xc4" + GET[1:], 0, "request-normal"),
    ("get-request-next", b"\xc0\x02" + GET[2:], 0, "request-normal"),
    ("a list of attributes", b"\xc0\x03" + GET[2:], 0, "request-normal"),
    ("a set in blocks", b"\xc1\x02" + SET[2:], 0, "request-normal"),
    ("an access-request", b"\xd9" + GET[1:], 0, "request-normal"),
    ("an APDU that is protected already", b"\xc8" + GET[1:], 0, "request-normal"),
    ("a GBCS message", b"\xdf\x09\x01" + bytes(40), 0, "request-normal"),
    ("reserved bits", GET[:2] + b"\xd1" + GET[3:], 2, "reserved bits"),
    ("an end in the instance", GET[:9], 9, "12 octets"),
    ("no access selection", GET[:12], 12, "00 (absent)"),
    ("a selection that is neither", GET[:12] + b"\x02", 12, "00 (absent)"),
    ("every attribute", GET[:11] + b"\x00\x00", 11, "one attribute"),
    ("no selector", GET[:12] + b"\x01", 13, "an access selector"),
    ("a selector alone", GET[:12] + b"\x01\x01", 14, "a data type"),
    ("trailing octets", GET + b"\x00", 13, "nothing after"),
    ("trailing octets after a value", SET + b"\x00", 18, "nothing after"),
    ("trailing octets after a parameter", ADD_CREDIT + b"\x00", 18, "nothing after"),
    ("nothing to set", SET[:13], 13, "a data type"),
    ("a parameter that is not there", ADD_CREDIT[:13], 13, "a data type"),
    ("an unknown data type", with_value(0x07, 0, 0, 0, 0), 13, "a data type"),
    ("a compact array", with_value(0x13, 0x11, 1, 1), 13, "a data type"),
    ("a delta type", with_value(0x1C, 1), 13, "a data type"),
    ("a number cut short", with_value(0x06, 0, 0, 0), 17, "4 octets"),
    ("a boolean of neither", with_value(0x03, 0x02), 14, "a boolean"),
    ("a long length for a short string", with_value(0x09, 0x81, 3, 1, 2, 3), 14, "fewest octets"),
    ("a string longer than its octets", with_value(0x09, 4, 1, 2, 3), 18, "4 octets"),
    ("a visible-string of control octets", with_value(0x0A, 1, 0x0A), 15, "printable"),
    ("a visible-string of the last that is not printed", with_value(0x0A, 1, 0x1F), 15, "printable"),
    ("a visible-string of the first after those", with_value(0x0A, 1, 0x7F), 15, "printable"),
    ("a utf8-string that is none", with_value(0x0C, 2, 0x41, 0xFF), 16, "UTF-8"),
    ("a bit-string without bits", with_value(0x04), 14, "bit-string"),
    ("a bit-string of a long length", with_value(0x04, 0x81, 0x80), 14, "bit-string"),
    ("a bit-string cut short", with_value(0x04, 9, 0), 16, "9 bits"),
    ("unused bits that are set", with_value(0x04, 4, 0x1F), 15, "unused bits"),
    ("an array of more than there is", with_value(0x01, 5, 0x00), 16, "5 octets"),
    ("a structure cut short", with_value(0x02, 2, 0x11, 1), 17, "a data type"),
    ("too deep", with_value(*[0x02, 1] * (DEEPEST + 1), 0x00), 13 + 2 * DEEPEST, "nested"),
    ("far too deep", with_value(*[0x02, 1] * 20_000, 0x00), 13 + 2 * DEEPEST, "nested"),
    ("longer than can be protected", SET[:13] + b"\x01\x01" + b"\x09\x82\xff\xf0" + bytes(0xFFF0), 0, "at most"),
]


@pytest.mark.parametrize(
    ("apdu", "offset", "expected"),
    [row[1:] for row in INSTRUCTION_REFUSALS],
    ids=[row[0] for row in INSTRUCTION_REFUSALS],
)
def test_refuses_an_instruction(apdu: bytes, offset: int, expected: str) -> None:
    with pytest.raises(ContentMalformed) as caught:
        instruction(apdu)
    assert caught.value.offset == offset + 8
    assert expected in caught.value.expected


APDU = b"\xcc\x14\x30\x00\x00\x00\x05" + b"ccc" + b"t" * 12
GENERAL = b"\xdb\x08" + DEVICE.octets + APDU[1:]

RESPONSE_REFUSALS = [
    ("nothing", b"", 0, "glo-get-"),
    ("our own request", b"\xc8" + APDU[1:], 0, "glo-get-"),
    ("a plain response", b"\xc4" + APDU[1:], 0, "glo-get-"),
    ("a dedicated key's", b"\xd4" + APDU[1:], 0, "glo-get-"),
    ("encryption alone", APDU.replace(b"\x30", b"\x20", 1), 2, "0x30"),
    ("authentication alone", APDU.replace(b"\x30", b"\x10", 1), 2, "0x30"),
    ("no protection", APDU.replace(b"\x30", b"\x00", 1), 2, "0x30"),
    ("the broadcast key", APDU.replace(b"\x30", b"\x70", 1), 2, "0x30"),
    ("compression", APDU.replace(b"\x30", b"\xb0", 1), 2, "0x30"),
    ("security suite 1", APDU.replace(b"\x30", b"\x31", 1), 2, "0x30"),
    ("no ciphertext", b"\xcc\x11\x30\x00\x00\x00\x05" + b"t" * 12, 1, "at least 18"),
    ("a length too short", b"\xcc\x13" + APDU[2:], 21, "nothing after"),
    ("a length too long", b"\xcc\x15" + APDU[2:], 22, "21 octets"),
    ("a length not in the fewest octets", b"\xcc\x81\x14" + APDU[2:], 1, "fewest"),
    ("trailing octets", APDU + b"\x00", 22, "nothing after"),
    ("a system title of 7 octets", b"\xdb\x07" + DEVICE.octets[:7] + APDU[1:], 1, "8 octets"),
    ("no system title", b"\xdb\x00" + APDU[1:], 1, "8 octets"),
    ("another's system title", b"\xdb\x08" + OURS.octets + APDU[1:], 2, "system title"),
]


@pytest.mark.parametrize(
    ("apdu", "offset", "expected"), [row[1:] for row in RESPONSE_REFUSALS], ids=[row[0] for row in RESPONSE_REFUSALS]
)
def test_refuses_a_response(apdu: bytes, offset: int, expected: str) -> None:
    with pytest.raises(ContentMalformed) as caught:
        response(apdu)
    assert caught.value.offset == offset + 8
    assert expected in caught.value.expected


@pytest.mark.parametrize("kind", [ContentKind.SMETS1_INSTRUCTION, ContentKind.SMETS1_RESPONSE])
def test_refuses_what_has_no_device_or_something_beside_it(kind: ContentKind) -> None:
    for octets in (b"", bytes(7)):
        with pytest.raises(ContentMalformed, match="EUI-64"):
            decode(kind, octets)
    beside = Accompanying(kind=AccompanyingKind.DEVICE_CERTIFICATE, octets=b"x")
    with pytest.raises(ContentMalformed, match="nothing beside it"):
        decode(kind, DEVICE.octets + GET, [beside])


@pytest.mark.parametrize(
    ("apdu", "facts"),
    [
        (GET, {"service": "get-request-normal", "target": "3/1.0.1.8.0.255/2"}),
        (SET, {"service": "set-request-normal", "target": "1/1.0.1.8.0.255/2", "value": "0600000007"}),
        (ADD_CREDIT, {"service": "action-request-normal", "target": "115/0.0.19.40.0.255/1", "value": "0903616263"}),
        (
            SELECTED,
            {
                "service": "get-request-normal",
                "target": "7/1.0.1.8.0.255/2",
                "selection": "0202021200010600000009",
            },
        ),
        (ADD_CREDIT[:12] + b"\x00", {"service": "action-request-normal", "target": "115/0.0.19.40.0.255/1"}),
        (GET[:11] + b"\xff\x00", {"service": "get-request-normal", "target": "3/1.0.1.8.0.255/-1"}),
    ],
)
def test_reads_an_instruction_and_tells_what_it_does(apdu: bytes, facts: dict[str, str]) -> None:
    content = instruction(apdu)
    assert facts_of(content) == facts | {"kind": "smets1-instruction", "device": str(DEVICE)}
    assert encode_request(content.request) == content.apdu == apdu


def test_reads_the_first_and_the_last_octet_that_is_printed() -> None:
    assert facts_of(instruction(with_value(0x0A, 2, 0x20, 0x7E)))["value"] == "0a02207e"


def test_a_content_has_the_digest_of_the_very_octets_that_came() -> None:
    for content in (instruction(SET), response(APDU)):
        assert content.sha256 == sha256(content.octets).digest()


def test_reads_a_response_in_both_frames_and_tells_who_and_when() -> None:
    for apdu, frame in ((APDU, "glo-get-response"), (GENERAL, "general")):
        content = response(apdu)
        assert facts_of(content) == {
            "invocation_counter": "5",
            "device": str(DEVICE),
            "frame": frame,
            "kind": "smets1-response",
        }
        assert use_of(content, None, None) == OpeningUse(
            initialisation_vector=DEVICE.octets + b"\x00\x00\x00\x05",
            authenticated=b"\x30",
            ciphertext=b"ccc",
            tag=b"t" * 12,
        )


def test_the_system_title_is_the_registers_and_the_counter_the_ledgers() -> None:
    content = instruction(GET)
    assert use_of(content, 0x01020304, OURS) == ProtectionUse(
        initialisation_vector=OURS.octets + b"\x01\x02\x03\x04", authenticated=b"\x30", plaintext=GET
    )
    for counter, eui in ((None, OURS), (1, None)):
        with pytest.raises(TypeError, match="lacks its counter or the key's EUI"):
            use_of(content, counter, eui)


# DLMS UA Green Book, the example of a protected get-request (system title 4D4D4D0000BC614E, counter 01234567).
# RECALLED, and confirmed: no other octets would verify.
def test_makes_the_octets_of_the_green_books_example() -> None:
    plain = bytes.fromhex("C0010000080000010000FF0200")
    use = use_of(instruction(plain), 0x01234567, EntityIdentifier(bytes.fromhex("4D4D4D0000BC614E")))
    assert isinstance(use, ProtectionUse)
    encryption_key, authentication_key = bytes(range(16)), bytes(range(0xD0, 0xE0))
    made = AESGCM(encryption_key).encrypt(
        use.initialisation_vector, use.plaintext, use.authenticated + authentication_key
    )
    protected = use.initialisation_vector[8:] + made[:-4]  # the tag is the leftmost 12 octets of GCM's 16
    (whole,) = assemble_outputs(instruction(plain), [protected])
    assert whole.hex().upper() == "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"


@pytest.mark.parametrize(("apdu", "tag"), [(GET, 0xC8), (SET, 0xC9), (ADD_CREDIT, 0xCB)])
def test_the_protected_apdu_bears_the_tag_of_its_service(apdu: bytes, tag: int) -> None:
    (whole,) = assemble_outputs(instruction(apdu), [b"\x00\x00\x00\x01" + b"c" * 200 + b"t" * 12])
    assert whole == bytes([tag, 0x81, 217]) + b"\x30\x00\x00\x00\x01" + b"c" * 200 + b"t" * 12


def test_an_opened_response_is_given_as_it_is() -> None:
    assert assemble_outputs(response(APDU), [b"plain"]) == (b"plain",)


SIZES = {0: 0, 5: 4, 6: 4, 13: 1, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 22: 1, 25: 12, 26: 5, 27: 4}
SCALARS = st.one_of(
    st.sampled_from(sorted(SIZES)).map(lambda tag: Datum(tag=tag, octets=bytes(range(SIZES[tag])))),
    st.binary(max_size=300).map(lambda octets: Datum(tag=9, octets=octets)),
    st.sampled_from(["", "credit", "\u00a35"]).map(lambda text: Datum(tag=12, octets=text.encode())),
    st.binary(min_size=1, max_size=15).map(lambda octets: Datum(tag=4, octets=octets, bits=8 * len(octets))),
)
MEMBERS = st.lists(SCALARS, max_size=3).map(lambda members: Datum(tag=2, members=tuple(members)))
DATA = SCALARS | st.lists(SCALARS | MEMBERS, max_size=3).map(lambda members: Datum(tag=1, members=tuple(members)))
REQUESTS = st.builds(
    Request,
    service=st.sampled_from(Service),
    invoke_id_and_priority=st.sampled_from([0, 0x41, 0x81, INVOKE]),
    class_id=st.integers(0, 0xFFFF),
    instance=st.binary(min_size=6, max_size=6),
    member=st.integers(-128, 127).filter(bool),
    selection=st.none() | st.builds(Selection, selector=st.integers(0, 255), parameters=DATA),
    value=DATA,
)


@given(request=REQUESTS)
def test_what_is_composed_reads_back(request: Request) -> None:
    if request.service is Service.GET:
        request = replace(request, value=None)
    if request.service is Service.ACTION:
        request = replace(request, selection=None)
    octets = encode_request(request)
    assert decode_request(octets, 0) == request


@given(
    start=st.sampled_from([GET, SET, ADD_CREDIT, SELECTED]),
    at=st.integers(0, 30),
    octet=st.integers(0, 255),
    cut=st.integers(0, 30),
    tail=st.binary(max_size=6),
)
def test_spoilt_instructions_read_back_or_are_malformed(
    start: bytes, at: int, octet: int, cut: int, tail: bytes
) -> None:
    spoilt = bytearray(start)
    if at < len(spoilt):
        spoilt[at] = octet
    octets = bytes(spoilt[: len(spoilt) - cut if cut < 3 else len(spoilt)]) + tail
    try:
        request = instruction(octets).request
    except ContentMalformed:
        return
    assert encode_request(request) == octets


@given(octets=st.binary(max_size=60))
def test_any_octets_are_data_that_reads_back_or_malformed(octets: bytes) -> None:
    try:
        datum, end = read_data(octets, 0)
    except ContentMalformed:
        return
    assert encode_data(datum) == octets[:end]


APDUS = st.builds(
    CipheredApdu,
    frame=st.sampled_from(sorted(RESPONSES)),
    system_title=st.binary(min_size=8, max_size=8),
    counter=st.integers(0, 2**32 - 1),
    ciphertext=st.binary(min_size=1, max_size=300),
    tag=st.binary(min_size=12, max_size=12),
)


@given(apdu=APDUS, at=st.integers(0, 340), octet=st.integers(0, 255), tail=st.binary(max_size=3))
def test_a_response_reads_back_whole_or_spoilt_or_is_malformed(
    apdu: CipheredApdu, at: int, octet: int, tail: bytes
) -> None:
    apdu = apdu if apdu.frame == 0xDB else replace(apdu, system_title=None)
    octets = encode_apdu(apdu)
    assert decode_response_apdu(octets, 0) == apdu
    spoilt = bytearray(octets + tail)
    spoilt[at % len(spoilt)] = octet
    try:
        read = decode_response_apdu(bytes(spoilt), 0)
    except ContentMalformed:
        return
    assert encode_apdu(read) == bytes(spoilt)
