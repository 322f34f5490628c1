"""How are a custodian's keys made, and destroyed? In his token, or in files where it is a rehearsal or a test.

A key that was made and never written down as the custodian's is a leftover of an interruption: it is destroyed before
another of its name is made.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from keybroker.ceremony.enveloped_data import RSA_BITS
from keybroker.ceremony.person_certificate import Holder, receiving_certificate, signed, signing_certificate
from keybroker.ceremony.token_key import AskPin, destroy_key, make_receiving_key, make_signing_key
from keybroker.ceremony.token_request import At, Place, Subject
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.durable import write_durably

_IDENTIFIER_OCTETS = 16


class Maker(Protocol):
    """Makes and destroys the keys of one custodian; ``holder`` is who, and from when until when."""

    def make_signing(self, holder: Holder) -> At: ...

    def make_receiving(self, holder: Holder, signing: At, number: int) -> At: ...

    def destroy(self, key: At) -> None:
        """With its certificate; what is gone is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaker:
    """In a token. Raises: as ``token_key.use_token``."""

    place: Place
    pin: AskPin = field(repr=False)

    def make_signing(self, holder: Holder) -> At:
        """Never over a key that is there: it may be in use."""
        key = _at(f"{holder.name} signs")
        return _with(key, make_signing_key(self.place, key, _subject(holder), self.pin))

    def make_receiving(self, holder: Holder, signing: At, number: int) -> At:
        key = _at(f"{holder.name} receives {number}")
        self.destroy(key)
        return _with(key, make_receiving_key(self.place, key, signing, _subject(holder), self.pin))

    def destroy(self, key: At) -> None:
        destroy_key(self.place, key.label, self.pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMaker:
    """In files of one directory, without a passphrase; certificates say TEST."""

    directory: Path

    def make_signing(self, holder: Holder) -> At:
        """Raises: ConfigurationInvalid where a key is there already."""
        file = self.directory / "signing.key"
        if file.exists():
            raise ConfigurationInvalid(f"a signing key is in {self.directory} already")
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        to_be_signed = signing_certificate(_test(holder), point, secrets.token_bytes)
        _write_key(file, key)
        return _with(At(label="signing", identifier=""), signed(to_be_signed, _sign(key, to_be_signed.dump())))

    def make_receiving(self, holder: Holder, signing: At, number: int) -> At:
        at = At(label=f"receiving-{number}", identifier="")
        signer = load_pem_private_key((self.directory / f"{signing.label}.key").read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise ConfigurationInvalid("expected a P-256 key that signs, found another")
        key = rsa.generate_private_key(65537, RSA_BITS)
        numbers = key.public_key().public_numbers()
        issuer = bytes.fromhex(signing.certificate)
        to_be_signed = receiving_certificate(_test(holder), (numbers.n, numbers.e), issuer, secrets.token_bytes)
        _write_key(self.directory / f"{at.label}.key", key)
        return _with(at, signed(to_be_signed, _sign(signer, to_be_signed.dump())))

    def destroy(self, key: At) -> None:
        """As far as a file system destroys: a copy elsewhere, or on the medium, stays."""
        file = self.directory / f"{key.label}.key"
        with suppress(FileNotFoundError):
            file.write_bytes(bytes(file.stat().st_size))
            file.unlink()


def _at(label: str) -> At:
    return At(label=label, identifier=secrets.token_hex(_IDENTIFIER_OCTETS))


def _with(key: At, certificate: bytes) -> At:
    return key.model_copy(update={"certificate": certificate.hex()})


def _subject(holder: Holder) -> Subject:
    return Subject(name=holder.name, since=holder.since, until=holder.until)


def _test(holder: Holder) -> Holder:
    return Holder(name=f"{holder.name} TEST", since=holder.since, until=holder.until)


def _sign(key: ec.EllipticCurvePrivateKey, octets: bytes) -> bytes:
    return key.sign(octets, ec.ECDSA(SHA256()))


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    write_durably(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), private=True)
