"""An SMKI-like hierarchy whose every signature is made by the line, on a token: for those who look at it from outside.

What is to be signed is put together by ``cryptography``'s builders with a key of no consequence, and taken out again;
the token alone has the keys that count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from keybroker.cli.dev import pki
from keybroker.client.certificates import new_serial_number
from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.hsm.generate import generate_key
from keybroker.hsm.token_module import Token
from keybroker.keys.administration import (
    Act,
    ActivateKey,
    Actor,
    BeginEnrolment,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
)
from keybroker.keys.register import Register
from keybroker.keys.trust import take_in_revocation_list
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.policy.trust import Anchor
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.terms import (
    AccompanyingKind,
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyUsage,
    PartyName,
    Provenance,
    RemotePartyRole,
    RequestId,
    SystemName,
)
from tests import evidence, messages
from tests.evidence import FixedSurroundings
from tests.keys.ordering import act_on_key, give
from tests.policy.chains import BITS, CN, OU, UID, UTF8, name
from tests.situations import AT, ORIGIN, packaged_policies

PRINTABLE = _ASN1Type.PrintableString
APEX_CONTINGENCY_KEY = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.20")
POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(pki.TEST_POLICY_OID), None)])
NOW = AT.astimezone(UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
ROOT = name((OU, "00", UTF8), (NameOID.COMMON_NAME, "R9 TEST", PRINTABLE))
ISSUING = name((OU, "07", UTF8), (NameOID.COMMON_NAME, "I9 TEST", PRINTABLE))
_OPERATOR = Actor(identity="local:ceremony", kind=CallerKind.OPERATOR, party=PartyName("operator"))
_NOBODY = pki.new_private_key()


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """An organisation's key, and what its certificate will say."""

    label: str
    purpose: KeyPurpose
    party: str
    role: RemotePartyRole
    eui: EntityIdentifier
    usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE

    @property
    def subject(self) -> x509.Name:
        return name((CN, f"{self.label} TEST", UTF8), (OU, self.role.ou, UTF8), (UID, b"\x00" + self.eui.octets, BITS))


SUPPLIER = Subscriber(
    label="supplier-a",
    purpose=KeyPurpose.SUPPLIER_PRE_COMMAND,
    party="supplier-a",
    role=RemotePartyRole.SUPPLIER,
    eui=messages.SUPPLIER,
)
BROKER = Subscriber(
    label="access-control-broker-mac",
    purpose=KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
    party="dcc",
    role=RemotePartyRole.ACCESS_CONTROL_BROKER,
    eui=messages.ACCESS_CONTROL_BROKER,
    usage=KeyUsage.KEY_AGREEMENT,
)
NETWORK_OPERATOR = Subscriber(
    label="network-operator-a",
    purpose=KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND,
    party="network-operator-a",
    role=RemotePartyRole.NETWORK_OPERATOR,
    eui=messages.NETWORK_OPERATOR,
)


@dataclass(slots=True, kw_only=True)
class Authority:
    """The line over one token and one ledger, and what it has signed so far."""

    token: Token
    journal: Journal
    anchors: tuple[Anchor, ...] = ()
    points: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0

    def __post_init__(self) -> None:
        parties = ("dcc", SUPPLIER.party, NETWORK_OPERATOR.party)
        systems = dict.fromkeys(parties, ("certification",))
        give(self.journal, evidence.a_scene(self.token.identity, systems=systems))

    # ---- keys

    def make_key(self, label: str, purpose: KeyPurpose, party: str, eui: EntityIdentifier | None = None) -> None:
        """In the token and in the register, ready to sign the request for its certificate."""
        of = KeyLabel(label)
        self.act(OrderKey(label=of, purpose=purpose, party=PartyName(party), eui=eui))
        point = generate_key(self.token, of, packaged_policies()[purpose])
        self.act(KeyGenerated(label=of, public_key=point, provenance=Provenance.GENERATED))
        self.act(BeginEnrolment(label=of))
        self.points[label] = point

    def activate(self, label: str, *chain: bytes) -> None:
        of = KeyLabel(label)
        self.act(EnrolCertificate(label=of, chain=chain, anchors=self.anchors))
        self.act(ActivateKey(label=of))

    def act(self, act: Act) -> None:
        """By an administrator's order where it needs one."""
        act_on_key(self.journal, _OPERATOR, act, NOW)

    def public_key(self, label: str) -> ec.EllipticCurvePublicKey:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.points[label])

    def take_in(self, der: bytes) -> None:
        take_in_revocation_list(self.journal, _OPERATOR, der, self.anchors, NOW)

    # ---- the line

    def ask(self, kind: ContentKind, key: str, octets: bytes, *beside: Accompanying) -> Outcome:
        """One request down the line."""
        register = Register(self.journal.ledger, self.anchors)
        held = register.refresh().keys[KeyLabel(key)]
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=packaged_policies(),
            register=register,
            journal=self.journal,
            module=self.token,
            anchors=self.anchors,
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )
        self.asked += 1
        identity = RequestIdentity(
            caller=_caller(held.purpose, held.party, key),
            operation=OPERATIONS[kind],
            key=KeyLabel(key),
            request_id=RequestId(f"r-{self.asked}"),
            sha256=sha256(octets).digest(),
        )
        (outcome,) = sign_batch(line, [Ask(identity=identity, kind=kind, octets=octets, accompanying=beside)], NOW)
        return outcome

    def sign(self, kind: ContentKind, key: str, octets: bytes, *beside: Accompanying) -> bytes:
        """The whole of what was asked for. Raises: whatever the line says instead."""
        outcome = self.ask(kind, key, octets, *beside)
        if not isinstance(outcome, Concluded):
            assert isinstance(outcome, Exception)
            raise outcome
        return assemble(decode(kind, octets, beside), outcome.outputs)

    # ---- what is signed

    def root_certificate(self) -> bytes:
        apex = messages.der(
            0x30, messages.der(0x30, bytes.fromhex("060b2a864886f70d0109100306")), messages.der(0x04, b"\x5a" * 104)
        )
        extensions = (
            *_authority_extensions(1),
            (x509.UnrecognizedExtension(APEX_CONTINGENCY_KEY, apex), False),
        )
        tbs = _tbs(ROOT, ROOT, self.public_key("root-oca"), 50 * YEAR, None, *extensions)
        return self.sign(ContentKind.ROOT_CERTIFICATE, "root-oca", tbs)

    def issuing_certificate(self) -> bytes:
        public_key, root = self.public_key("issuing-oca"), self.public_key("root-oca")
        asked = ((x509.BasicConstraints(ca=True, path_length=0), True), _USAGES[KeyUsage.CERTIFICATE_SIGNING])
        request = self.sign(_REQUEST, "issuing-oca", _request_info(ISSUING, public_key, *asked))
        tbs = _tbs(ROOT, ISSUING, public_key, 25 * YEAR, root, *_authority_extensions(0))
        return self.sign(ContentKind.CERTIFICATE, "root-oca", tbs, _beside(request))

    def certificate(self, subscriber: Subscriber, **changes: Any) -> bytes:
        public_key, issuing = self.public_key(subscriber.label), self.public_key("issuing-oca")
        usage = _USAGES[subscriber.usage]
        request = self.sign(_REQUEST, subscriber.label, _request_info(subscriber.subject, public_key, usage))
        tbs = _tbs(ISSUING, subscriber.subject, public_key, 10 * YEAR, issuing, usage, **changes)
        return self.sign(ContentKind.CERTIFICATE, "issuing-oca", tbs, _beside(request))

    def revocation_list(self, key: str, number: int, *revoked: int, hours: int = 12) -> bytes:
        return self.sign(
            ContentKind.CERTIFICATE_REVOCATION_LIST, key, self.tbs_list(key, number, *revoked, hours=hours)
        )

    def tbs_list(self, key: str, number: int, *revoked: int, hours: int = 12) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ROOT if key == "root-oca" else ISSUING)
            .last_update(NOW)
            .next_update(NOW + timedelta(hours=hours))
            .add_extension(pki.authority_extension(self.public_key(key)), critical=False)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
            reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
            builder = builder.add_revoked_certificate(entry.add_extension(reason, critical=False).build())
        return builder.sign(_NOBODY, hashes.SHA256()).tbs_certlist_bytes


_REQUEST = ContentKind.CERTIFICATE_SIGNING_REQUEST
_USAGES = {
    KeyUsage.CERTIFICATE_SIGNING: (pki.key_usage(key_cert_sign=True, crl_sign=True), True),
    KeyUsage.DIGITAL_SIGNATURE: (pki.key_usage(digital_signature=True), True),
    KeyUsage.KEY_AGREEMENT: (pki.key_usage(key_agreement=True), True),
}
_Extensions = tuple[x509.ExtensionType, bool]


def _authority_extensions(path_length: int) -> tuple[_Extensions, ...]:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    return (constraints, True), _USAGES[KeyUsage.CERTIFICATE_SIGNING]


def _beside(request: bytes) -> Accompanying:
    return Accompanying(kind=AccompanyingKind.CERTIFICATE_SIGNING_REQUEST, octets=request)


def _tbs(
    issuer: x509.Name,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
    authority: ec.EllipticCurvePublicKey | None,
    *extensions: _Extensions,
    serial: int | None = None,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(serial or new_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + lifetime)
        .add_extension(x509.SubjectKeyIdentifier(pki.key_identifier(public_key)), critical=False)
        .add_extension(POLICY, critical=True)
    )
    if authority is not None:
        builder = builder.add_extension(pki.authority_extension(authority), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(_NOBODY, hashes.SHA256()).tbs_certificate_bytes


def _request_info(subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *extensions: _Extensions) -> bytes:
    """A CertificationRequestInfo of this public key (RFC 2986): the library makes none but of a key that it holds."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    info = builder.sign(_NOBODY, hashes.SHA256()).tbs_certrequest_bytes
    ours, theirs = (
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (public_key, _NOBODY.public_key())
    )
    assert theirs in info
    return info.replace(theirs, ours)


def _caller(purpose: KeyPurpose, party: PartyName, key: str) -> Caller:
    policy = packaged_policies()[purpose]
    user = CallerKind.USER_SYSTEM in policy.caller_kinds
    return Caller(
        identity=f"uri:urn:keybroker:{party}:certification",
        party=party,
        system=SystemName("certification"),
        kind=CallerKind.USER_SYSTEM if user else CallerKind.DCC_SERVICE,
        user_roles=frozenset(),
        euis=frozenset(),
        operations=policy.operations,
        keys=frozenset({KeyLabel(key)}),
    )


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """What the line made, in DER; ``revoked`` is the network operator's certificate."""

    authority: Authority
    root: bytes
    issuing: bytes
    supplier: bytes
    broker: bytes
    revoked: bytes
    arl: bytes
    first_crl: bytes
    crl: bytes


def build(authority: Authority) -> Hierarchy:
    """Root, ARL, Issuing, CRL, three Organisation Certificates, and the CRL that lists the third."""
    # 1. The root, in what would be its ceremony; its ARL.
    authority.make_key("root-oca", KeyPurpose.ROOT_OCA, "dcc")
    root = authority.root_certificate()
    authority.anchors = (Anchor(der=root, test=True),)
    authority.activate("root-oca", root)
    arl = authority.revocation_list("root-oca", 1, hours=8784)
    authority.take_in(arl)
    # 2. The Issuing OCA under it; its first CRL.
    authority.make_key("issuing-oca", KeyPurpose.ISSUING_OCA, "dcc")
    issuing = authority.issuing_certificate()
    authority.activate("issuing-oca", issuing)
    first_crl = authority.revocation_list("issuing-oca", 1)
    authority.take_in(first_crl)
    # 3. Organisations.
    certificates = []
    for each in (SUPPLIER, BROKER, NETWORK_OPERATOR):
        authority.make_key(each.label, each.purpose, each.party, each.eui)
        certificates.append(authority.certificate(each))
    supplier, broker, revoked = certificates
    authority.activate(SUPPLIER.label, supplier, issuing)
    # 4. One is revoked.
    crl = authority.revocation_list("issuing-oca", 2, x509.load_der_x509_certificate(revoked).serial_number)
    authority.take_in(crl)
    return Hierarchy(
        authority=authority,
        root=root,
        issuing=issuing,
        supplier=supplier,
        broker=broker,
        revoked=revoked,
        arl=arl,
        first_crl=first_crl,
        crl=crl,
    )


def moment(at: datetime) -> str:
    return str(int(at.timestamp()))
