"""Attesters, statements, standing evidence and surroundings for tests: all good ones, to be spoilt by one argument.

Statements are real: signed by keys of the test's own, read and verified by the code that reads everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from keybroker.cli.dev.evidence import Attests
from keybroker.cli.dev.statements import (
    ADMINISTRATORS,
    CHECK,
    KINDS,
    OFFICER,
    Scene,
    common,
    decision,
    module_names,
    statements,
    to_devices,
)
from keybroker.gates.model import ClockStand, ModuleIdentity, Node, Surroundings
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import Sign, kid_of
from keybroker.statement.payloads import KINDS as KIND_OF
from keybroker.statement.payloads import ModuleValidation, VariantNotSensitive
from keybroker.statement.said import Said
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import EntityIdentifier
from tests import messages

AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ORIGIN = "keybroker.example/tests/TEST"
BEFORE = AT - timedelta(hours=1)
"""When everything was stated."""

NODE = Node(name="test-node", site="test-site", identity="test-node.0123456789abcdef")
MODULE = ModuleIdentity(
    manufacturer="Example Modules",
    model="EM-3",
    serial="FAKE-0001",
    firmware_version="7.4",
    hardware_version="2.0",
    library="Example Modules Cryptoki 3.0",
    level=3,
    site="test-site",
)
"""What a FakeModule reports, at the site of the tests."""
SURROUNDINGS = Surroundings(node=NODE, clock=ClockStand(why_not="", told="agrees with its source"), part="test")
SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "supplier-a": ("head-end", "signing-service"),
    "network-operator-a": ("head-end", "signing-service"),
    "load-controller-a": ("head-end", "signing-service"),
    "dcc": ("head-end", "signing-service"),
    "party": ("gateway",),
}
PARTIES = tuple(SYSTEMS)
USERS: Mapping[str, tuple[EntityIdentifier, ...]] = {}
NOT_SENSITIVE = ("6.15.1", "7.16")
"""'Possibly' supply sensitive variants that two people say are not, in the evidence of most tests."""


@dataclass(frozen=True, slots=True)
class FixedSurroundings:
    """Surroundings that never change."""

    surroundings: Surroundings = SURROUNDINGS

    def seen(self, at: datetime) -> Surroundings:  # noqa: ARG002 - as the line asks
        return self.surroundings


@cache
def attests(name: str) -> Attests:
    """An attester's key and certificate: the same in every run."""
    key = ec.derive_private_key(int.from_bytes(sha256(name.encode()).digest()) % (2**255) + 1, ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} TEST"[:64])])
    certificate = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
        .serial_number(int.from_bytes(sha256(name.encode()).digest()[:8]) + 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return Attests(name=name, certificate=certificate.public_bytes(Encoding.DER), sign=_always_the_same(key))


def _always_the_same(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Signs as RFC 6979 has it: a kept ledger holds the same statements whoever makes it."""

    def sign(octets: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def an_attester(name: str, *kinds: StatementKind, **changes: object) -> Attester:
    """As it is enrolled; a system ``party/system`` for its party, a person for the operator's."""
    own = attests(name)
    attester = Attester(
        kid=kid_of(own.certificate),
        name=name,
        party=name.partition("/")[0] if "/" in name else "operator",
        certificate=own.certificate,
        kinds=frozenset(kinds),
        since=datetime(2025, 1, 1, tzinfo=UTC),
        until=datetime(2039, 1, 1, tzinfo=UTC),
    )
    return replace(attester, **changes)  # type: ignore[arg-type]


@cache
def attesters() -> Mapping[str, Attester]:
    """Officer, administrators, and the check system of every party; by kid."""
    people = [an_attester(name, *KINDS[name]) for name in (OFFICER, *ADMINISTRATORS)]
    checks = [an_attester(f"{party}/{CHECK}", StatementKind.SUPPLY_SENSITIVE_CHECK) for party in PARTIES]
    return {each.kid: each for each in (*people, *checks)}


def stated(said: Said, by: str = OFFICER, *, at: datetime = AT) -> Statement:
    """A statement that was verified, by an attester of ``attesters()``. Raises: StatementUnfit."""
    kind = KIND_OF[type(said)]
    return read_statement(attests(by).state(said), attesters(), kind=kind, origin=said.aud, at=at)


def numbered(said: Said, number: int) -> Said:
    """With a nonce that is the same in every run: findings name statements by their digests, and records hold them."""
    return said.model_copy(update={"nonce": f"nonce-{number:026d}"})


def in_common(kind: StatementKind, *, at: datetime = BEFORE, last: timedelta | None = None) -> dict[str, object]:
    """aud, iat, exp and a new nonce."""
    return dict(common(ORIGIN, at, kind, last=last))


def not_sensitive(variant: str, by: str, *, at: datetime = BEFORE) -> Statement:
    said = VariantNotSensitive.model_validate(
        in_common(StatementKind.VARIANT_NOT_SENSITIVE, at=at) | {"variant": variant, "because": "no effect on supply"}
    )
    return stated(numbered(said, NOT_SENSITIVE.index(variant) if variant in NOT_SENSITIVE else 99), by)


def a_scene(module: ModuleIdentity = MODULE, **changes: object) -> Scene:
    scene = Scene(
        origin=ORIGIN,
        part=SURROUNDINGS.part,
        module=module,
        node=NODE,
        systems=SYSTEMS,
        users=USERS,
        encrypted=(),
        at=BEFORE,
    )
    return replace(scene, **changes)  # type: ignore[arg-type]


def standing_of(scene: Scene, more: Iterable[Statement] = ()) -> Standing:
    """Everything that a development deployment is given, and ``more``."""
    said = (numbered(each, number) for number, each in enumerate(statements(scene)))
    return Standing(attesters=attesters(), statements=(*map(stated, said), *more))


def decided(*public_keys: bytes, number: int = 98) -> Statement:
    """That these keys are used for the messages of a Recovery or Contingency key to the Device of the tests."""
    codes = (messages.ANY_BY_RECOVERY, messages.ANY_BY_CONTINGENCY)
    said = decision(ORIGIN, BEFORE, public_keys, to_devices(codes, [messages.DEVICE]))
    return stated(numbered(said, number))


TEST_POINT = (
    ec.derive_private_key(1, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
"""Of the key that most tests have: its scalar is 1."""


@cache
def a_standing(module: ModuleIdentity = MODULE, users: tuple[EntityIdentifier, ...] = ()) -> Standing:
    """Good evidence for every party and every purpose; ``users`` are the User IDs with thresholds."""
    more = [not_sensitive(variant, by) for variant in NOT_SENSITIVE for by in ADMINISTRATORS]
    return standing_of(a_scene(module, users={"users": users}), [*more, decided(TEST_POINT)])


@cache
def with_validation(users: tuple[EntityIdentifier, ...] = ()) -> Standing:
    """The same, and the module's FIPS 140-3 certificate: what a live deployment needs."""
    good = a_standing(MODULE, users)
    said = ModuleValidation.model_validate(
        in_common(StatementKind.MODULE_VALIDATION)
        | {
            "module": module_names(MODULE),
            "standard": "FIPS 140-3",
            "level": 3,
            "certificate": "TEST-1",
            "status": "active",
            "approved_mode": True,
            "obtained": "from the maker",
            "checked": int(BEFORE.timestamp()),
        }
    )
    return replace(good, statements=(*good.statements, stated(said)))
