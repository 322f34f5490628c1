"""The line as a whole: a real ledger, real decoder, rules and gates; only the module is the fake one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.errors import (
    ApprovalNotShown,
    ContentAlreadySigned,
    GateShut,
    KeybrokerError,
    KeyNotServed,
    ModuleDisagrees,
    ModuleNotShown,
    ModuleUnavailable,
    NotPermitted,
    Refusal,
    RequestRepeated,
)
from keybroker.ledger.canonical_json import decode as read_record
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, GivenAgain, RequestIdentity
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.signing import Ask, Line, Outcome, explain, sign_batch
from keybroker.statement.standing import Standing
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, KeyPurpose, KeyState, Operation, RequestId
from tests import evidence, messages, situations
from tests.evidence import FixedSurroundings
from tests.fakes import FakeModule
from tests.ledger import books
from tests.situations import AT, LINE_PURPOSES, ORIGIN

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND


@dataclasses.dataclass
class ARegister:
    """A register in memory: ``now`` is committed, ``seen`` is what the line last read."""

    now: KeyRegister
    seen: KeyRegister

    def current(self) -> KeyRegister:
        return self.seen

    def refresh(self) -> KeyRegister:
        self.seen = self.now
        return self.now


def a_register(*keys: RegisteredKey, version: int = 0) -> ARegister:
    keyed = {key.label: key for key in keys}
    register = KeyRegister(version=version, keys=keyed, standing=situations.good_standing())
    return ARegister(now=register, seen=register)


@dataclasses.dataclass
class Stage:
    line: Line
    module: FakeModule
    journal: Journal

    def asked(self, request_id: str = "r-1", **changes: object) -> Outcome:
        return self.asked_all(an_ask(request_id, **changes))[0]  # type: ignore[arg-type]

    def asked_all(self, *asks: Ask) -> list[Outcome]:
        return sign_batch(self.line, asks, AT)

    def records(self) -> list[str]:
        """The kinds of all records so far, the origin's left out."""
        size = self.journal.head(AT).tree_size
        found = [self.journal.find(index) for index in range(1, size)]
        return [record.kind for record in found if record is not None]

    def holds(self, standing: Standing) -> None:
        """From now on this is the evidence."""
        register = self.line.register
        assert isinstance(register, ARegister)
        register.seen = register.now = dataclasses.replace(register.seen, standing=standing)

    @property
    def purpose(self) -> KeyPurpose:
        (key,) = self.line.register.current().keys.values()
        return key.purpose

    def an_ask_of_its_key(self) -> Ask:
        """What a key of the purpose is for."""
        purpose, octets = self.purpose, situations.a_message(self.purpose)
        content = situations.a_content(purpose)
        identity = RequestIdentity(
            caller=situations.a_caller(purpose),
            operation=situations.a_situation(purpose).operation,
            key=KeyLabel(situations.LABELS[purpose]),
            request_id=RequestId("r-1"),
            sha256=sha256(octets).digest(),
        )
        return Ask(identity=identity, kind=content.kind, octets=octets)

    def record(self, outcome: Concluded | GivenAgain) -> dict[str, object]:
        stored = self.journal.find(outcome.receipt.leaf_index)
        assert stored is not None
        return dict(read_record(stored.octets))


def a_line(journal: Journal, module: FakeModule, key: RegisteredKey) -> Line:
    return Line(
        deployment=journal.ledger.deployment,
        ledger_origin=ORIGIN,
        policies=situations.packaged_policies(),
        register=a_register(key),
        journal=journal,
        module=module,
        anchors=(),
        device_anchors=(),
        surroundings=FixedSurroundings(),
    )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    module = FakeModule()
    key = situations.a_key(public_key=module.add("supplier-a", ec.derive_private_key(1, ec.SECP256R1())))
    key = dataclasses.replace(key, label=KeyLabel("supplier-a"))
    with books.a_book(tmp_path) as journal:
        yield Stage(a_line(journal, module, key), module, journal)


def an_ask(
    request_id: str = "r-1", octets: bytes | None = None, key: str = "supplier-a", caller: str = "", counter: int = 7
) -> Ask:
    octets = situations.a_message(SUPPLIER, counter=counter) if octets is None else octets
    who = situations.a_caller(SUPPLIER, keys=frozenset({KeyLabel("supplier-a")}))
    if caller:
        who = dataclasses.replace(who, identity=caller)
    identity = RequestIdentity(
        caller=who,
        operation=Operation.SIGN_PRE_COMMAND,
        key=KeyLabel(key),
        request_id=RequestId(request_id),
        sha256=sha256(octets).digest(),
    )
    return Ask(identity=identity, kind=ContentKind.PRE_COMMAND, octets=octets)


def test_refuses_a_key_that_is_unknown_and_one_that_is_not_the_callers_in_the_same_words(stage: Stage) -> None:
    other = situations.a_key(KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND)
    stage.line.register.now = a_register(*stage.line.register.current().keys.values(), other).now  # type: ignore[attr-defined]
    stage.line.register.refresh()
    unknown, not_his = stage.asked("a", key="no-such-key"), stage.asked("b", key=other.label)
    assert isinstance(unknown, NotPermitted)
    assert isinstance(not_his, NotPermitted)
    assert unknown.sentence == not_his.sentence
    assert stage.module.uses == 0


def test_refuses_and_records_octets_that_carry_a_signature(stage: Stage) -> None:
    signed = messages.sign_message(situations.a_message(SUPPLIER), bytes(64))
    outcome = stage.asked(octets=signed)
    assert isinstance(outcome, ContentAlreadySigned)
    assert stage.records() == ["refusal"]
    assert stage.module.uses == 0


def test_refuses_a_key_that_the_module_holds_weakly(stage: Stage) -> None:
    stage.module.weaken()
    assert isinstance(stage.asked(), KeyNotServed)
    assert stage.records() == ["refusal"]


LIVE_KEY = 12345
"""The scalar of a key that nobody published."""
VALIDATED = [purpose for purpose in LINE_PURPOSES if "validated-module" in situations.gates_of(purpose)]
DECIDED = [purpose for purpose in LINE_PURPOSES if "pma-approval" in situations.gates_of(purpose)]


def decided(standing: Standing) -> Standing:
    """With the SMKI PMA's decision on the live key."""
    statement = evidence.decided(situations.a_point(LIVE_KEY), number=97)
    return dataclasses.replace(standing, statements=(*standing.statements, statement))


@pytest.fixture
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A live deployment with one key of the purpose, and no evidence yet."""
    purpose, module = request.param, FakeModule()
    label = situations.LABELS[purpose]
    point = module.add(label, ec.derive_private_key(LIVE_KEY, ec.SECP256R1()))
    key = situations.a_key(purpose, public_key=point)
    if key.certificate is not None:
        key = dataclasses.replace(key, certificate=dataclasses.replace(key.certificate, test_anchor=False))
    ledger = books.a_ledger(tmp_path, deployment=DeploymentKind.LIVE)
    journal = books.a_journal(ledger)
    stage = Stage(a_line(journal, module, key), module, journal)
    stage.holds(Standing())
    yield stage
    journal.close()
    ledger.close()


@pytest.mark.parametrize("live", LINE_PURPOSES, indirect=True)
def test_a_live_deployment_without_evidence_refuses_every_purpose(live: Stage) -> None:
    outcome = live.asked_all(live.an_ask_of_its_key())[0]
    assert isinstance(outcome, GateShut)
    assert live.records() == ["refusal"]
    assert live.module.uses == 0


@pytest.mark.parametrize("live", VALIDATED, indirect=True)
def test_a_live_deployment_refuses_a_purpose_of_level_3_whose_modules_validation_nobody_stated(live: Stage) -> None:
    live.holds(decided(situations.good_standing()))
    outcome = live.asked_all(live.an_ask_of_its_key())[0]
    assert isinstance(outcome, ModuleNotShown)
    assert shut(outcome) == {"validated-module"}
    assert live.module.uses == 0


@pytest.mark.parametrize("live", DECIDED, indirect=True)
def test_a_live_deployment_refuses_a_purpose_on_whose_key_the_smki_pma_decided_nothing(live: Stage) -> None:
    live.holds(evidence.with_validation(situations.USER_IDS))
    outcome = live.asked_all(live.an_ask_of_its_key())[0]
    assert isinstance(outcome, ApprovalNotShown)
    assert shut(outcome) == {"pma-approval"}
    assert live.module.uses == 0


@pytest.mark.parametrize("live", LINE_PURPOSES, indirect=True)
def test_a_live_deployment_serves_a_purpose_whose_gates_all_stand_open(live: Stage) -> None:
    live.holds(decided(evidence.with_validation(situations.USER_IDS)))
    outcome = live.asked_all(live.an_ask_of_its_key())[0]
    assert isinstance(outcome, Concluded)
    assert live.records() == ["intent", "outcome"]
    findings = {finding.rule: finding for finding in outcome.intent.permit.findings}
    assert situations.gates_of(live.purpose) <= set(findings)
    assert not [finding for finding in findings.values() if "test deployment" in finding.found]


def shut(refusal: GateShut) -> set[str]:
    """What refused, all of which are gates."""
    return {finding.rule for finding in refusal.findings if not finding.passed}


def test_a_key_that_was_retired_after_the_judgement_is_judged_again_and_refused(stage: Stage) -> None:
    register = stage.line.register
    assert isinstance(register, ARegister)
    (key,) = register.seen.keys.values()
    stage.journal.ledger.transact(
        lambda turn: (turn.move_register(), turn.append(kind="x", party="", octets=b"{}", leaf_hash=bytes(32)))
    )
    retired = dataclasses.replace(key, state=KeyState.RETIRED)
    register.now = dataclasses.replace(register.seen, version=1, keys={retired.label: retired})
    outcome = stage.asked()
    assert isinstance(outcome, NotPermitted)
    assert [finding.rule for finding in outcome.findings if not finding.passed] == ["key-state-active"]
    assert stage.module.uses == 0


@pytest.mark.parametrize(
    ("trouble", "expected", "uses"),
    [("away", ModuleUnavailable, 0), ("uses_then_fails", KeybrokerError, 1), ("signs_wrongly", ModuleDisagrees, 1)],
)
def test_no_signature_leaves_when_the_module_fails(
    stage: Stage, trouble: str, expected: type[KeybrokerError], uses: int
) -> None:
    setattr(stage.module, trouble, True)
    outcome = stage.asked()
    assert isinstance(outcome, expected)
    assert not isinstance(outcome, Refusal)
    assert stage.module.uses == uses


def test_what_decoder_and_rules_refuse_is_refused_and_recorded_while_the_module_is_away(stage: Stage) -> None:
    stage.module.away = True
    outcomes = stage.asked_all(an_ask("a", octets=b"\xdf"), an_ask("b", key="no-such-key"), an_ask("c"))
    assert [type(outcome).__name__ for outcome in outcomes] == ["ContentMalformed", "NotPermitted", "ModuleUnavailable"]
    assert stage.records() == ["refusal"] * 3


def test_explain_needs_no_module(stage: Stage) -> None:
    stage.module.away = True
    assert explain(stage.line, an_ask(), AT).findings


def test_an_intent_precedes_every_use_and_an_outcome_every_reply(stage: Stage) -> None:
    outcome = stage.asked()
    assert isinstance(outcome, Concluded)
    assert stage.records() == ["intent", "outcome"]
    intent = stage.journal.find(outcome.intent.receipt.leaf_index)
    assert intent is not None
    body = read_record(intent.octets)
    assert sha256(situations.a_message(SUPPLIER, counter=7)[1:]).hexdigest() in str(body)


def test_gives_the_recorded_signature_again_and_records_the_release(stage: Stage) -> None:
    first, again = stage.asked(), stage.asked()
    assert isinstance(first, Concluded)
    assert isinstance(again, GivenAgain)
    assert again.signature == first.signature
    assert stage.records() == ["intent", "outcome", "release"]
    assert stage.module.uses == 1


@pytest.mark.parametrize(
    "second",
    [an_ask(counter=8), an_ask(caller="uri:urn:keybroker:supplier-a:other")],
    ids=["another request", "another caller"],
)
def test_refuses_the_same_request_id_with(stage: Stage, second: Ask) -> None:
    stage.asked()
    (outcome,) = stage.asked_all(second)
    assert isinstance(outcome, RequestRepeated)
    assert stage.module.uses == 1


def test_a_recorded_signature_is_not_given_again_once_the_key_is_retired(stage: Stage) -> None:
    stage.asked()
    register = stage.line.register
    assert isinstance(register, ARegister)
    (key,) = register.seen.keys.values()
    retired = dataclasses.replace(key, state=KeyState.RETIRED)
    register.seen = register.now = dataclasses.replace(register.seen, keys={retired.label: retired})
    assert isinstance(stage.asked(), NotPermitted)


def test_each_of_a_mixed_batch_gets_its_own_outcome_in_order(stage: Stage) -> None:
    outcomes = stage.asked_all(
        an_ask("a", counter=1), an_ask("b", octets=b"\xdf"), an_ask("c", counter=3), an_ask("a", counter=9)
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Concluded",
        "ContentMalformed",
        "Concluded",
        "RequestRepeated",
    ]
    assert stage.module.uses == 2


def test_explain_finds_what_signing_would_and_uses_nothing(stage: Stage) -> None:
    permit = explain(stage.line, an_ask(), AT)
    assert all(finding.passed for finding in permit.findings)
    with suppress(NotPermitted):
        explain(stage.line, an_ask(key="nobody"), AT)
        pytest.fail("an unknown key was explained")
    assert stage.module.uses == 0
    assert stage.records() == []
