"""Has the service recovered? All workers are ready, and a signature comes on each of several new connections."""

from __future__ import annotations

import time
from typing import final

import grpc

from keybroker.pb import signing_pb2, signing_pb2_grpc
from scripts.broker_parts.running import open_channel
from scripts.soak_parts.client import DEVICE
from scripts.soak_parts.scene import Scene
from scripts.soak_parts.service import Service
from tests.messages import SET_CLOCK, compose_command

STATED_SECONDS = 90.0
"""Within so long of a fault's end the service is whole again, without anybody's doing (docs/operations/faults.md)."""
GIVEN_UP_SECONDS = 180.0
_CALLER = _KEY = "supplier-a"
_IN_A_ROW = 4
"""With two workers, each connection finds either by the kernel's choice."""
_CALL_SECONDS = 2.0


@final
class Prober:
    """Asks as one more client; what it is given it does not keep."""

    def __init__(self, scene: Scene, service: Service) -> None:
        self._scene, self._service = scene, service
        self._counter = time.time_ns() // 1000

    def seconds_to_recover(self, since: float) -> float | None:
        """From ``since`` (monotonic) to the first of the answers in a row; None where it did not come."""
        last = time.monotonic() + GIVEN_UP_SECONDS
        while time.monotonic() < last:
            begun = time.monotonic()
            if self.is_whole():
                return max(begun - since, 0.0)
            time.sleep(0.1)
        return None

    def is_whole(self) -> bool:
        ready = self._service.workers_ready() == self._service.workers_wanted
        return ready and all(self.signs() for _ in range(_IN_A_ROW))

    def signs(self) -> bool:
        """On a connection of its own."""
        self._counter += 1
        eui = self._scene.deployment.keys[_KEY].eui
        if eui is None:
            raise SystemExit(f"the key {_KEY} speaks for no EUI")
        request = signing_pb2.SignPreCommandRequest(
            request_id=f"probe-{self._counter}",
            key=_KEY,
            pre_command=compose_command(SET_CLOCK, eui, DEVICE, self._counter),
        )
        with open_channel(self._scene.deployment, _CALLER) as channel:
            try:
                answer = signing_pb2_grpc.SigningServiceStub(channel).SignPreCommand(request, timeout=_CALL_SECONDS)
            except grpc.RpcError:
                return False
        return len(answer.signed.signature) == 64
