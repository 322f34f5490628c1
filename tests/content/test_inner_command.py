"""The inner part of a Command, and the certificates beside it: every refusal, then what is read, then mutations."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble_outputs
from keybroker.content.decoding import decode
from keybroker.content.device_certificate import device_public_point
from keybroker.content.facts import facts_of
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import Accompanying
from keybroker.content.uses import use_of
from keybroker.errors import (
    ContentAlreadySigned,
    ContentIsAlert,
    ContentIsResponse,
    ContentMacWrapped,
    ContentMalformed,
    MessageCodeUnknown,
)
from keybroker.terms import AccompanyingKind, ContentKind
from tests import agreed, messages
from tests.agreed import beside
from tests.content.published import compute

KIND = ContentKind.COMMAND_BEFORE_MAC
SIGNATURE = bytes(range(64))
MESSAGE = messages.compose_command()
UNSIGNED = messages.compose_inner(messages.compose_command(messages.SEND_MESSAGE))
SIGNED = messages.compose_inner(MESSAGE, SIGNATURE)
CERTIFICATE = agreed.organisation_chain(scalar=agreed.PARTY_KEY)[0]


def with_certificate(code: int = messages.SEND_MESSAGE, certificate: bytes = CERTIFICATE) -> bytes:
    """A Command whose other-information ends in a certificate (handbook 1.3)."""
    plain = messages.compose_command(code, originator=messages.ACCESS_CONTROL_BROKER)
    other = code.to_bytes(2, "big") + messages.SUPPLIER.octets + (7).to_bytes(8, "big") + certificate
    return plain[:30] + messages.length_octets(len(other)) + other + plain[33:] + b"\x00"


def of(kind: AccompanyingKind, octets: bytes = CERTIFICATE) -> Accompanying:
    return Accompanying(kind=kind, octets=octets)


@dataclass(frozen=True, kw_only=True)
class Case:
    what: str
    octets: bytes = UNSIGNED
    beside: tuple[Accompanying, ...] = field(default_factory=beside)
    refusal: type[ContentMalformed] = ContentMalformed
    offset: int | None = 0
    found: str = ""

    def __str__(self) -> str:
        return self.what


DEVICE = agreed.device_certificate()
END = len(MESSAGE)
DEVICE_POINT = agreed.point(agreed.private_key(agreed.DEVICE_KEY))
OFF_CURVE = DEVICE.replace(DEVICE_POINT, DEVICE_POINT[:-1] + b"\0")

REFUSALS = [
    Case(what="nothing", octets=b"", found="end of the message"),
    Case(what="a whole Command", octets=messages.wrap_in_mac(UNSIGNED, bytes(12)), refusal=ContentMacWrapped),
    Case(what="a Response", octets=UNSIGNED[:2] + b"\x02" + UNSIGNED[3:], refusal=ContentIsResponse, offset=2),
    Case(what="an Alert", octets=UNSIGNED[:2] + b"\x03" + UNSIGNED[3:], refusal=ContentIsAlert, offset=2),
    Case(what="no signature field", octets=MESSAGE, offset=END, found="end"),
    Case(what="a signature cut short", octets=SIGNED[:-1], offset=END, found="64 octets beginning 0x40"),
    Case(what="a signature of 63 octets", octets=MESSAGE + b"\x3f" + bytes(63), offset=END),
    Case(what="an octet after the signature", octets=SIGNED + b"\x00", offset=END, found="66 octets"),
    Case(what="two null signatures", octets=UNSIGNED + b"\x00", offset=len(UNSIGNED) - 1, found="2 octets"),
    Case(
        what="an unknown Message Code",
        octets=UNSIGNED[:31] + messages.UNKNOWN_CODE.to_bytes(2, "big") + UNSIGNED[33:],
        refusal=MessageCodeUnknown,
        offset=31,
    ),
    Case(what="other-information of 26 octets", octets=with_certificate(certificate=bytes(8)), offset=30, found="0x1A"),
    Case(what="other-information of 10 octets", octets=UNSIGNED[:30] + b"\x0a" + UNSIGNED[31:], offset=30),
    Case(
        what="a certificate in it under a code that the ACB does not send for others",
        octets=with_certificate(messages.SET_CLOCK),
        offset=30,
    ),
    Case(
        what="a long length that is not minimal",
        octets=with_certificate().replace(b"\x82\x01", b"\x83\x00\x01", 1),
        offset=30,
    ),
    Case(what="a payload of another counter", octets=UNSIGNED[:38] + b"\xff" + UNSIGNED[39:], offset=36),
    Case(what="no Device certificate", beside=beside(without_device=True), found="none"),
    Case(what="an empty Device certificate", beside=(of(AccompanyingKind.DEVICE_CERTIFICATE, b""),), found="the end"),
    Case(what="a Device certificate cut short", beside=beside(DEVICE[:-1]), offset=None),
    Case(what="an octet after the Device certificate", beside=beside(DEVICE + b"\0"), offset=len(DEVICE)),
    Case(what="a Device key off the curve", beside=beside(OFF_CURVE), offset=None, found="is not"),
    Case(what="what is no certificate", beside=beside(b"\x30\x03\x02\x01\x00"), offset=2, found="0x02"),
    Case(what="a Service Request beside it", beside=(*beside(), of(AccompanyingKind.SERVICE_REQUEST)), found="service"),
    Case(what="an originator's certificate without a signature", beside=beside(originator=(CERTIFICATE,)), found="1"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_says_where_and_what_it_found(case: Case) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(KIND, case.octets, case.beside)
    assert type(caught.value) is case.refusal
    assert case.found in caught.value.found
    if case.offset is not None:
        assert caught.value.offset == case.offset


def test_the_line_still_refuses_what_only_the_mac_takes() -> None:
    """One parser, two forms: a message to be signed has neither a signature yet nor a certificate in it."""
    for octets, refusal in ((SIGNED, ContentAlreadySigned), (with_certificate(), ContentMalformed)):
        with pytest.raises(ContentMalformed) as caught:
            decode(ContentKind.COMMAND, octets)
        assert type(caught.value) is refusal


def a_command(octets: bytes, **changes: Any) -> InnerCommand:
    content = decode(KIND, octets, beside(**changes))
    assert isinstance(content, InnerCommand)
    return content


def test_reads_a_signed_message_whole() -> None:
    chain = agreed.organisation_chain()
    content = a_command(SIGNED, originator=chain)
    assert (content.message, content.signature, content.to_be_signed) == (MESSAGE, SIGNATURE, MESSAGE[1:])
    assert (content.originator, content.recipient) == (messages.SUPPLIER, messages.DEVICE)
    assert content.device_chain == (DEVICE,)
    assert content.originator_chain == chain
    assert content.peer == agreed.point(agreed.private_key(agreed.DEVICE_KEY))
    assert facts_of(content)["signed"] == "yes"


def test_reads_whom_the_acb_acts_for_and_the_certificate_that_it_sends() -> None:
    content = a_command(with_certificate())
    assert content.supplementary_party == messages.SUPPLIER
    assert content.supplementary_counter == 7
    assert content.supplementary_certificate == CERTIFICATE
    told = facts_of(content)
    assert (told["supplementary_party"], told["supplementary_counter"]) == (str(messages.SUPPLIER), "7")
    assert told["supplementary_certificate_sha256"] == sha256(CERTIFICATE).hexdigest()


def test_a_message_that_discloses_a_key_says_so() -> None:
    by_contingency = messages.compose_command(messages.ANY_BY_CONTINGENCY, originator=messages.CONTINGENCY)
    assert a_command(messages.compose_inner(by_contingency, SIGNATURE)).discloses_key
    assert not a_command(SIGNED).discloses_key


@pytest.mark.parametrize("inner", [SIGNED, UNSIGNED, with_certificate()], ids=["signed", "unsigned", "certificate"])
def test_the_mac_is_the_one_that_the_device_computes_and_stands_at_the_end_of_the_wrapper(inner: bytes) -> None:
    content = a_command(inner)
    use = use_of(content, None, None)
    (made,) = assemble_outputs(content, compute(agreed.private_key(1), use))
    key = agreed.gbcs_key(
        agreed.DEVICE_KEY,
        1,
        mode="command",
        originator=content.originator,
        counter=content.originator_counter,
        recipient=messages.DEVICE,
    )
    assert made == messages.wrap_in_mac(inner, agreed.gmac(key, content.originator, inner))
    assert content.sha256 == sha256(bytes.fromhex("110000000000") + inner).digest()


@pytest.mark.parametrize("inner", [SIGNED, UNSIGNED, with_certificate()], ids=["signed", "unsigned", "certificate"])
def test_refuses_truncation_at_every_length(inner: bytes) -> None:
    for length in range(len(inner)):
        with pytest.raises(ContentMalformed):
            decode(KIND, inner[:length], beside())


@given(place=st.integers(min_value=0), value=st.integers(0, 255), inner=st.sampled_from([SIGNED, with_certificate()]))
def test_a_changed_octet_is_refused_or_is_what_the_mac_is_over(place: int, value: int, inner: bytes) -> None:
    place %= len(inner)
    changed = inner[:place] + bytes([value]) + inner[place + 1 :]
    try:
        content = decode(KIND, changed, beside())
    except ContentMalformed:
        return
    assert isinstance(content, InnerCommand)
    assert content.message + (b"\x40" + content.signature if content.signature else b"\x00") == changed
    (made,) = assemble_outputs(content, (bytes(12),))
    assert made == messages.wrap_in_mac(changed, bytes(12))


@given(place=st.integers(min_value=0), value=st.integers(0, 255))
def test_a_changed_octet_of_a_certificate_gives_a_point_or_a_refusal(place: int, value: int) -> None:
    place %= len(DEVICE)
    try:
        point = device_public_point(DEVICE[:place] + bytes([value]) + DEVICE[place + 1 :])
    except ContentMalformed:
        return
    assert len(point) == 65


@given(st.binary(max_size=200))
def test_any_octets_are_refused_or_read_and_nothing_else(octets: bytes) -> None:
    for read in (lambda: decode(KIND, octets, beside()), lambda: device_public_point(octets)):
        with pytest.raises(ContentMalformed):
            read()
