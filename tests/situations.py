"""Keys, callers, policies, situations, decisions and permits for tests; each a good one, to be spoilt by one argument.

A permit is made by the line's own steps (decode, decide, open_gates): there is no other way to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.public_key import public_key_identifier
from keybroker.gates import open_gates
from keybroker.gates.key_served import served
from keybroker.gates.model import GateEvidence, ModuleIdentity, Permit
from keybroker.policy import decide
from keybroker.policy.file import read_policies
from keybroker.policy.model import CertificateFacts, Decision, Policy, RegisteredKey, Situation
from keybroker.statement.standing import Standing
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyState,
    KeyUsage,
    Operation,
    PartyName,
    Provenance,
    RemotePartyRole,
    SystemName,
    UserRole,
)
from tests import evidence, messages

AT = evidence.AT
ORIGIN = evidence.ORIGIN

# The P-256 public key of RFC 6979 appendix A.2.5; its private half stands beside it: a published test key.
RFC_6979_KEY = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)

LABELS: Mapping[KeyPurpose, str] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: "supplier-a",
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: "network-operator-a",
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: "load-controller-a",
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: "access-control-broker",
    KeyPurpose.COS_PARTY_COMMAND: "cos-party",
    KeyPurpose.WAN_PROVIDER_COMMAND: "wan-provider",
    KeyPurpose.RECOVERY_COMMAND: "recovery",
    KeyPurpose.CONTINGENCY_COMMAND: "contingency",
    KeyPurpose.AUDIT_CHECKPOINT: "audit-checkpoint",
}

EUIS: Mapping[KeyPurpose, EntityIdentifier] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: messages.SUPPLIER,
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: messages.NETWORK_OPERATOR,
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: messages.LOAD_CONTROLLER,
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: messages.ACCESS_CONTROL_BROKER,
    KeyPurpose.COS_PARTY_COMMAND: messages.TRANSITIONAL_COS,
    KeyPurpose.WAN_PROVIDER_COMMAND: messages.WAN_PROVIDER,
    KeyPurpose.RECOVERY_COMMAND: messages.RECOVERY,
    KeyPurpose.CONTINGENCY_COMMAND: messages.CONTINGENCY,
}

_USER_ROLES: Mapping[KeyPurpose, frozenset[UserRole]] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: frozenset({UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER}),
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: frozenset({UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER}),
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: frozenset({UserRole.LOAD_CONTROLLER}),
}
USER_PURPOSES = tuple(_USER_ROLES)
USER_IDS = tuple(sorted({EUIS[purpose] for purpose in USER_PURPOSES}, key=str))
COMMAND_PURPOSES = tuple(EUIS)
LINE_PURPOSES = tuple(LABELS)
"""Those that sign Commands, and the broker's own checkpoints: their good cases are made here."""


@cache
def a_private_key(scalar: int = 1) -> ec.EllipticCurvePrivateKey:
    """The private key of a test scalar; that of every key made here is 1."""
    return ec.derive_private_key(scalar, ec.SECP256R1())


@cache
def a_point(scalar: int = 1) -> bytes:
    """Its public point: 65 octets."""
    return a_private_key(scalar).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@cache
def packaged_policies() -> Mapping[KeyPurpose, Policy]:
    """The policies of the repository, as they are shipped."""
    directory = Path(__file__).parent.parent / "policies"
    return read_policies({path.name: path.read_bytes() for path in directory.glob("*.toml")})


def a_policy(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> Policy:
    """The packaged policy of a purpose."""
    return replace(packaged_policies()[purpose], **changes)


def a_certificate(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> CertificateFacts:
    """What a good certificate of the purpose's role states; no such certificate exists, so ``der`` is empty."""
    (role,) = packaged_policies()[purpose].roles or (RemotePartyRole.OTHER,)
    certificate = CertificateFacts(
        der=(),
        subject_key_identifier=public_key_identifier(a_point()),
        role=role,
        eui=EUIS.get(purpose, messages.SUPPLIER),
        serial=1,
        subject=b"",
        usage=KeyUsage.DIGITAL_SIGNATURE,
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2029, 12, 31, 23, 59, 59, tzinfo=UTC),
        revoked_at=None,
        test_anchor=True,
    )
    return replace(certificate, **changes)


def a_key(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> RegisteredKey:
    """An active key of the purpose, with a test certificate where its purpose binds it by one."""
    bound_by_certificate = packaged_policies()[purpose].binding == "certificate-role"
    key = RegisteredKey(
        label=KeyLabel(LABELS[purpose]),
        purpose=purpose,
        party=PartyName(_party(purpose)),
        state=KeyState.ACTIVE,
        provenance=Provenance.GENERATED,
        public_key=a_point(),
        eui=EUIS.get(purpose),
        certificate=a_certificate(purpose) if bound_by_certificate else None,
    )
    return replace(key, **changes)


def a_caller(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> Caller:
    """A caller entitled to the key of the purpose, and to no other."""
    policy = packaged_policies()[purpose]
    (kind,) = policy.caller_kinds
    caller = Caller(
        identity=f"uri:urn:keybroker:{_party(purpose)}:head-end",
        party=PartyName(_party(purpose)),
        system=SystemName("head-end"),
        kind=kind,
        user_roles=_USER_ROLES.get(purpose, frozenset()),
        euis=frozenset({EUIS[purpose]}) if kind is CallerKind.USER_SYSTEM else frozenset(),
        operations=policy.operations | {Operation.EXPLAIN, Operation.LIST_KEYS},
        keys=frozenset({KeyLabel(LABELS[purpose])}),
    )
    return replace(caller, **changes)


def a_situation(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> Situation:
    """A test deployment, the moment AT, and the operation that belongs to the purpose."""
    (operation,) = packaged_policies()[purpose].operations - {Operation.SIGN_CERTIFICATE_SIGNING_REQUEST}
    situation = Situation(deployment=DeploymentKind.TEST, ledger_origin=ORIGIN, operation=operation, at=AT)
    return replace(situation, **changes)


def gates_of(purpose: KeyPurpose) -> set[str]:
    """The gates that the packaged policy names."""
    return {requirement.gate for requirement in packaged_policies()[purpose].gates}


def evidence_of(*keys: RegisteredKey, **changes: Any) -> GateEvidence:
    """A module that serves these keys and no others; all else that gates look at is good."""
    as_demanded = served("G3.22")
    good = GateEvidence(
        served={key.label: as_demanded for key in keys},
        module=evidence.MODULE,
        surroundings=evidence.SURROUNDINGS,
        standing=good_standing(),
        at=AT,
    )
    return replace(good, **changes)


def good_standing(module: ModuleIdentity = evidence.MODULE) -> Standing:
    """Evidence for every User ID of these situations, and a module that reports itself so."""
    return evidence.a_standing(module, USER_IDS)


CODES: Mapping[KeyPurpose, int] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: messages.SET_CLOCK,
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: messages.NETWORK_OPERATOR_BY_NETWORK_OPERATOR,
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: messages.LIMIT_APC_LEVEL,
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: messages.SUPPLIER_BY_SUPPLIER,
    KeyPurpose.COS_PARTY_COMMAND: messages.TRANS_COS_BY_TRANS_COS,
    KeyPurpose.WAN_PROVIDER_COMMAND: messages.WAN_PROVIDER_BY_WAN_PROVIDER,
    KeyPurpose.RECOVERY_COMMAND: messages.ANY_BY_RECOVERY,
    KeyPurpose.CONTINGENCY_COMMAND: messages.ANY_BY_CONTINGENCY,
}
"""A Message Code that a key of the purpose signs."""


def a_message(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> bytes:
    """Octets that a key of the purpose signs; ``changes`` go to ``compose_command`` or ``encode_checkpoint``."""
    if purpose is KeyPurpose.AUDIT_CHECKPOINT:
        checkpoint: dict[str, Any] = {"origin": ORIGIN, "tree_size": 1, "root_hash": bytes(32)}
        return encode_checkpoint(**(checkpoint | changes))
    command: dict[str, Any] = {"code": CODES[purpose], "originator": EUIS[purpose]}
    return messages.compose_command(**(command | changes))


def a_content(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> Content:
    """The same, decoded as the kind that the purpose signs."""
    (kind,) = packaged_policies()[purpose].content_kinds - {ContentKind.CERTIFICATE_SIGNING_REQUEST}
    return decode(kind, a_message(purpose, **changes))


def a_decision(
    purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND,
    *,
    content: Content | None = None,
    key: RegisteredKey | None = None,
    caller: Caller | None = None,
    policy: Policy | None = None,
    situation: Situation | None = None,
) -> Decision:
    """What ``decide`` makes of a good case, or of the case given. Raises: NotPermitted."""
    return decide(
        content or a_content(purpose),
        key=key or a_key(purpose),
        caller=caller or a_caller(purpose),
        policy=policy or a_policy(purpose),
        situation=situation or a_situation(purpose),
    )


def a_permit(purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND, **changes: Any) -> Permit:
    """What the gates make of ``a_decision(purpose, **changes)`` while the module serves its key. Raises: Refusal."""
    decision = a_decision(purpose, **changes)
    return open_gates(decision, evidence_of(decision.key))


def _party(purpose: KeyPurpose) -> str:
    return LABELS[purpose] if purpose in USER_PURPOSES else "dcc"
