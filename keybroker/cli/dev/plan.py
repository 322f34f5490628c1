"""Who and what is in a development deployment? Its keys, and the callers that follow from them.

EUIs are locally administered and spell TEST (7E57); none is anybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    """A key to be made: ``role`` is its certificate's OU, None for a key that is known by its public key alone.

    With ``private_scalar`` (32 octets) a published test key is imported instead of one being generated.
    """

    label: str
    purpose: KeyPurpose
    party: str
    eui: EntityIdentifier | None
    role: RemotePartyRole | None
    private_scalar: bytes | None = field(default=None, repr=False)


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
    _key("audit-checkpoint", KeyPurpose.AUDIT_CHECKPOINT, "dcc", 0, None),
)
"""A key for every purpose."""

_READS = (Operation.LIST_KEYS, Operation.GET_PUBLIC_KEY, Operation.GET_RECORD)
_USER_ROLES = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: (UserRole.IMPORT_SUPPLIER, UserRole.EXPORT_SUPPLIER, UserRole.GAS_SUPPLIER),
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: (UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER),
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: (UserRole.LOAD_CONTROLLER,),
}


def callers_for(keys: Sequence[DevKey]) -> tuple[DevCaller, ...]:
    """One calling system for each party that has signing keys, an auditor and an operator."""
    parties = dict.fromkeys(key.party for key in keys)
    signers = [
        _signer(party, own)
        for party in parties
        if (own := [key for key in keys if key.party == party and key.purpose is not KeyPurpose.AUDIT_CHECKPOINT])
    ]
    return (*signers, _reader("auditor", CallerKind.AUDITOR), _reader("operator", CallerKind.OPERATOR))


def _signer(party: str, keys: Sequence[DevKey]) -> DevCaller:
    user = all(key.purpose in _USER_ROLES for key in keys)
    roles = dict.fromkeys(role for key in keys for role in _USER_ROLES.get(key.purpose, ()))
    return DevCaller(
        name=party,
        party=PartyName(party),
        system=SystemName("head-end" if user else "signing-service"),
        kind=CallerKind.USER_SYSTEM if user else CallerKind.DCC_SERVICE,
        user_roles=tuple(roles),
        euis=tuple(dict.fromkeys(key.eui for key in keys if key.eui is not None)),
        operations=(Operation.SIGN_PRE_COMMAND if user else Operation.SIGN_COMMAND, Operation.EXPLAIN, *_READS),
        keys=tuple(KeyLabel(key.label) for key in keys),
    )


def _reader(name: str, kind: CallerKind) -> DevCaller:
    return DevCaller(name=name, party=PartyName(name), system=SystemName("console"), kind=kind, operations=_READS)
