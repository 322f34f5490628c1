"""Makes a development deployment's keys, in a process of its own: ``python -m keybroker.cli.dev.provision DIRECTORY``.

The orders come as JSON on standard input (a test key's scalar must not stand among the arguments); the public points go
out as JSON, base64 by label. The PIN comes as the configuration says.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import pki
from keybroker.cli.dev.ceremony import Ceremony
from keybroker.cli.dev.evidence import give_evidence, order, read_attests, take_in
from keybroker.cli.dev.plan import DEVICES, DevKey
from keybroker.cli.dev.statements import OFFICER, Scene, decision, to_devices
from keybroker.config import Configuration, build_ledger, build_surroundings, build_token, read_configuration
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.token_module import Token
from keybroker.keys.administration import (
    Act,
    ActivateKey,
    Actor,
    BeginEnrolment,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    administer,
    needs_order,
    told_act,
)
from keybroker.keys.orders import Ordered
from keybroker.keys.register import Register
from keybroker.keys.trust import take_in_revocation_list
from keybroker.ledger.journal import Journal
from keybroker.ledger.record import order_target
from keybroker.ledger.store import Ledger
from keybroker.policy.model import Policy
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.trust import Anchor
from keybroker.signing import Line
from keybroker.terms import (
    CallerKind,
    EntityIdentifier,
    KeyAlgorithm,
    KeyLabel,
    KeyPurpose,
    PartyName,
    Provenance,
    RemotePartyRole,
)

_AUTHORITIES = {RemotePartyRole.ROOT: "root.pem", RemotePartyRole.ISSUING_AUTHORITY: "issuing.pem"}
"""The certificates that the test SMKI has for its own keys."""
_ACTOR = Actor(identity="local:keybroker-dev", kind=CallerKind.OPERATOR, party=PartyName("operator"))


_CEREMONY = frozenset({KeyPurpose.ROOT_OCA, KeyPurpose.CONTINGENCY_COMMAND, KeyPurpose.CONTINGENCY_SYMMETRIC})
"""Without these there is no Root OCA Certificate of the profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    configuration: Configuration
    ledger: Ledger
    token: Token
    journal: Journal
    smki: pki.Smki
    at: datetime
    evidence: Path
    root: x509.Certificate | None = None
    """The Root OCA Certificate that a ceremony made, in the place of the configuration's."""

    def administer(self, act: Act, purpose: KeyPurpose) -> None:
        """By order of an administrator where the act needs one."""
        ordered = None
        if needs_order(act, purpose):
            told = told_act(act)
            ordered = Ordered(
                order=order(
                    self.evidence,
                    origin=self.configuration.ledger_origin,
                    act=str(told["act"]),
                    target=order_target(told),
                    at=self.at,
                ),
                people=self.configuration.people,
            )
        administer(self.journal, _ACTOR, act, self.at, ordered)

    def policy(self, purpose: KeyPurpose) -> Policy:
        return self.configuration.policies[purpose]

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        if self.root is None:
            return self.configuration.anchors
        return (Anchor(der=pki.certificate_der(self.root), test=True),)

    @property
    def line(self) -> Line:
        return Line(
            deployment=self.configuration.deployment,
            ledger_origin=self.configuration.ledger_origin,
            policies=self.configuration.policies,
            register=Register(self.ledger, self.anchors),
            journal=self.journal,
            module=self.token,
            anchors=self.anchors,
            device_anchors=self.configuration.device_anchors,
            surroundings=build_surroundings(self.configuration),
        )

    def with_certificate(self, role: RemotePartyRole, certificate: x509.Certificate) -> Self:
        if role is RemotePartyRole.ROOT:
            return replace(self, root=certificate)
        issuing = replace(self.smki.issuing, certificate=certificate)
        return replace(self, smki=replace(self.smki, issuing=issuing))


def provision(directory: Path, orders: list[Mapping[str, object]]) -> dict[str, bytes]:
    """Make every key: in the token, in the register, under a certificate where its purpose needs one, active.

    Gives what names each in the register: its public point (65 octets), or a symmetric key's CKA_ID (20). Raises:
    KeybrokerError.
    """
    configuration = read_configuration(directory / "keybroker.toml")
    ledger, _, journal = build_ledger(configuration, worker="dev-up")
    token = build_token(configuration, configuration.pin)
    try:
        smki, at = _read_smki(directory / "pki"), configuration.clock.now()
        workshop = _Workshop(
            configuration=configuration,
            ledger=ledger,
            token=token,
            journal=journal,
            smki=smki,
            at=at,
            evidence=directory / "evidence",
        )
        # First: whoever acts on a key in the United Kingdom is a person who may.
        give_evidence(journal, _ACTOR, workshop.evidence, _scene(workshop), configuration.people)
        identities: dict[str, bytes] = {}
        for key in map(_key, orders):
            workshop, identities[key.label] = _make(workshop, key, directory / "pki")
        _give_decision(workshop)
        # Last, for a CRL is known by the chain of a key that its CA has certified.
        certified = any(order["role"] not in (None, RemotePartyRole.ROOT.value) for order in orders)
        _take_in_lists(workshop, directory / "pki", certified=certified)
        return identities
    finally:
        token.close()
        ledger.close()


def _scene(workshop: _Workshop) -> Scene:
    configuration = workshop.configuration
    calling = [each for each in configuration.callers.values() if each.keys]
    users: dict[str, list[EntityIdentifier]] = {}
    for each in calling:
        if each.kind is CallerKind.USER_SYSTEM:
            users.setdefault(each.party, []).extend(sorted(each.euis, key=str))
    counted = configuration.policies[KeyPurpose.USER_XML].settings.anomaly_thresholds
    return Scene(
        origin=configuration.ledger_origin,
        part=configuration.file.deployment.part,
        module=workshop.token.identity,
        node=configuration.node,
        systems={each.party: [each.system] for each in calling},
        users=users,
        encrypted=sorted(counted.encrypted_response_variants) if counted is not None else (),
        at=workshop.at,
    )


def _give_decision(workshop: _Workshop) -> None:
    """That the keys which the SMKI PMA decides on are used, for the Devices that tests can play."""
    decided = [key for key in workshop.line.register.refresh().keys.values() if _is_decided_on(workshop, key.purpose)]
    codes = {code for key in decided for code in workshop.policy(key.purpose).message_codes}
    if codes:
        said = decision(
            workshop.configuration.ledger_origin,
            workshop.at,
            [key.public_key for key in decided],
            to_devices(codes, DEVICES.values()),
        )
        officer = read_attests(workshop.evidence, OFFICER)
        take_in(workshop.journal, _ACTOR, said, officer, workshop.configuration.people, workshop.at)


def _is_decided_on(workshop: _Workshop, purpose: KeyPurpose) -> bool:
    return any(gate.gate == "pma-approval" for gate in workshop.policy(purpose).gates)


def _take_in_lists(workshop: _Workshop, directory: Path, *, certified: bool) -> None:
    for name in ("arl.pem", "crl.pem") if certified else ("arl.pem",):
        der = x509.load_pem_x509_crl((directory / name).read_bytes()).public_bytes(serialization.Encoding.DER)
        take_in_revocation_list(workshop.journal, _ACTOR, der, workshop.anchors, workshop.at)


def _make(workshop: _Workshop, key: DevKey, directory: Path) -> tuple[_Workshop, bytes]:
    label = KeyLabel(key.label)
    eui = key.eui if key.role is None else None
    purpose = key.purpose
    workshop.administer(OrderKey(label=label, purpose=purpose, party=PartyName(key.party), eui=eui), purpose)
    identity, provenance = _put_in_token(workshop, key)
    workshop.administer(KeyGenerated(label=label, public_key=identity, provenance=provenance), purpose)
    if key.role in _AUTHORITIES:
        workshop = _certify_authority(workshop, label, key.role, purpose, directory)
    elif key.role is not None:
        chain = _certify(workshop.smki, key, key.role, identity, directory)
        workshop.administer(EnrolCertificate(label=label, chain=chain, anchors=workshop.anchors), purpose)
    workshop.administer(ActivateKey(label=label), purpose)
    return workshop, identity


def _certify_authority(
    workshop: _Workshop, label: KeyLabel, role: RemotePartyRole, purpose: KeyPurpose, directory: Path
) -> _Workshop:
    """By ceremony where the keys for one are there; otherwise the certificate that the test SMKI was made with."""
    keys = {key.purpose: key for key in workshop.line.register.refresh().keys.values()}
    place = directory / _AUTHORITIES[role]
    certificate = x509.load_pem_x509_certificate(place.read_bytes())
    if keys.keys() >= _CEREMONY:
        workshop.administer(BeginEnrolment(label=label), purpose)
        ceremony = Ceremony(line=workshop.line, token=workshop.token, at=workshop.at)
        if role is RemotePartyRole.ROOT:
            contingency, symmetric = (keys[KeyPurpose.CONTINGENCY_COMMAND], keys[KeyPurpose.CONTINGENCY_SYMMETRIC])
            der = ceremony.root_certificate(certificate, contingency, symmetric)
        else:
            root = x509.load_pem_x509_certificate((directory / _AUTHORITIES[RemotePartyRole.ROOT]).read_bytes())
            der = ceremony.issuing_certificate(certificate, root)
        certificate = x509.load_der_x509_certificate(der)
        place.write_bytes(pki.certificate_pem(certificate))
        workshop = workshop.with_certificate(role, certificate)
    chain = (pki.certificate_der(certificate),)
    workshop.administer(EnrolCertificate(label=label, chain=chain, anchors=workshop.anchors), purpose)
    return workshop


def _put_in_token(workshop: _Workshop, key: DevKey) -> tuple[bytes, Provenance]:
    policy, label = workshop.policy(key.purpose), KeyLabel(key.label)
    if key.private_scalar is None:
        # Certified here and now by the test SMKI, no Key Agreement key has a request to sign.
        drawn = key.draws_authentication
        made = generate_key(workshop.token, label, policy, signs_request=False, authentication=drawn)
        return made, Provenance.GENERATED
    if policy.algorithm is KeyAlgorithm.AES_GCM:
        secret, beside = key.private_scalar, key.authentication
        identity = import_test_key(workshop.token, label, policy, secret, authentication=beside)
        return identity, Provenance.IMPORTED_TEST_KEY
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
        usage=OBLIGATIONS[key.purpose].key_usage,
    )
    (directory / f"{key.label}.pem").write_bytes(pki.certificate_pem(certificate))
    return pki.certificate_der(certificate), pki.certificate_der(smki.issuing.certificate)


def _read_smki(directory: Path) -> pki.Smki:
    """The test SMKI as ``create_deployment`` wrote it; the root's private key is kept in the token at most."""
    private_key = serialization.load_pem_private_key((directory / "issuing.key").read_bytes(), None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise ConfigurationInvalid("expected a P-256 private key", where="pki/issuing.key")
    certificate = x509.load_pem_x509_certificate((directory / "issuing.pem").read_bytes())
    return pki.Smki(issuing=pki.Authority(certificate=certificate, private_key=private_key))


def _key(order: Mapping[str, object]) -> DevKey:
    eui, role, scalar, beside = (order[name] for name in ("eui", "role", "private_scalar", "authentication"))
    return DevKey(
        label=str(order["label"]),
        purpose=KeyPurpose(str(order["purpose"])),
        party=str(order["party"]),
        eui=EntityIdentifier.from_text(str(eui)) if eui is not None else None,
        role=RemotePartyRole(int(str(role))) if role is not None else None,
        private_scalar=bytes.fromhex(str(scalar)) if scalar is not None else None,
        authentication=bytes.fromhex(str(beside)) if beside is not None else None,
        draws_authentication=bool(order["draws_authentication"]),
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
