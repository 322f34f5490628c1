"""What does the metrics port show? The workers' numbers, added up from their files, and the supervisor's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self, final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from keybroker.config import Configuration
from keybroker.errors import BrokerStopping
from keybroker.server.port import split_address


@final
class SupervisorMetrics:
    """Serves while it is entered. ``directory`` holds the workers' numbers and begins empty."""

    def __init__(self, configuration: Configuration) -> None:
        self.directory: Path = configuration.data_directory / "metrics"
        self._address = configuration.file.server.metrics
        registry = CollectorRegistry()
        self._registry = registry
        self._ready = Gauge("keybroker_workers_ready", "Workers that serve.", registry=registry)
        self._latched = Gauge(
            "keybroker_module_latched", "1 after a wrong PIN, until an operator acts.", registry=registry
        )
        self._deaths = Counter("keybroker_worker_ends", "Workers that ended unasked.", registry=registry)
        self._reloads = Counter(
            "keybroker_reloads_refused", "Reloads of which no worker was told.", ("reason",), registry=registry
        )
        self._handshakes = Counter(
            "keybroker_handshakes_failed", "TLS handshakes that failed in the transport.", ("why",), registry=registry
        )

    def __enter__(self) -> Self:
        """Raises: BrokerStopping when the port cannot be had."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        MultiProcessCollector(self._registry, path=str(self.directory))  # type: ignore[no-untyped-call]
        host, port = split_address(self._address, where="server.metrics")
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=self._registry)
        except OSError as error:
            raise BrokerStopping(
                f"{self._address} cannot be had ({error.strerror}): is another broker running?"
            ) from error
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def workers(self, ready: int) -> None:
        self._ready.set(ready)

    def latched(self, latched: bool) -> None:
        self._latched.set(latched)

    def died(self, pid: int) -> None:
        """A worker ended: its gauges count no more, its counters stay."""
        self._deaths.inc()
        self.forget(pid)

    def forget(self, pid: int) -> None:
        """A process ended: its gauges count no more."""
        mark_process_dead(pid, str(self.directory))  # type: ignore[no-untyped-call]

    def reload_refused(self, reason: str) -> None:
        self._reloads.labels(reason).inc()

    def handshake_failed(self, why: str) -> None:
        self._handshakes.labels(why).inc()
