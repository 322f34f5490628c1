"""Prepayment top-ups and tokens: what is asked for, the token's bits, and its check digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.assembly import assemble_outputs
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import Accompanying
from keybroker.content.prepayment import AmountClass, PrepaymentTopUp
from keybroker.content.uses import use_of
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind
from tests import agreed, messages
from tests.agreed import beside
from tests.content.published import compute

KIND = ContentKind.PREPAYMENT_TOP_UP


def top_up(counter: int = 1 << 32, amount_class: int = 1, value: int = 100) -> bytes:
    octets = messages.SUPPLIER.octets + messages.DEVICE.octets + counter.to_bytes(8, "big")
    return octets + bytes([amount_class]) + value.to_bytes(2, "big")


GOOD = top_up()


@pytest.mark.parametrize(
    ("octets", "accompanying", "offset"),
    [
        (b"", beside(), 0),
        (GOOD[:-1], beside(), 26),
        (GOOD + b"\0", beside(), 27),
        (top_up(amount_class=2), beside(), 24),
        (top_up(amount_class=255), beside(), 24),
        (top_up(value=8_192), beside(), 25),
        (GOOD, (), 0),
        (GOOD, (Accompanying(kind=AccompanyingKind.SERVICE_REQUEST, octets=b"<a/>"), *beside()), 0),
    ],
    ids=["nothing", "short", "long", "class 2", "class 255", "14 bits", "no certificate", "something else beside it"],
)
def test_refuses_and_says_where(octets: bytes, accompanying: tuple[Accompanying, ...], offset: int) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(KIND, octets, accompanying)
    assert caught.value.offset == offset


@given(counter=st.integers(0, 2**64 - 1), amount_class=st.sampled_from(AmountClass), value=st.integers(0, 8_191))
def test_the_token_holds_counter_class_and_value_and_the_end_of_the_tag(
    counter: int, amount_class: AmountClass, value: int
) -> None:
    content = decode(KIND, top_up(counter, amount_class.value, value), beside())
    assert isinstance(content, PrepaymentTopUp)
    use = use_of(content, None, None)
    (ptut,) = assemble_outputs(content, compute(agreed.private_key(1), use))
    bits = f"{int.from_bytes(ptut, 'big'):064b}"
    assert bits[:7] == "0" * 7
    assert int(bits[7:17], 2) == counter >> 32 & 0x3FF
    assert int(bits[17:19], 2) == amount_class.value
    assert int(bits[19:32], 2) == value
    key = agreed.gbcs_key(
        agreed.DEVICE_KEY,
        1,
        mode="command",
        originator=messages.SUPPLIER,
        counter=counter,
        recipient=messages.DEVICE,
    )
    authenticated = bytes.fromhex("110000000000") + messages.SUPPLIER.octets + messages.DEVICE.octets + b"\x01"
    authenticated += counter.to_bytes(8, "big") + ptut[:4]
    assert agreed.gcm(key, messages.SUPPLIER, b"", authenticated)[1][-4:] == ptut[4:]


def test_says_what_is_asked_for() -> None:
    assert facts_of(decode(KIND, GOOD, beside())) == {
        "amount": "100 pounds",
        "counter": str(1 << 32),
        "kind": "prepayment-top-up",
        "originator": str(messages.SUPPLIER),
        "recipient": str(messages.DEVICE),
    }


@given(st.binary(max_size=40))
def test_any_octets_are_refused_or_read_back(octets: bytes) -> None:
    try:
        content = decode(KIND, octets, beside())
    except ContentMalformed:
        return
    assert isinstance(content, PrepaymentTopUp)
    assert top_up(content.originator_counter, content.amount_class.value, content.value)[16:] == octets[16:]
