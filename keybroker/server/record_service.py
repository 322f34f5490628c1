"""RecordService: what happened? A party reads its own records, an auditor all; the reading is a record too."""

from __future__ import annotations

from typing import final

from keybroker.errors import NotPermitted
from keybroker.pb import records_pb2 as pb
from keybroker.pb import records_pb2_grpc
from keybroker.server.authn import check_operation, may_see
from keybroker.server.calls import Calls, Context, answered
from keybroker.server.reading import Facts, recorded
from keybroker.server.standing import Standing
from keybroker.terms import Caller, Operation


@final
class RecordService(records_pb2_grpc.RecordServiceServicer):
    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @answered("GetRecord")
    async def GetRecord(self, request: pb.GetRecordRequest, context: Context) -> pb.GetRecordResponse:  # noqa: N802
        caller = await self.calls.begin(context, "GetRecord", request)
        try:
            check_operation(caller, Operation.GET_RECORD)
        except NotPermitted as refusal:
            await self.calls.refuse("GetRecord", (caller.identity,), caller, refusal)
        standing = self.calls.standing
        # A record's integers stand within 2^53; an index beyond that is in no tree.
        index = min(request.leaf_index, 2**53 - 1)
        facts: Facts = {"leaf_index": index}
        response = await self.calls.run(
            caller.identity,
            lambda: recorded(standing, caller, Operation.GET_RECORD, facts, lambda: _get(standing, caller, index)),
        )
        self.calls.metrics.outside_the_line("GetRecord", "ANSWERED")
        return response


def _get(standing: Standing, caller: Caller, leaf_index: int) -> pb.GetRecordResponse:
    """Raises: NotPermitted, the same for a record of another party and for one that is not there; one that was
    aged out says so."""
    record = standing.line.journal.find(leaf_index)
    if record is None or not may_see(caller, record.party):
        raise NotPermitted("this caller may not see a record at that index")
    if not record.octets:
        raise NotPermitted(
            "the record was aged out by order of a person (SEC G2.18, G3.10): its leaf hash"
            f" {record.leaf_hash.hex()} alone is kept"
        )
    return pb.GetRecordResponse(record=record.octets, leaf_hash=record.leaf_hash)
