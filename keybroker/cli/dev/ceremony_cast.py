"""Who plays in a rehearsal? Stand-ins with key files, enrolled and vouched for in a development deployment, all TEST.

And the evidence officer's stand-in for every committee, who approves the very plan that is rehearsed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.ceremony.judging_approvals import demanded_approvals
from keybroker.ceremony.person_certificate import Holder, receiving_certificate, signed, signing_certificate
from keybroker.ceremony.plan import PlanFile, Role
from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import order, read_attests, take_in
from keybroker.cli.dev.pki import certificate_pem
from keybroker.cli.dev.statements import OFFICER, common
from keybroker.config import Configuration, read_configuration
from keybroker.keys.acts import Actor, RetireKey
from keybroker.keys.administration import administer, told_act
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.orders import Ordered
from keybroker.keys.standing import read_standing
from keybroker.ledger.journal import Journal
from keybroker.ledger.record import order_target
from keybroker.statement.approval import Approval, ApprovedMessage
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Clearance, Location, Person, Screening
from keybroker.terms import KeyLabel

_VALID = timedelta(days=390)
_VIEWS = "DEV-SSC-1 TEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A person of a rehearsal; digests are of certificates (DER), as a plan has them."""

    name: str
    role: Role
    directory: Path
    signing_sha256: str
    receiving_sha256: str


def make_cast(configuration: Configuration, directory: Path, roles: Mapping[str, Role]) -> dict[str, StandIn]:
    """Make the keys of people who have none yet under ``directory``, and enrol here who is not enrolled yet.

    Raises: KeybrokerError.
    """
    cast = {name: _keys(configuration, directory / name, name, role) for name, role in roles.items()}
    with acting(configuration, "operator") as (journal, actor):
        with journal.ledger.read() as connection:
            enrolled = read_standing(connection).attesters
        for each in cast.values():
            if each.signing_sha256 not in enrolled:
                _enrol(configuration, journal, actor, each)
    return cast


def retire(deployment: Deployment, labels: Iterable[str]) -> None:
    """By order of an administrator: what is destroyed is of no use any more. Raises: KeybrokerError."""
    configuration = read_configuration(deployment.config_path)
    evidence, at = deployment.directory / "evidence", configuration.clock.now()
    with acting(configuration, "operator") as (journal, actor):
        for label in labels:
            act = RetireKey(label=KeyLabel(label), because="a rehearsal")
            target = order_target(told_act(act))
            given = order(evidence, origin=configuration.ledger_origin, act="RetireKey", target=target, at=at)
            administer(journal, actor, act, at, Ordered(order=given, people=configuration.people))


def write_people(file: Path, directory: Path) -> None:
    """Where the keys are of everybody below the directory, also of those in other ceremonies; from where the file is
    itself."""
    places = {each.name: os.path.relpath(each, file.parent) for each in sorted(directory.iterdir())}
    told = "\n".join(f'[[person]]\nname = "{name}"\ndirectory = "{place}"\n' for name, place in places.items())
    file.write_text(told, encoding="utf-8")


def _keys(configuration: Configuration, directory: Path, name: str, role: Role) -> StandIn:
    if not (directory / "receiving.pem").exists():
        _make_keys(configuration, directory, name)
    pems = [(directory / f"{each}.pem").read_bytes() for each in ("signing", "receiving")]
    digests = [sha256(_der(pem)).hexdigest() for pem in pems]
    return StandIn(name=name, role=role, directory=directory, signing_sha256=digests[0], receiving_sha256=digests[1])


def _make_keys(configuration: Configuration, directory: Path, name: str) -> None:
    directory.mkdir(parents=True, mode=0o700)
    since = configuration.clock.now() - timedelta(hours=1)
    holder = Holder(name=f"{name} TEST", since=since, until=since + _VALID)
    signing = ec.generate_private_key(ec.SECP256R1())
    receiving = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    point = signing.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    own = signing_certificate(holder, point, secrets.token_bytes)
    own_der = signed(own, signing.sign(own.dump(), ec.ECDSA(SHA256())))
    numbers = receiving.public_key().public_numbers()
    other = receiving_certificate(holder, (numbers.n, numbers.e), own_der, secrets.token_bytes)
    other_der = signed(other, signing.sign(other.dump(), ec.ECDSA(SHA256())))
    for file, der, key in (("signing", own_der, signing), ("receiving", other_der, receiving)):
        (directory / f"{file}.pem").write_bytes(_pem(der))
        _write_private(directory / f"{file}.key", key)


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def _pem(der: bytes) -> bytes:
    return certificate_pem(x509.load_der_x509_certificate(der))


def _write_private(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    octets = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(octets)


def _enrol(configuration: Configuration, journal: Journal, actor: Actor, person: StandIn) -> None:
    """By order of an administrator; then the officer says what is known of the person, and where he is."""
    at, evidence, origin = (
        configuration.clock.now(),
        configuration.path.parent / "evidence",
        configuration.ledger_origin,
    )
    certificate = _der((person.directory / "signing.pem").read_bytes())
    until = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    kinds = frozenset({StatementKind.ORDER})
    asked = Enrolment(name=person.name, party="operator", certificate=certificate, kinds=kinds, until=until)
    target = order_target(asked.told())
    ordered = order(evidence, origin=origin, act=str(asked.told()["act"]), target=target, at=at)
    enrol_attester(journal, actor, asked, configuration.people, at, ordered)
    officer, seconds = read_attests(evidence, OFFICER), int(at.timestamp())
    person_said = Person(
        **common(origin, at, StatementKind.PERSON),
        person=person.name,
        party="operator",
        roles=[person.role.value],
        clearance=Clearance(level="DEV-SC TEST", reviewed=seconds),
        screening=Screening(standard="BS 7858:2019", passed=seconds),
        security_check=seconds,
        engagements=[],
    )
    where = Location(
        **common(origin, at, StatementKind.LOCATION),
        of="person",
        subject=person.name,
        party="operator",
        country="GB",
        site="dev-office",
        people=[],
    )
    for said in (person_said, where):
        take_in(journal, actor, said, officer, configuration.people, at)


def approve(
    configuration: Configuration, plan_file: PlanFile, messages: Iterable[ApprovedMessage] = (), uses: int = 1
) -> None:
    """All that the plan demands, of this very plan, as if the committees had said it. Raises: KeybrokerError."""
    plan = plan_file.plan
    demanded = dict(demanded_approvals(plan)) | {each.about: each.committee for each in plan.approvals}
    evidence = configuration.path.parent / "evidence"
    officer = read_attests(evidence, OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        for about, committee in demanded.items():
            said = _approval(configuration, plan_file, about, committee, list(messages), uses)
            take_in(journal, actor, said, officer, configuration.people, configuration.clock.now())


def _approval(
    configuration: Configuration,
    plan_file: PlanFile,
    about: str,
    committee: str,
    messages: list[ApprovedMessage],
    uses: int,
) -> Approval:
    plan, at = plan_file.plan, configuration.clock.now()
    keys = [] if about == "generate" else [key.public_key_sha256 for key in plan.keys if key.public_key_sha256]
    said: dict[str, object] = {
        **common(configuration.ledger_origin, at, StatementKind.APPROVAL),
        "committee": committee,
        "about": about,
        "reference": _VIEWS if about == "views" else f"DEV-{about} TEST",
        "plan_sha256": plan_file.sha256.hex(),
        "keys": keys,
        "conditions": [],
    }
    if plan.transfer is not None and about in ("transfer", "mechanism", "views"):
        terms = plan.transfer
        said |= {"source": terms.source, "destination": terms.destination, "mechanism": terms.mechanism}
        said |= {} if about == "views" else {"views": _VIEWS}
    if about in ("transfer", "mechanism"):
        said["conditions"] = [condition.model_dump() for condition in plan.conditions]
    if about == "combine":
        said |= {"messages": messages, "uses": uses}
    return Approval.model_validate(said)
