"""Attesters with keys in memory, good statements of theirs, and a compact JWS to be spoilt part by part."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keybroker.client.certificates import new_serial_number
from keybroker.statement.attester import Attester
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.making import kid_of, make_statement, signer
from keybroker.statement.payloads import KINDS, MODELS, Location, Order, Person
from keybroker.statement.said import Said

AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ORIGIN = "keybroker.example/tests/TEST"
"""Both as in ``tests.situations``."""
DAY = timedelta(days=1)
EVERY_KIND = frozenset(StatementKind)
ORDERS = frozenset({StatementKind.ORDER})


@dataclass(slots=False, kw_only=True)
class Attests:
    """Somebody who states: ``name`` with a slash is a system, without a person."""

    name: str
    party: str = "supplier-a"
    curve: ec.EllipticCurve = field(default_factory=ec.SECP256R1)
    not_before: datetime = AT - DAY
    not_after: datetime = AT + 800 * DAY

    @cached_property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(self.curve)

    @cached_property
    def x509(self) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self.name} TEST")])
        builder = x509.CertificateBuilder(subject, subject, self.key.public_key(), new_serial_number())
        return builder.not_valid_before(self.not_before).not_valid_after(self.not_after).sign(self.key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        return self.x509.public_bytes(Encoding.DER)

    @property
    def kid(self) -> str:
        return kid_of(self.certificate)

    def attester(self, kinds: frozenset[StatementKind] = EVERY_KIND, **changes: Any) -> Attester:
        """As the register would hold it."""
        given: dict[str, Any] = {
            "kid": self.kid,
            "name": self.name,
            "party": self.party,
            "certificate": self.certificate,
            "kinds": kinds,
            "since": AT - DAY,
            "until": AT + 800 * DAY,
        }
        return Attester(**(given | changes))

    def state(self, said: Said) -> bytes:
        return make_statement(said, certificate=self.certificate, sign=signer(self.key)).encode()


def common(kind: StatementKind, *, at: datetime = AT, last: timedelta | None = None) -> dict[str, Any]:
    issued = int(at.timestamp())
    lasting = LONGEST[kind] if last is None else last
    return {
        "aud": ORIGIN,
        "iat": issued,
        "exp": issued + int(lasting.total_seconds()),
        "nonce": secrets.token_urlsafe(24),
    }


def an_order(act: str = "Reload", target: str = "ab" * 32, *, at: datetime = AT, **changes: Any) -> Order:
    given = common(StatementKind.ORDER, at=at, last=timedelta(hours=1))
    return Order(**(given | {"act": act, "target": target, "at": int(at.timestamp())} | changes))


def a_location(subject: str, of: str = "person", *, at: datetime = AT, **changes: Any) -> Location:
    """Of a person in the United Kingdom."""
    given = common(StatementKind.LOCATION, at=at)
    said = {"of": of, "subject": subject, "party": "supplier-a", "country": "GB", "site": "london-a", "people": []}
    return Location.model_validate(given | said | changes)


def a_person(name: str, *, at: datetime = AT, **changes: Any) -> Person:
    """One who is cleared, screened and checked, and may act as an administrator."""
    looked = int((at - 30 * DAY).timestamp())
    said = {
        "person": name,
        "party": "supplier-a",
        "roles": ["administrator"],
        "clearance": {"level": "SC", "reviewed": looked},
        "screening": {"standard": "BS 7858:2019", "passed": looked},
        "security_check": looked,
        "engagements": [],
    }
    return Person.model_validate(common(StatementKind.PERSON, at=at) | said | changes)


def kind_of(said: Said) -> StatementKind:
    return KINDS[type(said)]


def model_of(kind: StatementKind) -> type[Said]:
    return MODELS[kind]


def encoded(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")


def decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def parts(compact: bytes) -> tuple[bytes, bytes, bytes]:
    """Header, payload and signature, decoded."""
    header, payload, signature = (decoded(part) for part in compact.split(b"."))
    return header, payload, signature


def signed(by: Attests, header: bytes, payload: bytes) -> bytes:
    """Any header over any payload, with a signature that is right."""
    signing_input = encoded(header) + b"." + encoded(payload)
    return signing_input + b"." + encoded(signer(by.key)(signing_input))


def resigned(by: Attests, compact: bytes, *, header: dict[str, Any] | None = None, **claims: Any) -> bytes:
    """The same with other header members and other claims, rightly signed; None takes a claim out."""
    old_header, old_payload, _ = parts(compact)
    payload = json.loads(old_payload) | claims
    kept = {name: value for name, value in payload.items() if value is not None}
    return signed(by, json.dumps(json.loads(old_header) | (header or {})).encode(), json.dumps(kept).encode())
