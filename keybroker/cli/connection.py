"""How does a command reach the broker? As the caller that its options, or the environment, name."""

from __future__ import annotations

from pathlib import Path

from keybroker.client import Broker

_SECONDS = 15.0


def open_broker(target: str, certificate: Path, private_key: Path, anchors: Path) -> Broker:
    """A client for one command. Raises: OSError for a file that cannot be read."""
    return Broker(
        target, certificate=certificate, private_key=private_key, anchors=anchors, channels=1, timeout=_SECONDS
    )
