"""Who states: what is no certificate with its own P-256 key signs nothing; and in which forms one is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from keybroker.cli.stating import read_stater, said
from keybroker.statement.compact import read_compact
from keybroker.statement.payloads import Order
from tests.statement.attested import AT, ORIGIN, Attests

ALICE = Attests(name="alice")
LOCKED = BestAvailableEncryption(b"secret")


def pem(key: CertificateIssuerPrivateKeyTypes, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


def certificate(encoding: Encoding, who: Attests = ALICE) -> bytes:
    return who.x509.public_bytes(encoding)


def in_files(directory: Path, *contents: bytes) -> tuple[Path, Path]:
    files = directory / "certificate", directory / "key"
    for file, octets in zip(files, contents, strict=True):
        file.write_bytes(octets)
    return files


@pytest.mark.parametrize(
    ("held", "key", "told"),
    [
        (b"", pem(ALICE.key), "expected a certificate in PEM or DER"),
        (b"hello", pem(ALICE.key), "expected a certificate in PEM or DER"),
        (certificate(Encoding.DER)[:-1], pem(ALICE.key), "expected a certificate in PEM or DER"),
        (certificate(Encoding.DER) + b"\0", pem(ALICE.key), "expected a certificate in PEM or DER"),
        (pem(ALICE.key), pem(ALICE.key), "expected a certificate in PEM or DER"),
        (certificate(Encoding.PEM), b"", "expected a private key in PEM, not encrypted"),
        (certificate(Encoding.PEM), certificate(Encoding.PEM), "expected a private key in PEM, not encrypted"),
        (certificate(Encoding.PEM), pem(ALICE.key, LOCKED), "expected a private key in PEM, not encrypted"),
        (certificate(Encoding.PEM), pem(ec.generate_private_key(ec.SECP384R1())), "expected a P-256 key"),
        (certificate(Encoding.PEM), pem(Attests(name="bob").key), "another's"),
        (certificate(Encoding.DER), pem(Attests(name="bob").key), "another's"),
    ],
)
def test_refuses_what_is_no_certificate_with_its_own_key(held: bytes, key: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        read_stater(*in_files(tmp_path, held, key))


@pytest.mark.parametrize(
    "held",
    [
        certificate(Encoding.PEM),
        certificate(Encoding.PEM) + certificate(Encoding.PEM, Attests(name="issuer")),
        b"a bag\n" + pem(ALICE.key) + certificate(Encoding.PEM),
        certificate(Encoding.DER),
        certificate(Encoding.DER).hex().encode(),
    ],
    ids=["PEM", "a chain in PEM", "key and certificate in one file", "DER", "hexadecimal"],
)
def test_reads_a_certificate_in_every_form_that_it_comes_in(held: bytes, tmp_path: Path) -> None:
    stater = read_stater(*in_files(tmp_path, held, pem(ALICE.key)))
    assert stater.certificate == ALICE.certificate
    claims = {"act": "Reload", "target": "ab" * 32, "at": int(AT.timestamp())}
    made = stater.state(said(Order, claims, origin=ORIGIN, at=AT, lasts=timedelta(hours=1)))
    assert read_compact(made).kid == ALICE.kid


def test_what_is_stated_lasts_as_long_as_it_says_itself_and_else_as_long_as_it_is_given() -> None:
    claims = {"act": "Reload", "target": "ab" * 32, "at": int(AT.timestamp())}
    hour = timedelta(hours=1)
    first, second = (said(Order, claims, origin=ORIGIN, at=AT, lasts=hour) for _ in range(2))
    assert (first.aud, first.issued, first.expires) == (ORIGIN, AT, AT + hour)
    assert first.nonce != second.nonce
    until = datetime(2026, 1, 15, 12, 5, tzinfo=UTC)
    own = said(Order, claims | {"exp": int(until.timestamp())}, origin=ORIGIN, at=AT, lasts=hour)
    assert own.expires == until


def test_names_everything_that_is_wrong_in_what_would_be_stated() -> None:
    with pytest.raises(
        typer.BadParameter, match=r"expected what the kind order says, found: act: .*; target: .*; at: "
    ):
        said(Order, {}, origin=ORIGIN, at=AT, lasts=timedelta(hours=1))
