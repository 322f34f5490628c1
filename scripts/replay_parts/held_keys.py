"""Which Digital Signing keys does a directory hold? ``<eui>-ds.key`` with ``<eui>-ds.pem``, whose OU is the role."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A published test key. ``role`` is the OU's value; ``scalar`` has 32 octets; it protects nothing."""

    eui: bytes
    role: int
    scalar: bytes
    public_key: ec.EllipticCurvePublicKey

    @property
    def label(self) -> str:
        return f"rtds-{self.eui.hex()}"


def read_keys(directory: Path) -> list[HeldKey]:
    """Every Digital Signing pair of the directory; a key or a certificate that is alone is left out."""
    pairs = [(path, path.with_suffix(".pem")) for path in sorted(directory.glob("*-ds.key"))]
    return [_read(key, certificate) for key, certificate in pairs if certificate.exists()]


def _read(key_path: Path, certificate_path: Path) -> HeldKey:
    private_key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or private_key.curve.name != "secp256r1":
        raise SystemExit(f"{key_path.name}: expected a P-256 private key")
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    if certificate.public_key() != private_key.public_key():
        raise SystemExit(f"{certificate_path.name}: its public key is not that of {key_path.name}")
    unit = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value
    return HeldKey(
        eui=bytes.fromhex(key_path.name.removesuffix("-ds.key")),
        role=int(str(unit), 16),
        scalar=private_key.private_numbers().private_value.to_bytes(32, "big"),
        public_key=private_key.public_key(),
    )
