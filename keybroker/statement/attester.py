"""Who may state what, and until when? An enrolled certificate with the kinds of statement that are taken from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from keybroker.statement.kind import StatementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attester:
    """``kid`` is SHA-256 of ``certificate`` (DER) in hexadecimal, ``name`` what stays over a renewal.

    ``name`` is ``party/system`` of a system, and a name without a slash of a person. ``until`` is the earlier of what
    was enrolled and the certificate's own end. ``withdrawn_at`` is None while nobody withdrew it.
    """

    kid: str
    name: str
    party: str
    certificate: bytes
    kinds: frozenset[StatementKind]
    since: datetime
    until: datetime
    withdrawn_at: datetime | None = None

    @property
    def is_person(self) -> bool:
        return StatementKind.ORDER in self.kinds

    @property
    def key(self) -> ECKey:
        """The key that its statements verify under."""
        return _key(self.certificate)


def public_key_of(certificate: bytes) -> ec.EllipticCurvePublicKey:
    """Raises: ValueError for what is no certificate (DER) of a P-256 key."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError("a certificate of a P-256 key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a certificate of a P-256 key")  # noqa: TRY004 - one kind of error for what is no such certificate
    return key


@lru_cache(maxsize=256)
def _key(certificate: bytes) -> ECKey:
    # By the certificate's own octets: another certificate is another entry, so nothing that is kept can go stale.
    pem = public_key_of(certificate).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ECKey.import_key(pem)
