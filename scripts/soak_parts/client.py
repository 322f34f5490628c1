"""What does one client do? Ask without end for signatures of one sort, and write down durably each that it holds.

    python -m scripts.soak_parts.client DIRECTORY SORT FILE SEED

A line of JSON for each signature, synced before the next is asked for: killed at any moment, it holds what it wrote. It
asks again what went wrong, now and then what went well; and with a Supply Sensitive Check that was used, which must not
be signed again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from keybroker.cli.dev.deployment import Deployment, open_deployment
from keybroker.cli.dev.evidence import confirmed, read_attests
from keybroker.client import AsyncBroker, SigningRequest
from keybroker.client.answers import SignedMessage
from keybroker.errors import KeybrokerError
from keybroker.terms import ContentKind, EntityIdentifier
from scripts.soak_parts.scene import LIMITED_CODE, LIMITED_VARIANT
from tests.messages import compose_command

DEVICE = EntityIdentifier.from_text("02-7E-57-00-00-0D-00-01")
TIMEOUT_SECONDS = 8.0
PAUSE_SECONDS = 0.02
"""Between two questions of one asker, at random up to twice as long."""
_PATIENCE = 3
_AGAIN = 0.02
"""How often what was signed is asked for once more, under the same name."""
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """What is asked for: as which caller, with which key, of which Message Codes; by how many askers at once."""

    caller: str
    key: str
    kind: ContentKind
    codes: tuple[int, ...]
    askers: int = 4
    in_batches: bool = False
    variants: Mapping[int, str] | None = None
    """With Supply Sensitive Checks, by code."""


SORTS: Mapping[str, Sort] = {
    "stream": Sort(caller="supplier-a", key="supplier-a", kind=ContentKind.PRE_COMMAND, codes=(0x0062,), askers=6),
    "checked": Sort(
        caller="supplier-a",
        key="supplier-a",
        kind=ContentKind.PRE_COMMAND,
        codes=(0x0050, 0x0050, LIMITED_CODE),
        askers=3,
        variants={0x0050: "7.2", LIMITED_CODE: LIMITED_VARIANT},
    ),
    "batch": Sort(
        caller="network-operator-a",
        key="network-operator-a",
        kind=ContentKind.PRE_COMMAND,
        codes=(0x0103,),
        askers=1,
        in_batches=True,
        variants={0x0103: "6.15.1"},
    ),
    "command": Sort(
        caller="dcc", key="access-control-broker", kind=ContentKind.COMMAND, codes=(0x0102, 0x0103), askers=2
    ),
    "other-command": Sort(caller="dcc", key="wan-provider", kind=ContentKind.COMMAND, codes=(0x0105,), askers=2),
}


class Client:
    """One connection pool, and the file."""

    def __init__(self, deployment: Deployment, sort: Sort, file: Path, chance: random.Random) -> None:
        held = deployment.keys[sort.key]
        if held.eui is None:
            raise SystemExit(f"the key {sort.key} speaks for no EUI")
        self._sort, self._chance, self._eui = sort, chance, held.eui
        self._public_key = held.public_point.hex()
        self._check = read_attests(deployment.directory / "evidence", f"{sort.caller}/check") if sort.variants else None
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._counter = time.time_ns() // 1000

    def request(self) -> SigningRequest:
        """One that nobody made before."""
        self._counter += 1
        code = self._chance.choice(self._sort.codes)
        octets = compose_command(code, self._eui, DEVICE, self._counter)
        checks = (self._statement(octets, code),) if self._sort.variants else ()
        return SigningRequest(
            kind=self._sort.kind,
            key=self._sort.key,
            octets=octets,
            request_id=f"soak-{self._sort.key}-{self._counter}",
            supply_sensitive_checks=checks,
        )

    def _statement(self, octets: bytes, code: int) -> str:
        if self._check is None or self._sort.variants is None:
            raise RuntimeError("this sort has no check system")
        return confirmed(
            self._check,
            octets,
            variant=self._sort.variants[code],
            user=self._eui,
            device=DEVICE,
            counter=self._counter,
            confirmed_by="rule: the soak",
        )

    def hold(self, request: SigningRequest, answer: object) -> bool:
        """Write a signature down, durably, before it counts; False for any other answer."""
        if not isinstance(answer, SignedMessage):
            return False
        line = {
            "key": request.key,
            "public_key": self._public_key,
            "request_id": answer.request_id,
            "octets": request.octets.hex(),
            "checked": bool(request.supply_sensitive_checks),
            "signature": answer.signature.hex(),
            "origin": answer.receipt.origin,
            "leaf_index": answer.receipt.leaf_index,
            "leaf_hash": answer.receipt.leaf_hash.hex(),
        }
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fdatasync(self._file)
        return True

    async def ask_without_end(self, broker: AsyncBroker) -> None:
        ask: Callable[[AsyncBroker], Awaitable[None]] = self._ask_batch if self._sort.in_batches else self._ask_one
        while True:
            await ask(broker)
            await asyncio.sleep(self._chance.random() * 2 * PAUSE_SECONDS)

    async def _ask_one(self, broker: AsyncBroker) -> None:
        request = self.request()
        for _ in range(_PATIENCE):
            if await self._asked(broker, request):
                break
            await asyncio.sleep(self._chance.random())
        if self._chance.random() < _AGAIN:
            await self._asked(broker, request)
        if request.supply_sensitive_checks and self._chance.random() < 0.2:
            await self._asked(broker, _renamed(request))

    async def _asked(self, broker: AsyncBroker, request: SigningRequest) -> bool:
        with suppress(KeybrokerError):
            return self.hold(request, await broker.send(request))
        return False

    async def _ask_batch(self, broker: AsyncBroker) -> None:
        requests = [self.request() for _ in range(_BATCH)]
        with suppress(KeybrokerError):
            for request, answer in zip(requests, await broker.sign_batch(requests), strict=True):
                self.hold(request, answer)


def _renamed(request: SigningRequest) -> SigningRequest:
    """The same message and the same statement, as if it were another request."""
    return SigningRequest(
        kind=request.kind,
        key=request.key,
        octets=request.octets,
        request_id=f"{request.request_id}-again",
        supply_sensitive_checks=request.supply_sensitive_checks,
    )


async def run(deployment: Deployment, sort: Sort, client: Client) -> None:
    """Until SIGTERM."""
    async with AsyncBroker(
        deployment.target,
        certificate=deployment.certificate(sort.caller),
        private_key=deployment.private_key(sort.caller),
        anchors=deployment.anchors,
        timeout=TIMEOUT_SECONDS,
    ) as broker:
        askers = [asyncio.ensure_future(client.ask_without_end(broker)) for _ in range(sort.askers)]
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        waiting = asyncio.ensure_future(told.wait())
        await asyncio.wait([waiting, *askers], return_when=asyncio.FIRST_COMPLETED)
        for asker in askers:
            asker.cancel()
        ended = await asyncio.gather(*askers, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


def main(arguments: list[str]) -> None:
    directory, name, file, seed = arguments
    deployment, sort = open_deployment(Path(directory)), SORTS[name]
    # What is asked next is no secret.
    client = Client(deployment, sort, Path(file), random.Random(seed))  # noqa: S311
    asyncio.run(run(deployment, sort, client))


if __name__ == "__main__":
    main(sys.argv[1:])
