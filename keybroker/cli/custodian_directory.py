"""What stands in one person's directory, for the commands that need it? His keys, and his certificates as files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.ceremony.custody import Custodian, keys_of
from keybroker.ceremony.custody_making import FileMaker, Maker, TokenMaker
from keybroker.ceremony.person_certificate import Holder
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.token_request import Place
from keybroker.cli.custodian_asking import PinAsked, passphrase
from keybroker.ledger.durable import write_durably

Directory = Annotated[
    Path,
    typer.Option("--directory", "-d", envvar="KEYBROKER_CUSTODIAN", help="Your own directory.", file_okay=False),
]
Years = Annotated[int, typer.Option(help="How long a new certificate is valid.", min=1, max=10)]

_SOONER = timedelta(minutes=5)
"""Another machine's clock may be behind: a certificate counts from then."""


def holder_now(name: str, years: int) -> Holder:
    now = datetime.now(UTC)
    return Holder(name=name, since=now - _SOONER, until=now + timedelta(days=366 * years))


def maker_of(directory: Path, place: Place | None, pin: PinAsked) -> Maker:
    return FileMaker(directory=directory) if place is None else TokenMaker(place=place, pin=pin)


def own_keys(directory: Path, custodian: Custodian, pin: PinAsked) -> PersonKey:
    return keys_of(directory, custodian, pin=pin, passphrase=passphrase, now=lambda: datetime.now(UTC))


def write_certificates(directory: Path, custodian: Custodian) -> None:
    """``signing.pem`` and ``receiving.pem``, for the operator and for OpenSSL."""
    for what, der in (("signing", custodian.certificate), ("receiving", custodian.receiving_certificate)):
        write_durably(directory / f"{what}.pem", x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
