"""A real broker with two workers on a token that counts its signatures, and thirty-two clients that race.

How many may race to a signature its User notifies (``set_thresholds``); what that came to stands in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests, take_in
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.cli.dev.statements import OFFICER, common
from keybroker.client import AsyncBroker
from keybroker.client.answers import SignedMessage
from keybroker.client.ssc import confirm
from keybroker.config import read_configuration, reading
from keybroker.errors import KeybrokerError
from keybroker.keys.quarantine import in_quarantine
from keybroker.keys.thresholds import notifications
from keybroker.ledger import tables
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ThresholdNotification
from keybroker.terms import EntityIdentifier
from tests import faults
from tests.server.broker import RunningBroker, edit, running

DEVICE = EntityIdentifier.from_text("02-7E-57-00-00-0D-00-01")
DISABLE_SUPPLY, ENABLE_SUPPLY, SET_CLOCK = 0x0050, 0x004F, 0x0062
"""Of the variants 7.2 and 7.1, which are supply sensitive; and of 6.11 or 8.1.1, which are not."""
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


def set_thresholds(deployment: Deployment, most: Mapping[str, int]) -> None:
    """The User notifies anew: so many of each of these variants are signed from now on, of others as many as before."""
    configuration = read_configuration(deployment.config_path)
    at, user = configuration.clock.now(), str(supplier(deployment))
    officer = read_attests(deployment.directory / "evidence", OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        found = notifications(journal.ledger, at)
        (before,) = [each.notification for each in found if each.in_force and each.whose == user]
        limits = {on: {"warning": number, "quarantine": number} for on, number in most.items()}
        thresholds = [each.model_copy(update=limits.get(each.variant or "")) for each in before.thresholds]
        changed = {"sequence": before.sequence + 1, "thresholds": thresholds}
        given = common(ORIGIN, at, StatementKind.THRESHOLD_NOTIFICATION)
        said = ThresholdNotification.model_validate(before.model_dump() | given | changed)
        take_in(journal, actor, said, officer, configuration.people, at)


def intents(deployment: Deployment) -> int:
    """How many were let through until now, whether a signature was made of each or its worker died before."""
    with reading(read_configuration(deployment.config_path)) as ledger, ledger.read() as connection:
        of_intents = tables.record.c.kind == "intent"
        return connection.execute(select(func.count()).select_from(tables.record).where(of_intents)).scalar_one()


def quarantined(deployment: Deployment) -> set[str]:
    """SHA-256 of each communication that is in quarantine."""
    with reading(read_configuration(deployment.config_path)) as ledger:
        return {each.octets_sha256 for each in in_quarantine(ledger)}


class Clients:
    """All of them, each on a connection of its own."""

    def __init__(self, brokers: Sequence[AsyncBroker]) -> None:
        self._brokers = brokers

    async def race(self, octets: bytes, *, check: str, name: str) -> list[SignedMessage | KeybrokerError]:
        """Every client asks the same at once, each under a name of its own."""
        return await _answers(
            _asked(broker, octets, check, f"{name}-{number}") for number, broker in enumerate(self._brokers)
        )

    async def share(self, asked: Iterable[tuple[bytes, str]], *, name: str) -> list[SignedMessage | KeybrokerError]:
        """All of these (octets and check) are asked at once, each by one client, and every client asks as many."""
        return await _answers(
            _asked(self._brokers[number % CLIENTS], octets, check, f"{name}-{number}")
            for number, (octets, check) in enumerate(asked)
        )


def _asked(broker: AsyncBroker, octets: bytes, check: str, request_id: str) -> Awaitable[SignedMessage]:
    checks = [check] if check else []
    return broker.sign_pre_command(
        key="supplier-a", octets=octets, supply_sensitive_checks=checks, request_id=request_id
    )


async def _answers(asked: Iterable[Awaitable[SignedMessage]]) -> list[SignedMessage | KeybrokerError]:
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
