"""The life of a key: what each act refuses, what it writes, and what the register then says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.errors import NotPermitted, PersonMayNotAct
from keybroker.keys.acts import TRANSITIONS
from keybroker.keys.administration import (
    Act,
    ActivateKey,
    Actor,
    BeginEnrolment,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    ResumeKey,
    RetireKey,
    RevokeCertificate,
    SuspendKey,
    administer,
)
from keybroker.keys.register import Register
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.trust import Anchor
from keybroker.terms import CallerKind, DeploymentKind, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance
from tests import messages
from tests.keys.ordering import act_on_key
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.policy.chains import ORGANISATION_KEY, TEST_ROOT, Plan, a_private_key, an_issuing_ca
from tests.situations import AT, RFC_6979_KEY

LABEL = KeyLabel("supplier-a")
PARTY = PartyName("supplier-a")
ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PARTY)
LIVE_ROOT = Anchor(der=TEST_ROOT.der, test=False)


def point(scalar: int = ORGANISATION_KEY) -> bytes:
    return a_private_key(scalar).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


ORDER = OrderKey(label=LABEL, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY)
GENERATED = KeyGenerated(label=LABEL, public_key=point(), provenance=Provenance.GENERATED)
CHAIN = (Plan().make(), an_issuing_ca())
BEGIN = BeginEnrolment(label=LABEL)
ENROL = EnrolCertificate(label=LABEL, chain=CHAIN, anchors=(TEST_ROOT,))
ACTIVATE = ActivateKey(label=LABEL)
SUSPEND = SuspendKey(label=LABEL, because="lost")
RESUME = ResumeKey(label=LABEL, because="found")
RETIRE = RetireKey(label=LABEL, because="old")
REVOKE = RevokeCertificate(label=LABEL, revoked_at=AT, because="key lost")

TO: dict[KeyState, tuple[Act, ...]] = {
    KeyState.ORDERED: (ORDER,),
    KeyState.GENERATED: (ORDER, GENERATED),
    KeyState.ENROLLING: (ORDER, GENERATED, ENROL),
    KeyState.ACTIVE: (ORDER, GENERATED, ENROL, ACTIVATE),
    KeyState.SUSPENDED: (ORDER, GENERATED, ENROL, ACTIVATE, SUSPEND),
    KeyState.RETIRED: (ORDER, GENERATED, ENROL, ACTIVATE, RETIRE),
}
ACTS: tuple[Act, ...] = (GENERATED, BEGIN, ENROL, ACTIVATE, SUSPEND, RESUME, RETIRE, REVOKE)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        yield journal


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Journal]:
    ledger = books.a_ledger(tmp_path, deployment=DeploymentKind.LIVE)
    journal = books.a_journal(ledger)
    enrol(journal)
    yield journal
    journal.close()
    ledger.close()


def do(journal: Journal, *acts: Act) -> None:
    for act in acts:
        act_on_key(journal, ACTOR, act, AT)


def state(journal: Journal, label: KeyLabel = LABEL) -> KeyState:
    return Register(journal.ledger, [TEST_ROOT]).refresh().keys[label].state


# ---- refusals

REFUSED = [
    (before, act)
    for before in TO
    for act in ACTS
    if before not in TRANSITIONS[type(act)] or (before is KeyState.GENERATED and act is ACTIVATE)
]


@pytest.mark.parametrize(
    ("before", "act"), REFUSED, ids=lambda it: str(it) if isinstance(it, str) else type(it).__name__
)
def test_refuses_an_act_that_does_not_fit_the_state(journal: Journal, before: KeyState, act: Act) -> None:
    do(journal, *TO[before])
    version = Register(journal.ledger, [TEST_ROOT]).refresh().version
    with pytest.raises(NotPermitted, match=r"needs"):
        do(journal, act)
    assert Register(journal.ledger, [TEST_ROOT]).refresh().version == version
    stored = journal.find(journal.head(AT).tree_size - 1)
    assert stored is not None
    body = canonical_json.decode(stored.octets)
    assert (body["kind"], stored.party) == ("refusal", PARTY)
    assert isinstance(body["body"], dict)
    assert body["body"]["act"] == type(act).__name__
    audit.verify(journal.ledger, AT)


ORDERED = [
    (before, act)
    for before in TO
    for act in (ENROL, ACTIVATE, SUSPEND, RESUME, RETIRE, REVOKE)
    if before in TRANSITIONS[type(act)] and (before, act) not in REFUSED
]


@pytest.mark.parametrize(
    ("before", "act"), ORDERED, ids=lambda it: str(it) if isinstance(it, str) else type(it).__name__
)
def test_refuses_an_act_that_fits_the_state_and_that_nobody_ordered(
    journal: Journal, before: KeyState, act: Act
) -> None:
    do(journal, *TO[before])
    version = Register(journal.ledger, [TEST_ROOT]).refresh().version
    with pytest.raises(PersonMayNotAct, match=r"the order of a person.*G3\.23"):
        administer(journal, ACTOR, act, AT)
    assert Register(journal.ledger, [TEST_ROOT]).refresh().version == version
    assert audit.verify(journal.ledger, AT).kinds["refusal"] == 1
    do(journal, act)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
def test_refuses_an_act_on_a_key_that_was_never_ordered(journal: Journal, act: Act) -> None:
    with pytest.raises(NotPermitted, match="order it first"):
        do(journal, act)


def test_refuses_a_label_a_second_time(journal: Journal) -> None:
    do(journal, ORDER)
    with pytest.raises(NotPermitted, match="used once"):
        do(journal, ORDER)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (KeyGenerated(label=LABEL, public_key=bytes(65), provenance=Provenance.GENERATED), "uncompressed"),
        (KeyGenerated(label=LABEL, public_key=point()[:64], provenance=Provenance.GENERATED), "uncompressed"),
        (KeyGenerated(label=LABEL, public_key=point(99), provenance=Provenance.GENERATED), "same public key"),
        (KeyGenerated(label=LABEL, public_key=bytes(20), provenance=Provenance.GENERATED), "uncompressed"),
    ],
)
def test_refuses_a_public_key_that_is_none_or_taken(journal: Journal, act: Act, said: str) -> None:
    other = KeyLabel("other")
    do(journal, ORDER, OrderKey(label=other, purpose=ORDER.purpose, party=PARTY))
    do(journal, KeyGenerated(label=other, public_key=point(99), provenance=Provenance.GENERATED))
    with pytest.raises(NotPermitted, match=said):
        do(journal, act)


@pytest.mark.parametrize("identity", [bytes(19), bytes(21), point()], ids=len)
def test_refuses_a_secret_key_that_is_not_named_by_20_octets(journal: Journal, identity: bytes) -> None:
    do(journal, OrderKey(label=LABEL, purpose=KeyPurpose.DCO_SMETS1, party=PARTY))
    with pytest.raises(NotPermitted, match="CKA_ID of 20 octets"):
        do(journal, KeyGenerated(label=LABEL, public_key=identity, provenance=Provenance.GENERATED))


@pytest.mark.parametrize(
    "purpose", [KeyPurpose.DCO_SMETS1, KeyPurpose.CONTINGENCY_SYMMETRIC, KeyPurpose.AUDIT_CHECKPOINT]
)
def test_refuses_to_begin_the_enrolment_of_a_key_that_no_certificate_names(
    journal: Journal, purpose: KeyPurpose
) -> None:
    identity = point() if purpose is KeyPurpose.AUDIT_CHECKPOINT else bytes(20)
    made = KeyGenerated(label=LABEL, public_key=identity, provenance=Provenance.GENERATED)
    do(journal, OrderKey(label=LABEL, purpose=purpose, party=PARTY), made)
    with pytest.raises(NotPermitted, match="signs no request"):
        do(journal, BEGIN)


def test_refuses_to_activate_a_key_that_began_its_enrolment_and_has_no_certificate(journal: Journal) -> None:
    do(journal, ORDER, GENERATED, BEGIN)
    with pytest.raises(NotPermitted, match="needs a certificate"):
        do(journal, ACTIVATE)


def test_refuses_a_certificate_of_another_key(journal: Journal) -> None:
    do(journal, ORDER, KeyGenerated(label=LABEL, public_key=point(99), provenance=Provenance.GENERATED))
    with pytest.raises(NotPermitted, match="another public key"):
        do(journal, ENROL)


def test_refuses_a_certificate_of_another_eui_than_ordered(journal: Journal) -> None:
    order = OrderKey(label=LABEL, purpose=ORDER.purpose, party=PARTY, eui=messages.NETWORK_OPERATOR)
    do(journal, order, GENERATED)
    with pytest.raises(NotPermitted, match="ordered for EUI"):
        do(journal, ENROL)


def test_refuses_a_chain_that_does_not_verify(journal: Journal) -> None:
    do(journal, ORDER, GENERATED)
    with pytest.raises(CertificateUnfit):
        do(journal, EnrolCertificate(label=LABEL, chain=CHAIN, anchors=()))


@pytest.mark.clause("G2.20(b)", shows="refusal")
@pytest.mark.parametrize("deployment", DeploymentKind)
def test_refuses_certificates_of_the_other_kind_of_anchor(tmp_path: Path, deployment: DeploymentKind) -> None:
    ledger = books.a_ledger(tmp_path, deployment=deployment)
    journal = books.a_journal(ledger)
    enrol(journal)
    do(journal, ORDER, GENERATED)
    wrong, right = (TEST_ROOT, LIVE_ROOT) if deployment is DeploymentKind.LIVE else (LIVE_ROOT, TEST_ROOT)
    with pytest.raises(NotPermitted, match="anchor"):
        do(journal, EnrolCertificate(label=LABEL, chain=CHAIN, anchors=(wrong,)))
    do(journal, EnrolCertificate(label=LABEL, chain=CHAIN, anchors=(right,)))
    journal.close()
    ledger.close()


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
def test_live_refuses_a_key_of_another_party(live: Journal) -> None:
    do(live, ORDER)
    with pytest.raises(NotPermitted, match="belongs to one party"):
        do(live, OrderKey(label=KeyLabel("b"), purpose=ORDER.purpose, party=PartyName("supplier-b")))
    other = Actor(identity=ACTOR.identity, kind=ACTOR.kind, party=PartyName("supplier-b"))
    with pytest.raises(NotPermitted, match="belongs to one party"):
        act_on_key(live, other, OrderKey(label=KeyLabel("b"), purpose=ORDER.purpose, party=other.party), AT)


def test_live_refuses_test_keys(live: Journal) -> None:
    do(live, ORDER)
    with pytest.raises(NotPermitted, match="no imported test key"):
        do(live, KeyGenerated(label=LABEL, public_key=point(), provenance=Provenance.IMPORTED_TEST_KEY))


@pytest.mark.clause("G2.20(b)", shows="refusal")
def test_live_refuses_a_published_test_key_at_registration_and_test_takes_it(live: Journal, tmp_path: Path) -> None:
    made = KeyGenerated(label=LABEL, public_key=RFC_6979_KEY, provenance=Provenance.GENERATED)
    do(live, ORDER)
    with pytest.raises(NotPermitted, match=r"published test key.*G5\.13"):
        do(live, made)
    assert Register(live.ledger, [TEST_ROOT]).refresh().keys == {}
    do(live, GENERATED)
    (tmp_path / "test").mkdir()
    with books.a_book(tmp_path / "test") as journal:
        enrol(journal)
        do(journal, ORDER, made)
        assert state(journal) is KeyState.GENERATED


@pytest.mark.rtds
def test_live_refuses_every_key_that_the_dcc_published(live: Journal) -> None:
    directory = os.environ.get("KEYBROKER_RTDS")
    if directory is None:
        pytest.skip("KEYBROKER_RTDS is unset: the published keys are not offered")
    do(live, ORDER)
    files = sorted((Path(directory) / "keys").glob("*.key"))
    assert files
    for file in files:
        public = serialization.load_pem_private_key(file.read_bytes(), None).public_key()
        published = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        with pytest.raises(NotPermitted, match="published test key"):
            do(live, KeyGenerated(label=LABEL, public_key=published, provenance=Provenance.GENERATED))


def test_refuses_to_revoke_what_a_key_does_not_have(journal: Journal) -> None:
    order = OrderKey(label=LABEL, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=PARTY)
    do(journal, order, GENERATED, ACTIVATE)
    with pytest.raises(NotPermitted, match="no certificate to revoke"):
        do(journal, REVOKE)


def test_refuses_to_activate_a_contingency_key_without_its_eui(journal: Journal) -> None:
    do(journal, OrderKey(label=LABEL, purpose=KeyPurpose.CONTINGENCY_COMMAND, party=PARTY), GENERATED)
    with pytest.raises(NotPermitted, match="needs the EUI"):
        do(journal, ACTIVATE)


# ---- acceptance


def test_leads_a_key_through_its_life_and_records_each_step(journal: Journal) -> None:
    do(journal, ORDER)
    # Ordered, it has no public key yet, and judging it makes no sense.
    assert Register(journal.ledger, [TEST_ROOT]).current().keys == {}
    steps: list[tuple[Act, KeyState]] = [
        (GENERATED, KeyState.GENERATED),
        (BEGIN, KeyState.ENROLLING),
        (ENROL, KeyState.ENROLLING),
        (ACTIVATE, KeyState.ACTIVE),
        (SUSPEND, KeyState.SUSPENDED),
        (RESUME, KeyState.ACTIVE),
        (RETIRE, KeyState.RETIRED),
    ]
    for act, after in steps:
        receipt = act_on_key(journal, ACTOR, act, AT)
        assert state(journal) is after
        stored = journal.find(receipt.leaf_index)
        assert stored is not None
        body = canonical_json.decode(stored.octets)["body"]
        assert isinstance(body, dict)
        assert (body["act"], body["to"], body["key"]) == (type(act).__name__, after.value, LABEL)
        assert body["actor"] == {"identity": "local:operator", "kind": "operator", "party": PARTY}
    audit.verify(journal.ledger, AT)


def test_activates_a_contingency_key_by_its_public_key_alone(journal: Journal) -> None:
    eui = messages.CONTINGENCY
    order = OrderKey(label=LABEL, purpose=KeyPurpose.CONTINGENCY_COMMAND, party=PARTY, eui=eui)
    do(journal, order, GENERATED, ACTIVATE)
    key = Register(journal.ledger, []).refresh().keys[LABEL]
    assert (key.state, key.eui, key.certificate, key.public_key) == (KeyState.ACTIVE, eui, None, point())


def test_activates_a_secret_key_by_its_identifier_alone(journal: Journal) -> None:
    order = OrderKey(label=LABEL, purpose=KeyPurpose.DCO_SMETS1, party=PARTY)
    do(journal, order, KeyGenerated(label=LABEL, public_key=b"i" * 20, provenance=Provenance.GENERATED), ACTIVATE)
    key = Register(journal.ledger, []).refresh().keys[LABEL]
    assert (key.state, key.eui, key.certificate, key.public_key) == (KeyState.ACTIVE, None, None, b"i" * 20)


def test_renews_a_certificate_that_is_not_the_revoked_one(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE], REVOKE)
    register = Register(journal.ledger, [TEST_ROOT])
    certificate = register.refresh().keys[LABEL].certificate
    assert certificate is not None
    assert certificate.revoked_at == AT
    renewed = EnrolCertificate(label=LABEL, chain=(Plan(serial=0x1235).make(), an_issuing_ca()), anchors=(TEST_ROOT,))
    do(journal, renewed)
    key = register.refresh().keys[LABEL]
    assert key.certificate is not None
    assert (key.state, key.certificate.revoked_at, key.certificate.test_anchor) == (KeyState.ACTIVE, None, True)
    assert key.eui == messages.SUPPLIER


def test_a_change_of_the_register_makes_the_journal_ask_for_judging_anew(journal: Journal) -> None:
    register = Register(journal.ledger, [TEST_ROOT])
    old = register.current()
    do(journal, *TO[KeyState.ACTIVE])
    assert register.current() is old
    with pytest.raises(RegisterMoved):
        journal.intend([books.a_request("r")], register_version=old.version, at=AT)
    new = register.refresh()
    assert new.version == old.version + 4
    assert register.refresh() is new
    assert len(journal.intend([books.a_request("r")], register_version=new.version, at=AT + timedelta(days=1))) == 1


def test_a_key_whose_chain_no_longer_verifies_is_closed_alone(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    other = KeyLabel("audit")
    do(journal, OrderKey(label=other, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=PARTY))
    do(journal, KeyGenerated(label=other, public_key=point(99), provenance=Provenance.GENERATED))
    do(journal, ActivateKey(label=other))
    register = Register(journal.ledger, [])
    keys = register.current().keys
    assert keys[LABEL].state is KeyState.ENROLLING
    assert keys[LABEL].certificate is None
    assert keys[other].state is KeyState.ACTIVE
    assert set(register.unfit) == {LABEL}
    do(journal, RETIRE)
    assert register.refresh().keys[LABEL].state is KeyState.RETIRED
