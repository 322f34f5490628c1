"""The rules for certificates: each way they refuse, then what they accept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.errors import NotPermitted
from keybroker.policy.rules import certificate
from keybroker.terms import KeyPurpose
from tests import certificates as made
from tests.certificates import TRUE, a_request, compose, compose_info
from tests.lists import AT, generalized, utc
from tests.messages import der, der_integer
from tests.policy import chains
from tests.policy.certificate_cases import (
    DAY,
    ISSUING,
    LIVE,
    OF_ACB,
    OF_DCC_SUPPLIER,
    SECOND,
    Case,
    in_recovery,
    named,
    of_oca,
    of_root,
    registered,
    settings,
    stated,
    valid,
)
from tests.policy.refused_certificate_requests import REFUSED_REQUESTS
from tests.policy.refused_certificates import REFUSED_CERTIFICATES, REFUSED_ROOTS
from tests.policy.refused_gbcs_roles import REFUSED_ROLES
from tests.situations import packaged_policies

REFUSALS = (*REFUSED_CERTIFICATES, *REFUSED_REQUESTS, *REFUSED_ROLES, *REFUSED_ROOTS)


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found(case: Case) -> None:
    with pytest.raises(NotPermitted) as refusal:
        case.decide()
    (finding,) = [each for each in refusal.value.findings if each.rule == case.rule]
    assert not finding.passed
    assert case.found in finding.found
    assert finding.expected
    assert (finding.offset is not None) is case.offset


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in certificate.RULES}


def test_without_its_table_a_policy_certifies_nothing() -> None:
    without = {"settings": replace(packaged_policies()[ISSUING].settings, certificates=None)}
    with pytest.raises(NotPermitted) as refusal:
        Case(rule="", found="", policy=without).decide()
    failed = {each.rule for each in refusal.value.findings if not each.passed}
    assert {"certificate-validity-length", "certificate-begins-now", "certificate-policies"} <= failed


ACCEPTED = (
    Case(rule="certificate-sort-for-key", found=""),
    Case(rule="certificate-sort-for-key", octets=stated(constraints=made.constraints()), found=""),
    of_oca("certificate-path-length", ""),
    of_root("root-certificate-contingency-key", "wrapped by 2.16.840.1.101.3.4.1.6"),
    of_root("certificate-path-length", "", made.a_root({"constraints": made.constraints(TRUE, der_integer(1))})),
    of_root(
        "certificate-validity-length",
        "",
        made.a_root(validity=der(0x30, utc(AT), generalized(AT + 18263 * DAY))),
    ),
    Case(
        rule="certificate-key-usage",
        octets=stated(usage=made.key_usage(made.KEY_AGREEMENT)),
        request=a_request(compose_info(made.key_usage(made.KEY_AGREEMENT))),
        found="",
    ),
    Case(rule="certificate-begins-now", octets=compose(**valid(AT - DAY, made.UNTIL)), found=""),
    Case(rule="certificate-begins-now", octets=compose(**valid(AT + DAY, made.UNTIL)), found=""),
    Case(rule="certificate-within-issuers-validity", octets=compose(**valid(AT, chains.UNTIL)), found=""),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x10\x00\x80" + bytes(14)), found=""),
    Case(
        rule="certificate-request-subject",
        **named(made.cn("Supplier", 0x0C), made.ou("02"), made.uid()),
        found="",
    ),
    Case(
        rule="certificate-request-key-usage",
        request=a_request(compose_info(attributes=der(0xA0, b""))),
        found="not applicable to this purpose",
    ),
    Case(rule="gbcs-role-for-gbcs-purposes", found="not applicable to this purpose"),
    Case(rule="gbcs-role-for-gbcs-purposes", **OF_ACB, found="not in this register"),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **OF_ACB,
        situation=in_recovery(registered(KeyPurpose.DSP_XML)),
        found="G2.59: it replaces abababababababab, revoked under SMKI RP 7",
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **OF_ACB,
        situation=registered(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND),
        found="",
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **OF_ACB,
        policy=settings(service_live_date=LIVE, applied_from=AT + SECOND),
        situation=registered(KeyPurpose.DSP_XML),
        found="not applicable to this purpose",
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        situation=registered(KeyPurpose.USER_XML),
        found="not applicable to this purpose",
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **named(made.ou("89"), made.uid()),
        policy=OF_DCC_SUPPLIER,
        situation=registered(KeyPurpose.DSP_XML),
        found="not applicable to this purpose",
    ),
)


@pytest.mark.clause("G2.57", "G2.58", "G2.59", shows="acceptance")
@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepts(case: Case) -> None:
    decision = case.decide()
    assert all(finding.passed for finding in decision.findings)
    (finding,) = [each for each in decision.findings if each.rule == case.rule]
    assert case.found in finding.found
