"""Fresh certificates for published public keys, under a development deployment's own test authorities.

The published certificates have expired, and their Device authority's is not published.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import device_pki, pki
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole
from scripts.replay_parts.agreement_keys import AgreementKeys


class Certified:
    """Chains in DER, end entity first, by EUI; each made once."""

    def __init__(self, directory: Path, keys: AgreementKeys) -> None:
        """``directory`` is the deployment's ``pki``."""
        self._directory, self._keys = directory, keys
        self._since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self._devices: dict[bytes, tuple[bytes, ...]] = {}
        self._originators: dict[bytes, tuple[bytes, ...]] = {}

    def device(self, eui: bytes) -> tuple[bytes, ...]:
        """The Device's Key Agreement certificate, directly under the anchor."""
        if eui not in self._devices:
            made = device_pki.device_certificate(
                self._device_authority,
                self._keys.devices[eui],
                eui=EntityIdentifier(eui),
                usage=KeyUsage.KEY_AGREEMENT,
                not_before=self._since,
            )
            self._devices[eui] = (pki.certificate_der(made),)
        return self._devices[eui]

    def originator(self, eui: bytes) -> tuple[bytes, ...]:
        """The originator's Digital Signing certificate, then the Issuing OCA's; nothing for nobody's EUI."""
        if eui not in self._keys.originators:
            return ()
        if eui not in self._originators:
            originator = self._keys.originators[eui]
            made = pki.organisation_certificate(
                pki.Smki(issuing=self._issuing),
                originator.public_key,
                role=RemotePartyRole(originator.role),
                eui=EntityIdentifier(eui),
                common_name="REPLAY TEST",
                not_before=self._since,
            )
            self._originators[eui] = (pki.certificate_der(made), pki.certificate_der(self._issuing.certificate))
        return self._originators[eui]

    @cached_property
    def _issuing(self) -> pki.Authority:
        return self._read("issuing")

    @cached_property
    def _device_authority(self) -> pki.Authority:
        return self._read("device-root")

    def _read(self, name: str) -> pki.Authority:
        certificate = x509.load_pem_x509_certificate((self._directory / f"{name}.pem").read_bytes())
        key = serialization.load_pem_private_key((self._directory / f"{name}.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SystemExit(f"{name}.key: expected a P-256 private key")
        return pki.Authority(certificate=certificate, private_key=key)
