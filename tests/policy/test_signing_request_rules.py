"""The rules for Certificate Signing Requests: each way they refuse, then what every purpose's key may ask for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from keybroker.content.decoding import decode
from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.claim import Once
from keybroker.policy.model import Decision
from keybroker.policy.rules import signing_request
from keybroker.terms import (
    CallerKind,
    ContentKind,
    KeyAlgorithm,
    KeyPurpose,
    KeyState,
    KeyUsage,
    Operation,
)
from tests import certificates as made
from tests import messages
from tests.certificates import TRUE, compose_info
from tests.lists import extension
from tests.messages import der, der_integer
from tests.policy import authorities
from tests.situations import a_key, a_policy, packaged_policies

KIND = ContentKind.CERTIFICATE_SIGNING_REQUEST
SUPPLIER, AGREEMENT = KeyPurpose.SUPPLIER_PRE_COMMAND, KeyPurpose.USER_KEY_AGREEMENT
ISSUING, TLS = KeyPurpose.ISSUING_OCA, KeyPurpose.SMETS1_TLS
USAGES = {
    KeyUsage.DIGITAL_SIGNATURE: made.DIGITAL_SIGNATURE,
    KeyUsage.KEY_AGREEMENT: made.KEY_AGREEMENT,
    KeyUsage.CERTIFICATE_SIGNING: made.CERTIFICATE_SIGNING,
    KeyUsage.NONE: made.DIGITAL_SIGNATURE,
}
ASKING = tuple(purpose for purpose, policy in packaged_policies().items() if KIND in policy.content_kinds)


def an_info(purpose: KeyPurpose, **changes: bytes) -> bytes:
    """What a key of the purpose asks for."""
    policy = a_policy(purpose)
    if policy.key_usage is KeyUsage.CERTIFICATE_SIGNING:
        (role,) = policy.roles
        subject = made.name(made.ou(role.ou), made.cn("T1"))
    elif policy.binding == "public-key":
        subject = made.name(made.cn("tls.example"))
    else:
        subject = made.name(made.ou(min(policy.roles).ou), made.uid())
    return compose_info(made.key_usage(USAGES[policy.key_usage]), **({"subject": subject} | changes))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, the request that is spoilt, and what the finding must tell."""

    rule: str
    found: str
    octets: bytes = b""
    purpose: KeyPurpose = SUPPLIER
    spoilt_key: dict[str, Any] = field(default_factory=dict)
    offset: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found[:30]} ({self.purpose})"

    def decide(self) -> Decision:
        policy = a_policy(self.purpose)
        authority = policy.key_usage is KeyUsage.CERTIFICATE_SIGNING
        wanted = {
            "purpose": self.purpose,
            "public_key": made.point(),
            "state": KeyState.ENROLLING,
            "certificate": None,
            "eui": None if authority or policy.binding == "public-key" else messages.SUPPLIER,
        }
        key = replace(a_key(), **(wanted | self.spoilt_key))
        caller = authorities.a_caller()
        kind = CallerKind.USER_SYSTEM if CallerKind.USER_SYSTEM in policy.caller_kinds else CallerKind.DCC_SERVICE
        return decide(
            decode(KIND, self.octets or an_info(self.purpose)),
            key=key,
            caller=replace(
                caller, party=key.party, keys=frozenset({key.label}), operations=policy.operations, kind=kind
            ),
            policy=policy,
            situation=authorities.a_situation(Operation.SIGN_CERTIFICATE_SIGNING_REQUEST),
        )


def named(*attributes: bytes, purpose: KeyPurpose = SUPPLIER) -> bytes:
    return an_info(purpose, subject=made.name(*attributes))


def asked(*extensions: bytes) -> bytes:
    return compose_info(*extensions)


NOTHING_ASKED = compose_info(attributes=der(0xA0, b""))

REFUSALS = (
    Case(
        rule="request-public-key-is-signing-key",
        octets=an_info(SUPPLIER, spki=made.spki(made.point(5))),
        found=made.point(5).hex(),
    ),
    Case(rule="request-public-key-is-signing-key", spoilt_key={"public_key": made.point(5)}, found=made.point().hex()),
    *(
        Case(rule="request-role-for-purpose", octets=named(*attributes), found=found, offset=True)
        for attributes, found in (
            ((made.ou("03"), made.uid()), "OU=03"),
            ((made.ou("87"), made.uid()), "OU=87"),
            ((made.ou("09"), made.uid()), "OU=09"),
            ((made.ou("02"),), "OU=02"),
            ((made.ou("02"), made.cn("T1")), "OU=02, CN=T1"),
            ((made.ou("02"), made.uid(bytes(7))), "OU=02"),
            ((), "an empty name"),
        )
    ),
    Case(
        rule="request-role-for-purpose",
        purpose=KeyPurpose.DSP_XML,
        octets=named(made.ou("04"), made.uid(), purpose=KeyPurpose.DSP_XML),
        found="OU=04",
        offset=True,
    ),
    Case(
        rule="request-role-for-purpose",
        purpose=ISSUING,
        octets=named(made.ou("00"), made.cn("T1"), purpose=ISSUING),
        found="OU=00",
        offset=True,
    ),
    Case(
        rule="request-role-for-purpose",
        purpose=ISSUING,
        octets=named(made.ou("07"), made.uid(), purpose=ISSUING),
        found="OU=07",
        offset=True,
    ),
    Case(
        rule="request-role-for-purpose",
        purpose=TLS,
        octets=named(purpose=TLS),
        found="an empty name",
        offset=True,
    ),
    Case(
        rule="request-eui-is-keys-eui", spoilt_key={"eui": messages.RECOVERY}, found=str(messages.SUPPLIER), offset=True
    ),
    Case(rule="request-eui-is-keys-eui", spoilt_key={"eui": None}, found=str(messages.SUPPLIER), offset=True),
    Case(rule="request-key-usage-for-purpose", octets=NOTHING_ASKED, found="none asked for"),
    Case(rule="request-key-usage-for-purpose", octets=asked(made.key_usage(made.KEY_AGREEMENT)), found="keyAgreement"),
    Case(
        rule="request-key-usage-for-purpose",
        octets=asked(made.key_usage(made.BOTH)),
        found="digitalSignature keyAgreement",
    ),
    Case(
        rule="request-key-usage-for-purpose",
        purpose=AGREEMENT,
        octets=asked(made.key_usage()),
        found="digitalSignature",
    ),
    Case(
        rule="request-key-usage-for-purpose",
        purpose=TLS,
        octets=compose_info(made.key_usage(made.KEY_AGREEMENT), subject=made.name(made.cn("tls.example"))),
        found="keyAgreement",
    ),
    Case(
        rule="request-extensions",
        octets=asked(made.key_usage(), extension(bytes.fromhex("0603551d11"), der(0x30, der(0x82, b"a.example")))),
        found="2.5.29.17",
        offset=True,
    ),
    Case(
        rule="request-extensions",
        octets=asked(made.key_usage(), extension(bytes.fromhex("06032a0304"), b"\x05\x00", TRUE)),
        found="1.2.3.4",
        offset=True,
    ),
    Case(
        rule="request-extensions",
        octets=asked(made.key_usage(), made.policies(made.POLICY)),
        found="2.5.29.32",
        offset=True,
    ),
    Case(
        rule="request-extensions",
        octets=asked(made.key_usage(), made.constraints(TRUE)),
        found="CA true",
    ),
)


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
    assert {case.rule for case in REFUSALS} == {rule.name for rule in signing_request.RULES}


@pytest.mark.parametrize("state", [state for state in KeyState if state is not KeyState.ENROLLING])
def test_a_key_agreement_key_signs_nothing_once_it_has_left_enrolment(state: KeyState) -> None:
    with pytest.raises(NotPermitted, match="key-state-active"):
        Case(rule="", found="", purpose=AGREEMENT, spoilt_key={"state": state}).decide()


def test_a_signing_key_that_came_from_another_system_proves_by_a_request_that_it_is_here() -> None:
    decision = Case(rule="", found="", spoilt_key={"state": KeyState.INSTALLED}).decide()
    assert all(finding.passed for finding in decision.findings)


@pytest.mark.parametrize("purpose", ASKING)
def test_a_key_of_every_purpose_asks_for_its_own_certificate(purpose: KeyPurpose) -> None:
    decision = Case(rule="", found="", purpose=purpose).decide()
    assert all(finding.passed for finding in decision.findings)


@pytest.mark.parametrize(
    "case",
    [
        Case(rule="", found="", octets=named(made.cn("Supplier", 0x0C), made.ou("02"), made.uid())),
        Case(
            rule="", found="", octets=asked(made.key_usage(), made.constraints(), made.subject_key_identifier(bytes(8)))
        ),
        Case(
            rule="",
            found="",
            purpose=TLS,
            octets=compose_info(attributes=der(0xA0, b""), subject=made.name(made.cn("tls.example"))),
        ),
        Case(
            rule="",
            found="",
            purpose=ISSUING,
            octets=compose_info(
                made.key_usage(made.CERTIFICATE_SIGNING),
                made.constraints(TRUE, der_integer(0)),
                subject=made.ISSUING_OCA,
            ),
        ),
    ],
    ids=["a common name", "no CA, and its key identifier", "a TLS key that asks for nothing", "an authority"],
)
def test_accepts(case: Case) -> None:
    assert all(finding.passed for finding in case.decide().findings)


@pytest.mark.parametrize("purpose", ASKING)
def test_a_key_agreement_key_claims_its_one_request_and_no_other_key_does(purpose: KeyPurpose) -> None:
    claims = Case(rule="", found="", purpose=purpose).decide().claims
    if a_policy(purpose).algorithm is not KeyAlgorithm.ECDH:
        assert claims == ()
        return
    (claim,) = claims
    assert isinstance(claim, Once)
    assert (claim.scope, claim.name) == ("key-agreement-request", hashlib.sha256(made.point()).digest())
