"""Keys, callers and situations for uses of Key Agreement keys: each good, to be spoilt by one argument."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.cli.dev import pki
from keybroker.content.contents import Content
from keybroker.policy import decide
from keybroker.policy.model import Decision, RegisteredKey, Situation
from keybroker.policy.rules import findings
from keybroker.policy.trust import Anchor, RevocationList, Trust
from keybroker.terms import (
    Caller,
    CallerKind,
    DeploymentKind,
    EntityIdentifier,
    Finding,
    KeyLabel,
    KeyPurpose,
    KeyUsage,
    Operation,
    RemotePartyRole,
)
from tests import agreed, messages
from tests.situations import AT, ORIGIN, a_caller, a_certificate, a_key, a_policy

ACB_MAC = KeyPurpose.ACCESS_CONTROL_BROKER_MAC
USER = KeyPurpose.USER_KEY_AGREEMENT
PREPAYMENT = KeyPurpose.SUPPLIER_PREPAYMENT

_ROLES = {
    ACB_MAC: RemotePartyRole.ACCESS_CONTROL_BROKER,
    USER: RemotePartyRole.SUPPLIER,
    PREPAYMENT: RemotePartyRole.SUPPLIER,
}
EUIS = {ACB_MAC: messages.ACCESS_CONTROL_BROKER, USER: messages.SUPPLIER, PREPAYMENT: messages.SUPPLIER}


def a_key_agreement_key(purpose: KeyPurpose, **changes: Any) -> RegisteredKey:
    key = a_key()
    certificate = a_certificate(eui=EUIS[purpose], role=_ROLES[purpose], usage=KeyUsage.KEY_AGREEMENT)
    own: dict[str, Any] = {
        "label": KeyLabel(purpose.value),
        "purpose": purpose,
        "eui": EUIS[purpose],
        "certificate": certificate,
    }
    return replace(key, **(own | changes))


def a_caller_of(purpose: KeyPurpose, **changes: Any) -> Caller:
    (kind,) = a_policy(purpose).caller_kinds
    own: dict[str, Any] = {
        "kind": kind,
        "euis": frozenset({EUIS[purpose]}) if kind is CallerKind.USER_SYSTEM else frozenset(),
        "operations": a_policy(purpose).operations,
        "keys": frozenset({KeyLabel(purpose.value)}),
    }
    return replace(a_caller(), **(own | changes))


def identity(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return hashlib.sha256(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).digest()


def a_list(certificate: x509.Certificate, *revoked: int) -> RevocationList:
    return RevocationList(
        issuer_identity=identity(certificate),
        number=1,
        this_update=agreed.SINCE,
        next_update=agreed.SINCE.replace(year=2034),
        revoked=dict.fromkeys(revoked, agreed.SINCE),
    )


def serial_of(certificate: bytes) -> int:
    return x509.load_der_x509_certificate(certificate).serial_number


def a_situation_for(
    operation: Operation, *, live: bool = False, revoked: Sequence[int] = (), **changes: Any
) -> Situation:
    """Trusts the authorities of ``agreed`` number 1, for test unless ``live``."""
    root, smki = agreed.smki(1)
    issuing = smki.issuing.certificate
    device_root = agreed.device_authority(1).certificate
    lists = (a_list(root), a_list(issuing, *revoked))
    situation = Situation(
        deployment=DeploymentKind.LIVE if live else DeploymentKind.TEST,
        ledger_origin=ORIGIN,
        operation=operation,
        at=AT,
        trust=Trust(
            organisation=(Anchor(der=pki.certificate_der(root), test=not live),),
            device=(Anchor(der=pki.certificate_der(device_root), test=not live),),
            lists={each.issuer_identity: each for each in lists},
        ),
    )
    return replace(situation, **changes)


@dataclass(frozen=True, kw_only=True)
class AgreementCase:
    """A rule, what is spoilt, and part of what the finding must tell."""

    rule: str
    what: str
    found: str
    content: Content
    key: dict[str, Any] = field(default_factory=dict)
    caller: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    situation: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def judge(case: AgreementCase, purpose: KeyPurpose, operation: Operation) -> tuple[Finding, ...]:
    """Every finding of the rules on this case."""
    return findings(
        case.content,
        a_key_agreement_key(purpose, **case.key),
        a_caller_of(purpose, **case.caller),
        a_policy(purpose, **case.policy),
        a_situation_for(operation, **case.situation),
    )


def check_refused(case: AgreementCase, purpose: KeyPurpose, operation: Operation) -> None:
    """The rule refuses, under its clause, and tells what it found."""
    (finding,) = [each for each in judge(case, purpose, operation) if each.rule == case.rule]
    assert not finding.passed
    assert case.found in finding.found, finding.found
    assert finding.clause
    assert finding.expected


def decided(content: Content, purpose: KeyPurpose, operation: Operation, **situation: Any) -> Decision:
    """What ``decide`` makes of a good case. Raises: NotPermitted."""
    return decide(
        content,
        key=a_key_agreement_key(purpose),
        caller=a_caller_of(purpose),
        policy=a_policy(purpose),
        situation=a_situation_for(operation, **situation),
    )


def device_cases(content_with: Any, device: EntityIdentifier = messages.DEVICE) -> list[AgreementCase]:
    """What can be wrong with a Device's certificate; ``content_with`` decodes good octets with another certificate."""
    make = agreed.device_certificate
    return [
        AgreementCase(
            rule="device-certificate-relied-on",
            what="of a foreign authority",
            content=content_with(make(device, authority=2)),
            found="certificate",
        ),
        AgreementCase(
            rule="device-certificate-relied-on",
            what="not valid yet",
            content=content_with(make(device)),
            situation={"at": agreed.SINCE.replace(year=2024)},
            found="valid from",
        ),
        AgreementCase(
            rule="device-certificate-relied-on",
            what="of a test anchor in a live deployment",
            content=content_with(make(device)),
            situation={"deployment": DeploymentKind.LIVE},
            found="live",
        ),
        AgreementCase(
            rule="device-certificate-relied-on",
            what="an Organisation's",
            content=content_with(agreed.organisation_chain(usage=KeyUsage.KEY_AGREEMENT)[0]),
            found="certificate",
        ),
        AgreementCase(
            rule="device-certificate-relied-on",
            what="another point than the certificate's",
            content=replace(content_with(make(device)), peer=agreed.point(agreed.private_key(99))),
            found="04",
        ),
        AgreementCase(
            rule="device-certificate-for-key-agreement",
            what="its signing certificate",
            content=content_with(make(device, usage=KeyUsage.DIGITAL_SIGNATURE)),
            found="digitalSignature",
        ),
        AgreementCase(
            rule="device-certificate-is-the-devices",
            what="another Device's",
            content=content_with(make(agreed.ANOTHER_DEVICE, agreed.ANOTHER_DEVICE_KEY)),
            found=str(agreed.ANOTHER_DEVICE),
        ),
    ]
