"""Callers and requests for the server's unit tests."""

from __future__ import annotations

from keybroker.pb import signing_pb2 as pb
from keybroker.terms import Caller, CallerKind, KeyLabel, Operation, PartyName, SystemName

OCTETS = bytes(range(40))


def caller(identity: str = "uri:urn:a", party: str = "supplier-a", kind: CallerKind = CallerKind.USER_SYSTEM) -> Caller:
    return Caller(
        identity=identity,
        party=PartyName(party),
        system=SystemName("head-end"),
        kind=kind,
        user_roles=frozenset(),
        euis=frozenset(),
        operations=frozenset({Operation.SIGN_PRE_COMMAND}),
        keys=frozenset({KeyLabel("supplier-a")}),
    )


def pre_command(request_id: str = "r-1", key: str = "supplier-a", octets: bytes = OCTETS) -> pb.SignPreCommandRequest:
    return pb.SignPreCommandRequest(request_id=request_id, key=key, pre_command=octets)
