"""Who and what is in a development deployment? Its keys, and the callers that follow from them.

EUIs are locally administered and spell TEST (7E57); none is anybody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from keybroker.policy.obligations import OBLIGATIONS
from keybroker.terms import (
    CallerKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    Operation,
    PartyName,
    RemotePartyRole,
    SystemName,
    UserRole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevKey:
    """A key to be made: ``role`` is its certificate's OU, None for a key that no certificate names.

    With ``private_scalar`` (32 octets, of a symmetric key its 16) a test key is imported instead of one being
    generated; ``authentication`` (16 octets) is then the DLMS authentication key beside it. A generated key has one
    where ``draws_authentication``.
    """

    label: str
    purpose: KeyPurpose
    party: str
    eui: EntityIdentifier | None
    role: RemotePartyRole | None
    private_scalar: bytes | None = field(default=None, repr=False)
    authentication: bytes | None = field(default=None, repr=False)
    draws_authentication: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCaller:
    """A row of the caller table; ``name`` is the name of its TLS files (``tls/<name>.pem`` and ``.key``)."""

    name: str
    party: PartyName
    system: SystemName
    kind: CallerKind
    user_roles: tuple[UserRole, ...] = ()
    euis: tuple[EntityIdentifier, ...] = ()
    operations: tuple[Operation, ...]
    keys: tuple[KeyLabel, ...] = ()

    @property
    def uri(self) -> str:
        return f"urn:keybroker:{self.party}:{self.system}"


def _eui(number: int) -> EntityIdentifier:
    return EntityIdentifier(bytes.fromhex("027E5700") + number.to_bytes(4, "big"))


def _key(label: str, purpose: KeyPurpose, party: str, number: int, role: RemotePartyRole | None) -> DevKey:
    return DevKey(label=label, purpose=purpose, party=party, eui=_eui(number) if number else None, role=role)


DEFAULT_KEYS: tuple[DevKey, ...] = (
    # First what certifies the others.
    _key("root-oca", KeyPurpose.ROOT_OCA, "dcc", 0, RemotePartyRole.ROOT),
    _key("issuing-oca", KeyPurpose.ISSUING_OCA, "dcc", 0, RemotePartyRole.ISSUING_AUTHORITY),
    _key("supplier-a", KeyPurpose.SUPPLIER_PRE_COMMAND, "supplier-a", 0x0201, RemotePartyRole.SUPPLIER),
    _key(
        "network-operator-a",
        KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND,
        "network-operator-a",
        0x0301,
        RemotePartyRole.NETWORK_OPERATOR,
    ),
    _key(
        "load-controller-a",
        KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND,
        "load-controller-a",
        0x0801,
        RemotePartyRole.LOAD_CONTROLLER,
    ),
    _key(
        "access-control-broker",
        KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
        "dcc",
        0x0401,
        RemotePartyRole.ACCESS_CONTROL_BROKER,
    ),
    _key("cos-party", KeyPurpose.COS_PARTY_COMMAND, "dcc", 0x0501, RemotePartyRole.TRANSITIONAL_COS),
    _key("wan-provider", KeyPurpose.WAN_PROVIDER_COMMAND, "dcc", 0x0601, RemotePartyRole.WAN_PROVIDER),
    _key("recovery", KeyPurpose.RECOVERY_COMMAND, "dcc", 0x0101, RemotePartyRole.RECOVERY),
    _key("contingency", KeyPurpose.CONTINGENCY_COMMAND, "dcc", 0x17FF, None),
    _key("contingency-symmetric", KeyPurpose.CONTINGENCY_SYMMETRIC, "dcc", 0, None),
    _key(
        "access-control-broker-mac",
        KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
        "dcc",
        0x0401,
        RemotePartyRole.ACCESS_CONTROL_BROKER,
    ),
    _key("cos-party-xml", KeyPurpose.COS_PARTY_XML, "dcc", 0x0501, RemotePartyRole.OTHER),
    _key("cos-party-tls", KeyPurpose.COS_PARTY_TLS, "dcc", 0, None),
    _key("dsp-xml", KeyPurpose.DSP_XML, "dcc", 0x0901, RemotePartyRole.DSP_XML_SIGN),
    replace(_key("dco-smets1", KeyPurpose.DCO_SMETS1, "dcc", 0x0A01, None), draws_authentication=True),
    _key("s1sp-smets1", KeyPurpose.S1SP_SMETS1, "dcc", 0x0B01, None),
    _key("smets1-tls", KeyPurpose.SMETS1_TLS, "dcc", 0, None),
    _key("supplier-a-xml", KeyPurpose.USER_XML, "supplier-a", 0x0201, RemotePartyRole.XML_SIGN),
    _key("supplier-a-agreement", KeyPurpose.USER_KEY_AGREEMENT, "supplier-a", 0x0201, RemotePartyRole.SUPPLIER),
    _key("supplier-a-prepayment", KeyPurpose.SUPPLIER_PREPAYMENT, "supplier-a", 0x0201, RemotePartyRole.SUPPLIER),
    _key("audit-checkpoint", KeyPurpose.AUDIT_CHECKPOINT, "dcc", 0, None),
)
"""A key for every purpose."""

DEVICES: Mapping[str, EntityIdentifier] = {
    "device-1": EntityIdentifier(bytes.fromhex("027E5700000D0001")),
    "device-2": EntityIdentifier(bytes.fromhex("027E5700000D0002")),
}
"""Devices that tests can play: ``pki/<name>-ka.pem`` and ``-ds.pem``, each with its ``.key``."""

_READS = (
    Operation.LIST_KEYS,
    Operation.GET_PUBLIC_KEY,
    Operation.GET_RECORD,
    Operation.GET_CHECKPOINT,
    Operation.GET_INCLUSION_PROOF,
    Operation.GET_CONSISTENCY_PROOF,
)
_SUPPLIER = (UserRole.IMPORT_SUPPLIER, UserRole.EXPORT_SUPPLIER, UserRole.GAS_SUPPLIER)
_USER_ROLES = {
    RemotePartyRole.SUPPLIER: _SUPPLIER,
    RemotePartyRole.XML_SIGN: _SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: (UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER),
    RemotePartyRole.LOAD_CONTROLLER: (UserRole.LOAD_CONTROLLER,),
}


def callers_for(keys: Sequence[DevKey]) -> tuple[DevCaller, ...]:
    """One calling system for each party that has signing keys, an auditor and an operator."""
    parties = dict.fromkeys(key.party for key in keys)
    signers = [
        _signer(party, own)
        for party in parties
        if (own := [key for key in keys if key.party == party and _is_for_callers(key)])
    ]
    return (*signers, _reader("auditor", CallerKind.AUDITOR), _reader("operator", CallerKind.OPERATOR))


def _is_for_callers(key: DevKey) -> bool:
    """The broker's own key, and one that ceremonies alone use, are nobody's."""
    return bool(OBLIGATIONS[key.purpose].caller_kinds & {CallerKind.USER_SYSTEM, CallerKind.DCC_SERVICE})


def _signer(party: str, keys: Sequence[DevKey]) -> DevCaller:
    user = all(CallerKind.USER_SYSTEM in OBLIGATIONS[key.purpose].caller_kinds for key in keys)
    roles = dict.fromkeys(role for key in keys if key.role for role in _USER_ROLES.get(key.role, ()))
    uses = frozenset().union(*(OBLIGATIONS[key.purpose].operations for key in keys)) - {Operation.SIGN_ROOT_CERTIFICATE}
    return DevCaller(
        name=party,
        party=PartyName(party),
        system=SystemName("head-end" if user else "signing-service"),
        kind=CallerKind.USER_SYSTEM if user else CallerKind.DCC_SERVICE,
        user_roles=tuple(roles) if user else (),
        euis=tuple(dict.fromkeys(key.eui for key in keys if key.eui is not None)),
        operations=(*sorted(uses), *_sessions_of(keys), Operation.EXPLAIN, *_READS),
        keys=tuple(KeyLabel(key.label) for key in keys),
    )


def _sessions_of(keys: Sequence[DevKey]) -> tuple[Operation, ...]:
    """Keys are made for sessions where a SMETS1 Service Provider has one to make them for (SEC G2.44A(d))."""
    if all(key.purpose is not KeyPurpose.S1SP_SMETS1 for key in keys):
        return ()
    return (Operation.BEGIN_SMETS1_SESSION, Operation.END_SMETS1_SESSION)


def _reader(name: str, kind: CallerKind) -> DevCaller:
    operations = (*_READS, Operation.TAIL_RECORDS) if kind is CallerKind.AUDITOR else _READS
    return DevCaller(name=name, party=PartyName(name), system=SystemName("console"), kind=kind, operations=operations)
