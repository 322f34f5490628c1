"""RecordService: what happened, and can you hold us to it? A party reads its own records, an auditor all.

Checkpoints and proofs tell hashes alone, and every caller that is listed for them gets any. Every look is a record, one
a call: a tail of records is one too, so it cannot feed itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, final

from keybroker.errors import NotPermitted, Refusal
from keybroker.ledger.checkpoints import checkpoint_of, newest_checkpoint
from keybroker.pb import records_pb2 as pb
from keybroker.pb import records_pb2_grpc
from keybroker.server.authn import check_operation, may_see
from keybroker.server.calls import Calls, Context, answered
from keybroker.server.proving import MOST_LEAVES, Proving
from keybroker.server.reading import Facts, recorded
from keybroker.server.standing import Standing
from keybroker.server.tail import Tail, check_may_tail
from keybroker.terms import Caller, Operation

T = TypeVar("T")
Checks = Callable[[Caller], None]

LARGEST_INDEX = 2**53 - 1
"""A record's integers stand within 2^53; an index beyond that is in no tree."""


@final
class RecordService(records_pb2_grpc.RecordServiceServicer):
    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._proving = Proving()

    @answered("GetRecord")
    async def GetRecord(self, request: pb.GetRecordRequest, context: Context) -> pb.GetRecordResponse:  # noqa: N802
        caller = await self._begin(context, Operation.GET_RECORD, request)
        standing, index = self.calls.standing, min(request.leaf_index, LARGEST_INDEX)
        facts: Facts = {"leaf_index": index}
        return await self._read(caller, Operation.GET_RECORD, facts, lambda: _get(standing, caller, index))

    @answered("GetCheckpoint")
    async def GetCheckpoint(  # noqa: N802
        self, request: pb.GetCheckpointRequest, context: Context
    ) -> pb.GetCheckpointResponse:
        caller = await self._begin(context, Operation.GET_CHECKPOINT, request)
        standing, size = self.calls.standing, min(request.tree_size, LARGEST_INDEX)
        facts: Facts = {"tree_size": size}
        return await self._read(caller, Operation.GET_CHECKPOINT, facts, lambda: _checkpoint(standing, size))

    @answered("GetInclusionProof")
    async def GetInclusionProof(  # noqa: N802
        self, request: pb.GetInclusionProofRequest, context: Context
    ) -> pb.GetInclusionProofResponse:
        caller = await self._begin(context, Operation.GET_INCLUSION_PROOF, request)
        size, indexes = min(request.tree_size, LARGEST_INDEX), list(request.leaf_indexes)
        ledger = self.calls.standing.line.journal.ledger
        look = await self._aside(caller, lambda: self._proving.inclusion(ledger, indexes, size))
        told = [min(index, LARGEST_INDEX) for index in indexes[:MOST_LEAVES]]
        facts: Facts = {"leaf_indexes": list(told), "tree_size": size}
        proofs = await self._read(caller, Operation.GET_INCLUSION_PROOF, facts, look)
        return pb.GetInclusionProofResponse(
            proofs=[
                pb.InclusionProof(leaf_index=index, leaf_hash=leaf, hashes=hashes)
                for index, (leaf, hashes) in zip(indexes, proofs, strict=True)
            ]
        )

    @answered("GetConsistencyProof")
    async def GetConsistencyProof(  # noqa: N802
        self, request: pb.GetConsistencyProofRequest, context: Context
    ) -> pb.GetConsistencyProofResponse:
        caller = await self._begin(context, Operation.GET_CONSISTENCY_PROOF, request)
        first, second = min(request.first_size, LARGEST_INDEX), min(request.second_size, LARGEST_INDEX)
        ledger = self.calls.standing.line.journal.ledger
        look = await self._aside(caller, lambda: self._proving.consistency(ledger, first, second))
        facts: Facts = {"first_size": first, "second_size": second}
        hashes = await self._read(caller, Operation.GET_CONSISTENCY_PROOF, facts, look)
        return pb.GetConsistencyProofResponse(hashes=hashes)

    @answered("TailRecords")
    async def TailRecords(  # type: ignore[override]  # noqa: N802  # by grpc.aio's write, unknown to the types
        self, request: pb.TailRecordsRequest, context: Context
    ) -> None:
        caller = await self._begin(context, Operation.TAIL_RECORDS, request, check_may_tail)
        tail = Tail(self.calls, context, caller, request)
        facts: Facts = {"first_index": tail.next_index, "follow": request.follow, "most": request.most}
        await self._read(caller, Operation.TAIL_RECORDS, facts, tail.check)
        with tail:
            await tail.run()

    async def _begin(self, context: Context, operation: Operation, request: Any, check: Checks | None = None) -> Caller:
        """Raises: CallerUnknown, RequestMalformed, NotPermitted, each recorded; LedgerFault."""
        caller = await self.calls.begin(context, operation.value, request)
        try:
            check_operation(caller, operation)
            if check is not None:
                check(caller)
        except NotPermitted as refusal:
            await self.calls.refuse(operation.value, (caller.identity,), caller, refusal)
        return caller

    async def _read(self, caller: Caller, operation: Operation, facts: Facts, look: Callable[[], T]) -> T:
        standing = self.calls.standing
        found = await self.calls.run(caller.identity, lambda: recorded(standing, caller, operation, facts, look))
        self.calls.metrics.outside_the_line(operation.value, "ANSWERED")
        return found

    async def _aside(self, caller: Caller, look: Callable[[], T]) -> Callable[[], T]:
        """Look in a thread beside the signer's, for it may take long; what came of it is told once it is recorded."""
        try:
            found = await self.calls.aside(caller.identity, look)
        except Refusal as refusal:
            refused = refusal

            def again() -> T:
                raise refused

            return again
        return lambda: found


def _get(standing: Standing, caller: Caller, leaf_index: int) -> pb.GetRecordResponse:
    """Raises: NotPermitted, the same for a record of another party and for one that is not there."""
    record = standing.line.journal.find(leaf_index)
    if record is None or not may_see(caller, record.party):
        raise NotPermitted("this caller may not see a record at that index")
    return pb.GetRecordResponse(record=record.octets, leaf_hash=record.leaf_hash)


def _checkpoint(standing: Standing, tree_size: int) -> pb.GetCheckpointResponse:
    """Raises: NotPermitted where there is none."""
    ledger = standing.line.journal.ledger
    found = checkpoint_of(ledger, tree_size) if tree_size else newest_checkpoint(ledger)
    if found is None:
        raise NotPermitted("no checkpoint of that size was signed; ask for the last one, or see [checkpoints]")
    return pb.GetCheckpointResponse(note=found.note)
