"""Data values that thresholds are set on (SEC G6.6(b), G6.1(d)(i)): read whole and right, or refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.content import decode
from keybroker.content.contents import Content
from keybroker.content.data_values import VALUES, VARIANT_VALUES, code_of_values, data_values
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import Accompanying
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind
from tests import agreed, duis, messages
from tests.content import published
from tests.duis import a_request
from tests.messages import compose_command, dlms_content, gbz_content

COUNTER = 1_000
ADJUST, LIMIT, PREPAYMENT, GAS = 0x001C, 0x0043, 0x001F, 0x006F
NOW = "090C 0000000000000000008000FF"


def specifications(*items: str) -> str:
    return f"{len(items):02X}" + "".join(items)


ADJUST_ITEM = "03 0070 0000130A00FF 01"
LIMIT_ITEMS = [f"02 2328 00005E2C{each}" for each in ("0003 04", "8007 04", "8006 04", "8008 04")] + [
    f"02 2328 00005E2C{each}" for each in ("0003 06", "8007 06", "8006 06", "8008 06")
]
LIMIT_DATA = ["03FF", "06 00001388", "06 0000003C", "06 00000014", NOW, NOW, NOW, NOW]
PREPAYMENT_ITEMS = [
    "02 000B 00010B0002FF 02",
    "02 2328 00005E2C0214 02",
    "02 2328 00005E2C020A 04",
    "02 000A 00010C0001FF 02",
    *(f"02 2328 00005E2C{each}" for each in ("800C 04", "800D 04", "8009 04", "8002 04", "801F 06", "8003 04")),
    *(f"02 2328 00005E2C{each} 06" for each in ("0214", "020A", "800C", "800D", "8009", "8002", "8003", "801C")),
]
PREPAYMENT_DATA = [
    "01 01 02 03 12 0001 09 05 FFFF 071D FF 11 01",
    "05 00000064",
    "05 000000C8",
    "01 00",
    "12 0011",
    "05 00015180",
    "05 FFFFFFFE",
    "05 0000012C",
    NOW,
    "05 00000190",
    *[NOW] * 8,
]


def adjustment(amount: int) -> str:
    return specifications(ADJUST_ITEM) + "01 05" + amount.to_bytes(4, "big", signed=True).hex()


def limits(items: list[str] = LIMIT_ITEMS, data: list[str] = LIMIT_DATA) -> str:
    return specifications(*items) + specifications(*data)


def prepayment(items: list[str] = PREPAYMENT_ITEMS, data: list[str] = PREPAYMENT_DATA) -> str:
    return specifications(*items) + specifications(*data)


def component(cluster: str, zcl: str, *, control: int = 0x00, date: str = "") -> str:
    inside = bytes.fromhex(date + zcl)
    return f"{control:02X}{cluster}{len(inside):04X}{inside.hex()}"


EMERGENCY = component("0705", "01 00 03 804A371C 00000000 E8030000 64000000")
DEBT_CAP = component("0705", "01 01 0C 00000000 804A371C 00000000 FEFFFFFF")
LOW_CREDIT = component("0705", "01 02 09 F4010000", control=0x10, date="00000000")
MOST_CREDIT = component("0705", "01 03 0B 00000000 804A371C 00000000 D0070000 000000FF")
CALENDAR = component("0707", "09 04 00 00000000 804A371C 804A371C 00000000 03 00 00 02 02 03")
LAST = component("0707", "09 05 04 00000000", control=0x01)
GAS_COMPONENTS = [EMERGENCY, DEBT_CAP, LOW_CREDIT, MOST_CREDIT, CALENDAR, LAST]


def gas(components: list[str] = GAS_COMPONENTS) -> str:
    return specifications(*components)


def command(code: int, content: str) -> bytes:
    rest = bytes.fromhex(content)
    return compose_command(
        code, counter=COUNTER, content=gbz_content(rest) if code == GAS else dlms_content(COUNTER, rest)
    )


def values_of(octets: bytes, kind: ContentKind = ContentKind.PRE_COMMAND) -> Mapping[str, int]:
    return data_values(decode(kind, octets))


def without(items: list[str], place: int) -> list[str]:
    return items[:place] + items[place + 1 :]


def instead(items: list[str], place: int, item: str) -> list[str]:
    return [*items[:place], item, *items[place + 1 :]]


GOOD = {ADJUST: adjustment(1_200_000), LIMIT: limits(), PREPAYMENT: prepayment(), GAS: gas()}
KNOWN: dict[int, dict[str, int]] = {
    ADJUST: {"adjust-meter-balance": 1_200_000},
    LIMIT: {
        "load-limit-supply-state": 1,
        "load-limit-power-threshold": 5_000,
        "load-limit-period": 60,
        "load-limit-restoration-period": 20,
    },
    PREPAYMENT: {
        "max-meter-balance": 100,
        "max-credit-threshold": 200,
        "debt-recovery-rate-cap": 17,
        "debt-recovery-rate-cap-period": 86_400,
        "low-credit-threshold": -2,
        "emergency-credit-limit": 300,
        "emergency-credit-threshold": 400,
    },
    GAS: {
        "emergency-credit-limit": 1_000,
        "emergency-credit-threshold": 100,
        "overall-debt-cap": -2,
        "low-credit-threshold": 500,
        "max-meter-balance": 2_000,
        "max-credit-threshold": 0xFF000000,
    },
}

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


LIMIT_BODY = (
    "<sr:UpdateDeviceConfigurationLoadLimitingGeneralSettings>{before}<sr:LoadLimitPeriod>{period}</sr:LoadLimitPeriod>"
    "<sr:LoadLimitPowerThreshold>5000</sr:LoadLimitPowerThreshold>"
    "<sr:LoadLimitRestorationPeriod>20</sr:LoadLimitRestorationPeriod>"
    "<sr:LoadLimitSupplyState>{state}</sr:LoadLimitSupplyState>"
    "</sr:UpdateDeviceConfigurationLoadLimitingGeneralSettings>"
)
DATED = "<sr:ExecutionDateTime>2030-01-15T09:00:00.00Z</sr:ExecutionDateTime>"


def balance_request(inside: str, mode: str = "PrepaymentMode") -> bytes:
    body = f"<sr:UpdateMeterBalance><sr:{mode}>{inside}</sr:{mode}></sr:UpdateMeterBalance>"
    return a_request("1.5", reference="1.5", command_variant=4, body=body)


def adjust_request(amount: str, mode: str = "PrepaymentMode") -> bytes:
    return balance_request(f"<sr:AdjustMeterBalance>{amount}</sr:AdjustMeterBalance>", mode)


def limit_request(period: str = "60", state: str = "Disable", before: str = "") -> bytes:
    body = LIMIT_BODY.format(period=period, state=state, before=before)
    return a_request("6.4.1", reference="6.4", command_variant=4, body=body)


def prepayment_request(fuel: str = "Electricity", *, cap: str = "30", limit: str = "300", again: str = "") -> bytes:
    calendar = f"sr:{fuel}NonDisablementCalendar"
    body = (
        f"<sr:UpdatePrepayConfiguration>{DATED}<sr:UpdatePrepayConfig{fuel}>"
        f"<sr:DebtRecoveryRateCap>{cap}</sr:DebtRecoveryRateCap><sr:EmergencyCreditLimit>{limit}</sr:EmergencyCreditLimit>"
        f"<sr:EmergencyCreditThreshold>400</sr:EmergencyCreditThreshold>{again}<sr:LowCreditThreshold>5</sr:LowCreditThreshold>"
        f"<{calendar}><sr:DayProfiles>1</sr:DayProfiles></{calendar}><sr:MaxMeterBalance>100</sr:MaxMeterBalance>"
        f"<sr:MaxCreditThreshold>200</sr:MaxCreditThreshold></sr:UpdatePrepayConfig{fuel}></sr:UpdatePrepayConfiguration>"
    )
    return a_request("2.1", reference="2.1", command_variant=4, body=body)


WRONG_NUMBERS = ["", "+5", "007", "-0", "1.5", "1e3", "0x10", " 5", "5 ", "\u0665", "five", "2147483648", "-2147483649"]
REFUSED_REQUESTS: dict[str, bytes] = {f"an adjustment of {each!r}": adjust_request(each) for each in WRONG_NUMBERS} | {
    "a number of thousands of digits": adjust_request("9" * 9_000),
    "no mode": a_request("1.5", reference="1.5", body="<sr:UpdateMeterBalance></sr:UpdateMeterBalance>"),
    "a mode unknown here": adjust_request("5", mode="DebtMode"),
    "nothing in a mode": balance_request(""),
    "two adjustments": balance_request("<sr:AdjustMeterBalance>1</sr:AdjustMeterBalance>" * 2),
    "an adjustment and a reset": balance_request(
        "<sr:AdjustMeterBalance>1</sr:AdjustMeterBalance><sr:ResetMeterBalance/>"
    ),
    "a number in an element of its own": adjust_request("<sr:Value>1</sr:Value>"),
    "a period below nothing": limit_request(period="-1"),
    "a period of 33 bits": limit_request(period="4294967296"),
    "a supply state unknown here": limit_request(state="Enable"),
    "a period twice": limit_request(before="<sr:LoadLimitPeriod>1</sr:LoadLimitPeriod>"),
    "a cap of 17 bits for electricity": prepayment_request(cap="65536"),
    "a limit with a sign for gas": prepayment_request("Gas", limit="-1"),
    "a limit twice": prepayment_request(again="<sr:EmergencyCreditLimit>1</sr:EmergencyCreditLimit>"),
    "neither fuel": a_request("2.1", reference="2.1", body="<sr:UpdatePrepayConfiguration/>"),
    "another fuel": prepayment_request("Water"),
    "the body of another variant": a_request("1.5", reference="1.5", body=duis.READ_SUPPLY_STATUS),
    "the values of another variant": a_request(
        "2.1", reference="2.1", body=LIMIT_BODY.format(before="", period=1, state="Disable")
    ),
}


@pytest.mark.parametrize("case", REFUSED_REQUESTS)
def test_refuses_a_service_request_whose_values_have_no_single_reading(case: str) -> None:
    with pytest.raises(ContentMalformed):
        values_of(REFUSED_REQUESTS[case], ContentKind.SERVICE_REQUEST)


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


REQUESTS: dict[str, tuple[bytes, int, dict[str, int]]] = {
    "1.5, credit mode": (adjust_request("5", mode="CreditMode"), ADJUST, {"adjust-meter-balance": 5}),
    "6.4.1": (limit_request(), LIMIT, KNOWN[LIMIT]),
    "6.4.1, future-dated": (
        limit_request(state="Unchanged", before=DATED),
        LIMIT,
        KNOWN[LIMIT] | {"load-limit-supply-state": 0},
    ),
    "2.1, electricity": (
        prepayment_request(limit="-300"),
        PREPAYMENT,
        {
            "debt-recovery-rate-cap": 30,
            "emergency-credit-limit": -300,
            "emergency-credit-threshold": 400,
            "low-credit-threshold": 5,
            "max-meter-balance": 100,
            "max-credit-threshold": 200,
        },
    ),
    "2.1, gas": (
        prepayment_request("Gas", cap="-30", limit="4294967295"),
        GAS,
        {
            "overall-debt-cap": -30,
            "emergency-credit-limit": 4_294_967_295,
            "emergency-credit-threshold": 400,
            "low-credit-threshold": 5,
            "max-meter-balance": 100,
            "max-credit-threshold": 200,
        },
    ),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_the_values_of_a_service_request_are_named_as_those_of_its_command(case: str) -> None:
    octets, code, expected = REQUESTS[case]
    content = decode(ContentKind.SERVICE_REQUEST, octets)
    assert data_values(content) == expected
    assert code_of_values(content) == code
    assert expected.keys() <= VALUES[code]
    assert expected.keys() <= VARIANT_VALUES[case.partition(",")[0]]


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


def reading(kind: ContentKind, octets: bytes) -> Content | None:
    try:
        return decode(kind, octets)
    except ContentMalformed:
        return None


@given(st.data())
@settings(max_examples=1_000, deadline=None)
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
@settings(max_examples=500, deadline=None)
def test_random_payloads_are_refused(code: int, rest: bytes) -> None:
    content = reading(ContentKind.PRE_COMMAND, command(code, (rest or b"\x00").hex()))
    assert content is not None
    with pytest.raises(ContentMalformed):
        data_values(content)


@given(st.sampled_from([octets for octets, _, _ in REQUESTS.values()]), st.data())
@settings(max_examples=500, deadline=None)
def test_mutated_service_requests_have_values_or_are_refused(octets: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(octets) - 1))
    mutated = octets[:at] + data.draw(st.binary(max_size=2)) + octets[at + data.draw(st.integers(0, 2)) :]
    content = reading(ContentKind.SERVICE_REQUEST, mutated)
    if content is None:
        return
    try:
        assert data_values(content).keys() <= frozenset().union(*VARIANT_VALUES.values())
    except ContentMalformed:
        return


LOADED = {"load-limit-power-threshold": 6_900, "load-limit-period": 300, "load-limit-restoration-period": 30}
PUBLISHED: dict[int, dict[str, int]] = {
    ADJUST: {"adjust-meter-balance": 1_200_000},
    LIMIT: LOADED,
    PREPAYMENT: {
        "max-meter-balance": 5_000_000,
        "max-credit-threshold": 1_000_000,
        "debt-recovery-rate-cap": 30,
        "debt-recovery-rate-cap-period": 604_800,
        "low-credit-threshold": 200_000,
        "emergency-credit-limit": 300_000,
        "emergency-credit-threshold": 100_000,
    },
    GAS: {
        "emergency-credit-limit": 10_000_000,
        "emergency-credit-threshold": 100_000,
        "overall-debt-cap": 100_000,
        "low-credit-threshold": 5_000_000,
        "max-meter-balance": 25_000_000,
        "max-credit-threshold": 25_000_000,
    },
}
"""What the DUIS templates say that the published Commands were made from; the supply state is both."""


def published_values() -> list[tuple[int, Mapping[str, int]]]:
    found = []
    for message in published.read_messages(published.directory()):
        content = reading(ContentKind.PRE_COMMAND, message.octets) if message.kind == "PRECOMMAND" else None
        if content is not None:
            values = data_values(content)
            found.append((code_of_values(content) or 0, values))
    return found


@pytest.mark.rtds
def test_published_commands_of_other_codes_have_no_values() -> None:
    found = published_values()
    assert found
    assert all(not values for code, values in found if code not in VALUES)


@pytest.mark.rtds
@pytest.mark.parametrize("code", PUBLISHED)
def test_published_commands_have_the_values_they_were_made_with(code: int) -> None:
    found = [values for each, values in published_values() if each == code]
    if not found:
        pytest.skip(f"KEYBROKER_RTDS holds no Pre-Command of 0x{code:04X}: its published values are NOT tested")
    for values in found:
        assert values.items() >= PUBLISHED[code].items()
        assert values.keys() == VALUES[code]
