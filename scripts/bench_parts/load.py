"""A load generator, in a process of its own: asks for signatures for a given time, and prints how many it got.

    python -m scripts.bench_parts.load DIRECTORY TARGET MODE WIDTH SECONDS [PREPARED]

Says "ready", and counts from the moment that it is then told on standard input (seconds of the epoch), warmed up.
MODE is ``unary`` (WIDTH calls in flight), ``concurrent`` (WIDTH calls at once through the client), ``verifying`` (the
same, and the client verifies every receipt) or ``batch`` (WIDTH items a call, a call in flight on each of six
connections). Every request is new: another Originator Counter, another request_id. PREPARED is a file of requests that
were made before (``prepared``).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import grpc

from keybroker.cli.dev.configuration import LEDGER_ORIGIN
from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import AsyncBroker
from keybroker.ledger.note_keys import EcdsaNoteKey, write_vkey
from keybroker.pb import signing_pb2, signing_pb2_grpc
from keybroker.terms import EntityIdentifier
from scripts.bench_parts.prepared import Prepared
from scripts.broker_parts.running import CHANNEL_OPTIONS, credentials

CALLER = KEY = "supplier-a"
WARM_UP_SECONDS = 0.5
_CONNECTIONS = 6
"""Of a batch load: the kernel spreads connections over workers by hash, so one would see one worker. Six batches of 256
stay below a caller's share of one worker's queue, should they all come to that one."""
_DEVICE = EntityIdentifier(bytes.fromhex("027E570000D0D0D0"))

Ask = Callable[[], Awaitable[int]]
"""Asks once; how many signatures came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Of whom, how many at once, and from when on for how long (seconds of the epoch)."""

    deployment: Deployment
    target: str
    width: int
    start: float
    seconds: float


class Source(Protocol):
    """Where requests come from."""

    def next_request(self) -> signing_pb2.SignPreCommandRequest: ...


class Requests:
    """Messages nobody sent before: this process's number is the upper half of the counter."""

    def __init__(self, originator: EntityIdentifier) -> None:
        self._originator = originator
        self._numbers: Iterator[int] = itertools.count(os.getpid() << 32 | int(time.time()) % 2**16 << 16)

    def next_request(self) -> signing_pb2.SignPreCommandRequest:
        number = next(self._numbers)
        octets = sample_pre_command(self._originator, _DEVICE, number)
        return signing_pb2.SignPreCommandRequest(request_id=f"bench-{number}", key=KEY, pre_command=octets)


async def _measure(asks: Sequence[Ask], load: Load) -> int:
    """Keep every ask going from a little before ``start``; count what is answered from then until the end."""
    start, end = load.start, load.start + load.seconds
    await asyncio.sleep(max(0.0, start - WARM_UP_SECONDS - time.time()))

    async def worker(ask: Ask) -> int:
        done = 0
        while time.time() < end:
            made = await ask()
            done += made if start <= time.time() < end else 0
        return done

    return sum(await asyncio.gather(*(worker(ask) for ask in asks)))


async def _unary(load: Load, requests: Source) -> int:
    async with grpc.aio.secure_channel(load.target, credentials(load.deployment, CALLER), CHANNEL_OPTIONS) as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)

        async def ask() -> int:
            answer = await stub.SignPreCommand(requests.next_request())
            return 1 if len(answer.signed.signature) == 64 else 0

        return await _measure([ask] * load.width, load)


async def _batch(load: Load, requests: Source) -> int:
    async with AsyncExitStack() as stack:
        channels = [
            grpc.aio.secure_channel(load.target, credentials(load.deployment, CALLER), CHANNEL_OPTIONS)
            for _ in range(_CONNECTIONS)
        ]
        stubs = [signing_pb2_grpc.SigningServiceStub(await stack.enter_async_context(channel)) for channel in channels]

        async def ask(stub: signing_pb2_grpc.SigningServiceAsyncStub) -> int:
            items = [signing_pb2.SignItem(sign_pre_command=requests.next_request()) for _ in range(load.width)]
            answer = await stub.SignBatch(signing_pb2.SignBatchRequest(items=items))
            return sum(len(outcome.signed.signature) == 64 for outcome in answer.outcomes)

        return await _measure([partial(ask, stub) for stub in stubs], load)


async def _concurrent(load: Load, requests: Source, *, verify_receipts: bool = False) -> int:
    """What is still open at the end of the time is settled when it is over."""
    deployment = load.deployment
    async with AsyncBroker(
        load.target,
        certificate=deployment.certificate(CALLER),
        private_key=deployment.private_key(CALLER),
        anchors=deployment.anchors,
        verify_receipts=verify_receipts,
        ledger_key=_ledger_key(deployment) if verify_receipts else None,
    ) as broker:

        async def ask() -> int:
            signed = await broker.sign_pre_command(key=KEY, octets=requests.next_request().pre_command)
            return 1 if len(signed.signature) == 64 else 0

        return await _measure([ask] * load.width, load)


def _ledger_key(deployment: Deployment) -> str:
    """The ledger's verifier key (C2SP signed-note)."""
    return write_vkey(EcdsaNoteKey(name=LEDGER_ORIGIN, point=deployment.keys["audit-checkpoint"].public_point))


def _requests(deployment: Deployment) -> Requests:
    eui = deployment.keys[KEY].eui
    if eui is None:
        raise SystemExit(f"the key {KEY} speaks for no EUI")
    return Requests(eui)


_MODES: Mapping[str, Callable[[Load, Source], Coroutine[Any, Any, int]]] = {
    "unary": _unary,
    "batch": _batch,
    "concurrent": _concurrent,
    "verifying": partial(_concurrent, verify_receipts=True),
}


def main() -> None:
    directory, target, mode, width, seconds, *prepared = sys.argv[1:]
    deployment = open_deployment(Path(directory))
    requests = Prepared(Path(prepared[0])) if prepared else _requests(deployment)
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    load = Load(deployment=deployment, target=target, width=int(width), start=start, seconds=float(seconds))
    print(asyncio.run(_MODES[mode](load, requests)))


if __name__ == "__main__":
    main()
