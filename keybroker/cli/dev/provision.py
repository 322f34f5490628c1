"""Makes a development deployment's keys, in a process of its own: ``python -m keybroker.cli.dev.provision DIRECTORY``.

The orders come as JSON on standard input (a published test key's scalar must not stand among the arguments); the public
points go out as JSON, base64 by label. The PIN comes as the configuration says.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import pki
from keybroker.cli.dev.plan import DevKey
from keybroker.config import Configuration, build_ledger, build_token, read_configuration
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.token import Token
from keybroker.keys.administration import (
    Act,
    ActivateKey,
    Actor,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    administer,
)
from keybroker.ledger.journal import Journal
from keybroker.policy.model import Policy
from keybroker.terms import (
    CallerKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    PartyName,
    Provenance,
    RemotePartyRole,
)

_ACTOR = Actor(identity="local:keybroker-dev", kind=CallerKind.OPERATOR, party=PartyName("operator"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    configuration: Configuration
    token: Token
    journal: Journal
    smki: pki.Smki
    at: datetime

    def administer(self, act: Act) -> None:
        administer(self.journal, _ACTOR, act, self.at)

    def policy(self, purpose: KeyPurpose) -> Policy:
        return self.configuration.policies[purpose]


def provision(directory: Path, orders: list[Mapping[str, object]]) -> dict[str, bytes]:
    """Make every key: in the token, in the register, under a certificate where its purpose needs one, active.

    Gives each label's public point (65 octets). Raises: KeybrokerError.
    """
    configuration = read_configuration(directory / "keybroker.toml")
    ledger, _, journal = build_ledger(configuration, worker="dev-up")
    token = build_token(configuration, configuration.pin)
    try:
        smki, at = _read_smki(directory / "pki"), configuration.clock.now()
        workshop = _Workshop(configuration=configuration, token=token, journal=journal, smki=smki, at=at)
        keys = [_key(order) for order in orders]
        return {key.label: _make(workshop, key, directory / "pki") for key in keys}
    finally:
        token.close()
        ledger.close()


def _make(workshop: _Workshop, key: DevKey, directory: Path) -> bytes:
    label = KeyLabel(key.label)
    eui = key.eui if key.role is None else None
    workshop.administer(OrderKey(label=label, purpose=key.purpose, party=PartyName(key.party), eui=eui))
    point, provenance = _put_in_token(workshop, key)
    workshop.administer(KeyGenerated(label=label, public_key=point, provenance=provenance))
    if key.role is not None:
        chain = _certify(workshop.smki, key, key.role, point, directory)
        workshop.administer(EnrolCertificate(label=label, chain=chain, anchors=workshop.configuration.anchors))
    workshop.administer(ActivateKey(label=label))
    return point


def _put_in_token(workshop: _Workshop, key: DevKey) -> tuple[bytes, Provenance]:
    policy, label = workshop.policy(key.purpose), KeyLabel(key.label)
    if key.private_scalar is None:
        return generate_key(workshop.token, label, policy), Provenance.GENERATED
    private = ec.derive_private_key(int.from_bytes(key.private_scalar), ec.SECP256R1())
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    import_test_key(workshop.token, label, policy, key.private_scalar, point)
    return point, Provenance.IMPORTED_TEST_KEY


def _certify(smki: pki.Smki, key: DevKey, role: RemotePartyRole, point: bytes, directory: Path) -> tuple[bytes, ...]:
    if key.eui is None:
        raise ConfigurationInvalid(f"{key.label}: an Organisation Certificate names an EUI, found none")
    certificate = pki.organisation_certificate(
        smki,
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point),
        role=role,
        eui=key.eui,
        common_name=f"{key.label} TEST",
        not_before=smki.issuing.certificate.not_valid_before_utc,
    )
    (directory / f"{key.label}.pem").write_bytes(pki.certificate_pem(certificate))
    return pki.certificate_der(certificate), pki.certificate_der(smki.issuing.certificate)


def _read_smki(directory: Path) -> pki.Smki:
    """The test SMKI as ``create_deployment`` wrote it; the root's private key was not kept."""
    private_key = serialization.load_pem_private_key((directory / "issuing.key").read_bytes(), None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise ConfigurationInvalid("expected a P-256 private key", where="pki/issuing.key")
    certificate = x509.load_pem_x509_certificate((directory / "issuing.pem").read_bytes())
    return pki.Smki(issuing=pki.Authority(certificate=certificate, private_key=private_key))


def _key(order: Mapping[str, object]) -> DevKey:
    eui, role, scalar = order["eui"], order["role"], order["private_scalar"]
    return DevKey(
        label=str(order["label"]),
        purpose=KeyPurpose(str(order["purpose"])),
        party=str(order["party"]),
        eui=EntityIdentifier.from_text(str(eui)) if eui is not None else None,
        role=RemotePartyRole(int(str(role))) if role is not None else None,
        private_scalar=bytes.fromhex(str(scalar)) if scalar is not None else None,
    )


def main() -> int:
    try:
        points = provision(Path(sys.argv[1]), json.load(sys.stdin))
    except KeybrokerError as error:
        print(f"{error.reason}: {error.sentence}", file=sys.stderr)
        return 1
    print(json.dumps({label: base64.b64encode(point).decode() for label, point in points.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
