"""How does the client reach a broker? Mutual TLS, and one connection for each channel.

With SO_REUSEPORT a connection stays with one worker for life, so one client needs several to be served by all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import grpc

Pem = bytes | str | PathLike[str]
"""PEM octets, or the path of a file that holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to call and as whom. ``anchors`` are the authorities of the broker's certificate."""

    target: str
    certificate: Pem
    private_key: Pem = field(repr=False)
    anchors: Pem


def open_channels(peer: Peer, count: int) -> list[grpc.aio.Channel]:
    """``count`` channels, each with its own connection, opened when first used. Raises: OSError for a missing file."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_octets(peer.anchors),
        private_key=_octets(peer.private_key),
        certificate_chain=_octets(peer.certificate),
    )
    return [grpc.aio.secure_channel(peer.target, credentials, options=_OPTIONS) for _ in range(count)]


_OPTIONS: list[tuple[str, int]] = [
    ("grpc.use_local_subchannel_pool", 1),
    # Batches of long messages come back larger than gRPC's 4 MiB; the broker bounds what it sends.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A peer that died without a word is noticed; the broker allows one ping in ten seconds.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # After a worker was killed another one listens within a second: come back soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # We ask again ourselves, under the same request_id.
    ("grpc.enable_retries", 0),
]


def _octets(pem: Pem) -> bytes:
    if isinstance(pem, bytes):
        return pem
    if isinstance(pem, str) and pem.lstrip().startswith("-----BEGIN"):
        return pem.encode()
    return Path(pem).read_bytes()
