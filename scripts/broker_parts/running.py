"""A development broker for as long as a `with` block lasts, and channels to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from keybroker.cli.dev.broker import start, stop
from keybroker.cli.dev.deployment import Deployment


@contextmanager
def running_broker(deployment: Deployment, *, workers: int) -> Iterator[None]:
    """Start ``keybroker serve`` on the deployment, wait until it serves, and stop it in the end, whatever happens.

    Its log is ``broker.log`` in the deployment's directory. Raises: Fault when it does not come up.
    """
    start(deployment, workers=workers)
    try:
        yield
    finally:
        stop(deployment)


def open_channel(deployment: Deployment, caller: str) -> grpc.Channel:
    """A channel of its own: with SO_REUSEPORT one connection stays with one worker."""
    return grpc.secure_channel(deployment.target, credentials(deployment, caller), CHANNEL_OPTIONS)


CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


def credentials(deployment: Deployment, caller: str) -> grpc.ChannelCredentials:
    """Mutual TLS as this caller."""
    return grpc.ssl_channel_credentials(
        root_certificates=deployment.anchors.read_bytes(),
        private_key=deployment.private_key(caller).read_bytes(),
        certificate_chain=deployment.certificate(caller).read_bytes(),
    )
