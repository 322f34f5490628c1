"""How does a command reach the broker? As the caller that its options, or the environment, name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from keybroker.client import Broker, BrokerUnreachable

_SECONDS = 15.0
_HOST_AND_PORT = re.compile(r".+:[0-9]{1,5}")


@contextmanager
def open_broker(target: str, certificate: Path, private_key: Path, anchors: Path) -> Iterator[Broker]:
    """A client for one command. Raises: OSError for a file that cannot be read; BadParameter for an unfit one."""
    if not _HOST_AND_PORT.fullmatch(target):
        raise typer.BadParameter(f"expected HOST:PORT, found {target}", param_hint="--target")
    with Broker(
        target, certificate=certificate, private_key=private_key, anchors=anchors, channels=1, timeout=_SECONDS
    ) as broker:
        try:
            yield broker
        except BrokerUnreachable:
            # The transport does not say which file it could not use.
            _check_files(certificate, private_key, anchors)
            raise


def _check_files(certificate: Path, private_key: Path, anchors: Path) -> None:
    from cryptography import x509  # takes a moment to import: only for those who were not understood
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    wanted = "expected a certificate in PEM"
    with _named(wanted, certificate, "--certificate"):
        mine = x509.load_pem_x509_certificate(certificate.read_bytes())
    with _named("expected a private key in PEM, not encrypted", private_key, "--private-key"):
        key = load_pem_private_key(private_key.read_bytes(), None)
    with _named(wanted, anchors, "--anchors"):
        x509.load_pem_x509_certificates(anchors.read_bytes())
    if key.public_key() != mine.public_key():
        raise typer.BadParameter(
            f"expected the private key of {certificate}, found another's: {private_key}", param_hint="--private-key"
        )


@contextmanager
def _named(expected: str, file: Path, option: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:  # TypeError: an encrypted key
        raise typer.BadParameter(f"{expected}, found none in {file}", param_hint=option) from error
