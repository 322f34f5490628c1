"""What does whoever watches a witness look at? Prometheus metrics, on a port of their own where one is configured."""

from __future__ import annotations

from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from keybroker.errors import BrokerStopping


@final
class WitnessMetrics:
    """One witness's numbers; docs/operations/witness.md says which of them should wake somebody."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.answers = Counter(
            "keybroker_witness_answers", "Requests to cosign, by HTTP status.", ("status",), registry=registry
        )
        self.against = Gauge(
            "keybroker_witness_against",
            "What is kept against the ledger, by what it shows: fork (proven), unproven.",
            ("shown",),
            registry=registry,
        )
        self.silent = Gauge(
            "keybroker_witness_silent", "1 while no checkpoint was cosigned for silence_seconds.", registry=registry
        )
        self.records = Gauge(
            "keybroker_witness_records", "Records of the ledger under the last checkpoint cosigned.", registry=registry
        )
        self.cosigned_at = Gauge(
            "keybroker_witness_cosigned_timestamp_seconds", "When the last was cosigned.", registry=registry
        )
        self.clock_difference = Gauge(
            "keybroker_witness_clock_difference_seconds",
            "What the asker's clock said, less this one, at the last request that the ledger signed.",
            registry=registry,
        )
        self.clock_out_of_line = Gauge(
            "keybroker_witness_clock_out_of_line", "1 where that is more than clock_seconds.", registry=registry
        )

    def serve(self, host: str, port: int) -> None:
        """Until the process ends. Raises: BrokerStopping when the port cannot be had."""
        try:
            start_http_server(port, addr=host, registry=self._registry)
        except OSError as error:
            raise BrokerStopping(f"the metrics' {host}:{port} cannot be had ({error.strerror})") from error
