"""What a module says of itself is what library and token say now, looked at once a second and no oftener."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from keybroker.hsm.connection import Connection, Session, TokenDescription
from keybroker.hsm.description import read_description
from keybroker.hsm.held_keys import Demands
from keybroker.hsm.token_module import Token
from keybroker.terms import DeploymentKind
from tests.fakes import FakeSession, fake_profile
from tests.hsm.intents import a_register
from tests.hsm.tokens import TokenPlace, told_by_softhsm
from tests.situations import packaged_policies

TOLD = TokenDescription(
    library_manufacturer="Example Modules",
    library_description="Cryptoki",
    library_version="3.0",
    cryptoki_version="2.40",
    manufacturer="Example Modules",
    model="EM-3",
    serial="FAKE-0001",
    label="keybroker",
    firmware_version="7.4",
    hardware_version="2.0",
)


@dataclass(slots=True)
class Looked:
    """A connection to a token that says ``tells``, as often as it is asked."""

    tells: TokenDescription = TOLD
    description: TokenDescription = TOLD
    asked: int = 0
    sessions: list[FakeSession] = field(default_factory=list)

    def open_sessions(self, count: int) -> Sequence[Session]:
        return tuple(cast(Session, FakeSession()) for _ in range(count))

    def check_session(self) -> None: ...

    def check_token(self) -> None:
        self.asked += 1
        self.description = self.tells


@dataclass(slots=True)
class Watch:
    """A clock that is set."""

    at: float = 100.0

    def __call__(self) -> float:
        return self.at


def a_token(connection: Looked, clock: Watch) -> Token:
    demands = Demands(profile=fake_profile(), policies=packaged_policies(), deployment=DeploymentKind.TEST)
    return Token(cast(Connection, connection), sessions=1, demands=demands, site="here", clock=clock)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"firmware_version": "7.5"}, {"firmware_version": "7.5"}),
        ({"hardware_version": "2.1"}, {"hardware_version": "2.1"}),
        ({"serial": "FAKE-0002"}, {"serial": "FAKE-0002"}),
        ({"model": "EM-4"}, {"model": "EM-4"}),
        ({"library_version": "3.1"}, {"library": "Example Modules Cryptoki 3.1"}),
    ],
    ids=str,
)
def test_tells_within_a_second_what_the_token_says_otherwise_than_before(
    changes: dict[str, Any], differs: dict[str, Any]
) -> None:
    connection, clock = Looked(), Watch()
    token = a_token(connection, clock)
    before = token.identity
    connection.tells = replace(TOLD, **changes)
    clock.at += 1.5
    token.served(a_register())
    assert token.identity == replace(before, **differs)
    assert token.serial == token.identity.serial


def test_asks_the_token_once_a_second_however_many_batches_there_are() -> None:
    connection, clock = Looked(), Watch()
    token = a_token(connection, clock)
    for _ in range(20):
        clock.at += 0.25
        token.served(a_register())
        assert token.identity.firmware_version == "7.4"
    assert connection.asked == 4


def test_whoever_asks_for_its_health_sees_what_it_says_now() -> None:
    connection = Looked()
    token = a_token(connection, Watch())
    connection.tells = replace(TOLD, firmware_version="7.5")
    assert token.session_ok()
    assert token.identity.firmware_version == "7.5"


@pytest.mark.parametrize("padding", [b" ", b"\0"])
def test_reads_the_structures_of_the_standard_whatever_they_are_padded_with(padding: bytes) -> None:
    def padded(text: str, octets: int) -> bytes:
        return text.encode().ljust(octets, padding)

    info = struct.pack("@2B32sL32s2B", 2, 40, padded("Example Modules", 32), 0, padded("Cryptoki", 32), 3, 0)
    texts = (padded("keybroker", 32), padded("Example Modules", 32), padded("EM-3", 16), padded("FAKE-0001", 16))
    token_info = struct.pack("@32s32s16s16s11L2B2B16s", *texts, *range(11), 2, 0, 7, 4, b"2026011512000000")
    assert read_description(info, token_info) == TOLD


@pytest.mark.hsm
def test_tells_of_a_softhsm_token_what_its_own_tool_tells(softhsm_place: TokenPlace, softhsm: Token) -> None:
    told, description = told_by_softhsm(softhsm_place), softhsm.description
    assert description.label == told["Label"]
    assert description.serial == told["Serial number"]
    assert description.model == told["Model"]
    assert description.manufacturer == told["Manufacturer ID"]
    assert description.hardware_version == told["Hardware version"]
    assert description.firmware_version == told["Firmware version"]
