"""A line with keys that sign DUIS XML, and with the CoS Party's: a real ledger and real rules, whichever module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from keybroker.content.assembly import assemble
from keybroker.content.model import Accompanying
from keybroker.hsm.module import CryptographicModule
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.statement.standing import Standing
from keybroker.terms import (
    Caller,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    Operation,
    RequestId,
    UserRole,
)
from tests import duis, evidence
from tests.evidence import FixedSurroundings
from tests.policy import authorities, chains, xml_signing
from tests.situations import AT, ORIGIN, packaged_policies
from tests.test_line import ARegister


def a_key(label: str, purpose: KeyPurpose, ou: str, eui: EntityIdentifier, point: bytes) -> RegisteredKey:
    """An active key of the module, with a certificate of the test Issuing OCA for its ``point``."""
    public_key = chains.ec.EllipticCurvePublicKey.from_encoded_point(chains.ec.SECP256R1(), point)
    serial = int.from_bytes(sha256(point).digest()[:15], "big")
    certificate = duis.a_certificate(1, ou, eui, public_key=public_key, serial=serial)
    facts = read_chain((certificate, authorities.ISSUING), authorities.ANCHORS, revoked_at=None)
    return replace(
        xml_signing.a_key(), label=KeyLabel(label), purpose=purpose, public_key=point, eui=eui, certificate=facts
    )


def a_line(journal: Journal, module: CryptographicModule, *keys: RegisteredKey) -> Line:
    lists = authorities.a_trust().lists
    held = {key.label: key for key in keys}
    register = KeyRegister(version=0, keys=held, lists=lists, standing=a_standing(module, *keys))
    return Line(
        deployment=DeploymentKind.TEST,
        ledger_origin=ORIGIN,
        policies=packaged_policies(),
        register=ARegister(now=register, seen=register),
        journal=journal,
        module=module,
        anchors=authorities.ANCHORS,
        device_anchors=(),
        surroundings=FixedSurroundings(),
    )


def a_standing(module: CryptographicModule, *keys: RegisteredKey) -> Standing:
    """Good evidence, and thresholds of every User whose XML key is here, those of encrypted Responses among them."""
    users = [key.eui for key in keys if key.purpose is KeyPurpose.USER_XML and key.eui is not None]
    settings = packaged_policies()[KeyPurpose.USER_XML].settings.anomaly_thresholds
    assert settings is not None
    encrypted = sorted(settings.encrypted_response_variants)
    return evidence.standing_of(evidence.a_scene(module.identity, users={"party": users}, encrypted=encrypted))


def a_caller(key: RegisteredKey) -> Caller:
    """One that may use the key, in every User Role where a User's system does."""
    user = key.purpose is KeyPurpose.USER_XML
    caller = xml_signing.a_caller(KeyPurpose.USER_XML if user else KeyPurpose.DSP_XML)
    return replace(
        caller,
        user_roles=frozenset(UserRole) if user else frozenset(),
        euis=frozenset({key.eui}) if user and key.eui is not None else frozenset(),
        keys=frozenset({key.label}),
        operations=packaged_policies()[key.purpose].operations,
    )


def an_ask(
    key: RegisteredKey,
    octets: bytes,
    *,
    name: str,
    operation: Operation = Operation.SIGN_SERVICE_REQUEST,
    kind: ContentKind = ContentKind.SERVICE_REQUEST,
    beside: Sequence[Accompanying] = (),
) -> Ask:
    identity = RequestIdentity(
        caller=a_caller(key),
        operation=operation,
        key=key.label,
        request_id=RequestId(name),
        sha256=sha256(octets).digest(),
    )
    return Ask(identity=identity, kind=kind, octets=octets, accompanying=tuple(beside))


def sign_all(line: Line, keys: Mapping[str, RegisteredKey], documents: Mapping[str, bytes]) -> dict[str, Outcome]:
    """Each document under the key of its name, in one batch."""
    asks = [an_ask(keys[name], octets, name=name) for name, octets in documents.items()]
    return dict(zip(documents, sign_batch(line, asks, AT), strict=True))


def whole(outcome: Outcome) -> bytes:
    """What the caller gets of a document that was signed."""
    assert isinstance(outcome, Concluded), outcome
    decision = outcome.intent.permit.decision
    return assemble(decision.content, outcome.outputs, certificate=decision.key.certificate_der)
