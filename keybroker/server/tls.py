"""Is TLS 1.3 the only TLS? gRPC has no setting for a least version, so TLS 1.2 is left no suite to agree on.

The workers' environment lists RSA suites alone for TLS 1.2 while the server's certificate is ECDSA. The suites of 1.3
are not touched by that setting. ``tests/server`` tries it with ``openssl s_client -tls1_2``.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from keybroker.errors import ConfigurationInvalid

VARIABLE = "GRPC_SSL_CIPHER_SUITES"
CIPHER_SUITES = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
"""Must stand in the environment before grpc is imported: the supervisor starts workers with it."""


def check_only_tls13(certificate: bytes, private_key: bytes, environment: Mapping[str, str]) -> None:
    """Raises: ConfigurationInvalid when a server with this PEM material could speak TLS 1.2, or not serve."""
    if environment.get(VARIABLE) != CIPHER_SUITES:
        raise ConfigurationInvalid(f"{VARIABLE} is not what the supervisor sets: start the broker with keybroker serve")
    try:
        public_key = x509.load_pem_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationInvalid("not a PEM certificate", where="server.certificate") from error
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise ConfigurationInvalid("expected an ECDSA key, so that TLS 1.2 finds no suite", where="server.certificate")
    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationInvalid("not a PEM private key without password", where="server.private_key") from error
    if key.public_key() != public_key:
        raise ConfigurationInvalid("not the key of server.certificate", where="server.private_key")


def check_anchors(anchors: bytes) -> None:
    """Raises: ConfigurationInvalid when no client certificate could ever be verified with these."""
    try:
        x509.load_pem_x509_certificates(anchors)
    except ValueError as error:
        raise ConfigurationInvalid("holds no PEM certificate", where="server.client_anchors") from error
