"""Which Key Agreement keys does a directory hold, and which public keys of Devices and originators?

``<eui>-ka.key`` with ``<eui>-ka.pem`` is a party's; ``<eui>-ka.pem`` without a subject a Device's; ``<eui>-ds.pem`` an
originator's. A certificate that names another party than its file does is nobody's (handbook 1.12).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.replay_parts.expectation import ACCESS_CONTROL_BROKER, USERS

_ROLES = USERS | {ACCESS_CONTROL_BROKER}
_EUI_OCTETS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementKey:
    """A published Key Agreement test key of a party; it protects nothing."""

    eui: bytes
    role: int
    private_key: ec.EllipticCurvePrivateKey

    @property
    def label(self) -> str:
        return f"rtds-{self.eui.hex()}-ka"

    @property
    def scalar(self) -> bytes:
        return self.private_key.private_numbers().private_value.to_bytes(32, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Originator:
    """Whose signature a public key verifies; ``role`` is the OU of its certificate."""

    eui: bytes
    role: int
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementKeys:
    """What is held, by EUI."""

    parties: Mapping[bytes, AgreementKey]
    devices: Mapping[bytes, ec.EllipticCurvePublicKey]
    originators: Mapping[bytes, Originator]

    @property
    def access_control_broker(self) -> AgreementKey | None:
        return next((key for key in self.parties.values() if key.role == ACCESS_CONTROL_BROKER), None)


def read_agreement_keys(directory: Path) -> AgreementKeys:
    """Everything of the directory that is for key agreement, and every originator's public key."""
    agreeing = dict(_certificates(directory, "-ka.pem"))
    signing = dict(_certificates(directory, "-ds.pem"))
    return AgreementKeys(
        parties={key.eui: key for key in _parties(directory, agreeing)},
        devices={eui: _public_key(each) for eui, each in agreeing.items() if not list(each.subject)},
        originators={
            eui: Originator(eui=eui, role=_role(each), public_key=_public_key(each))
            for eui, each in signing.items()
            if _eui(each) == eui
        },
    )


def _certificates(directory: Path, suffix: str) -> Iterator[tuple[bytes, x509.Certificate]]:
    """By the EUI in the file's name; files that hold something else are left out."""
    for path in sorted(directory.glob(f"*{suffix}")):
        name = path.name.removesuffix(suffix)
        if len(name) == 2 * _EUI_OCTETS and b"BEGIN CERTIFICATE" in path.read_bytes():
            yield bytes.fromhex(name), x509.load_pem_x509_certificate(path.read_bytes())


def _parties(directory: Path, certificates: Mapping[bytes, x509.Certificate]) -> Iterator[AgreementKey]:
    for eui, certificate in certificates.items():
        path = directory / f"{eui.hex()}-ka.key"
        if _eui(certificate) != eui or _role(certificate) not in _ROLES or not path.exists():
            continue
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise SystemExit(f"{path.name}: expected the private key of its certificate")
        yield AgreementKey(eui=eui, role=_role(certificate), private_key=key)


def _public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise SystemExit(f"certificate {certificate.serial_number:x}: expected a P-256 public key")
    return key


def _eui(certificate: x509.Certificate) -> bytes | None:
    """x500UniqueIdentifier: a BIT STRING whose first octet counts unused bits. A Device has none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    value = found[0].value if found else b""
    return value[1:] if isinstance(value, bytes) and value else None


def _role(certificate: x509.Certificate) -> int:
    unit = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return int(str(unit[0].value), 16) if unit else -1
