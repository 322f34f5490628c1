"""The report of G2.57: the DCC keys with a GBCS role for other purposes, by their latest date."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybroker.policy.g2_57 import keys_to_replace
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, RemotePartyRole
from tests import messages
from tests.lists import AT
from tests.policy.certificate_cases import ISSUING, OF_DCC_SUPPLIER, SECOND
from tests.situations import a_certificate, a_key, packaged_policies


def with_keys(*keys: RegisteredKey) -> KeyRegister:
    return KeyRegister(version=1, keys={key.label: key for key in keys})


def dcc_key(label: str, purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    facts = replace(a_certificate(), **({"role": RemotePartyRole.ACCESS_CONTROL_BROKER} | changes))
    return replace(a_key(), label=KeyLabel(label), purpose=purpose, certificate=facts)


@pytest.mark.clause("G2.57", "G2.58", "G2.59", shows="acceptance")
def test_the_report_of_g2_57_lists_dcc_keys_with_a_gbcs_role_for_other_purposes_by_their_latest_date() -> None:
    late, soon = (
        dcc_key("late", KeyPurpose.DSP_XML),
        dcc_key("soon", KeyPurpose.SMETS1_TLS, not_after=AT - SECOND),
    )
    others = (
        dcc_key("as-gbcs-says", KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND),
        dcc_key("of-table-1", KeyPurpose.DSP_XML, role=RemotePartyRole.DSP_XML_SIGN),
        dcc_key("of-a-user", KeyPurpose.USER_XML, role=RemotePartyRole.SUPPLIER),
        replace(dcc_key("retired", KeyPurpose.DSP_XML), state=KeyState.RETIRED),
        replace(dcc_key("without", KeyPurpose.COS_PARTY_TLS), certificate=None),
    )
    found = keys_to_replace(with_keys(late, soon, *others), packaged_policies(), AT)
    assert [(each.label, each.overdue) for each in found] == [("soon", True), ("late", False)]
    assert found[0].at_the_latest == AT - SECOND
    assert found[1].role is RemotePartyRole.ACCESS_CONTROL_BROKER


def test_the_report_counts_the_configured_euis_as_the_dccs() -> None:
    key = dcc_key("listed", KeyPurpose.DSP_XML, role=RemotePartyRole.SUPPLIER, eui=messages.SUPPLIER)
    policies = dict(packaged_policies())
    assert keys_to_replace(with_keys(key), policies, AT) == ()
    policies[ISSUING] = replace(policies[ISSUING], **OF_DCC_SUPPLIER)
    assert [each.label for each in keys_to_replace(with_keys(key), policies, AT)] == ["listed"]
