"""What the Access Control Broker puts no MAC to, each for its reason; then what it does (SEC G2.44(b))."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybroker.content.decoding import decode
from keybroker.content.inner_command import InnerCommand
from keybroker.errors import NotPermitted
from keybroker.policy.claim import Bound, Claim
from keybroker.policy.rules import RULES, claims, command_mac
from keybroker.terms import ContentKind, DeploymentKind, KeyUsage, Operation, RemotePartyRole
from tests import agreed, messages
from tests.agreed import beside, organisation_chain, sign
from tests.policy.agreement import (
    ACB_MAC,
    AgreementCase,
    a_key_agreement_key,
    a_situation_for,
    check_refused,
    decided,
    device_cases,
    judge,
    serial_of,
)

APPLY = Operation.APPLY_COMMAND_MAC
SUPPLIER, ACB = messages.SUPPLIER, messages.ACCESS_CONTROL_BROKER


def inner(octets: bytes, device: bytes | None = None, originator: tuple[bytes, ...] = ()) -> InnerCommand:
    content = decode(ContentKind.COMMAND_BEFORE_MAC, octets, beside(device, originator))
    assert isinstance(content, InnerCommand)
    return content


def signed(
    code: int = messages.SET_CLOCK, chain: tuple[bytes, ...] | None = None, *, scalar: int = 0, **changes: Any
) -> InnerCommand:
    """A critical Command, signed by its originator unless ``scalar`` is another's."""
    message = messages.compose_command(code, **changes)
    octets = messages.compose_inner(message, sign(message, scalar or agreed.ORIGINATOR_KEY))
    return inner(octets, originator=organisation_chain() if chain is None else chain)


def unsigned(code: int = messages.SEND_MESSAGE, **changes: Any) -> InnerCommand:
    return inner(messages.compose_inner(messages.compose_command(code, **changes)))


PARTY_CHAIN = organisation_chain(scalar=agreed.PARTY_KEY, usage=KeyUsage.KEY_AGREEMENT)


def for_party(
    certificate: bytes = PARTY_CHAIN[0], *, originator: tuple[bytes, ...] = (), party: bytes = SUPPLIER.octets
) -> InnerCommand:
    """A Command that tells the Device for whom to encipher."""
    plain = messages.compose_command(messages.SEND_MESSAGE, originator=ACB)
    other = plain[31:33] + party + (7).to_bytes(8, "big") + certificate
    return inner(plain[:30] + messages.length_octets(len(other)) + other + plain[33:] + b"\0", originator=originator)


GOOD = signed()
EXPIRED = organisation_chain(not_after=agreed.SINCE.replace(month=12))
WITH_PARTY: dict[str, Any] = {"supplementary": (SUPPLIER, 7)}

REFUSALS = [
    AgreementCase(
        rule="command-carries-a-mac",
        what="by Recovery",
        content=signed(messages.ANY_BY_RECOVERY, originator=messages.RECOVERY),
        found="by Recovery: signed, and no MAC",
    ),
    AgreementCase(
        rule="command-carries-a-mac",
        what="by Contingency",
        content=signed(messages.ANY_BY_CONTINGENCY, originator=messages.CONTINGENCY),
        found="by Contingency: signed, and no MAC",
    ),
    AgreementCase(
        rule="command-carries-a-mac",
        what="CS02a in its signed variant",
        content=signed(0x0008, originator=messages.TRANSITIONAL_COS),
        found="the signed variant",
    ),
    AgreementCase(
        rule="command-carries-a-mac", what="CS02f in its signed variant", content=signed(0x011B), found="variant"
    ),
    AgreementCase(
        rule="command-carries-a-mac", what="from PPMID to GSME", content=unsigned(0x009B), found="between Devices"
    ),
    AgreementCase(
        rule="command-carries-a-mac", what="PECS01, between Devices", content=unsigned(0x0116), found="between Devices"
    ),
    AgreementCase(
        rule="signature-as-message-code-says",
        what="critical and unsigned",
        content=unsigned(messages.SET_CLOCK),
        found="none",
    ),
    AgreementCase(
        rule="signature-as-message-code-says",
        what="non-critical and signed",
        content=signed(messages.SEND_MESSAGE),
        found="one",
    ),
    AgreementCase(
        rule="signature-as-message-code-says",
        what="accessControlBrokerByACB, signed",
        content=signed(messages.ACB_BY_ACB, originator=ACB),
        found="one",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on", what="no certificate", content=signed(chain=()), found="none"
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="a foreign chain",
        content=signed(chain=organisation_chain(authority=2)),
        found="certificate",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="a chain without its Issuing OCA",
        content=signed(chain=organisation_chain()[:1]),
        found="",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on", what="expired", content=signed(chain=EXPIRED), found="valid"
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="revoked",
        content=GOOD,
        situation={"revoked": (serial_of(organisation_chain()[0]),)},
        found="revoked",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="a revocation list gone stale",
        content=GOOD,
        situation={"at": agreed.SINCE.replace(year=2034, month=1, day=2)},
        found="revocation list",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="a Key Agreement certificate",
        content=signed(chain=organisation_chain(usage=KeyUsage.KEY_AGREEMENT)),
        found="keyAgreement",
    ),
    AgreementCase(
        rule="originator-certificate-relied-on",
        what="a CA's own",
        content=signed(chain=organisation_chain()[1:]),
        found="CA",
    ),
    AgreementCase(
        rule="originator-certificate-is-the-originators",
        what="another party's",
        content=signed(chain=organisation_chain(messages.NETWORK_OPERATOR)),
        found=str(messages.NETWORK_OPERATOR),
    ),
    AgreementCase(
        rule="originator-role-for-message-code",
        what="a Network Operator sets a clock",
        content=signed(chain=organisation_chain(role=RemotePartyRole.NETWORK_OPERATOR)),
        found="03",
    ),
    AgreementCase(
        rule="originator-role-for-message-code",
        what="a Supplier changes the supplier",
        content=signed(messages.SUPPLIER_BY_TRANS_COS),
        found="02",
    ),
    AgreementCase(
        rule="originator-signature-verifies",
        what="another's signature",
        content=signed(scalar=agreed.PARTY_KEY),
        found="does not verify",
    ),
    AgreementCase(
        rule="originator-signature-verifies",
        what="zeros for a signature",
        content=inner(messages.compose_inner(GOOD.message, bytes(64)), originator=organisation_chain()),
        found="does not verify",
    ),
    AgreementCase(
        rule="originator-signature-verifies",
        what="an octet of the message changed",
        content=inner(GOOD.octets.replace(b"\x46", b"\x47", 1), originator=organisation_chain()),
        found="does not verify",
    ),
    AgreementCase(
        rule="access-control-broker-is-originator",
        what="accessControlBrokerByACB in another's name",
        content=unsigned(messages.ACB_BY_ACB),
        found=str(SUPPLIER),
    ),
    AgreementCase(
        rule="access-control-broker-is-originator",
        what="a Supplier that names an Unknown Remote Party",
        content=unsigned(**WITH_PARTY),
        found=str(SUPPLIER),
    ),
    AgreementCase(
        rule="access-control-broker-is-originator",
        what="a key without an EUI",
        content=unsigned(messages.ACB_BY_ACB, originator=ACB),
        key={"eui": None},
        found=str(ACB),
    ),
    AgreementCase(
        rule="supplementary-certificate-is-the-partys",
        what="no certificate at all",
        content=for_party(b"\x30\x0a" + bytes(10)),
        found="certificate",
    ),
    AgreementCase(
        rule="supplementary-certificate-is-the-partys",
        what="another party's",
        content=for_party(party=messages.NETWORK_OPERATOR.octets),
        found=str(SUPPLIER),
    ),
    AgreementCase(
        rule="supplementary-certificate-is-the-partys",
        what="a signing certificate",
        content=for_party(organisation_chain()[0]),
        found="digitalSignature",
    ),
    AgreementCase(
        rule="supplementary-certificate-relied-on",
        what="no chain, live",
        content=for_party(),
        situation={"live": True},
        found="no chain",
    ),
    AgreementCase(
        rule="supplementary-certificate-relied-on",
        what="another chain beside it",
        content=for_party(originator=organisation_chain()),
        found="another certificate",
    ),
    AgreementCase(
        rule="supplementary-certificate-relied-on",
        what="revoked",
        content=for_party(originator=PARTY_CHAIN),
        situation={"revoked": (serial_of(PARTY_CHAIN[0]),)},
        found="revoked",
    ),
    *device_cases(lambda device: inner(GOOD.octets, device, organisation_chain())),
]


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found_under_which_clause(case: AgreementCase) -> None:
    check_refused(case, ACB_MAC, APPLY)


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in command_mac.RULES}
    assert {case.rule for case in REFUSALS} <= set(RULES)


@pytest.mark.clause("G2.44(b)", shows="acceptance")
@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        signed(messages.UNJOIN, **WITH_PARTY, originator=ACB, chain=organisation_chain(ACB, role=RemotePartyRole(4))),
        signed(
            messages.SUPPLIER_BY_TRANS_COS,
            originator=messages.TRANSITIONAL_COS,
            chain=organisation_chain(messages.TRANSITIONAL_COS, role=RemotePartyRole.TRANSITIONAL_COS),
        ),
        unsigned(),
        unsigned(messages.SEND_MESSAGE, **WITH_PARTY, originator=ACB),
        unsigned(messages.ACB_BY_ACB, originator=ACB),
        unsigned(0x0008),
        for_party(),
        for_party(originator=PARTY_CHAIN),
    ],
    ids=[
        "signed by a Supplier",
        "signed by the ACB for another",
        "signed by the CoS Party",
        "non-critical",
        "non-critical, by the ACB for another",
        "accessControlBrokerByACB",
        "CS02a with a MAC",
        "with a certificate",
        "with a certificate and its chain",
    ],
)
def test_accepts_what_a_device_would_take(content: InnerCommand) -> None:
    assert decided(content, ACB_MAC, APPLY).content is content


def test_a_live_deployment_wants_the_chain_of_the_certificate_in_the_message() -> None:
    (finding,) = [
        each
        for each in judge(
            AgreementCase(
                rule="",
                what="",
                found="",
                content=for_party(originator=PARTY_CHAIN),
                situation={"live": True},
            ),
            ACB_MAC,
            APPLY,
        )
        if each.rule == "supplementary-certificate-relied-on"
    ]
    assert finding.passed
    assert not finding.found
    relied = {str(each.rule): each.found for each in decided(for_party(), ACB_MAC, APPLY).findings}
    assert "not relied on in this test deployment" in relied["supplementary-certificate-relied-on"]


def test_collects_every_finding_and_names_the_first() -> None:
    content = signed(scalar=agreed.PARTY_KEY, chain=organisation_chain(messages.NETWORK_OPERATOR))
    with pytest.raises(NotPermitted, match=r"^originator-certificate-is-the-originators at .*1 more finding"):
        decided(content, ACB_MAC, APPLY)


def test_a_live_deployment_takes_each_counter_of_originator_and_device_for_one_message_alone() -> None:
    key, where = a_key_agreement_key(ACB_MAC), replace(a_situation_for(APPLY), deployment=DeploymentKind.LIVE)
    (taken,) = claims(GOOD, key, where)
    assert isinstance(taken, Bound)
    assert (taken.rule, taken.clause) == ("command-mac-counter-used-once", "GBCS key agreement; G2.44(b)")
    assert (taken.scope, taken.value) == (command_mac.COUNTER_SCOPE, GOOD.sha256)
    assert taken.name[-8:] == GOOD.originator_counter.to_bytes(8, "big")
    others = (
        replace(GOOD, originator_counter=GOOD.originator_counter + 1),
        replace(GOOD, recipient=GOOD.originator),
        replace(GOOD, peer=GOOD.peer[::-1]),
    )
    names = {each.name for other in others for each in claims(other, key, where) if isinstance(each, Bound)}
    assert len({taken.name, *names}) == 4


def test_takes_nothing_from_the_ledger_of_a_test_deployment() -> None:
    taken: tuple[Claim, ...] = claims(GOOD, a_key_agreement_key(ACB_MAC), a_situation_for(APPLY))
    assert taken == ()
