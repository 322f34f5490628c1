"""The rules for SMETS1 keys: each way they refuse, then on which circumstance a use relies; and what it claims."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.errors import ConfigurationInvalid, ModuleNotShown, NotPermitted
from keybroker.gates import open_gates
from keybroker.policy.claim import Allocated, IncreasingOnSuccess
from keybroker.policy.file import read_policy
from keybroker.policy.model import KeyRegister, Policy, SessionFacts
from keybroker.policy.rules import smets1
from keybroker.policy.settings import Settings
from keybroker.policy.smets1_circumstance import is_of_a_tls_session, module_demand
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ApplicationAssociation, DeviceCategory
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import DeploymentKind, EntityIdentifier, Finding, KeyLabel, KeyPurpose
from tests import evidence
from tests.content.test_smets1 import ADD_CREDIT, APDU, DEVICE, GET, SET, instruction, response
from tests.dcc_uses import SMETS1_EUI, a_dcc_caller, a_dcc_key, a_dcc_situation, decided
from tests.situations import AT, evidence_of, packaged_policies

DCO, S1SP = KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1
KEY, DCO_KEY = a_dcc_key(S1SP), a_dcc_key(DCO)
FILES = Path(__file__).parent.parent.parent / "policies"
OTHER_DEVICE = "90-B3-D5-1F-30-01-00-07"
ENROLLED = f"{KEY.label} {DEVICE}"
_Content = Smets1Instruction | Smets1Response


def a_policy(purpose: KeyPurpose = S1SP, **settings: Any) -> Policy:
    """The packaged policy with these lists."""
    packaged = packaged_policies()[purpose]
    assert packaged.settings.smets1 is not None
    return replace(packaged, settings=Settings(smets1=replace(packaged.settings.smets1, **settings)))


SESSION = SessionFacts(
    parent=KeyLabel("parent"), device=DEVICE, handshake=7, made_at=AT, until=AT + timedelta(seconds=1)
)
OTHERS = replace(SESSION, device=EntityIdentifier.from_text(OTHER_DEVICE))
OVER = replace(SESSION, made_at=AT - timedelta(seconds=1), until=AT)
NOT_BEGUN = replace(SESSION, made_at=AT + timedelta(microseconds=1))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, what is spoilt, and what the finding must tell."""

    rule: str
    found: str
    content: _Content = field(default_factory=lambda: instruction(GET))
    key: dict[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=a_policy)
    offset: int | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


REFUSALS = (
    Case(rule="smets1-key-has-system-title", key={"eui": None}, found="none"),
    Case(rule="smets1-key-has-system-title", key={"eui": None}, content=response(APDU), found="none"),
    Case(rule="smets1-not-our-system-title", content=response(APDU, SMETS1_EUI), found="our own", offset=0),
    Case(rule="smets1-not-our-system-title", content=instruction(GET, SMETS1_EUI), found="our own", offset=0),
    Case(
        rule="smets1-device-is-keys-device",
        policy=a_policy(devices=frozenset({f"{KEY.label} {OTHER_DEVICE}"})),
        found=str(DEVICE),
        offset=0,
    ),
    Case(
        rule="smets1-device-is-keys-device",
        content=response(APDU),
        policy=a_policy(devices=frozenset({f"{KEY.label} {OTHER_DEVICE}"})),
        found=str(DEVICE),
        offset=0,
    ),
    Case(rule="smets1-device-is-keys-device", key={"session": OTHERS}, found=str(DEVICE), offset=0),
    Case(rule="smets1-session-lasts", key={"session": OVER}, found="2026-01-15"),
    Case(rule="smets1-session-lasts", key={"session": OVER}, content=response(APDU), found="2026-01-15"),
    Case(rule="smets1-session-lasts", key={"session": NOT_BEGUN}, found="2026-01-15"),
    Case(
        rule="smets1-module-demand",
        policy=replace(packaged_policies()[S1SP], settings=Settings()),
        found="none",
    ),
)


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_refuses_and_tells_what_it_found(case: Case) -> None:
    key = replace(KEY, **case.key)
    caller = a_dcc_caller(KEY.label if key.session is None else key.session.parent)
    with pytest.raises(NotPermitted) as refusal:
        decided(case.content, key, policy=case.policy, caller=caller)
    (finding,) = (each for each in refusal.value.findings if not each.passed)
    assert finding.rule == case.rule
    assert case.found in finding.found
    assert finding.expected
    assert finding.offset == case.offset


def test_every_rule_has_a_case_that_refuses() -> None:
    assert {case.rule for case in REFUSALS} == {rule.name for rule in smets1.RULES}


@pytest.mark.parametrize("purpose", [DCO, S1SP])
@pytest.mark.parametrize("content", [instruction(GET), instruction(SET), instruction(ADD_CREDIT), response(APDU)])
def test_accepts_a_good_case_with_every_finding_in_order(content: _Content, purpose: KeyPurpose) -> None:
    decision = decided(content, a_dcc_key(purpose))
    assert all(finding.passed for finding in decision.findings)
    spoken = [finding.rule for finding in decision.findings if finding.rule.startswith("smets1-")]
    assert spoken == [rule.name for rule in smets1.RULES]


def demand_of(content: _Content, *, purpose: KeyPurpose = S1SP, at: datetime = AT, **settings: Any) -> Finding:
    """What the record says of the module that is demanded."""
    key = a_dcc_key(purpose)
    situation = a_dcc_situation(content.kind, at=at)
    decision = decided(content, key, policy=a_policy(purpose, **settings), situation=situation)
    (finding,) = (each for each in decision.findings if each.rule == "smets1-module-demand")
    return finding


DATED: dict[str, Any] = {"categories_as_of": AT, "devices": frozenset({ENROLLED})}
CATEGORY_1: dict[str, Any] = {"category_1": frozenset({str(DEVICE)}), **DATED}
CATEGORY_2: dict[str, Any] = {"category_2": frozenset({str(DEVICE)}), **DATED}
ONE_ASSOCIATION: dict[str, Any] = {**CATEGORY_2, "single_association_keys": frozenset({KEY.label})}
ADD_OTHER = ADD_CREDIT[:11] + b"\x02" + ADD_CREDIT[12:]
SET_GATEWAY = b"\xc1" + ADD_CREDIT[1:12] + b"\x00" + ADD_CREDIT[13:]

DEMANDED: list[tuple[str, _Content, dict[str, Any]]] = [
    ("nothing is enrolled", instruction(GET), {}),
    ("(a) another method of the same object", instruction(ADD_OTHER), {}),
    ("(a) a set where a method adds credit", instruction(SET_GATEWAY), {}),
    ("(a) no method adds credit", instruction(ADD_CREDIT), {"add_credit": frozenset()}),
    ("(b) a Device of no Category", instruction(GET), DATED),
    ("(b) a Category 2 Device", instruction(GET), CATEGORY_2),
    ("(b) the caller's word for the Device", instruction(GET), {**CATEGORY_1, "devices": frozenset()}),
    ("(b) a response, which is no Instruction", response(APDU), CATEGORY_1),
    ("(b) a list of no date", instruction(GET), {**CATEGORY_1, "categories_as_of": None}),
    ("(b) a list of tomorrow", instruction(GET), {**CATEGORY_1, "categories_as_of": AT + timedelta(days=1)}),
    ("(c) a Category 1 Device", response(APDU), {**ONE_ASSOCIATION, **CATEGORY_1, "category_2": frozenset()}),
    ("(c) a key that outlives the association", response(APDU), CATEGORY_2),
    ("(c) another key of one association", response(APDU), {**CATEGORY_2, "single_association_keys": {"other"}}),
    ("(c) the caller's word for the Device", response(APDU), {**ONE_ASSOCIATION, "devices": frozenset()}),
    ("(c) a list of tomorrow", response(APDU), {**ONE_ASSOCIATION, "categories_as_of": AT + timedelta(seconds=1)}),
]


@pytest.mark.clause("G2.44(e)", "G2.44A(a)", "G2.44A(b)", "G2.44A(c)", "G2.44A(d)", shows="refusal")
@pytest.mark.parametrize(("content", "settings"), [row[1:] for row in DEMANDED], ids=[row[0] for row in DEMANDED])
def test_level_3_is_demanded(content: _Content, settings: dict[str, Any]) -> None:
    assert demand_of(content, **settings).found == "G2.44(e): Level 3 demanded"


CATEGORIES = StatementKind.DEVICE_CATEGORY
ASSOCIATIONS = StatementKind.APPLICATION_ASSOCIATION
DAY = timedelta(days=1)


def a_category(number: int, *, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any) -> Statement:
    common = evidence.in_common(CATEGORIES, at=AT - ago, last=last)
    said = {"category": number, "devices": [str(DEVICE)], "source": "SSR 5.4"}
    return evidence.stated(DeviceCategory.model_validate(common | said | changes), at=AT - ago)


def an_association(*, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any) -> Statement:
    common = evidence.in_common(ASSOCIATIONS, at=AT - ago, last=last)
    said = {"key": str(KEY.label), "device": str(DEVICE)}
    return evidence.stated(ApplicationAssociation.model_validate(common | said | changes), at=AT - ago)


def demand_stated(content: _Content, *held: Statement, **settings: Any) -> str:
    """What the record says of the module that is demanded, while these statements are held."""
    standing = Standing(attesters=evidence.attesters(), statements=held)
    register = KeyRegister(version=1, keys={}, standing=standing)
    situation = a_dcc_situation(content.kind, register=register)
    decision = decided(content, KEY, policy=a_policy(**settings), situation=situation)
    return next(each.found for each in decision.findings if each.rule == "smets1-module-demand")


STATED_DEMANDED: list[tuple[str, _Content, tuple[Statement, ...], dict[str, Any]]] = [
    ("(b) a Category without the key's Device", instruction(GET), (a_category(1),), {}),
    ("(b) another Device's Category", instruction(GET), (a_category(1, devices=[OTHER_DEVICE]),), DATED),
    ("(b) a Category that has lapsed", instruction(GET), (a_category(1, ago=2 * DAY, last=DAY),), DATED),
    ("(b) a newer Category", instruction(GET), (a_category(2), a_category(1, ago=2 * DAY)), DATED),
    ("(b) a response", response(APDU), (a_category(1),), DATED),
    ("(c) no association", response(APDU), (a_category(2),), DATED),
    ("(c) another key's association", response(APDU), (a_category(2), an_association(key="other")), DATED),
    ("(c) an association that has lapsed", response(APDU), (a_category(2), an_association(last=DAY)), DATED),
    ("(c) an association alone", response(APDU), (an_association(),), {}),
]


@pytest.mark.clause("G2.44A(b)", "G2.44A(c)", shows="refusal")
@pytest.mark.parametrize(
    ("content", "held", "settings"), [row[1:] for row in STATED_DEMANDED], ids=[row[0] for row in STATED_DEMANDED]
)
def test_level_3_is_demanded_whatever_else_is_stated(
    content: _Content, held: tuple[Statement, ...], settings: dict[str, Any]
) -> None:
    assert demand_stated(content, *held, **settings) == "G2.44(e): Level 3 demanded"


@pytest.mark.clause("G2.44A(b)", "G2.44A(c)", shows="acceptance")
def test_statements_serve_beside_the_dated_lists_and_are_named() -> None:
    first, second, association = a_category(1), a_category(2), an_association()
    told = f"G2.44A(b): {DEVICE} is a Category 1 Device, {first.told()}"
    assert demand_stated(instruction(GET), first, association) == told
    assert demand_stated(instruction(GET), first, **DATED) == told
    told = f"G2.44A(c): a key for one Application Association with {DEVICE}, a Category 2 Device"
    assert demand_stated(response(APDU), second, association) == f"{told}, {association.told()}, {second.told()}"
    assert demand_stated(response(APDU), association, **CATEGORY_2) == (
        f"{told}, {association.told()} as of 2026-01-15"
    )


@pytest.mark.clause("G2.44A(c)", shows="refusal")
def test_refuses_a_key_for_another_device_than_is_stated_for_it() -> None:
    with pytest.raises(NotPermitted, match=f"smets1-device-is-keys-device at offset 0: expected {OTHER_DEVICE}"):
        demand_stated(instruction(GET), an_association(device=OTHER_DEVICE))


NOT_DEMANDED: list[tuple[_Content, dict[str, Any], str]] = [
    (instruction(ADD_CREDIT), {}, "G2.44A(a): add credit, 115/0.0.19.40.0.255/1"),
    (instruction(GET), CATEGORY_1, f"G2.44A(b): {DEVICE} is a Category 1 Device as of 2026-01-15"),
    (
        instruction(GET),
        ONE_ASSOCIATION,
        f"G2.44A(c): a key for one Application Association with {DEVICE}, a Category 2 Device as of 2026-01-15",
    ),
    (
        response(APDU),
        ONE_ASSOCIATION,
        f"G2.44A(c): a key for one Application Association with {DEVICE}, a Category 2 Device as of 2026-01-15",
    ),
]


@pytest.mark.clause("G2.44A(a)", "G2.44A(b)", "G2.44A(c)", shows="acceptance")
@pytest.mark.parametrize(("content", "settings", "found"), NOT_DEMANDED)
def test_the_circumstance_relied_on_stands_in_the_record(
    content: _Content, settings: dict[str, Any], found: str
) -> None:
    assert demand_of(content, **settings).found == found


@pytest.mark.clause("G2.44(c)", shows="acceptance")
@pytest.mark.parametrize(("content", "settings", "found"), NOT_DEMANDED)
def test_a_dco_always_needs_level_3(content: _Content, settings: dict[str, Any], found: str) -> None:
    lists = {name: value for name, value in settings.items() if name != "devices"}
    named = {f"{DCO_KEY.label} {DEVICE}"} if settings else set[str]()
    told = demand_of(content, purpose=DCO, **lists, devices=frozenset(named)).found
    assert told == "G2.44(c): Level 3 demanded" != found


@pytest.mark.clause("G2.44A(d)", shows="acceptance")
@pytest.mark.parametrize("content", [instruction(GET), response(APDU)])
def test_a_key_made_for_a_tls_session_is_relied_on_while_that_lasts_and_for_that_device(content: _Content) -> None:
    told = f"G2.44A(d): a key for one TLS session with {DEVICE}, its handshake record 7"
    assert is_of_a_tls_session(content, replace(KEY, session=SESSION), AT) == told
    for spoilt in (None, OTHERS, OVER, NOT_BEGUN):
        key = replace(KEY, session=spoilt)
        assert is_of_a_tls_session(content, key, AT) == ""
        assert module_demand(content, key, a_policy(), AT).level_3
    assert not module_demand(content, replace(KEY, session=SESSION), a_policy(), AT).level_3
    assert module_demand(content, replace(DCO_KEY, session=SESSION), a_policy(DCO), AT).level_3


def test_a_sessions_key_is_its_parents_callers() -> None:
    content, key = instruction(GET), replace(KEY, session=SESSION)
    decided(content, key, caller=a_dcc_caller(SESSION.parent))
    with pytest.raises(NotPermitted, match="caller-entitled-to-key"):
        decided(content, key, caller=a_dcc_caller(KEY.label))


@pytest.mark.clause("G2.44(e)", shows="refusal")
def test_without_a_table_nothing_is_relied_on() -> None:
    policy = replace(packaged_policies()[S1SP], settings=Settings())
    assert module_demand(instruction(ADD_CREDIT), KEY, policy, AT).level_3


GATES = ("validated-module", "information-classification-module")


@pytest.mark.clause("G2.45", shows="refusal")
@pytest.mark.clause("G2.44(e)", shows="acceptance")
@pytest.mark.parametrize(
    ("content", "shut", "open_because"),
    [
        (instruction(GET), GATES[0], "not G2.45 but G2.44(e): Level 3 demanded"),
        (instruction(ADD_CREDIT), GATES[1], "not demanded by G2.44(e); G2.44A(a): add credit, 115/0.0.19.40.0.255/1"),
    ],
)
def test_a_live_deployment_looks_at_the_gate_of_the_module_that_is_demanded(
    content: _Content, shut: str, open_because: str
) -> None:
    decision = decided(content, KEY, situation=a_dcc_situation(content.kind, deployment=DeploymentKind.LIVE))
    with pytest.raises(ModuleNotShown) as refusal:
        open_gates(decision, evidence_of(KEY, standing=Standing()))
    gates = {finding.rule: finding for finding in refusal.value.findings if finding.rule in GATES}
    assert [name for name, finding in gates.items() if not finding.passed] == [shut]
    (other,) = set(GATES) - {shut}
    assert gates[other].found == open_because  # type: ignore[index]


@pytest.mark.clause("G2.44(c)", shows="refusal")
def test_a_dcos_gate_is_looked_at_whatever_it_does() -> None:
    content = instruction(ADD_CREDIT)
    decision = decided(content, DCO_KEY, situation=a_dcc_situation(content.kind, deployment=DeploymentKind.LIVE))
    with pytest.raises(ModuleNotShown) as refusal:
        open_gates(decision, evidence_of(DCO_KEY))
    assert refusal.value.gate == "validated-module"


def test_protecting_takes_the_next_counter_of_the_key_whatever_the_device() -> None:
    other = replace(KEY, label=KeyLabel("s1sp-b"), public_key=bytes(20))
    for content in (instruction(GET), instruction(SET, SMETS1_EUI)):
        (claim,) = smets1.claims(content, KEY)
        assert isinstance(claim, Allocated)
        assert (claim.first, claim.last) == (1, 2**32 - 1)
        assert (claim.scope, claim.name) == ("invocation-counter", sha256(KEY.public_key).digest())
        assert claim.clause == "IEC 62056-5-3 invocation counter"
        (another,) = smets1.claims(content, other)
        assert another.name != claim.name  # type: ignore[union-attr]


def test_opening_takes_the_counter_of_the_device_under_the_key() -> None:
    (claim,) = smets1.claims(response(APDU), KEY)
    assert isinstance(claim, IncreasingOnSuccess)
    assert claim.number == 5
    assert (claim.scope, claim.clause) == ("device-invocation-counter", "IEC 62056-5-3 invocation counter")
    assert claim.name == sha256(KEY.public_key).digest() + DEVICE.octets


SPOILT_FILES = [
    ("category_1 = []", f'category_1 = ["{DEVICE}"]', "categories_as_of"),
    ("category_2 = []", f'category_2 = ["{DEVICE}"]', "categories_as_of"),
    ("single_association_keys = []", 'single_association_keys = ["a"]', "categories_as_of"),
    ("category_1 = []", 'category_1 = ["90b3d51f30010000"]', "category_1"),
    ("devices = []", f'devices = ["a {DEVICE}", "a {SMETS1_EUI}"]', "each key once"),
    ("devices = []", 'devices = ["a"]', "devices"),
    ('"115/0.0.19.40.0.255/1"', '"115/0.0.19.40.0.255"', "add_credit"),
    ("session_seconds = 3600", "session_seconds = 0", "session_seconds"),
    ("session_seconds = 3600", "session_seconds = 86401", "session_seconds"),
    ("session_seconds = 3600", "", "together, or neither"),
    ("handshake_within_seconds = 300", "", "together, or neither"),
    ('"115/0.0.19.40.0.255/1"', '"115/0.0.19.40.0.255/1", "115/0.0.19.40.0.255/1"', "each item once"),
]


@pytest.mark.parametrize(("line", "spoilt", "told"), SPOILT_FILES)
def test_refuses_a_policy_file_whose_enrolment_is_undated_or_misspelt(line: str, spoilt: str, told: str) -> None:
    file = (FILES / f"{S1SP}.toml").read_text()
    assert line in file
    with pytest.raises(ConfigurationInvalid, match=told):
        read_policy(file.replace(line, spoilt).encode(), name="s1sp-smets1.toml")


def test_reads_a_dated_enrolment() -> None:
    file = (FILES / f"{S1SP}.toml").read_text()
    for line, new in (
        ("category_1 = []", f'category_1 = ["{DEVICE}"]\ncategories_as_of = 2025-06-01T00:00:00Z'),
        ("devices = []", f'devices = ["{ENROLLED}"]'),
    ):
        file = file.replace(line, new)
    settings = read_policy(file.encode(), name="s1sp-smets1.toml").settings.smets1
    assert settings is not None
    assert settings.categories_as_of == datetime(2025, 6, 1, tzinfo=UTC)
    assert settings.device_of(KEY.label) == str(DEVICE)
    assert settings.device_of("another") == ""
