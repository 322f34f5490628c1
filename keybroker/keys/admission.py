"""May this act be done to that key, as the register has it? In the turn of an act. SEC G2.25, G3.14, G5.13, G5.24."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from keybroker.errors import NotPermitted
from keybroker.keys import life, session_acts
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
    name_of,
)
from keybroker.keys.life_acts import ActivateTransferred, KeyImported, LifeAct, RenewKey
from keybroker.ledger import tables
from keybroker.ledger.turn import Turn
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import certificate_identity, public_point
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.terms import DeploymentKind, KeyAlgorithm, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance

_SECRET_IDENTIFIER_OCTETS = 20
_is_name = re.compile(r"[a-z0-9-]{1,63}").fullmatch


def state_after(act: Act, before: KeyState | None) -> KeyState:
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
        expected = " or ".join(state.value for state in transitions if state is not None)
        raise NotPermitted(f"{name_of(act)} needs the key {act.label} to be {expected}, found {before.value}")
    return transitions[before]


def check_act(act: Act, row: Any, actor: Actor, turn: Turn, deployment: DeploymentKind) -> None:
    session_acts.check_kind(turn, act)
    match act:
        case OrderKey():
            _check_order(act, actor.party, turn, deployment)
            if act.renews is not None:
                life.check_order_of_successor(turn, act.label, act.renews, act.purpose, act.party)
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
            life.check_not_beside(turn, row)
        case RevokeCertificate():
            if not _has_certificate(turn, act.label):
                raise NotPermitted(f"the key {act.label} has no certificate to revoke")
        case SuspendKey() | RetireKey() | SessionKeyMade() | SessionKeyDestroyed():
            pass
        case ResumeKey():
            life.check_not_beside(turn, row)
        case _:
            _check_life(act, row, turn, deployment)


def _check_life(act: LifeAct, row: Any, turn: Turn, deployment: DeploymentKind) -> None:
    life.check_life(turn, act, row)
    match act:
        case KeyImported():
            if row.public_key not in (None, act.public_key):
                raise NotPermitted(f"{act.label} was renounced here: expected the very key that was, found another")
            _check_public_key(act.public_key, KeyPurpose(row.purpose), turn, deployment, own=act.label)
        case ActivateTransferred():
            _check_activation(row, turn)
        case RenewKey():
            successor = turn.connection.execute(select(tables.key).where(tables.key.c.label == act.successor)).one()
            _check_activation(successor, turn)
        case _:
            pass


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
    if deployment is DeploymentKind.LIVE and act.provenance is Provenance.IMPORTED_TEST_KEY:
        raise NotPermitted("a live deployment holds no imported test key")
    _check_public_key(act.public_key, purpose, turn, deployment)


def _check_public_key(
    identity: bytes, purpose: KeyPurpose, turn: Turn, deployment: DeploymentKind, *, own: str = ""
) -> None:
    """``own``: the label under which the register may have it already."""
    if OBLIGATIONS[purpose].algorithm is KeyAlgorithm.AES_GCM:
        if len(identity) != _SECRET_IDENTIFIER_OCTETS:
            raise NotPermitted(f"a secret key is named by its CKA_ID of {_SECRET_IDENTIFIER_OCTETS} octets")
    elif len(identity) != 65 or identity[0] != 4:
        raise NotPermitted("a public key is an uncompressed P-256 point of 65 octets")
    if deployment is DeploymentKind.LIVE and is_published_test_key(identity):
        raise NotPermitted("this is a published test key; a live deployment refuses it (SEC G5.13)")
    same = select(tables.key.c.label).where(tables.key.c.public_key == identity, tables.key.c.label != own)
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


def _has_certificate(turn: Turn, label: KeyLabel) -> bool:
    links = select(tables.certificate.c.position).where(tables.certificate.c.label == label)
    return bool(turn.connection.execute(links).first())
