"""What does the ledger say? Records, checkpoints and proofs, and the watch over what it has shown, for asyncio."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Protocol, TypeVar

import grpc

from keybroker.client.answers import Answer, InclusionProof, Receipt, Record
from keybroker.client.ledger_watch import LedgerWatch
from keybroker.client.refusals import error_from
from keybroker.client.replies import proof_from, record_from
from keybroker.client.wire import status_of
from keybroker.errors import KeybrokerError, LedgerForked
from keybroker.pb import records_pb2, records_pb2_grpc

Asked = TypeVar("Asked", contravariant=True)
Answered = TypeVar("Answered", covariant=True)

_LOOK_SECONDS = 1.0


class Call(Protocol[Asked, Answered]):
    """A unary call of a generated stub."""

    def __call__(self, request: Asked, /, *, timeout: float) -> Awaitable[Answered]: ...


class AsyncRecords(ABC):
    """Where receipts are verified, a look at the ledger follows every answer, a second later and as long as receipts
    are open; what it finds is raised by the next call, and by ``settle_receipts``."""

    def __init__(self, watch: LedgerWatch | None) -> None:
        self._watch = watch
        self._looking: asyncio.Task[None] | None = None

    @abstractmethod
    async def _ask(self, call: Call[Asked, Answered], request: Asked, *, signs: str = "") -> Answered: ...

    @abstractmethod
    def _channel(self) -> grpc.aio.Channel: ...

    async def get_record(self, leaf_index: int) -> Record:
        """Raises: NotPermitted, also for a record that does not exist."""
        request = records_pb2.GetRecordRequest(leaf_index=leaf_index)
        return record_from(await self._ask(self._records().GetRecord, request))

    async def get_checkpoint(self, tree_size: int = 0) -> bytes:
        """The last checkpoint that was signed, or the one of so many records: a C2SP signed note, with cosignatures.

        Raises: NotPermitted where there is none.
        """
        request = records_pb2.GetCheckpointRequest(tree_size=tree_size)
        return (await self._ask(self._records().GetCheckpoint, request)).note

    async def get_inclusion_proofs(self, leaf_indexes: Sequence[int], tree_size: int) -> list[InclusionProof]:
        """That each of 1 to 1,024 records is in the tree of so many. Raises: RequestMalformed for what is not there."""
        request = records_pb2.GetInclusionProofRequest(leaf_indexes=leaf_indexes, tree_size=tree_size)
        return [proof_from(proof) for proof in (await self._ask(self._records().GetInclusionProof, request)).proofs]

    async def get_inclusion_proof(self, leaf_index: int, tree_size: int) -> InclusionProof:
        """The same for one record."""
        (proof,) = await self.get_inclusion_proofs([leaf_index], tree_size)
        return proof

    async def get_consistency_proof(self, first_size: int, second_size: int) -> list[bytes]:
        """That the tree of one size extends the other. Raises: RequestMalformed for a size that is not there."""
        request = records_pb2.GetConsistencyProofRequest(first_size=first_size, second_size=second_size)
        return list((await self._ask(self._records().GetConsistencyProof, request)).hashes)

    async def tail_records(self, first_index: int, *, most: int, follow: bool = False) -> AsyncIterator[Record]:
        """Records from an index on, for auditors; ``follow`` waits for those to come. Raises: its error."""
        request = records_pb2.TailRecordsRequest(first_index=first_index, most=most, follow=follow)
        call = self._records().TailRecords(request)
        try:
            while isinstance(response := await call.read(), records_pb2.TailRecordsResponse):
                for record in response.records:
                    yield record_from(record)
        except grpc.aio.AioRpcError as failure:
            status = status_of(failure)
            raise error_from(status.code, status.message, status.details) from failure
        finally:
            call.cancel()

    async def settle_receipts(self, timeout: float = 60.0) -> None:
        """Wait until a checkpoint covers every receipt that came so far, and check them. Nothing where receipts are not
        verified. Raises: LedgerForked; TimeoutError while some are open still; what asking does.
        """
        if self._watch is None:
            return
        async with asyncio.timeout(timeout):
            while self._watch.pending:
                await self._watch.look(self, asyncio.get_running_loop().time())
                if self._watch.pending:
                    await asyncio.sleep(_LOOK_SECONDS)
        self._watch.check()

    async def compare_checkpoint(self, note: bytes) -> None:
        """Is a checkpoint that another client was shown of the same ledger? Raises: LedgerForked; RuntimeError where
        receipts are not verified, so that nothing is remembered.
        """
        await self._needed().compare(self, note)

    @property
    def ledger_checkpoint(self) -> bytes | None:
        """The last checkpoint that was verified: for ``compare_checkpoint`` of somebody else. None before the first."""
        head = self._needed().head
        return None if head is None else head.note

    def _took(self, answers: Iterable[Answer | KeybrokerError]) -> None:
        """Receipts to be verified. Raises: LedgerForked."""
        self._took_receipts(answer.receipt for answer in answers if not isinstance(answer, KeybrokerError))

    def _took_receipts(self, receipts: Iterable[Receipt]) -> None:
        if self._watch is None:
            return
        loop = asyncio.get_running_loop()
        for receipt in receipts:
            self._watch.add(receipt, loop.time())
        if self._watch.pending and (self._looking is None or self._looking.done()):
            self._looking = loop.create_task(self._look_soon(self._watch))

    def _check_ledger(self) -> None:
        """Before every call. Raises: LedgerForked, once that was found; OSError where the state cannot be kept."""
        if self._watch is not None:
            self._watch.check()
        looking = self._looking
        if looking is not None and looking.done() and not looking.cancelled():
            looking.result()

    async def _look_soon(self, watch: LedgerWatch) -> None:
        """In the background; trouble on the way is met again at the next look, and a fork by the next call."""
        while watch.pending:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await watch.look(self, asyncio.get_running_loop().time())
            except LedgerForked:
                return
            except KeybrokerError:
                continue

    async def _end_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    def _needed(self) -> LedgerWatch:
        if self._watch is None:
            raise RuntimeError("receipts are not verified here: pass verify_receipts=True")
        return self._watch

    def _records(self) -> records_pb2_grpc.RecordServiceAsyncStub:
        return records_pb2_grpc.RecordServiceStub(self._channel())


def watch_of(
    verify_receipts: bool, ledger_key: str | None, ledger_state: str | PathLike[str] | None
) -> LedgerWatch | None:
    """Raises: ValueError where one of them does not fit the others; what LedgerWatch does."""
    if not verify_receipts:
        if ledger_key is not None or ledger_state is not None:
            raise ValueError("ledger_key and ledger_state are for verify_receipts=True")
        return None
    if ledger_key is None:
        raise ValueError("verify_receipts=True needs ledger_key: the verifier key of the ledger (keybroker ledger key)")
    return LedgerWatch(ledger_key, None if ledger_state is None else Path(os.fspath(ledger_state)))
