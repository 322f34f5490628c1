"""Encrypted data in Responses and Alerts: where they stand, for whom they are, and what has no reading."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble_outputs
from keybroker.content.decoding import decode
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.facts import facts_of
from keybroker.content.uses import use_of
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind, EntityIdentifier
from tests import agreed, messages
from tests.agreed import beside
from tests.content.published import compute

KIND = ContentKind.ENCRYPTED_RESPONSE
COUNTER = 1_000
PLAINTEXTS = (b"meter reading 1", b"2")
READ_PROFILE = 0x0037  # ECS22b, DLMS
READ_GAS = 0x0078  # GCS17, GBZ
BILLING_ALERT = 0x0061  # ECS68, DLMS
GAS_BILLING_ALERT = 0x008B  # GCS53, GBZ
SIGNATURE = bytes(range(64))


def item(
    plaintext: bytes,
    *,
    counter: int = COUNTER,
    party: EntityIdentifier = messages.SUPPLIER,
    authenticated: bytes = b"1",
) -> bytes:
    """What the Device enciphers for ``party``."""
    key = agreed.gbcs_key(
        agreed.DEVICE_KEY, 1, mode="encryption", originator=messages.DEVICE, counter=counter, recipient=party
    )
    ciphertext, tag = agreed.gcm(key, messages.DEVICE, plaintext, b"\x31")
    return messages.encrypted_item(ciphertext, tag[:12])


def in_dlms(octets: bytes, *, counter: int = COUNTER, recipient: EntityIdentifier = messages.SUPPLIER) -> bytes:
    return b"\x02\x02" + messages.protected_data(counter, messages.DEVICE, recipient, octets)


NULL, UNSIGNED = b"\x00", b"\x11\x07"


def dlms_response(*data: bytes, code: int = READ_PROFILE, other: bytes = b"") -> bytes:
    return messages.compose_answer(code, content=messages.access_response(COUNTER, *data), other=other)


def gbz_response(*components: bytes) -> bytes:
    content = b"\x01\x09" + bytes([len(components)]) + b"".join(components)
    return messages.compose_answer(READ_GAS, content=content)


def wrapped(message: bytes) -> bytes:
    return messages.wrap_in_mac(messages.compose_inner(message), bytes(12))


def signed(message: bytes) -> bytes:
    return messages.compose_inner(message, SIGNATURE)


DLMS = wrapped(dlms_response(NULL, in_dlms(item(PLAINTEXTS[0])), b"\x01\x01" + in_dlms(item(PLAINTEXTS[1]))))
GBZ = wrapped(
    gbz_response(
        messages.gbz_component(messages.encrypted_zcl(item(PLAINTEXTS[0])), 0x02),
        messages.gbz_component(bytes.fromhex("180001 00"), 0x00),
        messages.gbz_component(messages.encrypted_zcl(item(PLAINTEXTS[1]), 1), 0x03),
    )
)
DLMS_ALERT = signed(
    messages.compose_answer(
        BILLING_ALERT,
        cra=0x03,
        content=b"\x0f\x20"
        + COUNTER.to_bytes(3, "big")
        + b"\x00"
        + bytes.fromhex("02 04 12 8F0A 09 0C")
        + bytes(12)
        + messages.protected_data(COUNTER, messages.DEVICE, messages.SUPPLIER, item(PLAINTEXTS[0])),
    )
)
GBZ_ALERT = signed(
    messages.compose_answer(
        GAS_BILLING_ALERT,
        cra=0x03,
        content=bytes.fromhex("0109 01 8F0A 1C374A80")
        + messages.gbz_component(messages.encrypted_zcl(item(PLAINTEXTS[0])), 0x03),
    )
)


@pytest.mark.parametrize(
    ("octets", "plaintexts"),
    [(DLMS, PLAINTEXTS), (GBZ, PLAINTEXTS), (DLMS_ALERT, PLAINTEXTS[:1]), (GBZ_ALERT, PLAINTEXTS[:1])],
    ids=["DLMS", "GBZ", "DLMS Alert", "GBZ Alert"],
)
def test_finds_every_item_in_order_and_the_recipients_key_deciphers_it(
    octets: bytes, plaintexts: tuple[bytes, ...]
) -> None:
    content = decode(KIND, octets, beside())
    assert isinstance(content, EncryptedResponse)
    found = compute(agreed.private_key(1), use_of(content, None, None))
    assert assemble_outputs(content, found) == plaintexts
    assert facts_of(content)["items"] == str(len(plaintexts))


def test_a_supplementary_party_and_its_counter_take_the_place_of_the_recipient_and_the_messages_own() -> None:
    party, counter = messages.NETWORK_OPERATOR, 77
    other = party.octets + (5).to_bytes(8, "big") + counter.to_bytes(8, "big")
    octets = wrapped(dlms_response(in_dlms(item(PLAINTEXTS[0], counter=counter, party=party)), other=other))
    content = decode(KIND, octets, beside())
    assert isinstance(content, EncryptedResponse)
    assert (content.party, content.counter, content.recipient) == (party, counter, messages.SUPPLIER)
    assert compute(agreed.private_key(1), use_of(content, None, None)) == PLAINTEXTS[:1]
    assert facts_of(content)["supplementary_party"] == str(party)


@dataclass(frozen=True, kw_only=True)
class Case:
    what: str
    message: bytes
    found: str

    def __str__(self) -> str:
        return self.what


ITEM = item(b"secret")
ZCL = messages.encrypted_zcl(ITEM)
REFUSALS = [
    Case(what="nothing encrypted, DLMS", message=dlms_response(NULL, UNSIGNED), found="none"),
    Case(what="nothing encrypted, GBZ", message=gbz_response(messages.gbz_component(bytes(4))), found="none"),
    Case(
        what="an octet-string that only looks encrypted",
        message=dlms_response(b"\x09" + messages.length_octets(len(ITEM)) + ITEM),
        found="none",
    ),
    Case(what="another counter's parameters", message=dlms_response(in_dlms(ITEM, counter=1)), found="others"),
    Case(
        what="another recipient's parameters",
        message=dlms_response(in_dlms(ITEM, recipient=messages.NETWORK_OPERATOR)),
        found="others",
    ),
    Case(what="parameters without an item", message=dlms_response(in_dlms(ITEM)[: 2 - len(ITEM) - 4]), found=""),
    Case(what="authentication only", message=dlms_response(in_dlms(b"\x11" + ITEM[1:])), found="11"),
    Case(what="an invocation counter", message=dlms_response(in_dlms(b"1\0\0\0\1" + ITEM[5:])), found="31 00 00 00 01"),
    Case(what="an item without ciphertext", message=dlms_response(in_dlms(ITEM[:17])), found="31"),
    Case(what="a compact array", message=dlms_response(b"\x13\x11\x01\x07", in_dlms(ITEM)), found="0x13"),
    Case(
        what="results that are fewer",
        message=messages.compose_answer(
            READ_PROFILE, content=messages.access_response(COUNTER, in_dlms(ITEM))[:-3] + b"\x00"
        ),
        found="0 in 0",
    ),
    Case(
        what="octets after the results",
        message=messages.compose_answer(
            READ_PROFILE, content=messages.access_response(COUNTER, in_dlms(ITEM)) + b"\x00"
        ),
        found="in 3 octets",
    ),
    Case(
        what="another invoke-id",
        message=messages.compose_answer(READ_PROFILE, content=messages.access_response(1, in_dlms(ITEM))),
        found="000001",
    ),
    Case(what="an ASN.1 payload", message=messages.compose_answer(0x0012, content=b"\x30\x00"), found="0x3000"),
    Case(what="the last component not marked", message=gbz_response(messages.gbz_component(ZCL, 0x02)), found="0x02"),
    Case(
        what="a component before the last marked",
        message=gbz_response(messages.gbz_component(ZCL, 0x03), messages.gbz_component(ZCL, 0x03)),
        found="0x03",
    ),
    Case(what="an unknown control bit", message=gbz_response(messages.gbz_component(ZCL, 0x43)), found="0x43"),
    Case(what="encrypted with a time", message=gbz_response(messages.gbz_component(ZCL, 0x13)), found="0000"),
    Case(what="another header control", message=gbz_response(messages.gbz_component(b"\1" + ZCL[1:], 3)), found="01"),
    Case(
        what="a manufacturer's ZCL header",
        message=gbz_response(messages.gbz_component(ZCL[:2] + b"\x1c" + ZCL[3:], 3)),
        found="1c",
    ),
    Case(what="a length of one less", message=gbz_response(messages.gbz_component(ZCL + b"\0", 3)), found="00"),
    Case(what="a component past the end", message=gbz_response(messages.gbz_component(ZCL, 3)[:-1]), found="the end"),
    Case(
        what="a component too many",
        message=messages.compose_answer(
            READ_GAS, content=b"\x01\x09\x01" + messages.gbz_component(ZCL, 3) + messages.gbz_component(ZCL, 3)
        ),
        found="octets",
    ),
    Case(
        what="an Alert that holds no component",
        message=messages.compose_answer(0x00CD, cra=3, content=b"\x01\x09\x01" + messages.gbz_component(ZCL, 3)),
        found="none",
    ),
]


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_what_has_no_reading_and_says_what_it_found(case: Case) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(KIND, wrapped(case.message), beside())
    assert case.found in caught.value.found, caught.value


@pytest.mark.parametrize("octets", [DLMS, GBZ, DLMS_ALERT, GBZ_ALERT], ids=["DLMS", "GBZ", "DLMS Alert", "GBZ Alert"])
def test_refuses_truncation_at_every_length(octets: bytes) -> None:
    for length in range(len(octets)):
        with pytest.raises(ContentMalformed):
            decode(KIND, octets[:length], beside())


@given(
    place=st.integers(min_value=0),
    value=st.integers(0, 255),
    octets=st.sampled_from([DLMS, GBZ, DLMS_ALERT, GBZ_ALERT]),
)
def test_a_changed_octet_is_refused_or_read_and_never_anything_else(place: int, value: int, octets: bytes) -> None:
    place %= len(octets)
    changed = octets[:place] + bytes([value]) + octets[place + 1 :]
    try:
        content = decode(KIND, changed, beside())
    except ContentMalformed:
        return
    assert isinstance(content, EncryptedResponse)
    assert all(each.authenticated + bytes(4) + each.ciphertext + each.tag in changed for each in content.items)
