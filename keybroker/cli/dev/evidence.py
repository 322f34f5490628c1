"""Who states it? The attesters of a development deployment, their keys in ``evidence/``, and how they are heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keybroker.cli.dev import pki
from keybroker.cli.dev.configuration import LEDGER_ORIGIN, NODE
from keybroker.cli.dev.statements import ADMINISTRATORS, CHECK, KINDS, OFFICER, Scene, statements
from keybroker.cli.orders import sign_order
from keybroker.cli.stating import Stater, read_stater
from keybroker.client.certificates import new_serial_number
from keybroker.client.ssc import confirm
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.thresholds import take_in_notification
from keybroker.ledger.journal import Journal
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import KINDS as KIND_OF
from keybroker.statement.payloads import ThresholdNotification
from keybroker.statement.said import Said
from keybroker.terms import EntityIdentifier

_VALID = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attests(Stater):
    """An attester of the deployment, by its name."""

    name: str


def file_name(name: str) -> str:
    """Of an attester's files: ``supplier-a/check`` is ``supplier-a-check``."""
    return name.replace("/", "-")


def make_attesters(parties: Iterable[str], *, not_before: datetime) -> Iterator[tuple[str, bytes, bytes]]:
    """File name, certificate and private key (PEM) of each."""
    for name in _names(parties):
        key = pki.new_private_key()
        yield file_name(name), pki.certificate_pem(_certificate(name, key, not_before)), pki.private_key_pem(key)


def read_attests(directory: Path, name: str) -> Attests:
    """Raises: BadParameter."""
    mine = read_stater(directory / f"{file_name(name)}.pem", directory / f"{file_name(name)}.key")
    return Attests(name=name, certificate=mine.certificate, sign=mine.sign)


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
        take_in(journal, actor, said, officer, people, at)


def take_in(journal: Journal, actor: Actor, said: Said, by: Attests, people: PeopleSettings, at: datetime) -> None:
    """Sign it and take it in, as its kind wants. Raises: KeybrokerError."""
    octets = by.state(said)
    if isinstance(said, ThresholdNotification):
        take_in_notification(journal, actor, octets, at)
    else:
        add_statement(journal, actor, octets, KIND_OF[type(said)], people, at)


def order(directory: Path, *, origin: str, act: str, target: str, at: datetime, name: str = ADMINISTRATORS[0]) -> bytes:
    """The order of an administrator, for acts of the deployment's making."""
    return sign_order(read_attests(directory, name), act, target, origin=origin, at=at, lasts=timedelta(hours=1))


def confirmed(
    by: Attests,
    octets: bytes,
    *,
    variant: str,
    user: EntityIdentifier,
    device: EntityIdentifier,
    counter: int,
    confirmed_by: str,
) -> str:
    """The statement of a party's check system that it applied the Supply Sensitive Check to these very octets (G3.25).

    From there they go by the party's head-end to the deployment's one machine.
    """
    party, _, _ = by.name.partition("/")
    return confirm(
        octets,
        variant=variant,
        device=device,
        user=user,
        request_id=f"{user}:{device}:{counter}",
        confirmed_by=confirmed_by,
        origin=LEDGER_ORIGIN,
        chain=(by.name, f"{party}/head-end", NODE),
        certificate=by.certificate,
        private_key=by.sign,
    )


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
