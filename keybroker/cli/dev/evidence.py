"""Who states it? The attesters of a development deployment, their keys in ``evidence/``, and how they are heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keybroker.cli.dev import pki
from keybroker.cli.dev.statements import ADMINISTRATORS, CHECK, KINDS, OFFICER, Scene, common, statements
from keybroker.client.certificates import new_serial_number
from keybroker.errors import ConfigurationInvalid
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.thresholds import take_in_notification
from keybroker.ledger.journal import Journal
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import Sign, make_statement, signer
from keybroker.statement.payloads import KINDS as KIND_OF
from keybroker.statement.payloads import Order, ThresholdNotification
from keybroker.statement.said import Said

_VALID = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attests:
    """An attester that signs here: ``certificate`` in DER."""

    name: str
    certificate: bytes
    sign: Sign

    def state(self, said: Said) -> bytes:
        return make_statement(said, certificate=self.certificate, sign=self.sign).encode("ascii")


def file_name(name: str) -> str:
    """Of an attester's files: ``supplier-a/check`` is ``supplier-a-check``."""
    return name.replace("/", "-")


def make_attesters(parties: Iterable[str], *, not_before: datetime) -> Iterator[tuple[str, bytes, bytes]]:
    """File name, certificate and private key (PEM) of each."""
    for name in _names(parties):
        key = pki.new_private_key()
        yield file_name(name), pki.certificate_pem(_certificate(name, key, not_before)), pki.private_key_pem(key)


def read_attests(directory: Path, name: str) -> Attests:
    """Raises: ConfigurationInvalid."""
    certificate = x509.load_pem_x509_certificate((directory / f"{file_name(name)}.pem").read_bytes())
    private = serialization.load_pem_private_key((directory / f"{file_name(name)}.key").read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ConfigurationInvalid("expected a P-256 private key", where=f"evidence/{file_name(name)}.key")
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Attests(name=name, certificate=der, sign=signer(private))


def give_evidence(journal: Journal, actor: Actor, directory: Path, scene: Scene, people: PeopleSettings) -> None:
    """Enrol every attester and take in all that the officer states. Raises: KeybrokerError."""
    at = scene.at
    for name in _names(scene.systems):
        party = name.partition("/")[0] if "/" in name else "operator"
        kinds = KINDS.get(name, frozenset({StatementKind.SUPPLY_SENSITIVE_CHECK}))
        attests = read_attests(directory, name)
        until = x509.load_der_x509_certificate(attests.certificate).not_valid_after_utc
        enrolment = Enrolment(name=name, party=party, certificate=attests.certificate, kinds=kinds, until=until)
        enrol_attester(journal, actor, enrolment, people, at)
    officer = read_attests(directory, OFFICER)
    for said in statements(scene):
        take_in(journal, actor, said, officer, at)


def take_in(journal: Journal, actor: Actor, said: Said, by: Attests, at: datetime) -> None:
    """Sign it and take it in, as its kind wants. Raises: KeybrokerError."""
    octets = by.state(said)
    if isinstance(said, ThresholdNotification):
        take_in_notification(journal, actor, octets, at)
    else:
        add_statement(journal, actor, octets, KIND_OF[type(said)], at)


def order(directory: Path, *, origin: str, act: str, target: str, at: datetime, name: str = ADMINISTRATORS[0]) -> bytes:
    """The order of an administrator, for acts of the deployment's making."""
    said = Order.model_validate(
        {
            **common(origin, at, StatementKind.ORDER, last=timedelta(hours=1)),
            "act": act,
            "target": target,
            "at": int(at.timestamp()),
        }
    )
    return read_attests(directory, name).state(said)


def _names(parties: Iterable[str]) -> tuple[str, ...]:
    return (OFFICER, *ADMINISTRATORS, *(f"{party}/{CHECK}" for party in parties))


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, not_before: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} TEST")])
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
    return (
        builder.serial_number(new_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + _VALID)
        .sign(key, hashes.SHA256())
    )
