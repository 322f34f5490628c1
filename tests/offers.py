"""Good requests for a running development deployment: one for everything that a key of every purpose may do there.

``Offers(deployment).good(purpose, kind)`` is new each time: serial numbers, counters and RequestIDs are used once.
Devices are played with the private keys of the deployment's ``pki`` directory, as ``tests.agreed`` computes.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from keybroker.cli.dev import pki
from keybroker.cli.dev.configuration import LEDGER_ORIGIN, NODE
from keybroker.cli.dev.evidence import read_attests
from keybroker.cli.dev.plan import DEFAULT_KEYS, DEVICES, DevKey
from keybroker.cli.dev.statements import CHECK
from keybroker.client import HandshakeRequest, Request, SigningRequest, Tls13CertificateVerify, TlsRole, TopUpRequest
from keybroker.client.certificates import new_serial_number
from keybroker.client.ssc import confirm
from keybroker.keys.certificate_request import request_info
from keybroker.policy.model import RegisteredKey
from keybroker.terms import (
    ContentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    KeyState,
    PartyName,
    Provenance,
    RemotePartyRole,
)
from tests import duis, messages
from tests.agreed import gcm, gmac
from tests.conftest import SMETS1_AUTHENTICATION, SMETS1_KEYS, RunningDeployment
from tests.situations import packaged_policies

DEVICE = DEVICES["device-1"]
_counters = itertools.count(int(time.time() * 1000))

KEYS = {key.purpose: key for key in DEFAULT_KEYS}
CELL = messages.der(0x04, DEVICE.octets)
_USERS = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: messages.SET_CLOCK,
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: messages.NETWORK_OPERATOR_BY_NETWORK_OPERATOR,
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: messages.LIMIT_APC_LEVEL,
}
SENSITIVE = {KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: "6.15.1", KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: "7.16"}
"""Of which variant those are that come with a Supply Sensitive Check; the Supplier's has no effect on supply."""
_DCC = {
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: messages.SUPPLIER_BY_SUPPLIER,
    KeyPurpose.COS_PARTY_COMMAND: 0x0008,
    KeyPurpose.WAN_PROVIDER_COMMAND: messages.WAN_PROVIDER_BY_WAN_PROVIDER,
    KeyPurpose.RECOVERY_COMMAND: messages.ANY_BY_RECOVERY,
    KeyPurpose.CONTINGENCY_COMMAND: messages.ANY_BY_CONTINGENCY,
}


SMETS1_QUESTION = bytes.fromhex("C001 C1 0008 0000010000FF 02 00")
"""get-request-normal of a clock's time."""
SMETS1_ANSWER = bytes.fromhex("C401 C1 00 0600000001")


def smets1_gcm(purpose: KeyPurpose) -> AESGCM:
    return AESGCM(SMETS1_KEYS[purpose])


def smets1_authenticated(purpose: KeyPurpose) -> bytes:
    """Security control, and the authentication key where the key has one (IEC 62056-5-3)."""
    return b"\x30" + (SMETS1_AUTHENTICATION if purpose is KeyPurpose.DCO_SMETS1 else b"")


def smets1_opened(purpose: KeyPurpose, title: EntityIdentifier, apdu: bytes) -> bytes:
    """As the Device opens a short protected APDU from ``title``."""
    key = SMETS1_KEYS[purpose]
    vector, sealed = title.octets + apdu[3:7], apdu[7:]
    decryptor = Cipher(algorithms.AES128(key), modes.GCM(vector, sealed[-12:], min_tag_length=12)).decryptor()
    decryptor.authenticate_additional_data(smets1_authenticated(purpose))
    return decryptor.update(sealed[:-12]) + decryptor.finalize()


def caller_of(purpose: KeyPurpose) -> str:
    """The deployment's caller that uses keys of the purpose."""
    return KEYS[purpose].party


def eui_of(purpose: KeyPurpose) -> EntityIdentifier:
    eui = KEYS[purpose].eui
    assert eui is not None
    return eui


@dataclass(frozen=True)
class Offers:
    deployment: RunningDeployment
    _makers: dict[ContentKind, Callable[[KeyPurpose], Request]] = field(init=False)

    def __post_init__(self) -> None:
        makers: dict[ContentKind, Callable[[KeyPurpose], Request]] = {
            ContentKind.PRE_COMMAND: self._pre_command,
            ContentKind.COMMAND: self._command,
            ContentKind.CERTIFICATE: self._certificate,
            ContentKind.CERTIFICATE_REVOCATION_LIST: self._revocation_list,
            ContentKind.CERTIFICATE_SIGNING_REQUEST: self._signing_request,
            ContentKind.COMMAND_BEFORE_MAC: self._inner_command,
            ContentKind.PROTECTED_RESPONSE: self._protected_response,
            ContentKind.ENCRYPTED_RESPONSE: self._encrypted_response,
            ContentKind.PREPAYMENT_TOP_UP: self._top_up,
            ContentKind.SERVICE_REQUEST: self._service_request,
            ContentKind.SMETS1_INSTRUCTION: self._smets1_instruction,
            ContentKind.SMETS1_RESPONSE: self._smets1_response,
            ContentKind.TLS_HANDSHAKE: self._handshake,
        }
        object.__setattr__(self, "_makers", makers)

    def good(self, purpose: KeyPurpose, kind: ContentKind) -> Request:
        """Raises: KeyError for a kind that no request carries."""
        return self._makers[kind](purpose)

    def file(self, name: str) -> Path:
        return self.deployment.directory / "pki" / name

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.file(f"{name}.pem").read_bytes())[0]

    def chain(self, name: str) -> tuple[bytes, ...]:
        """The certificates in a file, and what stands above a key's own."""
        found = [pki.certificate_der(c) for c in x509.load_pem_x509_certificates(self.file(f"{name}.pem").read_bytes())]
        return tuple(found)

    def _pre_command(self, purpose: KeyPurpose) -> Request:
        counter = next(_counters)
        octets = messages.compose_command(_USERS[purpose], eui_of(purpose), DEVICE, counter)
        variant = SENSITIVE.get(purpose)
        checks = () if variant is None else (self._check(purpose, octets, counter, variant),)
        return self._request(ContentKind.PRE_COMMAND, purpose, octets, supply_sensitive_checks=checks)

    def _check(self, purpose: KeyPurpose, octets: bytes, counter: int, variant: str) -> str:
        """The statement of the party's own check system (SEC G3.25)."""
        party = KEYS[purpose].party
        check = read_attests(self.deployment.directory / "evidence", f"{party}/{CHECK}")
        return confirm(
            octets,
            variant=variant,
            device=DEVICE,
            user=eui_of(purpose),
            request_id=f"{eui_of(purpose)}:{DEVICE}:{counter}",
            confirmed_by="rule: of the tests",
            origin=LEDGER_ORIGIN,
            chain=(check.name, f"{party}/head-end", NODE),
            certificate=check.certificate,
            private_key=check.sign,
        )

    def _command(self, purpose: KeyPurpose) -> Request:
        code, counter = _DCC[purpose], next(_counters)
        content = CELL if code == 0x0008 else None
        octets = messages.compose_command(code, eui_of(purpose), DEVICE, counter, content=content)
        return self._request(ContentKind.COMMAND, purpose, octets)

    def _certificate(self, purpose: KeyPurpose) -> Request:
        subject = pki.new_private_key()
        tbs, csr = self._organisation(subject) if purpose is KeyPurpose.ISSUING_OCA else self._authority(subject)
        return self._request(ContentKind.CERTIFICATE, purpose, tbs, certificate_signing_request=csr)

    def _organisation(self, subject: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
        certificate = pki.organisation_certificate(
            self.smki(),
            subject.public_key(),
            role=RemotePartyRole.SUPPLIER,
            eui=EntityIdentifier(bytes.fromhex("027E5700") + secrets.token_bytes(4)),
            common_name="TEST",
            not_before=datetime.now(UTC).replace(microsecond=0),
        )
        usage = pki.key_usage(digital_signature=True)
        return certificate.tbs_certificate_bytes, _csr(subject, certificate.subject, usage)

    def _authority(self, subject: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
        root, issuing = self.certificate("root"), self.certificate("issuing")
        now = datetime.now(UTC).replace(microsecond=0)
        policies = issuing.extensions.get_extension_for_class(x509.CertificatePolicies).value
        usage = pki.key_usage(key_cert_sign=True, crl_sign=True)
        certificate = (
            x509.CertificateBuilder()
            .issuer_name(root.subject)
            .subject_name(issuing.subject)
            .public_key(subject.public_key())
            .serial_number(new_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=365))
            .add_extension(policies, critical=True)
            .add_extension(x509.SubjectKeyIdentifier(pki.key_identifier(subject.public_key())), critical=False)
            .add_extension(_authority_key(root), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(subject, hashes.SHA256())
        )
        return certificate.tbs_certificate_bytes, _csr(subject, certificate.subject, usage)

    def _revocation_list(self, purpose: KeyPurpose) -> Request:
        issuer = self.certificate("root" if purpose is KeyPurpose.ROOT_OCA else "issuing")
        now = datetime.now(UTC).replace(microsecond=0)
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(now)
            .next_update(now + timedelta(hours=10))
            .add_extension(_authority_key(issuer), critical=False)
            .add_extension(x509.CRLNumber(next(_counters)), critical=False)
            .sign(pki.new_private_key(), hashes.SHA256())
        )
        return self._request(ContentKind.CERTIFICATE_REVOCATION_LIST, purpose, made.tbs_certlist_bytes)

    def _signing_request(self, purpose: KeyPurpose) -> Request:
        key = KEYS[purpose]
        nameless = key.role in (None, RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY)
        info = request_info(
            self._registered(key),
            packaged_policies()[purpose],
            role=key.role,
            common_name="TEST" if nameless else None,
        )
        return self._request(ContentKind.CERTIFICATE_SIGNING_REQUEST, purpose, info)

    def _registered(self, key: DevKey) -> RegisteredKey:
        return RegisteredKey(
            label=KeyLabel(key.label),
            purpose=key.purpose,
            party=PartyName(key.party),
            state=KeyState.ACTIVE,
            provenance=Provenance.GENERATED,
            public_key=self.deployment.deployment.keys[key.label].public_point,
            eui=key.eui,
            certificate=None,
        )

    def _inner_command(self, purpose: KeyPurpose) -> Request:
        supplier = eui_of(KeyPurpose.SUPPLIER_PRE_COMMAND)
        octets = messages.compose_command(messages.SEND_MESSAGE, supplier, DEVICE, next(_counters)) + b"\x00"
        return self._request(
            ContentKind.COMMAND_BEFORE_MAC, purpose, octets, device_certificates=self.chain("device-1-ka")
        )

    def _protected_response(self, purpose: KeyPurpose) -> Request:
        counter = next(_counters)
        content = b"\xda\x20" + (counter % 2**24).to_bytes(3, "big") + b"\x00\x00\x01\x00\x01\x03\x00"
        inner = self._answer(purpose, counter, content) + b"\x00"
        mac = gmac(self._agreed(purpose, 2, counter), DEVICE, inner)
        body = bytes.fromhex("1100000000") + inner + mac
        octets = bytes.fromhex("DD000000000000") + messages.length_octets(len(body)) + body
        return self._request(
            ContentKind.PROTECTED_RESPONSE, purpose, octets, device_certificates=self.chain("device-1-ka")
        )

    def _encrypted_response(self, purpose: KeyPurpose) -> Request:
        """A signed Response of one GBZ component (handbook 1.9); its signature is not ours to check."""
        counter = next(_counters)
        sealed, tag = gcm(self._agreed(purpose, 4, counter), DEVICE, b"plaintext", b"\x31")
        item = bytes.fromhex("3100000000") + sealed + tag[:12]
        inside = bytes.fromhex("0000 180001") + len(item).to_bytes(2, "big") + item
        content = bytes.fromhex("0109 01 03 0702") + len(inside).to_bytes(2, "big") + inside
        octets = self._answer(purpose, counter, content) + b"\x40" + bytes(range(1, 65))
        return self._request(
            ContentKind.ENCRYPTED_RESPONSE, purpose, octets, device_certificates=self.chain("device-1-ka")
        )

    def _answer(self, purpose: KeyPurpose, counter: int, content: bytes) -> bytes:
        """From 0xDF through the content."""
        parties = b"\x08" + DEVICE.octets + b"\x08" + eui_of(purpose).octets
        code = messages.SEND_MESSAGE if content.startswith(b"\xda") else 0x0096
        header = b"\xdf\x09\x02" + counter.to_bytes(8, "big") + parties + b"\x00\x02" + code.to_bytes(2, "big")
        return header + messages.length_octets(len(content)) + content

    def _agreed(self, purpose: KeyPurpose, mode: int, counter: int) -> bytes:
        """For what the Device sends to the purpose's key."""
        return self.agreed(purpose, mode, DEVICE, counter, eui_of(purpose))

    def agreed(
        self,
        purpose: KeyPurpose,
        mode: int,
        originator: EntityIdentifier,
        counter: int,
        recipient: EntityIdentifier,
    ) -> bytes:
        """The Device's key with the purpose's; mode 1 Command, 2 Response, 4 encryption (handbook 1.8)."""
        device = load_pem_private_key(self.file("device-1-ka.key").read_bytes(), None)
        assert isinstance(device, ec.EllipticCurvePrivateKey)
        z = device.exchange(ec.ECDH(), self.deployment.key(KEYS[purpose].label))
        other = bytes.fromhex("60857406080300") + originator.octets + bytes([9, mode]) + counter.to_bytes(8, "big")
        return hashlib.sha256(b"\0\0\0\1" + z + other + recipient.octets).digest()[:16]

    def _top_up(self, purpose: KeyPurpose) -> Request:
        return TopUpRequest(
            key=KEYS[purpose].label,
            originator=eui_of(purpose),
            device=DEVICE,
            counter=(next(_counters) & 0xFFFFFFF) << 32,
            pence=1234,
            device_certificates=self.chain("device-1-ka"),
        )

    def _service_request(self, purpose: KeyPurpose) -> Request:
        if purpose is KeyPurpose.USER_XML:
            identifier = duis.an_identifier(eui_of(purpose), DEVICE, next(_counters))
            return self._request(ContentKind.SERVICE_REQUEST, purpose, duis.a_request(identifier=identifier))
        user = eui_of(KeyPurpose.USER_XML)
        identifiers = {
            "request": duis.an_identifier(user, DEVICE, next(_counters)),
            "response": duis.an_identifier(DEVICE, user, next(_counters)),
        }
        return self._request(ContentKind.SERVICE_REQUEST, purpose, duis.a_response(**identifiers))

    def _smets1_instruction(self, purpose: KeyPurpose) -> Request:
        return self._request(ContentKind.SMETS1_INSTRUCTION, purpose, SMETS1_QUESTION, device=DEVICE)

    def _smets1_response(self, purpose: KeyPurpose) -> Request:
        """glo-get-response under the deployment's SMETS1 key, whose octets are known (``tests.conftest``)."""
        counter = (next(_counters) & 0x7FFFFFFF).to_bytes(4, "big")
        sealed = smets1_gcm(purpose).encrypt(DEVICE.octets + counter, SMETS1_ANSWER, smets1_authenticated(purpose))
        content = b"\x30" + counter + sealed[:-4]
        octets = b"\xcc" + bytes([len(content)]) + content
        return self._request(ContentKind.SMETS1_RESPONSE, purpose, octets, device=DEVICE)

    def _handshake(self, purpose: KeyPurpose) -> Request:
        content = Tls13CertificateVerify(role=TlsRole.CLIENT, transcript_hash=os.urandom(32))
        return HandshakeRequest(key=KEYS[purpose].label, content=content)

    def smki(self) -> pki.Smki:
        """The development SMKI, whose Issuing OCA's key lies in a file too."""
        key = load_pem_private_key(self.file("issuing.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        issuing = pki.Authority(certificate=self.certificate("issuing"), private_key=key)
        return pki.Smki(issuing=issuing, root=issuing, policy_oid=pki.TEST_POLICY_OID, lists=())

    def _request(self, kind: ContentKind, purpose: KeyPurpose, octets: bytes, **beside: object) -> Request:
        return SigningRequest(kind=kind, key=KEYS[purpose].label, octets=octets, **beside)  # type: ignore[arg-type]


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    held = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier(held.digest, None, None)


def _csr(subject: ec.EllipticCurvePrivateKey, name: x509.Name, usage: x509.KeyUsage) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(usage, critical=True)
    return builder.sign(subject, hashes.SHA256()).public_bytes(Encoding.DER)
