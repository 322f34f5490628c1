"""People in a room: each with a P-256 certificate that signs and an RSA-3072 certificate that receives, in memory.

RSA keys take a second to make, so each process makes a few and gives them out again by name.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from keybroker.ceremony.custody import Custodian, write_custodian
from keybroker.ceremony.enveloped_data import OAEP, open_envelope, seal
from keybroker.ceremony.signed_data import assemble, prepare
from keybroker.ceremony.token_request import At
from keybroker.client.certificates import new_serial_number
from tests.statement.attested import AT, DAY, Attests


@cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


@dataclass(slots=False, kw_only=True)
class TestPerson:
    """A ``PersonKey`` in memory. ``number`` says which RSA key; people of the same number share one."""

    __test__ = False

    name: str
    number: int = 0
    now: Callable[[], datetime] = lambda: AT
    party: str = "supplier-a"
    lasts: timedelta = 800 * DAY
    attests: Attests = field(init=False)

    def __post_init__(self) -> None:
        self.attests = Attests(name=self.name, party=self.party, not_after=AT + self.lasts)

    @property
    def certificate(self) -> bytes:
        return self.attests.certificate

    @property
    def receiving_key(self) -> rsa.RSAPrivateKey:
        return _rsa_key(self.number)

    @cached_property
    def receiving_certificate(self) -> bytes:
        """Signed by the person's own signing key, as ``keybroker custodian enrol`` makes it."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self.name} receives TEST")])
        builder = x509.CertificateBuilder(
            self.attests.x509.subject, subject, self.receiving_key.public_key(), new_serial_number()
        )
        builder = builder.not_valid_before(AT - DAY).not_valid_after(AT + self.lasts)
        return builder.sign(self.attests.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def sign(self, octets: bytes) -> bytes:
        return self.sign_at(octets, self.now())

    def sign_at(self, octets: bytes, at: datetime) -> bytes:
        attributes = prepare(octets, self.certificate, at)
        signature = self.attests.key.sign(attributes, ECDSA(hashes.SHA256()))
        return assemble(octets, self.certificate, attributes, signature)

    def open(self, der: bytes) -> bytes:
        key = self.receiving_key
        return open_envelope(der, self.receiving_certificate, lambda wrapped: key.decrypt(wrapped, OAEP))

    def hand_over(self, der: bytes, certificate: bytes) -> bytes:
        return seal(self.open(der), certificate, secrets.token_bytes)

    def enrol(self, directory: Path) -> None:
        """As ``keybroker custodian enrol --test-files`` leaves a directory."""
        self.write(directory)
        (directory / "receiving.key").rename(directory / "receiving-1.key")
        signing = At(label="signing", identifier="", certificate=self.certificate.hex())
        receiving = At(label="receiving-1", identifier="", certificate=self.receiving_certificate.hex())
        write_custodian(directory, Custodian(name=self.name, place=None, signing=signing, receiving=receiving))

    def write(self, directory: Path) -> None:
        """``signing.pem``, ``signing.key``, ``receiving.pem``, ``receiving.key``, as for OpenSSL and ``FileKey``."""
        directory.mkdir(parents=True, exist_ok=True)
        for what, certificate, key in (
            ("signing", self.certificate, self.attests.key),
            ("receiving", self.receiving_certificate, self.receiving_key),
        ):
            loaded = x509.load_der_x509_certificate(certificate)
            (directory / f"{what}.pem").write_bytes(loaded.public_bytes(Encoding.PEM))
            file = directory / f"{what}.key"
            file.touch(mode=0o600)
            file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
