"""SigningService: one request, many, or a stream of them, all down the one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import final

from google.protobuf.message import Message

from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed, KeybrokerError, NotPermitted, Refusal, RequestMalformed
from keybroker.ledger.model import Concluded, GivenAgain, Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.policy.model import Decision
from keybroker.policy.rules.caller import is_entitled
from keybroker.server import replies
from keybroker.server.authn import check_operation
from keybroker.server.calls import Calls, Context, answered
from keybroker.server.reading import Facts, recorded
from keybroker.server.requests import (
    check_request_id,
    read_item,
    read_request,
    request_id_of,
)
from keybroker.server.standing import Standing
from keybroker.server.status import item_status
from keybroker.server.stream import Stream
from keybroker.signing import Ask, Item, Outcome, explain
from keybroker.terms import Caller, Operation


@final
class SigningService(signing_pb2_grpc.SigningServiceServicer):
    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @answered("SignCommand")
    async def SignCommand(  # noqa: N802
        self, request: pb.SignCommandRequest, context: Context
    ) -> pb.SignCommandResponse:
        return pb.SignCommandResponse(signed=await self._sign("SignCommand", request, context))

    @answered("SignPreCommand")
    async def SignPreCommand(  # noqa: N802
        self, request: pb.SignPreCommandRequest, context: Context
    ) -> pb.SignPreCommandResponse:
        return pb.SignPreCommandResponse(signed=await self._sign("SignPreCommand", request, context))

    @answered("SignCertificate")
    async def SignCertificate(  # noqa: N802
        self, request: pb.SignCertificateRequest, context: Context
    ) -> pb.SignCertificateResponse:
        return pb.SignCertificateResponse(signed=await self._sign("SignCertificate", request, context))

    @answered("SignRevocationList")
    async def SignRevocationList(  # noqa: N802
        self, request: pb.SignRevocationListRequest, context: Context
    ) -> pb.SignRevocationListResponse:
        return pb.SignRevocationListResponse(signed=await self._sign("SignRevocationList", request, context))

    @answered("SignCertificateSigningRequest")
    async def SignCertificateSigningRequest(  # noqa: N802
        self, request: pb.SignCertificateSigningRequestRequest, context: Context
    ) -> pb.SignCertificateSigningRequestResponse:
        return pb.SignCertificateSigningRequestResponse(
            signed=await self._sign("SignCertificateSigningRequest", request, context)
        )

    @answered("SignServiceRequest")
    async def SignServiceRequest(  # noqa: N802
        self, request: pb.SignServiceRequestRequest, context: Context
    ) -> pb.SignServiceRequestResponse:
        return pb.SignServiceRequestResponse(signed=await self._sign("SignServiceRequest", request, context))

    @answered("SignTlsHandshake")
    async def SignTlsHandshake(  # noqa: N802
        self, request: pb.SignTlsHandshakeRequest, context: Context
    ) -> pb.SignTlsHandshakeResponse:
        return pb.SignTlsHandshakeResponse(signed=await self._sign("SignTlsHandshake", request, context))

    @answered("ApplyCommandMac")
    async def ApplyCommandMac(  # noqa: N802
        self, request: pb.ApplyCommandMacRequest, context: Context
    ) -> pb.ApplyCommandMacResponse:
        return pb.ApplyCommandMacResponse(processed=await self._process("ApplyCommandMac", request, context))

    @answered("CheckResponseMac")
    async def CheckResponseMac(  # noqa: N802
        self, request: pb.CheckResponseMacRequest, context: Context
    ) -> pb.CheckResponseMacResponse:
        return pb.CheckResponseMacResponse(processed=await self._process("CheckResponseMac", request, context))

    @answered("DecryptResponse")
    async def DecryptResponse(  # noqa: N802
        self, request: pb.DecryptResponseRequest, context: Context
    ) -> pb.DecryptResponseResponse:
        return pb.DecryptResponseResponse(processed=await self._process("DecryptResponse", request, context))

    @answered("MakePrepaymentToken")
    async def MakePrepaymentToken(  # noqa: N802
        self, request: pb.MakePrepaymentTokenRequest, context: Context
    ) -> pb.MakePrepaymentTokenResponse:
        return pb.MakePrepaymentTokenResponse(processed=await self._process("MakePrepaymentToken", request, context))

    @answered("ProtectSmets1Instruction")
    async def ProtectSmets1Instruction(  # noqa: N802
        self, request: pb.ProtectSmets1InstructionRequest, context: Context
    ) -> pb.ProtectSmets1InstructionResponse:
        return pb.ProtectSmets1InstructionResponse(
            processed=await self._process("ProtectSmets1Instruction", request, context)
        )

    @answered("OpenSmets1Response")
    async def OpenSmets1Response(  # noqa: N802
        self, request: pb.OpenSmets1ResponseRequest, context: Context
    ) -> pb.OpenSmets1ResponseResponse:
        return pb.OpenSmets1ResponseResponse(processed=await self._process("OpenSmets1Response", request, context))

    @answered("SignBatch")
    async def SignBatch(self, request: pb.SignBatchRequest, context: Context) -> pb.SignBatchResponse:  # noqa: N802
        caller = await self.calls.begin(context, "SignBatch", request)
        longest = self.calls.standing.limits.message_octets
        items = [read_item(item, caller, longest) for item in request.items]
        outcomes = await self.calls.sign(items, expires=self.calls.expires(context))
        self._log("SignBatch", items, outcomes)
        return pb.SignBatchResponse(
            outcomes=[
                replies.sign_outcome(request_id_of(asked), item, outcome)
                for asked, item, outcome in zip(request.items, items, outcomes, strict=True)
            ]
        )

    @answered("SignStream")
    async def SignStream(  # type: ignore[override]  # noqa: N802  # by grpc.aio's read and write, unknown to the types
        self,
        request_iterator: AsyncIterator[pb.SignStreamRequest],  # noqa: ARG002
        context: Context,
    ) -> None:
        identities = await self.calls.known(context, "SignStream")
        stream = Stream(self.calls, context, identities, self._log)
        self.calls.streams.add(stream)
        try:
            await stream.run()
        finally:
            self.calls.streams.discard(stream)

    @answered("Explain")
    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:  # noqa: N802
        caller = await self.calls.begin(context, "Explain", request)
        standing = self.calls.standing
        try:
            request_id = check_request_id(request.request_id)
            check_operation(caller, Operation.EXPLAIN)
        except (RequestMalformed, NotPermitted) as refusal:
            await self.calls.refuse("Explain", (caller.identity,), caller, refusal)
        item = _explained(request.item, request_id, caller, standing)
        response = await self.calls.run(caller.identity, lambda: _explain(standing, caller, item))
        self.calls.metrics.outside_the_line("Explain", "ANSWERED")
        return response

    async def _sign(self, rpc: str, request: Message, context: Context) -> pb.Signed:
        """Raises: the item's error."""
        return replies.signed(*await self._one(rpc, request, context))

    async def _process(self, rpc: str, request: Message, context: Context) -> pb.Processed:
        """Raises: the item's error."""
        return replies.processed(*await self._one(rpc, request, context))

    async def _one(self, rpc: str, request: Message, context: Context) -> tuple[Item, Concluded | GivenAgain]:
        """A lone request down the line. Raises: its error."""
        caller = await self.calls.begin(context, rpc, request)
        item = read_request(request, caller, self.calls.standing.limits.message_octets)
        (outcome,) = await self.calls.sign((item,), expires=self.calls.expires(context))
        self._log(item.identity.operation, (item,), (outcome,))
        if isinstance(outcome, KeybrokerError):
            raise outcome
        return item, outcome

    def _log(self, rpc: str, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
        """One event for each item that was not signed, or warned of; it shares ``request_id`` with the record.

        What was signed stands in the ledger and is counted by the metrics: a line each would be noise at night.
        """
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, KeybrokerError):
                identity = item.identity
                self.calls.log.warning(
                    "not signed",
                    rpc=rpc,
                    request_id=identity.request_id,
                    key=identity.key,
                    system=identity.caller.system,
                    reason=outcome.reason,
                )
            elif isinstance(outcome, Concluded) and outcome.intent.warned:
                self._warn(rpc, item, outcome)

    def _warn(self, rpc: str, item: Item, outcome: Concluded) -> None:
        """It was signed, above the warning level of an Anomaly Detection Threshold (SEC G6)."""
        identity = item.identity
        self.calls.metrics.warned(len(outcome.intent.warned))
        self.calls.log.warning(
            "threshold warning",
            rpc=rpc,
            request_id=identity.request_id,
            key=identity.key,
            system=identity.caller.system,
            counts=list(outcome.intent.warned),
        )


def _explained(asked: pb.SignItem, request_id: str, caller: Caller, standing: Standing) -> Item:
    """The item as if it came by itself, under Explain's own request_id."""
    item = pb.SignItem()
    item.CopyFrom(asked)
    which = item.WhichOneof("request")
    if which is not None:
        getattr(item, which).request_id = request_id
    return read_item(item, caller, standing.limits.message_octets)


def _explain(standing: Standing, caller: Caller, item: Item) -> pb.ExplainResponse:
    """On the signer thread. Recorded like every read."""
    facts: Facts = {
        "request_id": item.identity.request_id,
        "key": item.identity.key,
        "request": item.identity.sha256.hex(),
    }
    return recorded(standing, caller, Operation.EXPLAIN, facts, lambda: _explanation(standing, item))


def _explanation(standing: Standing, item: Item) -> pb.ExplainResponse:
    if isinstance(item, Refused):
        return _refusal(item.error)
    try:
        permit = explain(standing.line, item, standing.clock.now())
    except Refusal as refusal:
        told = _refusal(refusal)
        _tell_what_is_known(told, standing, item)
        return told
    decision: Decision = permit.decision
    return pb.ExplainResponse(
        findings=[replies.finding(found) for found in permit.findings],
        would_sign=True,
        content=replies.content_facts(decision.content),
        key_purpose=decision.key.purpose,
        policy_sha256=decision.policy.sha256,
    )


def _tell_what_is_known(told: pb.ExplainResponse, standing: Standing, asked: Ask) -> None:
    """Of what was refused: the content where it can be read, the key's purpose and policy where the key is theirs."""
    with suppress(ContentMalformed):
        told.content.CopyFrom(replies.content_facts(decode(asked.kind, asked.octets, asked.accompanying)))
    line, identity = standing.line, asked.identity
    key = line.register.current().keys.get(identity.key)
    if key is None or not is_entitled(identity.caller, key):
        return
    told.key_purpose = key.purpose
    policy = line.policies.get(key.purpose)
    if policy is not None:
        told.policy_sha256 = policy.sha256


def _refusal(refusal: KeybrokerError) -> pb.ExplainResponse:
    findings = getattr(refusal, "findings", ())
    return pb.ExplainResponse(findings=[replies.finding(found) for found in findings], error=item_status(refusal))
