"""A real broker with two workers on a token that counts its signatures, and thirty-two clients that race."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import AsyncBroker
from keybroker.client.answers import SignedMessage
from keybroker.client.ssc import confirm
from keybroker.errors import KeybrokerError
from keybroker.terms import EntityIdentifier
from tests import faults
from tests.server.broker import RunningBroker, edit, running

DEVICE = EntityIdentifier.from_text("02-7E-57-00-00-0D-00-01")
DISABLE_SUPPLY = 0x0050
CLIENTS = 32
ORIGIN = "keybroker.example/dev/TEST"
CHAIN = ("supplier-a/check", "supplier-a/head-end", "dev-node")


class Uses:
    """How many signatures the token made, in all processes together."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "uses"
        self.file.write_bytes(bytes(8))

    @property
    def count(self) -> int:
        return int.from_bytes(self.file.read_bytes(), "little")

    def environment(self, library: str) -> dict[str, str]:
        return {"KEYBROKER_TEST_MODULE": library, "KEYBROKER_TEST_USES": str(self.file)}


@contextmanager
def counted(deployment: Deployment, *, workers: int = 2) -> Iterator[tuple[RunningBroker, Uses]]:
    """The deployment's broker on its own token, behind the library that counts."""
    library = _library(deployment)
    counting = faults.build(faults.COUNTING)
    edit(deployment, f'library = "{library}"', f'library = "{counting}"')
    uses = Uses(deployment.directory)
    with running(deployment, workers=workers, environment=uses.environment(library)) as broker:
        yield broker, uses


def _library(deployment: Deployment) -> str:
    (line,) = [each for each in deployment.config_path.read_text().splitlines() if each.startswith("library = ")]
    return line.removeprefix("library = ").strip('"')


def supplier(deployment: Deployment) -> EntityIdentifier:
    eui = deployment.keys["supplier-a"].eui
    assert eui is not None
    return eui


def a_pre_command(deployment: Deployment, counter: int, code: int = DISABLE_SUPPLY) -> bytes:
    return sample_pre_command(supplier(deployment), DEVICE, counter, code)


def a_check(deployment: Deployment, octets: bytes, counter: int, *, variant: str = "7.2") -> str:
    """The deployment's own check system confirms."""
    check = read_attests(deployment.directory / "evidence", "supplier-a/check")
    user = supplier(deployment)
    return confirm(
        octets,
        variant=variant,
        device=DEVICE,
        user=user,
        request_id=f"{user}:{DEVICE}:{counter}",
        confirmed_by="rule: asked for by the customer",
        origin=ORIGIN,
        chain=CHAIN,
        certificate=check.certificate,
        private_key=check.sign,
    )


class Clients:
    """All of them, each on a connection of its own."""

    def __init__(self, brokers: Sequence[AsyncBroker]) -> None:
        self._brokers = brokers

    async def race(self, octets: bytes, *, check: str, name: str) -> list[SignedMessage | KeybrokerError]:
        """Every client asks the same at once, each under a name of its own."""
        asked = (
            broker.sign_pre_command(
                key="supplier-a",
                octets=octets,
                supply_sensitive_checks=[check] if check else [],
                request_id=f"{name}-{number}",
            )
            for number, broker in enumerate(self._brokers)
        )
        answers = await asyncio.gather(*asked, return_exceptions=True)
        known = [each for each in answers if isinstance(each, SignedMessage | KeybrokerError)]
        assert len(known) == len(answers), answers
        return known


async def with_clients(deployment: Deployment, stack: AsyncExitStack) -> Clients:
    pem: dict[str, Any] = {
        "certificate": deployment.certificate("supplier-a"),
        "private_key": deployment.private_key("supplier-a"),
        "anchors": deployment.anchors,
    }
    brokers = [
        await stack.enter_async_context(AsyncBroker(deployment.target, **pem, channels=1)) for _ in range(CLIENTS)
    ]
    return Clients(brokers)
