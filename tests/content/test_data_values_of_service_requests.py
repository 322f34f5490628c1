"""Data values that thresholds are set on, in Service Requests: read whole and right, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.content.data_values import VALUES, VARIANT_VALUES, code_of_values, data_values
from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind
from tests import duis
from tests.content.values_in_commands import ADJUST, GAS, KNOWN, LIMIT, PREPAYMENT, reading, values_of
from tests.content.values_in_service_requests import (
    DATED,
    LIMIT_BODY,
    adjust_request,
    balance_request,
    limit_request,
    prepayment_request,
)
from tests.duis import a_request

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


@given(st.sampled_from([octets for octets, _, _ in REQUESTS.values()]), st.data())
@settings(max_examples=500)
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
