"""AsyncBroker: the client for asyncio. Concurrent calls are carried together on streams over several channels."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from os import PathLike
from types import TracebackType
from typing import Self, final

import grpc

from keybroker.client.answers import Answer, Explanation, Key, PublicKey, Receipt, Smets1Session
from keybroker.client.carrier import Carrier
from keybroker.client.channels import Peer, Pem, open_channels
from keybroker.client.operations import AsyncOperations
from keybroker.client.patience import Patience, unknown_outcome
from keybroker.client.records import Answered, Asked, AsyncRecords, Call, watch_of
from keybroker.client.refusals import BrokerFailed, BrokerUnreachable, error_from
from keybroker.client.replies import (
    explanation_from,
    key_from,
    outcome_from,
    public_key_from,
    receipt_from,
    session_from,
)
from keybroker.client.requests import Request, SigningRequest
from keybroker.client.wire import status_of
from keybroker.errors import KeybrokerError
from keybroker.pb import (
    keys_pb2,
    keys_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
    signing_pb2,
    signing_pb2_grpc,
)
from keybroker.terms import ContentKind, EntityIdentifier


@final
class AsyncBroker(AsyncOperations, AsyncRecords):
    """A broker, seen from one calling system. Use it inside one event loop, and close it (``async with`` does).

    ``timeout`` is in seconds, for a whole call with its repetitions. ``channels``: how many connections, so that all
    workers of a broker serve one client. Every signing call has a ``request_id``: pass your own to be able to ask again
    after a crash; the same id with the same request gives the recorded signature again and never signs twice.

    ``verify_receipts``: hold the broker's ledger to what it shows. ``ledger_key`` is its verifier key, ``ledger_state``
    a file in which the last checkpoint is kept; without one it is kept as long as this object. Calls then raise also
    LedgerForked, and leaving the block waits until a checkpoint covers every receipt.
    """

    def __init__(
        self,
        target: str,
        *,
        certificate: Pem,
        private_key: Pem,
        anchors: Pem,
        channels: int = 8,
        timeout: float = 30.0,
        verify_receipts: bool = False,
        ledger_key: str | None = None,
        ledger_state: str | PathLike[str] | None = None,
    ) -> None:
        """Opens nothing yet. Raises: OSError when a file cannot be read; ValueError, ContentMalformed for a key or a
        state that is none."""
        super().__init__(watch_of(verify_receipts, ledger_key, ledger_state))
        peer = Peer(target=target, certificate=certificate, private_key=private_key, anchors=anchors)
        self._channels = open_channels(peer, channels)
        self._timeout = timeout
        self._carrier: Carrier | None = None
        self._next_channel = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.settle_receipts()
        finally:
            await self.close()

    async def close(self) -> None:
        """End streams and connections. Calls under way end with an error; open receipts stay unverified."""
        await self._end_looking()
        if self._carrier is not None:
            await self._carrier.close()
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def send(self, request: Request) -> Answer:
        """Any request of the line. Raises: its error."""
        self._check_ledger()
        name = request.request_id if request.request_id is not None else new_request_id()
        if self._carrier is None:
            self._carrier = Carrier(self._channels)
        answer = await self._carrier.carry(request.item(name), name, self._timeout)
        self._took([answer])
        return answer

    async def sign_batch(self, requests: Sequence[Request]) -> list[Answer | KeybrokerError]:
        """Many at once, each with its own outcome in order: an item's error is returned, not raised.

        Asked again as a whole where the broker answered nothing; items are not asked again one by one.
        Raises: what befell the whole call.
        """
        self._check_ledger()
        named = [(item, item.request_id or new_request_id()) for item in requests]
        request = signing_pb2.SignBatchRequest(items=[item.item(name) for item, name in named])
        call = signing_pb2_grpc.SigningServiceStub(self._channel()).SignBatch
        response = await self._ask(call, request, signs=f"{named[0][1]} and the batch's others" if named else "")
        outcomes = [outcome_from(outcome) for outcome in response.outcomes]
        self._took(outcomes)
        return outcomes

    async def explain(self, *, kind: ContentKind, key: str, octets: bytes) -> Explanation:
        """As ``explain_request``, for octets with nothing beside them."""
        return await self.explain_request(SigningRequest(kind=kind, key=key, octets=octets))

    async def explain_request(self, request: Request) -> Explanation:
        """What would become of this request, rule by rule; no key is touched. Raises: a Refusal of the question."""
        request_id = new_request_id()
        asked = signing_pb2.ExplainRequest(request_id=request_id, item=request.item(request_id))
        call = signing_pb2_grpc.SigningServiceStub(self._channel()).Explain
        return explanation_from(await self._ask(call, asked))

    async def list_keys(self) -> list[Key]:
        """Every key that this caller may know of, by label."""
        call, keys, page_token = keys_pb2_grpc.KeyServiceStub(self._channel()).ListKeys, [], ""
        while True:
            response = await self._ask(call, keys_pb2.ListKeysRequest(page_size=1000, page_token=page_token))
            keys += [key_from(key) for key in response.keys]
            page_token = response.next_page_token
            if not page_token:
                return keys

    async def get_public_key(self, key: str) -> PublicKey:
        """Raises: NotPermitted, also for a key that does not exist."""
        call = keys_pb2_grpc.KeyServiceStub(self._channel()).GetPublicKey
        return public_key_from(await self._ask(call, keys_pb2.GetPublicKeyRequest(key=key)))

    async def begin_smets1_session(
        self, *, key: str, device: EntityIdentifier, handshake_record: int, request_id: str | None = None
    ) -> Smets1Session:
        """Have a key made for one TLS session with a SMETS1 Device, in whose handshake the broker has just signed.

        ``key`` is the SMETS1 Service Provider's, ``handshake_record`` the leaf index of sign_tls_handshake's receipt.
        """
        name = request_id if request_id is not None else new_request_id()
        asked = sessions_pb2.BeginSmets1SessionRequest(
            request_id=name, key=key, device=device.octets, handshake_record=handshake_record
        )
        call = sessions_pb2_grpc.SessionServiceStub(self._channel()).BeginSmets1Session
        session = session_from(name, await self._ask(call, asked))
        self._took_receipts([session.receipt])
        return session

    async def end_smets1_session(self, *, key: str, request_id: str | None = None) -> Receipt:
        """End a session, by its key's label; the record says that the key was destroyed. May be asked again."""
        asked = sessions_pb2.EndSmets1SessionRequest(request_id=request_id or new_request_id(), key=key)
        call = sessions_pb2_grpc.SessionServiceStub(self._channel()).EndSmets1Session
        receipt = receipt_from((await self._ask(call, asked)).receipt)
        self._took_receipts([receipt])
        return receipt

    async def _ask(self, call: Call[Asked, Answered], request: Asked, *, signs: str = "") -> Answered:
        """A unary call, repeated where that is safe. ``signs`` names the signing requests in it, if there are any."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        patience = Patience(deadline=deadline)
        while True:
            try:
                return await call(request, timeout=max(deadline - loop.time(), 0.0))
            except grpc.aio.AioRpcError as failure:
                status = status_of(failure)
            error = error_from(status.code, status.message, status.details)
            pause = patience.after(loop.time(), status.code, error, status.retry_delay)
            if pause is None:
                raise unknown_outcome(signs, error.sentence) if signs and _may_be_signed(error) else error
            await asyncio.sleep(pause)

    def _channel(self) -> grpc.aio.Channel:
        self._next_channel = (self._next_channel + 1) % len(self._channels)
        return self._channels[self._next_channel]


def new_request_id() -> str:
    """A name that nobody else gives: 128 random bits."""
    return secrets.token_urlsafe(16)


def _may_be_signed(error: KeybrokerError) -> bool:
    """After this end of a unary call, may a broker have taken it? Not if it never connected."""
    if isinstance(error, BrokerUnreachable):
        return "failed to connect to all addresses" not in error.sentence
    return isinstance(error, BrokerFailed)
