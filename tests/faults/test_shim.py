"""The shim between broker and token does what its rules say, and its account is of what the token did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from keybroker.pb import signing_pb2_grpc
from tests.deployments import create_deployment
from tests.faults.shim import Rule, clear_rules, count_uses, put_between, set_rules
from tests.server.broker import RunningBroker, refusal, running, wait_until

pytestmark = pytest.mark.hsm


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A broker behind the shim, and a stub to it."""

    broker: RunningBroker
    control: Path
    uses: Path
    stub: signing_pb2_grpc.SigningServiceStub

    def ask(self) -> bytes:
        asked = self.broker.request(f"shim-{time.monotonic_ns()}")
        return self.stub.SignPreCommand(asked, timeout=20).signed.signature

    def reason(self) -> str:
        return refusal(self.ask)[1]

    def recovers(self) -> bool:
        clear_rules(self.control)
        wait_until(self._signs, seconds=20, otherwise=self.broker.log)
        return True

    def _signs(self) -> bool:
        try:
            return len(self.ask()) == 64
        except grpc.RpcError:
            return False


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("shim")
    control, uses = directory / "control", directory / "uses"
    deployment = create_deployment(directory / "deployment")
    put_between(deployment, control, uses)
    with running(deployment) as broker, broker.channel("supplier-a") as channel:
        yield Scene(broker=broker, control=control, uses=uses, stub=signing_pb2_grpc.SigningServiceStub(channel))


FAULTS = [
    (Rule("C_SignInit", "fail", "0x70"), "MODULE_DISAGREES"),
    (Rule("C_SignInit", "fail", "0x31"), "MODULE_BUSY"),
    (Rule("C_SignInit", "fail", "0xB3"), "MODULE_UNAVAILABLE"),
    (Rule("C_Sign", "fail", "0x30"), "MODULE_UNAVAILABLE"),
    (Rule("C_Sign", "lose", "0x30"), "MODULE_UNAVAILABLE"),
    (Rule("C_Sign", "flip", "300"), "MODULE_DISAGREES"),
    (Rule("C_Sign", "truncate", "40"), "MODULE_DISAGREES"),
]


@pytest.mark.parametrize(("rule", "reason"), FAULTS, ids=lambda value: str(value))
def test_a_token_that_misbehaves_lets_no_signature_out_and_recovers(scene: Scene, rule: Rule, reason: str) -> None:
    assert scene.recovers()
    set_rules(scene.control, rule)
    assert scene.reason() == reason
    assert scene.recovers()


def test_the_account_tells_a_use_that_was_lost_from_one_that_never_was(scene: Scene) -> None:
    assert scene.recovers()
    for action, more in (("fail", {"stopped": 1}), ("lose", {"asked": 1, "made": 1})):
        before = count_uses(scene.uses)
        set_rules(scene.control, Rule("C_Sign", action, "0x30"))  # type: ignore[arg-type]  # one of them each
        assert scene.reason()
        assert {
            word: count - before[word] for word, count in count_uses(scene.uses).items() if count > before[word]
        } == more
        assert scene.recovers()


def test_every_use_is_in_the_account_before_and_after(scene: Scene) -> None:
    assert scene.recovers()
    before = count_uses(scene.uses)
    signatures = [scene.ask() for _ in range(5)]
    after = count_uses(scene.uses)
    assert {word: after[word] - before[word] for word in after} == {"asked": 5, "made": 5, "failed": 0, "stopped": 0}
    assert all(signature.hex() in scene.uses.read_text() for signature in signatures)


def test_sessions_that_are_dropped_are_opened_again(scene: Scene) -> None:
    assert scene.recovers()
    set_rules(scene.control, Rule("C_SignInit", "drop", str(time.monotonic_ns() % 10**9)))
    assert scene.reason() == "MODULE_UNAVAILABLE"
    assert scene.recovers()


def test_a_delay_delays_and_every_counts(scene: Scene) -> None:
    assert scene.recovers()
    set_rules(scene.control, Rule("C_Sign", "delay", "200", every=2))
    took = sorted(_seconds(scene) for _ in range(4))
    assert took[1] < 0.2 <= took[2]
    clear_rules(scene.control)


def _seconds(scene: Scene) -> float:
    begun = time.monotonic()
    assert scene.ask()
    return time.monotonic() - begun
