"""Who states it here, and what does every statement say? A certificate and its private key in files sign it.

For keys in files alone. Whoever keeps the key in a token makes ``keybroker.statement.making`` sign there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pydantic import ValidationError

from keybroker.cli.octets import read_octets
from keybroker.statement.making import Sign, make_statement, signer
from keybroker.statement.payloads import KINDS
from keybroker.statement.said import Said


class Common(TypedDict):
    """What every statement says, whatever its kind."""

    aud: str
    iat: int
    exp: int
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stater:
    """``certificate`` in DER, as the broker enrolled it; ``sign`` uses its private key."""

    certificate: bytes
    sign: Sign

    def state(self, said: Said) -> bytes:
        """The compact JWS."""
        return make_statement(said, certificate=self.certificate, sign=self.sign).encode("ascii")


def read_stater(certificate: Path, private_key: Path) -> Stater:
    """Raises: BadParameter for files that are not a certificate and its P-256 key in PEM, not encrypted."""
    mine = read_certificate(certificate)
    try:
        key = load_pem_private_key(private_key.read_bytes(), None)
    except (ValueError, TypeError) as error:  # TypeError: an encrypted key
        raise typer.BadParameter(
            f"expected a private key in PEM, not encrypted, found none in {private_key}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise typer.BadParameter(f"expected a P-256 key, found another in {private_key}")
    if key.public_key() != mine.public_key():
        raise typer.BadParameter(f"expected the private key of {certificate}, found another's: {private_key}")
    return Stater(certificate=mine.public_bytes(Encoding.DER), sign=signer(key))


def read_certificate(file: Path) -> x509.Certificate:
    """The first in a file, in PEM or DER. Raises: BadParameter."""
    octets = read_octets(file)
    read = x509.load_pem_x509_certificate if b"-----BEGIN " in octets else x509.load_der_x509_certificate
    try:
        return read(octets)
    except ValueError as error:
        raise typer.BadParameter(f"expected a certificate in PEM or DER, found none in {file}") from error


def common(origin: str, at: datetime, lasts: timedelta) -> Common:
    """With a new nonce."""
    issued = int(at.timestamp())
    until = issued + int(lasts.total_seconds())
    return {"aud": origin, "iat": issued, "exp": until, "nonce": secrets.token_urlsafe(24)}


def said(model: type[Said], claims: Mapping[str, object], *, origin: str, at: datetime, lasts: timedelta) -> Said:
    """What is stated of this kind, from now on for that long unless ``claims`` say until when.

    Raises: BadParameter, with all that is wrong in ``claims``.
    """
    try:
        return model.model_validate({**common(origin, at, lasts), **claims})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise typer.BadParameter(f"expected what the kind {KINDS[model]} says, found: {told}") from error
