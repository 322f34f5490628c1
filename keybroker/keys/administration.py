"""May this be done to that key, and what is written then? The ONE function through which the register changes."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from typing import Any, assert_never

from sqlalchemy import delete, insert, select, update

from keybroker.errors import NotPermitted
from keybroker.keys import session_acts
from keybroker.keys.acts import (
    BOUND_BY_PUBLIC_KEY,
    REQUESTS_CERTIFICATES,
    TRANSITIONS,
    Act,
    ActivateKey,
    Actor,
    BeginEnrolment,
    BeginSession,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    ResumeKey,
    RetireKey,
    RevokeCertificate,
    SessionKeyDestroyed,
    SessionKeyMade,
    SuspendKey,
)
from keybroker.keys.evidence import refusals_recorded, told_by
from keybroker.keys.orders import Ordered, check_order, settle_order, told_order, without_order
from keybroker.ledger import tables
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Json, Receipt
from keybroker.ledger.record import encode, moment
from keybroker.ledger.turn import Turn
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import certificate_identity, public_point
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.statement.statement import Statement
from keybroker.terms import DeploymentKind, KeyAlgorithm, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance

__all__ = [
    "Act",
    "ActivateKey",
    "Actor",
    "BeginEnrolment",
    "BeginSession",
    "EnrolCertificate",
    "KeyGenerated",
    "OrderKey",
    "ResumeKey",
    "RetireKey",
    "RevokeCertificate",
    "SessionKeyDestroyed",
    "SessionKeyMade",
    "SuspendKey",
    "administer",
]


_SECRET_IDENTIFIER_OCTETS = 20
_is_name = re.compile(r"[a-z0-9-]{1,63}").fullmatch


def administer(journal: Journal, actor: Actor, act: Act, at: datetime, ordered: Ordered | None = None) -> Receipt:
    """Do one act: check it, change the register, count its version and write the record, in one transaction.

    ``ordered``: the order of a person, which an act on a key in scope of SEC G3.23 needs (``needs_order``).

    Raises: NotPermitted when the act does not fit the key's state, deployment or party (the refusal is recorded),
    CertificateUnfit for a chain that does not verify, PersonMayNotAct and StatementRefused for an order that is
    missing, another's or not to be relied on (recorded too), LedgerFault.
    """
    return refusals_recorded(
        journal,
        actor,
        told_act(act),
        at,
        lambda: journal.ledger.transact(lambda turn: _administer(journal, turn, actor, act, at, ordered)),
    )


# SEC G3.23: the module in which such a key is held "is located, operated, configured, tested and maintained in the
# United Kingdom by User Personnel who are located in the United Kingdom". What follows from an act that was ordered
# (the module made the key, enrolment began) needs no order of its own.
def needs_order(act: Act, purpose: KeyPurpose) -> bool:
    """Does this act on a key of this purpose need the order of a person?"""
    match act:
        case KeyGenerated() | BeginEnrolment() | BeginSession() | SessionKeyMade() | SessionKeyDestroyed():
            return False
        case _:
            return OBLIGATIONS[purpose].location == "united-kingdom"


def _administer(journal: Journal, turn: Turn, actor: Actor, act: Act, at: datetime, ordered: Ordered | None) -> Receipt:
    row: Any = turn.connection.execute(select(tables.key).where(tables.key.c.label == act.label)).one_or_none()
    before = None if row is None else KeyState(row.state)
    after = _after(act, before)
    _check(act, row, actor, turn, journal.ledger.deployment)
    purpose = act.purpose if isinstance(act, OrderKey) else KeyPurpose.S1SP_SMETS1 if row is None else row.purpose
    order = _order(turn, act, KeyPurpose(purpose), at, ordered)
    party = act.party if isinstance(act, OrderKey | BeginSession) else PartyName(row.party)
    _change(turn, act, after)
    if isinstance(act, BeginSession):
        session_acts.begin(turn, act, caller=actor.identity, worker=journal.worker)
    body: dict[str, Json] = {
        **told_by(actor),
        **told_act(act),
        "from": before and before.value,
        "to": after.value,
        "register_version": turn.move_register(),
    }
    if order is not None:
        body |= told_order(order)
    octets = encode(journal.writer.entry(Entry(kind=RecordKind.ADMINISTRATIVE, party=party, body=body), at))
    hashed = leaf_hash(octets)
    receipt = turn.append(kind=RecordKind.ADMINISTRATIVE.value, party=party, octets=octets, leaf_hash=hashed)
    session_acts.settle(turn, act, receipt)
    if order is not None:
        settle_order(turn, order, receipt, [f"key:{act.label}"], at)
    return receipt


def _order(turn: Turn, act: Act, purpose: KeyPurpose, at: datetime, ordered: Ordered | None) -> Statement | None:
    """The order of the act, checked; None where none is needed and none was given."""
    if ordered is not None:
        demanded = needs_order(act, purpose)
        return check_order(turn, ordered, told_act(act), at, in_united_kingdom=demanded)
    if needs_order(act, purpose):
        raise without_order(told_act(act))
    return None


def _after(act: Act, before: KeyState | None) -> KeyState:
    if isinstance(act, OrderKey | BeginSession):
        if before is not None and isinstance(act, BeginSession):
            raise NotPermitted(session_acts.used_before("handshake"))
        if before is not None:
            raise NotPermitted(f"the register has a key {act.label} already; a label is used once")
        return KeyState.ORDERED
    if before is None:
        raise NotPermitted(f"the register has no key {act.label}; order it first")
    transitions = TRANSITIONS[type(act)]
    if before not in transitions:
        expected = " or ".join(state.value for state in transitions)
        raise NotPermitted(f"{_name(act)} needs the key {act.label} to be {expected}, found {before.value}")
    return transitions[before]


def _check(act: Act, row: Any, actor: Actor, turn: Turn, deployment: DeploymentKind) -> None:
    session_acts.check_kind(turn, act)
    match act:
        case OrderKey():
            _check_order(act, actor.party, turn, deployment)
        case BeginSession():
            _check_order(act, act.party, turn, deployment)
            session_acts.check_begin(turn, act, caller=actor.identity)
        case KeyGenerated():
            _check_generated(act, KeyPurpose(row.purpose), turn, deployment)
        case BeginEnrolment():
            if KeyPurpose(row.purpose) not in REQUESTS_CERTIFICATES:
                raise NotPermitted(f"a {row.purpose} key signs no request for a certificate")
        case EnrolCertificate():
            _check_chain(act, row, turn, deployment)
        case ActivateKey():
            _check_activation(row, turn)
        case RevokeCertificate():
            if not _has_certificate(turn, act.label):
                raise NotPermitted(f"the key {act.label} has no certificate to revoke")
        case SuspendKey() | ResumeKey() | RetireKey() | SessionKeyMade() | SessionKeyDestroyed():
            pass
        case _:
            assert_never(act)


def _check_order(act: OrderKey | BeginSession, own: PartyName, turn: Turn, deployment: DeploymentKind) -> None:
    # A label stands in names and findings: what could be read as two words, or as another label, is none.
    if not all(_is_name(name) for name in (act.label, act.party)):
        raise NotPermitted("a key's label and its party are each 1 to 63 of a-z, 0-9 and hyphen")
    # One deployment, one party (G2.25, G3.14): live keys are all of the party whose deployment it is.
    if deployment is DeploymentKind.TEST:
        return
    parties = {*turn.connection.execute(select(tables.key.c.party).distinct()).scalars(), own}
    if parties != {act.party}:
        raise NotPermitted(
            f"a live deployment belongs to one party: expected {' and '.join(sorted(parties))}, found {act.party}"
        )


def _check_generated(act: KeyGenerated, purpose: KeyPurpose, turn: Turn, deployment: DeploymentKind) -> None:
    if OBLIGATIONS[purpose].algorithm is KeyAlgorithm.AES_GCM:
        if len(act.public_key) != _SECRET_IDENTIFIER_OCTETS:
            raise NotPermitted(f"a secret key is named by its CKA_ID of {_SECRET_IDENTIFIER_OCTETS} octets")
    elif len(act.public_key) != 65 or act.public_key[0] != 4:
        raise NotPermitted("a public key is an uncompressed P-256 point of 65 octets")
    if deployment is DeploymentKind.LIVE and act.provenance is Provenance.IMPORTED_TEST_KEY:
        raise NotPermitted("a live deployment holds no imported test key")
    if deployment is DeploymentKind.LIVE and is_published_test_key(act.public_key):
        raise NotPermitted("this is a published test key; a live deployment refuses it (SEC G5.13)")
    same = select(tables.key.c.label).where(tables.key.c.public_key == act.public_key)
    if other := turn.connection.execute(same).scalar_one_or_none():
        raise NotPermitted(f"the key {other} has the same public key")


def _check_chain(act: EnrolCertificate, row: Any, turn: Turn, deployment: DeploymentKind) -> None:
    facts = read_chain(act.chain, act.anchors, revoked_at=None)
    if public_point(act.chain[0]) != row.public_key:
        raise NotPermitted(f"the certificate is of another public key than {act.label}'s")
    if facts.test_anchor != (deployment is DeploymentKind.TEST):
        found = "a test anchor" if facts.test_anchor else "a live anchor"
        raise NotPermitted(
            f"a {deployment.value} deployment takes certificates of {deployment.value} anchors, found {found}"
        )
    revoked = tables.revoked_certificate.c.identity
    if turn.connection.execute(select(revoked).where(revoked == certificate_identity(act.chain[0]))).first():
        raise NotPermitted(f"the certificate was revoked; a revocation is not undone: enrol another for {act.label}")
    if row.eui is not None and (facts.eui is None or row.eui != facts.eui.octets):
        says = str(facts.eui or "none, as of a CA")
        raise NotPermitted(f"the key was ordered for EUI {row.eui.hex('-').upper()}, the certificate says {says}")


def _check_activation(row: Any, turn: Turn) -> None:
    # Enrolling begins before there is a certificate: the state alone says nothing.
    purpose, label = KeyPurpose(row.purpose), KeyLabel(row.label)
    if purpose not in BOUND_BY_PUBLIC_KEY and not _has_certificate(turn, label):
        raise NotPermitted(f"a {purpose} key needs a certificate before it is active")
    if purpose is KeyPurpose.CONTINGENCY_COMMAND and row.eui is None:
        raise NotPermitted("a key bound by its public key alone needs the EUI it speaks for, given when it is ordered")


def _change(turn: Turn, act: Act, after: KeyState) -> None:
    execute, key, certificate = turn.connection.execute, tables.key, tables.certificate
    values: dict[str, Any] = {"state": after.value}
    match act:
        case OrderKey():
            eui = None if act.eui is None else act.eui.octets
            values |= {"label": act.label, "purpose": act.purpose.value, "party": act.party, "eui": eui}
            execute(insert(key).values(values))
            return
        case BeginSession():
            execute(insert(key).values(values | _ordered_for_session(turn, act)))
            return
        case KeyGenerated():
            values |= {"public_key": act.public_key, "provenance": act.provenance.value}
        case EnrolCertificate():
            values |= {"revoked_at": None}
            execute(delete(certificate).where(certificate.c.label == act.label))
            links = [{"label": act.label, "position": at, "der": der} for at, der in enumerate(act.chain)]
            execute(insert(certificate), links)
        case RevokeCertificate():
            values |= {"revoked_at": int(act.revoked_at.timestamp())}
            _remember_revoked(turn, act.label)
        case BeginEnrolment() | ActivateKey() | SuspendKey() | ResumeKey() | RetireKey():
            pass
        case SessionKeyMade() | SessionKeyDestroyed():
            pass
        case _:
            assert_never(act)
    execute(update(key).where(key.c.label == act.label).values(values))


def _ordered_for_session(turn: Turn, act: BeginSession) -> dict[str, Any]:
    # Its CKA_ID stands in the register before there is such a key: by it a leftover is known in the module.
    return {
        "label": act.label,
        "purpose": KeyPurpose.S1SP_SMETS1.value,
        "party": act.party,
        "eui": session_acts.eui_of_parent(turn, act),
        "public_key": act.public_key,
        "provenance": Provenance.GENERATED.value,
    }


def _remember_revoked(turn: Turn, label: KeyLabel) -> None:
    table, own = tables.revoked_certificate, tables.certificate
    der = turn.connection.execute(select(own.c.der).where(own.c.label == label, own.c.position == 0)).scalar_one()
    identity = certificate_identity(der)
    if turn.connection.execute(select(table.c.label).where(table.c.identity == identity)).first() is None:
        turn.connection.execute(insert(table).values(identity=identity, label=label))


def _has_certificate(turn: Turn, label: KeyLabel) -> bool:
    links = select(tables.certificate.c.position).where(tables.certificate.c.label == label)
    return bool(turn.connection.execute(links).first())


def told_act(act: Act) -> dict[str, Json]:
    """What records say of an act, and what an order for it names (``order_target``)."""
    told: dict[str, Json] = {"act": _name(act), "key": act.label}
    match act:
        case OrderKey():
            told |= {"purpose": act.purpose.value, "party": act.party, "eui": str(act.eui) if act.eui else None}
        case KeyGenerated():
            told |= {"public_key": act.public_key.hex(), "provenance": act.provenance.value}
        case EnrolCertificate():
            told |= {"chain": [sha256(der).hexdigest() for der in act.chain]}
        case SuspendKey() | ResumeKey() | RetireKey():
            told |= {"because": act.because}
        case RevokeCertificate():
            told |= {"revoked_at": moment(act.revoked_at), "because": act.because}
        case BeginSession():
            told |= session_acts.told(act)
        case BeginEnrolment() | ActivateKey() | SessionKeyMade() | SessionKeyDestroyed():
            pass
        case _:
            assert_never(act)
    return told


def _name(act: Act) -> str:
    return type(act).__name__
