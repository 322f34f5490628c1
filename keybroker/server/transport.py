"""What does the wire demand? TLS 1.3 with a client certificate under our anchors, and limits above our own.

A handshake that fails gets no answer from us; gRPC's log tells of it, and the supervisor counts it there.
"""

from __future__ import annotations

import os
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from keybroker.config import Configuration
from keybroker.errors import BrokerStopping, ConfigurationInvalid
from keybroker.pb import keys_pb2_grpc, records_pb2_grpc, sessions_pb2_grpc, signing_pb2_grpc
from keybroker.server.calls import Calls
from keybroker.server.health import SERVICES, Health
from keybroker.server.key_service import KeyService
from keybroker.server.parsing import BoundedServer
from keybroker.server.record_service import RecordService
from keybroker.server.session_service import SessionService
from keybroker.server.signing_service import SigningService
from keybroker.server.smets1_sessions import Sessions
from keybroker.server.standing import limits_of
from keybroker.server.tls import check_anchors, check_only_tls13


def make_server(configuration: Configuration, calls: Calls, health: Health, sessions: Sessions) -> grpc.aio.Server:
    """All services on one server, not yet bound."""
    server = grpc.aio.server(options=_options(configuration))
    bounded: Any = BoundedServer(server, configuration.file.limits.batch_items)
    signing_pb2_grpc.add_SigningServiceServicer_to_server(SigningService(calls), bounded)
    keys_pb2_grpc.add_KeyServiceServicer_to_server(KeyService(calls), server)
    records_pb2_grpc.add_RecordServiceServicer_to_server(RecordService(calls), server)
    sessions_pb2_grpc.add_SessionServiceServicer_to_server(SessionService(calls, sessions), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


def bind(server: grpc.aio.Server, configuration: Configuration, address: str) -> None:
    """Raises: ConfigurationInvalid for unfit TLS material; BrokerStopping when the address cannot be had."""
    try:
        server.add_secure_port(address, credentials(configuration))
    except RuntimeError as error:
        raise BrokerStopping(f"{address} cannot be bound") from error


def credentials(configuration: Configuration) -> grpc.ServerCredentials:
    """Mutual TLS. Raises: ConfigurationInvalid, also when this process would speak TLS 1.2."""
    table = configuration.file.server
    certificate = _read(configuration, "certificate", table.certificate)
    private_key = _read(configuration, "private_key", table.private_key)
    anchors = _read(configuration, "client_anchors", table.client_anchors)
    check_only_tls13(certificate, private_key, os.environ)
    check_anchors(anchors)
    return grpc.ssl_server_credentials(
        [(private_key, certificate)], root_certificates=anchors, require_client_auth=True
    )


def _read(configuration: Configuration, key: str, name: str) -> bytes:
    try:
        return configuration.beside(name).read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(f"{name} cannot be read: {error.strerror}", where=f"server.{key}") from error


def _options(configuration: Configuration) -> list[tuple[str, int]]:
    limits = configuration.file.limits
    return [
        ("grpc.so_reuseport", 1),
        # A little above our own limit: what we find too large, we refuse ourselves. Not more, for each stream of each
        # connection may make us hold as much before any of our code runs.
        ("grpc.max_receive_message_length", limits_of(configuration).request_octets * 9 // 8),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_connection_age_ms", limits.connection_age_seconds * 1000),
        ("grpc.max_connection_age_grace_ms", limits.connection_grace_seconds * 1000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Clients may ask whether we live every ten seconds, with or without a call under way.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Calls of one connection at once; the others wait in the client. Work is bounded by limits.queued_items.
        # grpcio cannot be given a resource quota (a pointer in C): the process's memory is the operating system's to
        # bound (docs/operations.md).
        ("grpc.max_concurrent_streams", 128),
    ]
