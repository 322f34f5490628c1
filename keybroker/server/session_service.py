"""SessionService: a key for one TLS session with a SMETS1 Device, and its end (SEC G2.44A(d))."""

from __future__ import annotations

import hashlib
from typing import final

from keybroker.errors import NotPermitted, RequestMalformed
from keybroker.ledger.model import Receipt
from keybroker.pb import sessions_pb2 as pb
from keybroker.pb import sessions_pb2_grpc, signing_pb2
from keybroker.server.authn import check_operation
from keybroker.server.calls import Calls, Context, answered
from keybroker.server.requests import check_key, check_request_id
from keybroker.server.session_beginning import Beginning
from keybroker.server.smets1_sessions import Sessions
from keybroker.terms import EntityIdentifier, Operation

_EUI_OCTETS = 8
_LARGEST_INDEX = 2**53 - 1


@final
class SessionService(sessions_pb2_grpc.SessionServiceServicer):
    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self.calls = calls
        self.sessions = sessions

    @answered("BeginSmets1Session")
    async def BeginSmets1Session(  # noqa: N802
        self, request: pb.BeginSmets1SessionRequest, context: Context
    ) -> pb.BeginSmets1SessionResponse:
        caller = await self.calls.begin(context, "BeginSmets1Session", request)
        try:
            check_operation(caller, Operation.BEGIN_SMETS1_SESSION)
            asked = _beginning(request)
        except (RequestMalformed, NotPermitted) as refusal:
            await self.calls.refuse("BeginSmets1Session", (caller.identity,), caller, refusal)
        begun = await self.calls.run(caller.identity, lambda: self.sessions.begin(caller, asked))
        self.calls.metrics.outside_the_line("BeginSmets1Session", "ANSWERED")
        response = pb.BeginSmets1SessionResponse(
            key=begun.key, receipt=_receipt(begun.receipt), given_again=begun.given_again
        )
        response.until.FromDatetime(begun.until)
        return response

    @answered("EndSmets1Session")
    async def EndSmets1Session(  # noqa: N802
        self, request: pb.EndSmets1SessionRequest, context: Context
    ) -> pb.EndSmets1SessionResponse:
        caller = await self.calls.begin(context, "EndSmets1Session", request)
        try:
            check_operation(caller, Operation.END_SMETS1_SESSION)
            request_id, label = check_request_id(request.request_id), check_key(request.key)
        except (RequestMalformed, NotPermitted) as refusal:
            await self.calls.refuse("EndSmets1Session", (caller.identity,), caller, refusal)
        receipt = await self.calls.run(caller.identity, lambda: self.sessions.end(caller, label, request_id))
        self.calls.metrics.outside_the_line("EndSmets1Session", "ANSWERED")
        return pb.EndSmets1SessionResponse(receipt=_receipt(receipt))


def _beginning(request: pb.BeginSmets1SessionRequest) -> Beginning:
    """Raises: RequestMalformed."""
    if len(request.device) != _EUI_OCTETS:
        raise RequestMalformed(f"expected {_EUI_OCTETS} octets, found {len(request.device)}", field="device")
    return Beginning(
        request_id=check_request_id(request.request_id),
        parent=check_key(request.key),
        device=EntityIdentifier(request.device),
        # A record's integers stand within 2^53; an index beyond that is in no tree.
        handshake=min(request.handshake_record, _LARGEST_INDEX),
        sha256=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
    )


def _receipt(receipt: Receipt) -> signing_pb2.Receipt:
    return signing_pb2.Receipt(origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash)
