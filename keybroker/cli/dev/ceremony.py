"""How do the two OCAs of a development deployment come by their certificates? Down the line, as in a ceremony.

The Root signs itself, with the Contingency Public Key wrapped under the Contingency Symmetric Key in the module (RFC
5934 section 6.1; AES-128-GCM with an initialisation vector drawn in the module); then the Issuing OCA asks for its
certificate and the Root signs that. Every step is judged and recorded like any other use of the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import pki
from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.hsm.token_module import Token
from keybroker.keys.certificate_request import request_info
from keybroker.ledger.model import RequestIdentity
from keybroker.policy.model import RegisteredKey
from keybroker.signing import Ask, Line, sign_batch
from keybroker.terms import (
    AccompanyingKind,
    Caller,
    CallerKind,
    ContentKind,
    KeyLabel,
    Operation,
    PartyName,
    RequestId,
    SystemName,
)

_ROOT, _ISSUING = KeyLabel("root-oca"), KeyLabel("issuing-oca")
_AES_128_GCM = "2.16.840.1.101.3.4.1.6"
_TAG_OCTETS = 16


class _GcmParameters(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """RFC 5084 section 3.2."""

    _fields = [("nonce", core.OctetString), ("icvlen", core.Integer, {"default": 12})]  # noqa: RUF012


class _Algorithm(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", _GcmParameters)]  # noqa: RUF012


class _ApexContingencyKey(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """RFC 5934 section 6.1."""

    _fields = [("wrap_algorithm", _Algorithm), ("wrapped", core.OctetString)]  # noqa: RUF012


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """The line and the token of a deployment whose broker does not run yet, at one moment."""

    line: Line
    token: Token
    at: datetime

    def root_certificate(self, root: x509.Certificate, contingency: RegisteredKey, symmetric: RegisteredKey) -> bytes:
        """The self-signed Root OCA Certificate (DER) for the key and name of ``root``. Raises: KeybrokerError."""
        extension = x509.UnrecognizedExtension(self._extension_oid(), self._wrapped(contingency, symmetric))
        builder = pki.root_builder(_public_key(root), root.not_valid_before_utc).add_extension(
            extension, critical=False
        )
        octets = _to_be_signed(builder, path_length=1)
        return self._sign(_ROOT, Operation.SIGN_ROOT_CERTIFICATE, ContentKind.ROOT_CERTIFICATE, octets)

    def issuing_certificate(self, issuing: x509.Certificate, root: x509.Certificate) -> bytes:
        """The Issuing OCA Certificate (DER) for the key and name of ``issuing``. Raises: KeybrokerError."""
        key = self.line.register.refresh().keys[_ISSUING]
        info = request_info(key, self.line.policies[key.purpose], common_name=pki.ISSUING_NAME)
        request_kind = ContentKind.CERTIFICATE_SIGNING_REQUEST
        asked = self._sign(_ISSUING, Operation.SIGN_CERTIFICATE_SIGNING_REQUEST, request_kind, info)
        builder = pki.issuing_builder(_public_key(issuing), _public_key(root), issuing.not_valid_before_utc)
        beside = (Accompanying(kind=AccompanyingKind.CERTIFICATE_SIGNING_REQUEST, octets=asked),)
        octets = _to_be_signed(builder, path_length=0)
        return self._sign(_ROOT, Operation.SIGN_CERTIFICATE, ContentKind.CERTIFICATE, octets, beside)

    def _extension_oid(self) -> x509.ObjectIdentifier:
        root = self.line.register.refresh().keys[_ROOT]
        settings = self.line.policies[root.purpose].settings.certificates
        if settings is None or settings.apex_contingency_key_oid is None:
            raise ConfigurationInvalid("certificates.apex_contingency_key_oid: expected one for root-oca, found none")
        return x509.ObjectIdentifier(settings.apex_contingency_key_oid)

    def _wrapped(self, contingency: RegisteredKey, symmetric: RegisteredKey) -> bytes:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), contingency.public_key)
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        with self.token.exclusively() as connection:
            (key,) = connection.find_secret(symmetric.label)
            nonce = connection.random(12)
            sealed = connection.login_session().seal(
                key.handle, nonce, b"", point.public_bytes(encoding, form), _TAG_OCTETS
            )
        parameters = _GcmParameters({"nonce": nonce, "icvlen": _TAG_OCTETS})
        algorithm = _Algorithm({"algorithm": _AES_128_GCM, "parameters": parameters})
        return bytes(_ApexContingencyKey({"wrap_algorithm": algorithm, "wrapped": sealed}).dump())

    def _sign(
        self, key: KeyLabel, operation: Operation, kind: ContentKind, octets: bytes, beside: Sequence[Accompanying] = ()
    ) -> bytes:
        identity = RequestIdentity(
            caller=_caller(key, operation),
            operation=operation,
            key=key,
            request_id=RequestId(f"dev-{kind.value}-{key}"),
            sha256=hashlib.sha256(octets).digest(),
        )
        self.line.register.refresh()
        ask = Ask(identity=identity, kind=kind, octets=octets, accompanying=tuple(beside))
        (outcome,) = sign_batch(self.line, [ask], self.at)
        if isinstance(outcome, KeybrokerError):
            raise outcome
        return assemble(decode(kind, octets, tuple(beside)), outcome.outputs)


def _caller(key: KeyLabel, operation: Operation) -> Caller:
    """Whoever makes the deployment, at the machine; a request for a certificate is a DCC service's."""
    asks = operation is Operation.SIGN_CERTIFICATE_SIGNING_REQUEST
    return Caller(
        identity="local:keybroker-dev",
        party=PartyName("dcc"),
        system=SystemName("ceremony"),
        kind=CallerKind.DCC_SERVICE if asks else CallerKind.OPERATOR,
        user_roles=frozenset(),
        euis=frozenset(),
        operations=frozenset({operation}),
        keys=frozenset({key}),
    )


def _to_be_signed(builder: x509.CertificateBuilder, *, path_length: int) -> bytes:
    """What the builder says, by way of a signature of a key that nobody keeps."""
    return pki.sign_oca(builder, pki.new_private_key(), path_length=path_length).tbs_certificate_bytes


def _public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigurationInvalid("expected a P-256 public key in an OCA's certificate")
    return key
