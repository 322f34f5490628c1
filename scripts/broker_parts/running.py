"""A development broker for as long as a `with` block lasts, and channels to it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from keybroker.cli.dev.broker import start, stop
from keybroker.cli.dev.deployment import Deployment


@contextmanager
def running_broker(deployment: Deployment, *, workers: int) -> Iterator[None]:
    """Start ``keybroker serve`` on the deployment, wait until every worker serves, and stop it in the end, whatever
    happens.

    Its log is ``broker.log`` in the deployment's directory. Raises: Fault when it does not come up.
    """
    start(deployment, workers=workers)
    try:
        _wait_for(deployment, workers)
        yield
    finally:
        stop(deployment)


def _wait_for(deployment: Deployment, workers: int) -> None:
    """One worker that serves is enough for a broker to be called ready; figures are of all."""
    last = time.monotonic() + _ALL_READY_SECONDS
    while _workers_ready(deployment) < workers:
        if time.monotonic() > last:
            raise SystemExit(f"expected {workers} workers to serve within {_ALL_READY_SECONDS:.0f} s; see broker.log")
        time.sleep(0.1)


def _workers_ready(deployment: Deployment) -> float:
    with urllib.request.urlopen(f"http://{deployment.metrics}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("keybroker_workers_ready"))


def open_channel(deployment: Deployment, caller: str) -> grpc.Channel:
    """A channel of its own: with SO_REUSEPORT one connection stays with one worker."""
    return grpc.secure_channel(deployment.target, credentials(deployment, caller), CHANNEL_OPTIONS)


_ALL_READY_SECONDS = 60.0
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


def credentials(deployment: Deployment, caller: str) -> grpc.ChannelCredentials:
    """Mutual TLS as this caller."""
    return grpc.ssl_channel_credentials(
        root_certificates=deployment.anchors.read_bytes(),
        private_key=deployment.private_key(caller).read_bytes(),
        certificate_chain=deployment.certificate(caller).read_bytes(),
    )
