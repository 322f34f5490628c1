"""The rules for certificates: each way they refuse, then what they accept; and what the use of the key claims."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keybroker.content import Accompanying, decode
from keybroker.content.certificate import TbsCertificate
from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.claim import Bound, Once
from keybroker.policy.g2_57 import GBCS_PURPOSES, keys_to_replace
from keybroker.policy.model import Decision, KeyRegister, RegisteredKey
from keybroker.policy.rules import certificate
from keybroker.policy.settings import EcosSettings
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import RecoveryRevocation
from keybroker.statement.standing import Standing
from keybroker.terms import ContentKind, KeyLabel, KeyPurpose, KeyState, Operation, RemotePartyRole
from tests import certificates as made
from tests import evidence, lists, messages
from tests.certificates import TRUE, a_request, beside, compose, compose_info, extensions
from tests.lists import AT, extension, generalized, utc
from tests.messages import der, der_integer
from tests.policy import authorities, chains
from tests.situations import a_certificate, a_key, packaged_policies

ROOT, ISSUING = KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
OCA_REQUEST = a_request(compose_info(made.key_usage(made.CERTIFICATE_SIGNING), subject=made.ISSUING_OCA))
ACB_SUBJECT = made.name(made.ou("04"), made.uid())
REGISTERED = made.point()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, the certificate that is spoilt, and what the finding must tell."""

    rule: str
    octets: bytes = field(default_factory=compose)
    found: str
    kind: ContentKind = ContentKind.CERTIFICATE
    purpose: KeyPurpose = ISSUING
    request: bytes | None = field(default_factory=a_request)
    spoilt_key: dict[str, Any] = field(default_factory=dict)
    situation: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    offset: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found[:40]} ({self.purpose})"

    def decide(self) -> Decision:
        root = self.kind is ContentKind.ROOT_CERTIFICATE
        accompanying: tuple[Accompanying, ...] = () if self.request is None or root else beside(self.request)
        operation = Operation.SIGN_ROOT_CERTIFICATE if root else Operation.SIGN_CERTIFICATE
        enrolling = {"state": KeyState.ENROLLING, "certificate": None} if root else {}
        return decide(
            decode(self.kind, self.octets, accompanying),
            key=authorities.an_authority(self.purpose, **(enrolling | self.spoilt_key)),
            caller=authorities.a_caller(self.purpose),
            policy=replace(packaged_policies()[self.purpose], **self.policy),
            situation=authorities.a_situation(**({"operation": operation} | self.situation)),
        )


def of_oca(rule: str, found: str, octets: bytes | None = None, **changes: Any) -> Case:
    wanted: dict[str, Any] = {"request": OCA_REQUEST, "purpose": ROOT, "octets": octets or made.an_oca()}
    return Case(rule=rule, found=found, **(wanted | changes))


def of_root(rule: str, found: str, octets: bytes | None = None, **changes: Any) -> Case:
    kind = ContentKind.ROOT_CERTIFICATE
    return Case(rule=rule, found=found, kind=kind, purpose=ROOT, octets=octets or made.a_root(), **changes)


def stated(**changes: bytes) -> bytes:
    return compose(extensions(**changes))


def valid(begin: datetime, end: datetime) -> dict[str, Any]:
    return {"validity": der(0x30, utc(begin), utc(end))}


def named(*attributes: bytes) -> dict[str, Any]:
    """An Organisation's certificate and its request, of one subject."""
    subject = made.name(*attributes)
    return {"octets": compose(subject=subject), "request": a_request(compose_info(subject=subject))}


def settings(purpose: KeyPurpose = ISSUING, **changes: Any) -> dict[str, Any]:
    """A policy whose table ``ecos`` says something else."""
    own = packaged_policies()[purpose].settings
    ecos = EcosSettings(service_live_date=None, applied_from=None, dcc_euis=frozenset())
    return {"settings": replace(own, ecos=replace(ecos, **changes))}


def registered(purpose: KeyPurpose, **changes: Any) -> dict[str, Any]:
    """A situation in which the certified key is registered for a purpose."""
    key = replace(a_key(), label=KeyLabel("another"), purpose=purpose, public_key=REGISTERED, **changes)
    return {"register": KeyRegister(version=1, keys={key.label: key})}


def in_recovery(key: dict[str, Any], *, last: int = 2, **changes: Any) -> dict[str, Any]:
    """The same, while it is stated that the Access Control Broker's certificate was revoked in a recovery."""
    at = AT - DAY
    said: dict[str, Any] = {
        "certificate_sha256": "ab" * 32,
        "role": "04",
        "eui": str(messages.SUPPLIER),
        "reference": "SMKI RP 7",
    }
    common = evidence.in_common(StatementKind.RECOVERY_REVOCATION, at=at, last=last * DAY)
    statement = evidence.stated(RecoveryRevocation.model_validate(common | said | changes), at=at)
    standing = Standing(attesters=evidence.attesters(), statements=(statement,))
    return {"register": replace(key["register"], standing=standing)}


OF_ACB: dict[str, Any] = {
    "octets": compose(subject=ACB_SUBJECT),
    "request": a_request(compose_info(subject=ACB_SUBJECT)),
}
OF_DCC_SUPPLIER = settings(dcc_euis=frozenset({str(messages.SUPPLIER)}))
LIVE, APPLIED = AT - 2 * DAY, AT - DAY

REFUSALS = (
    Case(
        rule="certificate-kind-for-operation",
        situation={"operation": Operation.SIGN_REVOCATION_LIST},
        found="SignRevocationList",
    ),
    of_oca(
        "certificate-kind-for-operation",
        "SignRootCertificate",
        situation={"operation": Operation.SIGN_ROOT_CERTIFICATE},
    ),
    of_root("certificate-kind-for-operation", "SignCertificate", situation={"operation": Operation.SIGN_CERTIFICATE}),
    Case(
        rule="certificate-signature-algorithm",
        octets=compose(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
        found="0500",
    ),
    Case(
        rule="certificate-signature-algorithm",
        octets=compose(algorithm=bytes.fromhex("300a06082a8648ce3d040303")),
        found="040303",
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        octets=compose(issuer=made.name(made.ou("07"), made.cn("T2"))),
        found="OU=07, CN=T2",
        offset=True,
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        octets=compose(issuer=made.name(made.ou("07"), made.cn("T1"))),
        found="OU=07, CN=T1",
        offset=True,
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        spoilt_key={"certificate": None},
        found="OU=07, CN=T1",
        offset=True,
    ),
    of_root(
        "certificate-issuer-is-signing-key",
        "OU=07, CN=T1",
        made.a_root(issuer=made.ISSUING_OCA),
        offset=True,
    ),
    Case(rule="certificate-authority-key-identifier", octets=stated(aki=b""), found="none"),
    Case(
        rule="certificate-authority-key-identifier",
        octets=stated(aki=lists.authority(lists.identifier(chains.ROOT_KEY))),
        found=lists.identifier(chains.ROOT_KEY).hex(),
    ),
    Case(
        rule="certificate-authority-key-identifier",
        spoilt_key={"certificate": None},
        found=lists.identifier().hex(),
    ),
    of_root(
        "certificate-authority-key-identifier",
        lists.identifier(chains.ROOT_KEY).hex(),
        made.a_root({"aki": lists.authority(lists.identifier(chains.ROOT_KEY))}),
    ),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x01\x00"), found="1 octets, not positive"),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x10\x80" + bytes(15)), found="not positive"),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x0f\x7f" + bytes(14)), found="15 octets"),
    Case(rule="certificate-serial", octets=compose(serial=der_integer(1 << 127)), found="17 octets"),
    Case(
        rule="certificate-within-issuers-validity",
        octets=compose(**valid(AT, made.UNTIL + SECOND)),
        found="2035-01-01",
    ),
    Case(
        rule="certificate-within-issuers-validity",
        octets=compose(**valid(chains.FROM - SECOND, made.UNTIL)),
        found="2024-12-31T23:59:59",
    ),
    Case(rule="certificate-within-issuers-validity", spoilt_key={"certificate": None}, found="2026-01-15"),
    Case(rule="certificate-validity-length", octets=compose(**valid(AT, AT)), found="2026-01-15T12:00:00"),
    Case(rule="certificate-validity-length", octets=compose(**valid(AT, AT - DAY)), found="2026-01-14"),
    Case(
        rule="certificate-validity-length",
        octets=compose(**valid(AT, AT + 3653 * DAY + SECOND)),
        found="2036-01-16T12:00:01",
    ),
    of_root(
        "certificate-validity-length",
        "2076-",
        made.a_root(validity=der(0x30, utc(AT), generalized(AT + 18263 * DAY + SECOND))),
    ),
    Case(
        rule="certificate-begins-now",
        octets=compose(**valid(AT - DAY - SECOND, made.UNTIL)),
        found="2026-01-14T11:59:59",
    ),
    Case(
        rule="certificate-begins-now",
        octets=compose(**valid(AT + DAY + SECOND, made.UNTIL)),
        found="2026-01-16T12:00:01",
    ),
    Case(
        rule="certificate-sort-for-key",
        octets=stated(constraints=made.constraints(TRUE, der_integer(0))),
        found="an OCA Certificate",
    ),
    of_oca("certificate-sort-for-key", "an Organisation Certificate", made.an_oca({"constraints": b""})),
    of_oca("certificate-sort-for-key", "an Organisation", made.an_oca({"constraints": made.constraints()})),
    of_root("certificate-sort-for-key", "an Organisation Certificate", made.a_root({"constraints": b""})),
    *(
        Case(rule="certificate-subject", **named(*attributes), found=found, offset=True)
        for attributes, found in (
            ((made.ou("00"), made.uid()), "OU=00"),
            ((made.ou("07"), made.uid()), "OU=07"),
            ((made.ou("09"), made.uid()), "OU=09"),
            ((made.ou("2"), made.uid()), "OU=2"),
            ((made.ou("02"),), "OU=02"),
            ((made.ou("02"), made.uid(bytes(7))), "OU=02"),
            ((made.ou("02"), made.uid(bytes(9))), "OU=02"),
            ((made.uid(), made.ou("02")), "OU=02"),
            ((made.ou("07"), made.cn("T1")), "OU=07, CN=T1"),
            ((), "an empty name"),
        )
    ),
    of_oca("certificate-subject", "OU=00", made.an_oca(subject=made.ROOT_OCA), offset=True),
    of_oca("certificate-subject", "OU=02", made.an_oca(subject=made.SUPPLIER), offset=True),
    of_root(
        "certificate-subject",
        "OU=07",
        made.a_root(subject=made.ISSUING_OCA, issuer=made.ISSUING_OCA),
        offset=True,
    ),
    of_oca(
        "certificate-path-length",
        "no path length",
        made.an_oca({"constraints": made.constraints(TRUE)}),
        offset=True,
    ),
    of_oca(
        "certificate-path-length",
        "path length 1",
        made.an_oca({"constraints": made.constraints(TRUE, der_integer(1))}),
        offset=True,
    ),
    of_root(
        "certificate-path-length",
        "path length 0",
        made.a_root({"constraints": made.constraints(TRUE, der_integer(0))}),
        offset=True,
    ),
    Case(rule="certificate-key-usage", octets=stated(usage=b""), found="none"),
    Case(
        rule="certificate-key-usage",
        octets=stated(usage=made.key_usage(made.BOTH)),
        found="digitalSignature keyAgreement",
        offset=True,
    ),
    Case(
        rule="certificate-key-usage",
        octets=stated(usage=made.key_usage(made.CERTIFICATE_SIGNING)),
        found="cRLSign keyCertSign",
        offset=True,
    ),
    of_oca(
        "certificate-key-usage",
        "digitalSignature",
        made.an_oca({"usage": made.key_usage()}),
        offset=True,
    ),
    of_oca(
        "certificate-key-usage",
        "keyCertSign",
        made.an_oca({"usage": made.key_usage(bytes.fromhex("03020204"))}),
        offset=True,
    ),
    Case(rule="certificate-subject-key-identifier", octets=stated(ski=b""), found="none"),
    Case(
        rule="certificate-subject-key-identifier",
        octets=stated(ski=made.subject_key_identifier(hashlib.sha1(made.point(), usedforsecurity=False).digest())),
        found=hashlib.sha1(made.point(), usedforsecurity=False).hexdigest(),
        offset=True,
    ),
    Case(
        rule="certificate-subject-key-identifier",
        octets=stated(ski=made.subject_key_identifier(lists.identifier())),
        found=lists.identifier().hex(),
        offset=True,
    ),
    Case(rule="certificate-policies", octets=stated(policies=b""), found="none"),
    Case(
        rule="certificate-policies",
        octets=stated(policies=made.policies(bytes.fromhex("06032a0304"))),
        found="1.2.3.4",
        offset=True,
    ),
    Case(
        rule="certificate-policies",
        octets=stated(policies=made.policies(made.POLICY, bytes.fromhex("06032a0304"))),
        found="1.2.3.4",
        offset=True,
    ),
    *(
        Case(rule="certificate-extensions", octets=octets, found=found, offset=True)
        for octets, found in (
            (stated(usage=made.key_usage(critical=b"")), "2.5.29.15 not critical"),
            (stated(constraints=made.constraints(critical=b"")), "2.5.29.19 not critical"),
            (stated(policies=made.policies(made.POLICY, critical=b"")), "2.5.29.32 not critical"),
            (
                stated(ski=made.subject_key_identifier(lists.identifier(made.SUBJECT_KEY), critical=TRUE)),
                "2.5.29.14 critical",
            ),
            (stated(further=extension(made.APEX, made.WRAPPED)), "1.3.6.1.5.5.7.1.20 not critical"),
            (stated(further=extension(bytes.fromhex("06032a0304"), b"\x05\x00", TRUE)), "1.2.3.4 critical"),
            (stated(further=extension(bytes.fromhex("06032a0304"), b"\x05\x00")), "1.2.3.4 not critical"),
        )
    ),
    of_root(
        "certificate-extensions",
        "1.2.3.4",
        made.a_root(
            {"further": extension(made.APEX, made.WRAPPED) + extension(bytes.fromhex("06032a0304"), b"\x05\x00")}
        ),
        offset=True,
    ),
    Case(rule="certificate-request-present", request=None, found="none"),
    of_oca("certificate-request-present", "none", request=None),
    Case(
        rule="certificate-request-proves-possession",
        request=a_request(scalar=chains.ISSUING_KEY),
        found="one that does not",
    ),
    Case(
        rule="certificate-request-proves-possession",
        request=a_request(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
        found="one that does not",
    ),
    Case(
        rule="certificate-request-public-key",
        request=a_request(compose_info(spki=made.spki(made.point(5))), 5),
        found=made.point().hex(),
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=ACB_SUBJECT)),
        found="OU=02",
        offset=True,
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=made.name(made.ou("02"), made.uid(bytes(8))))),
        found="OU=02",
        offset=True,
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=made.name(made.cn("A"), made.ou("02"), made.uid()))),
        found="OU=02",
        offset=True,
    ),
    of_oca(
        "certificate-request-subject",
        "OU=07, CN=T1",
        request=a_request(
            compose_info(made.key_usage(made.CERTIFICATE_SIGNING), subject=made.name(made.ou("07"), made.cn("T2")))
        ),
        offset=True,
    ),
    Case(
        rule="certificate-request-key-usage",
        request=a_request(compose_info(made.key_usage(made.KEY_AGREEMENT))),
        found="digitalSignature",
    ),
    *(
        Case(
            rule="gbcs-role-for-gbcs-purposes",
            **OF_ACB,
            situation=registered(purpose),
            found=f"a key of purpose {purpose}",
            offset=True,
        )
        for purpose in KeyPurpose
        if purpose not in GBCS_PURPOSES
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        policy=OF_DCC_SUPPLIER,
        situation=registered(KeyPurpose.DSP_XML),
        found="a key of purpose dsp-xml",
        offset=True,
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **OF_ACB,
        policy=settings(service_live_date=LIVE, applied_from=AT),
        situation=registered(KeyPurpose.DSP_XML),
        found="a key of purpose dsp-xml",
        offset=True,
    ),
    *(
        Case(
            rule="gbcs-role-for-gbcs-purposes",
            **OF_ACB,
            situation=situation,
            found="a key of purpose dsp-xml",
            offset=True,
        )
        for situation in (
            in_recovery(registered(KeyPurpose.DSP_XML), last=1),
            in_recovery(registered(KeyPurpose.DSP_XML), role="02"),
            in_recovery(registered(KeyPurpose.DSP_XML), eui=str(messages.ACCESS_CONTROL_BROKER)),
            in_recovery(
                registered(KeyPurpose.DSP_XML, certificate=replace(a_certificate(), der=(b"one that stands",))),
                certificate_sha256=hashlib.sha256(b"one that stands").hexdigest(),
            ),
        )
    ),
    of_root("root-certificate-public-key", made.point().hex(), made.a_root(spki=made.spki())),
    of_root("root-certificate-contingency-key", "none", made.a_root({"further": b""})),
    of_root(
        "root-certificate-contingency-key",
        "a critical one",
        made.a_root({"further": extension(made.APEX, made.WRAPPED, TRUE)}),
    ),
    *(
        of_root(
            "root-certificate-contingency-key",
            found,
            made.a_root({"further": extension(made.APEX, value)}),
            offset=True,
        )
        for value, found in (
            (b"\x05\x00", "tag 0x05"),
            (b"\x30\x00", "the end"),
            (der(0x30, der(0x30, bytes.fromhex("06032a0304")), b"\x04\x00"), "nothing"),
            (der(0x30, b"\x30\x00", b"\x04\x01x"), "the end"),
            (made.WRAPPED[:1] + bytes([made.WRAPPED[1] + 2]) + made.WRAPPED[2:] + b"\x05\x00", "tag 0x05"),
        )
    ),
    of_root(
        "root-certificate-contingency-key",
        "none",
        policy={"settings": replace(packaged_policies()[ROOT].settings, certificates=None)},
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


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepts(case: Case) -> None:
    decision = case.decide()
    assert all(finding.passed for finding in decision.findings)
    (finding,) = [each for each in decision.findings if each.rule == case.rule]
    assert case.found in finding.found


def claimed(case: Case) -> tuple[Once, Bound, Bound]:
    once, lifetime, owner = case.decide().claims
    assert isinstance(once, Once)
    assert isinstance(lifetime, Bound)
    assert isinstance(owner, Bound)
    return once, lifetime, owner


@pytest.mark.parametrize(
    ("case", "identity", "sort", "owner"),
    [
        (Case(rule="", found=""), authorities.ISSUING_IDENTITY, 2, messages.SUPPLIER.octets),
        (of_oca("", ""), authorities.ROOT_IDENTITY, 1, b"ca"),
        (of_root("", ""), authorities.ROOT_IDENTITY, 1, b"ca"),
    ],
    ids=["organisation", "oca", "root"],
)
def test_claims_its_serial_number_once_and_says_what_it_is_of_and_whose_the_key(
    case: Case, identity: bytes, sort: int, owner: bytes
) -> None:
    once, lifetime, key = claimed(case)
    content = case.decide().content
    assert isinstance(content, TbsCertificate)
    assert (once.scope, once.name) == ("certificate-serial", identity + made.SERIAL.to_bytes(20, "big"))
    assert (lifetime.scope, lifetime.name) == ("certificate", once.name)
    assert lifetime.value == bytes([sort]) + int(content.not_after.timestamp()).to_bytes(8, "big")
    assert (key.scope, key.name) == ("certified-key", hashlib.sha256(content.public_key).digest())
    assert key.value == owner


def test_a_lifetime_without_end_is_claimed_too() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    octets = made.a_root(validity=der(0x30, utc(AT), generalized(end)))
    long = replace(packaged_policies()[ROOT].settings.certificates, longest_days=10**7)  # type: ignore[type-var]  # it has the table
    policy = {"settings": replace(packaged_policies()[ROOT].settings, certificates=long)}
    _, lifetime, _ = claimed(of_root("", "", octets, policy=policy))
    assert lifetime.value[-8:] == (253402300799).to_bytes(8, "big")


def with_keys(*keys: RegisteredKey) -> KeyRegister:
    return KeyRegister(version=1, keys={key.label: key for key in keys})


def dcc_key(label: str, purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    facts = replace(a_certificate(), **({"role": RemotePartyRole.ACCESS_CONTROL_BROKER} | changes))
    return replace(a_key(), label=KeyLabel(label), purpose=purpose, certificate=facts)


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
