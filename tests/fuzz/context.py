"""What decoders need besides octets, the same in every run: keys, a certificate, a plan, an attester."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from google.protobuf.message import DecodeError

from keybroker.ceremony.package import read_offer, read_package
from keybroker.ceremony.plan import read_plan
from keybroker.pb import signing_pb2 as pb
from keybroker.server.requests import read_item
from keybroker.signing import Ask
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import kid_of, signer
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import Caller, CallerKind, PartyName, SystemName
from tests.fuzz.target import LONGEST_OCTETS

AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ORIGIN = "keybroker.example/tests/TEST"
_FILES = Path(__file__).parent
RECEIVER = (_FILES / "receiver.der").read_bytes()
SIGNER = (_FILES / "signer.der").read_bytes()
"""Certificates of people whose private keys nobody kept."""
PLAN = read_plan((_FILES / "transfer.toml").read_bytes())
OFFERED = read_offer((_FILES / "corpus" / "offer" / "good").read_bytes(), PLAN)
PACKED = read_package((_FILES / "corpus" / "package" / "good").read_bytes(), PLAN, offer_sha256=OFFERED.entry_sha256)
"""Of one transfer: what it offered and packed, which each next document answers."""

_CALLER = Caller(
    identity="uri:urn:fuzzed",
    party=PartyName("party"),
    system=SystemName("system"),
    kind=CallerKind.USER_SYSTEM,
    user_roles=frozenset(),
    euis=frozenset(),
    operations=frozenset(),
    keys=frozenset(),
)
_KEY = ec.derive_private_key(1, ec.SECP256R1())
_KINDS = tuple(StatementKind)


def unwrap(wrapped: bytes) -> bytes:
    """In the place of a person's token: some key, so that what follows is read too."""
    return sha256(wrapped).digest()


def read_item_of_a_batch(octets: bytes) -> object:
    """As the transport gives it: what is no Protocol Buffer never reaches us."""
    try:
        item = pb.SignItem.FromString(octets)
    except DecodeError:
        return None
    asked = read_item(item, _CALLER, LONGEST_OCTETS)
    return asked.octets if isinstance(asked, Ask) else asked.error


def read_payload(octets: bytes) -> Statement:
    """The first octet picks the kind, the rest is signed as its payload: what an attester could say at worst."""
    kind = _KINDS[octets[0] % len(_KINDS)] if octets else _KINDS[0]
    certificate = _attesters_certificate()
    kid = kid_of(certificate)
    header = f'{{"alg":"ES256","kid":"{kid}","typ":"{kind.typ}"}}'.encode()
    signed = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in (header, octets[1:]))
    compact = signed + b"." + urlsafe_b64encode(signer(_KEY)(signed)).rstrip(b"=")
    return read_statement(compact, _attesters(), kind=kind, origin=ORIGIN, at=AT)


@cache
def _attesters_certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fuzzed")])
    builder = x509.CertificateBuilder(name, name, _KEY.public_key(), 1)
    builder = builder.not_valid_before(AT - timedelta(days=1)).not_valid_after(AT + timedelta(days=1))
    return builder.sign(_KEY, SHA256()).public_bytes(Encoding.DER)


@cache
def _attesters() -> Mapping[str, Attester]:
    certificate = _attesters_certificate()
    attester = Attester(
        kid=kid_of(certificate),
        name="fuzzed",
        party="party",
        certificate=certificate,
        kinds=frozenset(StatementKind),
        since=AT - timedelta(days=1),
        until=AT + timedelta(days=1),
    )
    return {attester.kid: attester}


def files_of(target: str) -> Iterator[Path]:
    """The corpus of a target."""
    yield from sorted((_FILES / "corpus" / target).iterdir())
