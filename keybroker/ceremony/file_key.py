"""How are a person's keys kept in files? PEM, for rehearsals and tests alone, for the owner's eyes alone.

    signing.pem    signing.key      P-256
    receiving.pem  receiving.key    RSA-3072, where the person receives

A private key may be encrypted; its passphrase is asked through a function when the key is used, and is not kept.
"""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from keybroker.ceremony.enveloped_data import OAEP, open_envelope, receiving_key_of, seal
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.person_key import Now, PersonPinWrong
from keybroker.ceremony.signed_data import assemble, prepare
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.person_token import Tries
from keybroker.statement.attester import public_key_of

Passphrase = Callable[[str], bytes]
"""Asks for the passphrase of the file of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKey:
    """``PersonKey`` in the files of one directory. Its private keys are read at each use."""

    name: str
    certificate: bytes
    receiving_certificate: bytes | None
    signing_key: Path
    receiving_key: Path
    now: Now = field(repr=False)
    passphrase: Passphrase | None = field(default=None, repr=False)

    def sign(self, octets: bytes) -> bytes:
        """Raises: PersonPinWrong; ConfigurationInvalid for a file that is not the owner's alone, or another key."""
        key = _read_key(self.signing_key, self.passphrase)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public_key_of(self.certificate):
            raise _another(self.signing_key)
        attributes = prepare(octets, self.certificate, self.now())
        return assemble(octets, self.certificate, attributes, key.sign(attributes, ec.ECDSA(SHA256())))

    def open(self, der: bytes) -> bytes:
        """Raises: CmsUnfit; as ``sign``."""
        if self.receiving_certificate is None:
            raise ConfigurationInvalid(f"{self.name} has no receiving key")
        key = _read_key(self.receiving_key, self.passphrase)
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != receiving_key_of(self.receiving_certificate):
            raise _another(self.receiving_key)
        return open_envelope(der, self.receiving_certificate, lambda wrapped: key.decrypt(wrapped, OAEP))

    def hand_over(self, der: bytes, certificate: bytes) -> bytes:
        """In this process, where it stands for a moment. Raises: as ``open``."""
        return seal(self.open(der), certificate, secrets.token_bytes)


def read_file_key(
    directory: Path,
    name: str,
    *,
    now: Now,
    passphrase: Passphrase | None = None,
    signing: str = "signing",
    receiving: str = "receiving",
) -> FileKey:
    """``signing`` and ``receiving`` are the names of the files, without .pem and .key.

    Raises: ConfigurationInvalid for files that are missing, readable by others, or not what they should be; CmsUnfit
    for a receiving certificate that the signing key did not sign.
    """
    certificate = _read_certificate(directory / f"{signing}.pem")
    try:
        public_key_of(certificate)
    except ValueError as error:
        raise ConfigurationInvalid(f"expected a certificate of a P-256 key in {directory}/{signing}.pem") from error
    received = directory / f"{receiving}.pem"
    receiving_certificate = _read_certificate(received) if received.exists() else None
    if receiving_certificate is not None:
        check_receiving(receiving_certificate, certificate)
    keys = [directory / f"{each}.key" for each in (signing, receiving)]
    for each in keys[: 1 if receiving_certificate is None else 2]:
        _check_private(each)
    return FileKey(
        name=name,
        certificate=certificate,
        receiving_certificate=receiving_certificate,
        signing_key=keys[0],
        receiving_key=keys[1],
        now=now,
        passphrase=passphrase,
    )


def _read_certificate(file: Path) -> bytes:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(f"expected a certificate in PEM in {file}, found none") from error


def _check_private(file: Path) -> None:
    """Is it a file, for its owner alone? Raises: ConfigurationInvalid."""
    try:
        found = file.stat()
    except OSError as error:
        raise ConfigurationInvalid(f"expected a private key in {file}, found none") from error
    if not stat.S_ISREG(found.st_mode) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationInvalid(f"expected a file for its owner alone (chmod 600), found {file} open to others")


def _read_key(file: Path, passphrase: Passphrase | None) -> object:
    """Raises: PersonPinWrong; ConfigurationInvalid."""
    _check_private(file)
    octets = file.read_bytes()
    encrypted = b"ENCRYPTED" in octets
    if encrypted and passphrase is None:
        raise ConfigurationInvalid(f"{file} is encrypted, and nobody can be asked for its passphrase")
    try:
        return load_pem_private_key(octets, passphrase(file.name) if encrypted and passphrase else None)
    except (ValueError, TypeError) as error:
        if encrypted:
            raise PersonPinWrong(f"{file.name} does not open with this passphrase", tries=Tries.ENOUGH) from error
        raise ConfigurationInvalid(f"expected a private key in PEM in {file}, found none") from error


def _another(file: Path) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"expected the private key of the certificate beside it, found another's: {file}")
