"""Is it ready? gRPC health: per service, and ``key/<label>`` for each key; nobody learns of keys that are not its own.

Why a key is not usable, ListKeys says. The state is looked at every second on the signer thread and kept: a check never
touches the module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from keybroker.errors import CallerUnknown
from keybroker.server.authn import find_caller
from keybroker.server.calls import Calls, Context
from keybroker.terms import Caller, CallerKind, KeyLabel

SERVICES = tuple(f"keybroker.v1.{name}Service" for name in ("Signing", "Key", "Record", "Session"))
_KEY = "key/"
_Status = health_pb2.HealthCheckResponse


@final
class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated without types
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._inner = health.aio.HealthServicer()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:  # noqa: N802
        await self._check_may_ask(request.service, context)
        return await self._inner.Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:  # noqa: N802
        await self._check_may_ask(request.service, context)
        return await self._inner.Watch(request, context)

    async def show(self, *, signing: bool, keys: Mapping[KeyLabel, bool]) -> None:
        """``signing``: the line works. Keys and records can be read without the module, not without the ledger."""
        for service in ("", *SERVICES):
            await self._inner.set(service, _status(signing))
        for label, usable in keys.items():
            await self._inner.set(_KEY + label, _status(signing and usable))

    async def show_watch(self, ready: Mapping[str, bool]) -> None:
        """By name of the service (``watch_readiness``)."""
        for service, is_ready in ready.items():
            await self._inner.set(service, _status(is_ready))

    async def stop(self) -> None:
        """NOT_SERVING for ever."""
        await self._inner.enter_graceful_shutdown()

    async def _check_may_ask(self, service: str, context: Context) -> None:
        if not service.startswith(_KEY):
            return
        try:
            caller = find_caller(self._calls.identities(context), self._calls.standing.callers)
        except CallerUnknown:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        if not _may_know(caller, KeyLabel(service.removeprefix(_KEY))):
            await context.abort(grpc.StatusCode.NOT_FOUND)


def _may_know(caller: Caller, label: KeyLabel) -> bool:
    return label in caller.keys or caller.kind in (CallerKind.AUDITOR, CallerKind.OPERATOR)


def _status(serving: bool) -> int:
    return int(_Status.SERVING if serving else _Status.NOT_SERVING)
