"""Data values that thresholds are set on (SEC G6.6(b), G6.1(d)(i)), in Commands: read whole and right, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.content.data_values import VALUES, VARIANT_VALUES, code_of_values, data_values
from keybroker.content.decoding import decode
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import Accompanying
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind
from tests import agreed, duis, messages
from tests.content.values_in_commands import (
    ADJUST,
    ADJUST_ITEM,
    CALENDAR,
    DEBT_CAP,
    EMERGENCY,
    GAS,
    GAS_COMPONENTS,
    GOOD,
    KNOWN,
    LAST,
    LIMIT,
    LIMIT_DATA,
    LIMIT_ITEMS,
    LOW_CREDIT,
    PREPAYMENT,
    PREPAYMENT_DATA,
    adjustment,
    command,
    component,
    gas,
    instead,
    limits,
    prepayment,
    reading,
    specifications,
    values_of,
    without,
)
from tests.content.values_in_service_requests import adjust_request, balance_request
from tests.duis import a_request
from tests.messages import compose_command

REFUSED: dict[str, tuple[int, str]] = {
    "nothing": (ADJUST, ""),
    "another method of Credit": (ADJUST, adjustment(1).replace("FF 01", "FF 02")),
    "another register of credit": (ADJUST, adjustment(1).replace("0A00FF", "0A01FF")),
    "a set in place of the action": (ADJUST, adjustment(1).replace("03 0070", "02 0070")),
    "two adjustments": (ADJUST, specifications(ADJUST_ITEM, ADJUST_ITEM) + "02 05 00000001 05 00000002"),
    "two data for one adjustment": (ADJUST, specifications(ADJUST_ITEM) + "02 05 00000001 05 00000002"),
    "no data": (ADJUST, specifications(ADJUST_ITEM) + "00"),
    "an octet behind the data": (ADJUST, adjustment(1) + "00"),
    "a count in a longer form": (ADJUST, "8101" + adjustment(1)[2:]),
    "an adjustment without a sign": (ADJUST, specifications(ADJUST_ITEM) + "01 06 00000001"),
    "an adjustment in 8 octets": (ADJUST, specifications(ADJUST_ITEM) + "01 14 0000000000000001"),
    "an adjustment in a structure": (ADJUST, specifications(ADJUST_ITEM) + "01 02 01 05 00000001"),
    "a setting left out": (LIMIT, limits(without(LIMIT_ITEMS, 1), without(LIMIT_DATA, 1))),
    "a setting twice": (LIMIT, limits([*LIMIT_ITEMS, LIMIT_ITEMS[1]], [*LIMIT_DATA, "06 0000FFFF"])),
    "one setting in place of another": (LIMIT, limits(instead(LIMIT_ITEMS, 2, LIMIT_ITEMS[1]))),
    "settings in another order": (LIMIT, limits([LIMIT_ITEMS[1], LIMIT_ITEMS[0], *LIMIT_ITEMS[2:]])),
    "a supply state that is no boolean": (LIMIT, limits(data=instead(LIMIT_DATA, 0, "16 01"))),
    "a boolean of another value": (LIMIT, limits(data=instead(LIMIT_DATA, 0, "03 02"))),
    "a date-time of 5 octets": (LIMIT, limits(data=instead(LIMIT_DATA, 7, "0905 FFFFFFFFFF"))),
    "a request to read": (LIMIT, limits(instead(LIMIT_ITEMS, 7, "01" + LIMIT_ITEMS[7][2:]))),
    "a calendar that is no array": (PREPAYMENT, prepayment(data=instead(PREPAYMENT_DATA, 3, "00"))),
    "a cap in 4 octets": (PREPAYMENT, prepayment(data=instead(PREPAYMENT_DATA, 4, "06 00000011"))),
    "the payload of another code": (PREPAYMENT, limits()),
    "no components": (GAS, gas([])),
    "three components": (GAS, gas([EMERGENCY, DEBT_CAP, "11" + LOW_CREDIT[2:]])),
    "a component left out": (GAS, gas(without(GAS_COMPONENTS, 1))),
    "a component twice": (GAS, gas([EMERGENCY, *GAS_COMPONENTS])),
    "a component again behind the calendar": (GAS, gas([*GAS_COMPONENTS[:5], "01" + EMERGENCY[2:]])),
    "components in another order": (GAS, gas([DEBT_CAP, EMERGENCY, *GAS_COMPONENTS[2:]])),
    "a credit adjustment among them": (
        GAS,
        gas([*GAS_COMPONENTS[:4], component("0705", "01 04 05 804A371C 00000000 00 5A5A0000"), LAST]),
    ),
    "a cluster unknown here": (GAS, gas([*GAS_COMPONENTS[:4], CALENDAR.replace("0707", "0702", 1), LAST])),
    "an encrypted component": (GAS, gas(instead(GAS_COMPONENTS, 0, "02" + EMERGENCY[2:]))),
    "an end in the middle": (GAS, gas(instead(GAS_COMPONENTS, 0, "01" + EMERGENCY[2:]))),
    "no end": (GAS, gas(instead(GAS_COMPONENTS, 5, "00" + LAST[2:]))),
    "a date where none belongs": (
        GAS,
        gas(instead(GAS_COMPONENTS, 0, component("0705", EMERGENCY[10:], control=0x10, date="00000000"))),
    ),
    "no date where one belongs": (GAS, gas(instead(GAS_COMPONENTS, 2, component("0705", "01 02 09 F4010000")))),
    "an octet more in a payload": (GAS, gas(instead(GAS_COMPONENTS, 0, component("0705", EMERGENCY[10:] + "00")))),
    "an octet less in a payload": (GAS, gas(instead(GAS_COMPONENTS, 0, component("0705", EMERGENCY[10:-2])))),
    "a command from the other side": (GAS, gas(instead(GAS_COMPONENTS, 0, EMERGENCY.replace("010003", "090003")))),
    "a component cut off": (GAS, gas()[:-2]),
    "an octet behind the components": (GAS, gas() + "00"),
    "a header cut off": (GAS, "07" + gas()[2:] + "010707"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_a_payload_that_is_not_of_the_one_form_of_its_use_case(case: str) -> None:
    code, payload = REFUSED[case]
    content = decode(ContentKind.PRE_COMMAND, command(code, payload))
    with pytest.raises(ContentMalformed):
        data_values(content)


@pytest.mark.parametrize("code", GOOD)
def test_refuses_a_payload_cut_at_any_length_or_with_an_octet_more(code: int) -> None:
    content = bytes.fromhex(GOOD[code])
    for wrong in (*(content[:length] for length in range(len(content))), content + b"\x00"):
        with pytest.raises(ContentMalformed):
            values_of(command(code, wrong.hex()))


@pytest.mark.parametrize("code", GOOD)
def test_the_values_of_a_command_are_read_each_by_its_name(code: int) -> None:
    content = decode(ContentKind.COMMAND, command(code, GOOD[code]))
    assert data_values(content) == KNOWN[code]
    assert KNOWN[code].keys() == VALUES[code]
    assert code_of_values(content) == code


@pytest.mark.parametrize("amount", [0, -1, 1, -(2**31), 2**31 - 1])
def test_an_adjustment_is_read_with_its_sign(amount: int) -> None:
    assert values_of(command(ADJUST, adjustment(amount))) == {"adjust-meter-balance": amount}
    assert values_of(adjust_request(str(amount)), ContentKind.SERVICE_REQUEST) == {"adjust-meter-balance": amount}


def test_a_command_before_its_mac_has_the_values_of_the_command_in_it() -> None:
    signed = messages.compose_inner(command(LIMIT, GOOD[LIMIT]), bytes(64))
    beside = [Accompanying(kind=AccompanyingKind.DEVICE_CERTIFICATE, octets=agreed.device_certificate())]
    content = decode(ContentKind.COMMAND_BEFORE_MAC, signed, beside)
    assert isinstance(content, InnerCommand)
    assert data_values(content) == KNOWN[LIMIT]


def test_a_signed_pre_command_in_xml_has_the_values_of_the_command_in_it() -> None:
    signed = messages.sign_message(command(ADJUST, adjustment(-7)), bytes(64))
    document = duis.a_signed_pre_command(signed, variant="1.5", reference="1.5")
    assert values_of(document, ContentKind.SERVICE_REQUEST) == {"adjust-meter-balance": -7}


def test_refuses_a_signed_pre_command_in_xml_whose_values_cannot_be_read_and_tells_where_it_stands() -> None:
    signed = messages.sign_message(command(ADJUST, adjustment(1) + "00"), bytes(64))
    document = duis.a_signed_pre_command(signed, variant="1.5", reference="1.5")
    with pytest.raises(ContentMalformed) as caught:
        values_of(document, ContentKind.SERVICE_REQUEST)
    assert caught.value.offset == document.index(b"<sr:GBCSPayload>")


def test_every_name_of_a_variant_is_that_of_a_command_of_the_variant() -> None:
    for code, names in VALUES.items():
        assert all(name == name.lower() and " " not in name for name in names), code
    assert VARIANT_VALUES["1.5"] == VALUES[ADJUST]
    assert VARIANT_VALUES["6.4.1"] == VALUES[LIMIT]
    assert VARIANT_VALUES["2.1"] == VALUES[GAS] | VALUES[PREPAYMENT] - {"debt-recovery-rate-cap-period"}


NONE: dict[str, tuple[ContentKind, bytes, list[Accompanying]]] = {
    "a Command of another code": (ContentKind.PRE_COMMAND, compose_command(messages.OPEN_LOAD_SWITCH), []),
    "a reset of the balance": (
        ContentKind.SERVICE_REQUEST,
        balance_request("<sr:ResetMeterBalance></sr:ResetMeterBalance>"),
        [],
    ),
    "a request of another variant": (ContentKind.SERVICE_REQUEST, a_request(), []),
    "a response": (ContentKind.SERVICE_REQUEST, duis.a_response(), []),
    "a checkpoint": (ContentKind.AUDIT_CHECKPOINT, b"example.com/log\n1\n" + b"A" * 43 + b"=\n", []),
}


@pytest.mark.parametrize("case", NONE)
def test_other_contents_have_no_values(case: str) -> None:
    kind, octets, beside = NONE[case]
    content = decode(kind, octets, beside)
    assert data_values(content) == {}
    assert code_of_values(content) is None


@given(st.data())
@settings(max_examples=1_000)
def test_mutated_octets_have_every_value_or_are_refused(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(GOOD)))
    octets = bytearray(bytes.fromhex(GOOD[code]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        octets = octets or bytearray(1)
    content = reading(ContentKind.PRE_COMMAND, command(code, octets.hex()))
    if content is None:
        return
    try:
        values = data_values(content)
    except ContentMalformed:
        return
    assert values.keys() == VALUES[code]


@given(st.sampled_from(sorted(GOOD)), st.binary(max_size=300))
@settings(max_examples=500)
def test_random_payloads_are_refused(code: int, rest: bytes) -> None:
    content = reading(ContentKind.PRE_COMMAND, command(code, (rest or b"\x00").hex()))
    assert content is not None
    with pytest.raises(ContentMalformed):
        data_values(content)
