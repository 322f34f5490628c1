"""Broker: the client for threads. An AsyncBroker on an event loop of its own, in the background.

Calls from several threads at once are carried together, as concurrent tasks' are.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar, final

from keybroker.client.answers import Answer as SigningAnswer
from keybroker.client.answers import Explanation, InclusionProof, Key, PublicKey, Receipt, Record, Smets1Session
from keybroker.client.blocking_operations import BlockingOperations
from keybroker.client.broker import AsyncBroker
from keybroker.client.channels import Pem
from keybroker.client.requests import Request
from keybroker.errors import KeybrokerError
from keybroker.terms import ContentKind, EntityIdentifier

Answer = TypeVar("Answer")

_LONGEST_SECONDS = 1.0
"""That closing waits for what is neither ours nor worth more."""


@final
class Broker(BlockingOperations):
    """A broker, seen from one calling system; for use from any thread. Close it (``with`` does).

    Arguments and errors are AsyncBroker's.
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
        """Opens nothing yet. Raises: as AsyncBroker's."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="keybroker-client", daemon=True)
        self._thread.start()

        async def make() -> AsyncBroker:
            return AsyncBroker(
                target,
                certificate=certificate,
                private_key=private_key,
                anchors=anchors,
                channels=channels,
                timeout=timeout,
                verify_receipts=verify_receipts,
                ledger_key=ledger_key,
                ledger_state=ledger_state,
            )

        try:
            self._operations = self._broker = self._run(make())
        except BaseException:
            self._end_loop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._loop.is_closed():
                self.settle_receipts()
        finally:
            self.close()

    def close(self) -> None:
        """End streams, connections and the background thread. A second time nothing happens."""
        if self._loop.is_closed():
            return
        self._run(self._broker.close())
        self._run(_all_ended())
        self._end_loop()

    def send(self, request: Request) -> SigningAnswer:
        """Any request of the line. Raises: its error."""
        return self._run(self._broker.send(request))

    def sign_batch(self, requests: Sequence[Request]) -> list[SigningAnswer | KeybrokerError]:
        """Many at once, each with its own outcome in order: an item's error is returned, not raised."""
        return self._run(self._broker.sign_batch(requests))

    def explain(self, *, kind: ContentKind, key: str, octets: bytes) -> Explanation:
        """As ``explain_request``, for octets with nothing beside them."""
        return self._run(self._broker.explain(kind=kind, key=key, octets=octets))

    def explain_request(self, request: Request) -> Explanation:
        """What would become of this request, rule by rule; no key is touched."""
        return self._run(self._broker.explain_request(request))

    def list_keys(self) -> list[Key]:
        """Every key that this caller may know of, by label."""
        return self._run(self._broker.list_keys())

    def get_public_key(self, key: str) -> PublicKey:
        """Raises: NotPermitted, also for a key that does not exist."""
        return self._run(self._broker.get_public_key(key))

    def get_record(self, leaf_index: int) -> Record:
        """Raises: NotPermitted, also for a record that does not exist."""
        return self._run(self._broker.get_record(leaf_index))

    def get_checkpoint(self, tree_size: int = 0) -> bytes:
        """The last checkpoint that was signed, or the one of so many records. Raises: NotPermitted without one."""
        return self._run(self._broker.get_checkpoint(tree_size))

    def get_inclusion_proof(self, leaf_index: int, tree_size: int) -> InclusionProof:
        """That a record is in the tree of so many. Raises: RequestMalformed for what is not there."""
        return self._run(self._broker.get_inclusion_proof(leaf_index, tree_size))

    def get_inclusion_proofs(self, leaf_indexes: Sequence[int], tree_size: int) -> list[InclusionProof]:
        """The same for 1 to 1,024 records."""
        return self._run(self._broker.get_inclusion_proofs(leaf_indexes, tree_size))

    def get_consistency_proof(self, first_size: int, second_size: int) -> list[bytes]:
        """That the tree of one size extends the other. Raises: RequestMalformed for a size that is not there."""
        return self._run(self._broker.get_consistency_proof(first_size, second_size))

    def tail_records(self, first_index: int, *, most: int, follow: bool = False) -> Iterator[Record]:
        """Records from an index on, for auditors; ``follow`` waits for those to come. Raises: its error."""
        records = self._broker.tail_records(first_index, most=most, follow=follow)
        while (record := self._run(_next(records))) is not None:
            yield record

    def settle_receipts(self, timeout: float = 60.0) -> None:
        """Wait until a checkpoint covers every receipt that came so far. Raises: LedgerForked, TimeoutError."""
        self._run(self._broker.settle_receipts(timeout))

    def compare_checkpoint(self, note: bytes) -> None:
        """Is a checkpoint that another client was shown of the same ledger? Raises: LedgerForked."""
        self._run(self._broker.compare_checkpoint(note))

    @property
    def ledger_checkpoint(self) -> bytes | None:
        """The last checkpoint that was verified; None before the first."""
        return self._broker.ledger_checkpoint

    def begin_smets1_session(
        self, *, key: str, device: EntityIdentifier, handshake_record: int, request_id: str | None = None
    ) -> Smets1Session:
        """Have a key made for one TLS session with a SMETS1 Device, in whose handshake the broker has just signed."""
        work = self._broker.begin_smets1_session(
            key=key, device=device, handshake_record=handshake_record, request_id=request_id
        )
        return self._run(work)

    def end_smets1_session(self, *, key: str, request_id: str | None = None) -> Receipt:
        """End a session, by its key's label; the record says that the key was destroyed. May be asked again."""
        return self._run(self._broker.end_smets1_session(key=key, request_id=request_id))

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupted caller (KeyboardInterrupt) takes its call back.
            future.cancel()
            raise

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _all_ended() -> None:
    """grpc.aio leaves the end of a stream to the loop's next turn; where there is none, asyncio complains on standard
    error."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_LONGEST_SECONDS)


async def _next(records: AsyncIterator[Record]) -> Record | None:
    return await anext(records, None)
