"""The rules for ARLs and CRLs: each way they refuse, then what they accept; and what the use of the key claims."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from keybroker.content.decoding import decode
from keybroker.content.revocation_list import TbsCertList
from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.claim import Increasing, Known, Succession
from keybroker.policy.model import Decision
from keybroker.policy.rules import revocation_list
from keybroker.terms import ContentKind, KeyPurpose, Operation
from tests import lists
from tests.lists import AT, HOUR, compose, entry
from tests.policy import authorities, chains
from tests.situations import packaged_policies

ROOT, ISSUING = KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, what is spoilt of the list, and what the finding must tell."""

    rule: str
    spoilt: dict[str, Any] = field(default_factory=dict)
    found: str
    purpose: KeyPurpose = ISSUING
    spoilt_key: dict[str, Any] = field(default_factory=dict)
    offset: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


def times(begin: timedelta, length: timedelta) -> dict[str, Any]:
    return {"this_update": lists.utc(AT + begin), "next_update": lists.utc(AT + begin + length)}


OTHER_NAME = chains.name((chains.OU, "07", chains.UTF8), (chains.CN, "T2", chains.UTF8))
SAME_NAME_IN_ANOTHER_ENCODING = chains.ISSUING.public_bytes().replace(b"\x0c\x02T1", b"\x13\x02T1")
SUSPECTED_LATER = lists.extension(lists.INVALIDITY, lists.generalized(AT + SECOND))

REFUSALS = (
    Case(rule="revocation-list-number-leaves-room", spoilt={"number": 2**42 + 1}, found=str(2**42 + 1)),
    Case(rule="revocation-list-number-leaves-room", spoilt={"number": 2**159 - 1}, found=str(2**159 - 1)),
    Case(
        rule="revocation-list-issuer-is-keys-subject",
        spoilt={"issuer": OTHER_NAME.public_bytes()},
        found="OU=07, CN=T2",
        offset=True,
    ),
    Case(
        rule="revocation-list-issuer-is-keys-subject",
        spoilt={"issuer": SAME_NAME_IN_ANOTHER_ENCODING},
        found="OU=07, CN=T1",
        offset=True,
    ),
    Case(rule="revocation-list-issuer-is-keys-subject", purpose=ROOT, found="OU=07, CN=T1", offset=True),
    Case(
        rule="revocation-list-issuer-is-keys-subject",
        spoilt_key={"certificate": None},
        found="OU=07, CN=T1",
        offset=True,
    ),
    Case(
        rule="revocation-list-authority-is-the-key",
        spoilt={"authority": lists.authority(lists.identifier(chains.ROOT_KEY))},
        found=lists.identifier(chains.ROOT_KEY).hex(),
    ),
    Case(
        rule="revocation-list-authority-is-the-key",
        spoilt_key={"certificate": None},
        found=lists.identifier().hex(),
    ),
    Case(rule="revocation-list-begins-now", spoilt=times(-61 * MINUTE, HOUR + HOUR), found="10:59:00"),
    Case(rule="revocation-list-begins-now", spoilt=times(61 * MINUTE, HOUR), found="13:01:00"),
    Case(rule="revocation-list-ends-in-time", spoilt=times(timedelta(), 12 * HOUR + SECOND), found="00:00:01"),
    Case(rule="revocation-list-ends-in-time", spoilt=times(timedelta(), timedelta()), found="12:00:00"),
    Case(rule="revocation-list-ends-in-time", spoilt=times(timedelta(), -HOUR), found="11:00:00"),
    Case(rule="revocation-list-ends-in-time", spoilt=times(-HOUR, HOUR), found="12:00:00"),
    Case(
        rule="revocation-list-ends-in-time",
        spoilt=times(timedelta(), 8784 * HOUR + SECOND),
        purpose=ROOT,
        found="2027-01-16",
    ),
    Case(
        rule="revocations-have-happened",
        spoilt={"entries": (entry(5), entry(6, AT + SECOND))},
        found="serial 6 at 2026-01-15T12:00:01",
        offset=True,
    ),
    Case(
        rule="revocations-have-happened",
        spoilt={"entries": (entry(5, AT, SUSPECTED_LATER),)},
        found="serial 5 at 2026-01-15T12:00:01",
        offset=True,
    ),
)


def content(**changes: Any) -> TbsCertList:
    decoded = decode(ContentKind.CERTIFICATE_REVOCATION_LIST, compose(**changes))
    assert isinstance(decoded, TbsCertList)
    return decoded


def decision(purpose: KeyPurpose = ISSUING, *, key: dict[str, Any] | None = None, **changes: Any) -> Decision:
    return decide(
        content(**changes),
        key=authorities.an_authority(purpose, **(key or {})),
        caller=authorities.a_caller(purpose),
        policy=packaged_policies()[purpose],
        situation=authorities.a_situation(),
    )


AN_ARL: dict[str, Any] = {
    "issuer": chains.ROOT.public_bytes(),
    "authority": lists.authority(lists.identifier(chains.ROOT_KEY)),
    "next_update": lists.utc(AT + 8784 * HOUR),
}


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found(case: Case) -> None:
    with pytest.raises(NotPermitted) as refusal:
        decision(case.purpose, key=case.spoilt_key, **case.spoilt)
    (finding,) = [each for each in refusal.value.findings if each.rule == case.rule]
    assert not finding.passed
    assert case.found in finding.found
    assert finding.expected
    assert (finding.offset is not None) is case.offset
    assert "G2.60(c), G2.61(c)" in finding.clause


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in revocation_list.RULES}


@pytest.mark.parametrize(
    "rule", ["revocation-list-begins-now", "revocation-list-ends-in-time", "revocation-list-number-leaves-room"]
)
def test_refuses_a_purpose_whose_policy_knows_no_lists(rule: str) -> None:
    with pytest.raises(NotPermitted) as refusal:
        decide(
            content(),
            key=authorities.an_authority(),
            caller=authorities.a_caller(),
            policy=packaged_policies()[KeyPurpose.DSP_XML],
            situation=authorities.a_situation(),
        )
    assert {each.passed for each in refusal.value.findings if each.rule == rule} == {False}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"entries": None},
        times(-HOUR, HOUR + SECOND),
        times(HOUR, 12 * HOUR),
        {"entries": (entry(5, AT),)},
    ],
    ids=["a good one", "of nobody", "an hour old", "an hour ahead", "revoked now"],
)
def test_an_issuing_oca_signs_its_crl(changes: dict[str, Any]) -> None:
    assert all(finding.passed for finding in decision(**changes).findings)


@pytest.mark.clause("G2.60(c)", "G2.61(c)", shows="acceptance")
def test_the_root_signs_its_arl_for_a_year() -> None:
    assert all(finding.passed for finding in decision(ROOT, **AN_ARL).findings)


@pytest.mark.parametrize("purpose", [ROOT, ISSUING])
def test_claims_a_greater_number_its_own_kind_and_the_place_of_the_last_list(purpose: KeyPurpose) -> None:
    arl = AN_ARL if purpose is ROOT else {}
    number, kind, succession = decision(purpose, entries=(entry(5), entry(6)), number=9, **arl).claims
    issuer = authorities.ROOT_IDENTITY if purpose is ROOT else authorities.ISSUING_IDENTITY
    serials = frozenset(serial.to_bytes(20, "big") for serial in (5, 6))
    assert isinstance(number, Increasing)
    assert (number.scope, number.name, number.number) == ("crl-number", issuer, 9)
    assert isinstance(kind, Known)
    assert (kind.scope, kind.begins) == ("certificate", 1 if purpose is ROOT else 2)
    assert kind.names == frozenset(issuer + serial for serial in serials)
    assert isinstance(succession, Succession)
    assert (succession.scope, succession.name, succession.entries) == ("crl-entries", issuer, serials)
    assert (succession.lifetimes, succession.at) == ("certificate", AT)


def test_no_other_purpose_signs_a_list() -> None:
    signs = {
        purpose
        for purpose, policy in packaged_policies().items()
        if ContentKind.CERTIFICATE_REVOCATION_LIST in policy.content_kinds
        or Operation.SIGN_REVOCATION_LIST in policy.operations
    }
    assert signs == {ROOT, ISSUING}


def test_an_authority_whose_own_certificate_stands_on_the_arl_signs_no_list() -> None:
    arl = lists.an_arl(entries=(entry(0x1234),))
    situation = authorities.a_situation(trust=authorities.a_trust(arl=arl))
    with pytest.raises(NotPermitted, match="key-certificate-not-on-a-revocation-list"):
        decide(
            content(),
            key=authorities.an_authority(),
            caller=authorities.a_caller(),
            policy=packaged_policies()[ISSUING],
            situation=situation,
        )
    # The root stands on nobody's list.
    assert replace(authorities.an_authority(ROOT)).certificate is not None
    decision(ROOT, **AN_ARL)
