"""A Response or Alert in its MAC wrapper: every refusal, what is read, and the MAC that a Device makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble_outputs
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.uses import use_of
from keybroker.errors import ContentMalformed, MessageCodeUnknown
from keybroker.terms import AccompanyingKind, ContentKind
from tests import agreed, messages
from tests.agreed import beside
from tests.content.published import compute

KIND = ContentKind.PROTECTED_RESPONSE
RESPONSE = messages.compose_answer()
ALERT = messages.compose_answer(0x1001, cra=0x03)
AT_A_TIME = messages.compose_answer(date_time=bytes(12))


def protected(message: bytes, mode: str = "response") -> bytes:
    """With the MAC that the Device puts on it."""
    inner = messages.compose_inner(message)
    counter = int.from_bytes(message[3:11], "big")
    key = agreed.gbcs_key(
        agreed.DEVICE_KEY, 1, mode=mode, originator=messages.DEVICE, counter=counter, recipient=messages.SUPPLIER
    )
    return messages.wrap_in_mac(inner, agreed.gmac(key, messages.DEVICE, inner))


GOOD = protected(RESPONSE)
BODY = 8
INNER = BODY + 5


def replaced(offset: int, octets: str) -> bytes:
    new = bytes.fromhex(octets)
    return GOOD[:offset] + new + GOOD[offset + len(new) :]


REFUSALS = [
    # what is wrong, octets, offset, part of what was found
    ("nothing", b"", 0, "end of the message"),
    ("no wrapper and no signature", messages.compose_inner(RESPONSE), len(RESPONSE), "neither"),
    ("no wrapper but a signature", messages.compose_inner(RESPONSE, bytes(64)), 0, "0xDF"),
    (
        "both",
        messages.wrap_in_mac(messages.compose_inner(RESPONSE, bytes(64)), bytes(12)),
        INNER + len(RESPONSE),
        "both",
    ),
    ("a transaction-id in the wrapper", replaced(1, "09"), 1, "0x09"),
    ("key-info in the wrapper", replaced(6, "01"), 6, "0x01"),
    ("a length that runs past the end", replaced(7, "7F"), len(GOOD), "the end"),
    ("an octet after the MAC", GOOD + b"\0", len(GOOD), "1 octets"),
    ("encryption in the security header", replaced(BODY, "31"), BODY, "0x31"),
    ("an invocation counter", replaced(BODY + 4, "01"), BODY + 4, "0x01"),
    ("no message inside", messages.wrap_in_mac(b"", bytes(12)), 25, "the end"),
    ("a Command inside", replaced(INNER + 2, "01"), INNER + 2, "0x01 (Command)"),
    ("another tag inside", replaced(INNER, "DB"), INNER, "0xDB"),
    ("a date-time of 11 octets", replaced(INNER + 29, "0B"), INNER + 29, "0x0B"),
    ("an Alert's code in a Response", replaced(INNER + 31, "1001"), INNER + 31, "an Alert's"),
    ("a Command's code in an Alert", protected(messages.compose_answer(cra=0x03)), INNER + 31, "a Command's"),
    ("other-information of 9 octets", replaced(INNER + 30, "09"), INNER + 30, "0x09"),
]


@pytest.mark.parametrize(("what", "octets", "offset", "found"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_refuses_and_says_where_and_what_it_found(what: str, octets: bytes, offset: int, found: str) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(KIND, octets, beside())
    assert (caught.value.offset, found in caught.value.found) == (offset, True), (what, caught.value)


def test_refuses_an_unknown_message_code_at_its_place_in_the_whole_message() -> None:
    with pytest.raises(MessageCodeUnknown) as caught:
        decode(KIND, replaced(INNER + 31, "7FFF"), beside())
    assert caught.value.offset == INNER + 31


@pytest.mark.parametrize(
    "accompanying",
    [(), (Accompanying(kind=AccompanyingKind.ORIGINATOR_CERTIFICATE, octets=agreed.organisation_chain()[0]),)],
    ids=["nothing beside it", "another's certificate beside it"],
)
def test_refuses_without_the_devices_certificate_alone(accompanying: tuple[Accompanying, ...]) -> None:
    with pytest.raises(ContentMalformed):
        decode(KIND, GOOD, accompanying)


@pytest.mark.parametrize(
    ("octets", "answer"),
    [(GOOD, "response"), (protected(AT_A_TIME), "response"), (protected(ALERT, "alert"), "alert")],
    ids=["response", "response with a time", "alert"],
)
def test_reads_it_and_finds_the_mac_that_the_device_made(octets: bytes, answer: str) -> None:
    content = decode(KIND, octets, beside())
    assert isinstance(content, ProtectedResponse)
    assert (content.originator, content.party) == (messages.DEVICE, messages.SUPPLIER)
    assert facts_of(content)["answer"] == answer
    assert compute(agreed.private_key(1), use_of(content, None, None)) == ()
    assert assemble_outputs(content, ()) == ()


@pytest.mark.parametrize("other", [bytes(8), bytes(16), bytes(24)], ids=["party", "counter", "further"])
def test_the_recipient_checks_the_mac_whomever_else_it_names(other: bytes) -> None:
    content = decode(KIND, protected(messages.compose_answer(other=other)), beside())
    assert isinstance(content, ProtectedResponse)
    assert content.party == messages.SUPPLIER
    assert content.supplementary_party is not None


def test_refuses_truncation_at_every_length() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(ContentMalformed):
            decode(KIND, GOOD[:length], beside())


@given(place=st.integers(min_value=0), value=st.integers(0, 255))
def test_a_changed_octet_is_refused_or_no_longer_has_the_right_mac(place: int, value: int) -> None:
    place %= len(GOOD)
    changed = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
    try:
        content = decode(KIND, changed, beside())
    except ContentMalformed:
        return
    assert isinstance(content, ProtectedResponse)
    assert messages.wrap_in_mac(content.inner, content.mac) == changed
    if changed != GOOD:
        with pytest.raises(AssertionError):
            compute(agreed.private_key(1), use_of(content, None, None))


@given(st.binary(max_size=200))
def test_any_octets_are_refused(octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        decode(KIND, b"\xdd" + octets, beside())
