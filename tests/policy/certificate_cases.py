"""A certificate, its key and its situation, spoilt in one place: cases of the rules for certificates, made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.policy import decide
from keybroker.policy.model import Decision, KeyRegister
from keybroker.policy.settings import EcosSettings
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import RecoveryRevocation
from keybroker.statement.standing import Standing
from keybroker.terms import ContentKind, KeyLabel, KeyPurpose, KeyState, Operation
from tests import certificates as made
from tests import evidence, messages
from tests.certificates import a_request, beside, compose, compose_info, extensions
from tests.lists import AT, utc
from tests.messages import der
from tests.policy import authorities
from tests.situations import a_key, packaged_policies

ROOT, ISSUING = KeyPurpose.ROOT_OCA, KeyPurpose.ISSUING_OCA
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
OCA_REQUEST = a_request(compose_info(made.key_usage(made.CERTIFICATE_SIGNING), subject=made.ISSUING_OCA))
ACB_SUBJECT = made.name(made.ou("04"), made.uid())
REGISTERED = made.point()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, the certificate that is spoilt, and what the finding must tell."""

    rule: str
    octets: bytes = field(default_factory=compose)
    found: str
    kind: ContentKind = ContentKind.CERTIFICATE
    purpose: KeyPurpose = ISSUING
    request: bytes | None = field(default_factory=a_request)
    spoilt_key: dict[str, Any] = field(default_factory=dict)
    situation: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    offset: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found[:40]} ({self.purpose})"

    def decide(self) -> Decision:
        root = self.kind is ContentKind.ROOT_CERTIFICATE
        accompanying: tuple[Accompanying, ...] = () if self.request is None or root else beside(self.request)
        operation = Operation.SIGN_ROOT_CERTIFICATE if root else Operation.SIGN_CERTIFICATE
        enrolling = {"state": KeyState.ENROLLING, "certificate": None} if root else {}
        return decide(
            decode(self.kind, self.octets, accompanying),
            key=authorities.an_authority(self.purpose, **(enrolling | self.spoilt_key)),
            caller=authorities.a_caller(self.purpose),
            policy=replace(packaged_policies()[self.purpose], **self.policy),
            situation=authorities.a_situation(**({"operation": operation} | self.situation)),
        )


def of_oca(rule: str, found: str, octets: bytes | None = None, **changes: Any) -> Case:
    wanted: dict[str, Any] = {"request": OCA_REQUEST, "purpose": ROOT, "octets": octets or made.an_oca()}
    return Case(rule=rule, found=found, **(wanted | changes))


def of_root(rule: str, found: str, octets: bytes | None = None, **changes: Any) -> Case:
    kind = ContentKind.ROOT_CERTIFICATE
    return Case(rule=rule, found=found, kind=kind, purpose=ROOT, octets=octets or made.a_root(), **changes)


def stated(**changes: bytes) -> bytes:
    return compose(extensions(**changes))


def valid(begin: datetime, end: datetime) -> dict[str, Any]:
    return {"validity": der(0x30, utc(begin), utc(end))}


def named(*attributes: bytes) -> dict[str, Any]:
    """An Organisation's certificate and its request, of one subject."""
    subject = made.name(*attributes)
    return {"octets": compose(subject=subject), "request": a_request(compose_info(subject=subject))}


def settings(purpose: KeyPurpose = ISSUING, **changes: Any) -> dict[str, Any]:
    """A policy whose table ``ecos`` says something else."""
    own = packaged_policies()[purpose].settings
    ecos = EcosSettings(service_live_date=None, applied_from=None, dcc_euis=frozenset())
    return {"settings": replace(own, ecos=replace(ecos, **changes))}


def registered(purpose: KeyPurpose, **changes: Any) -> dict[str, Any]:
    """A situation in which the certified key is registered for a purpose."""
    key = replace(a_key(), label=KeyLabel("another"), purpose=purpose, public_key=REGISTERED, **changes)
    return {"register": KeyRegister(version=1, keys={key.label: key})}


def in_recovery(key: dict[str, Any], *, last: int = 2, **changes: Any) -> dict[str, Any]:
    """The same, while it is stated that the Access Control Broker's certificate was revoked in a recovery."""
    at = AT - DAY
    said: dict[str, Any] = {
        "certificate_sha256": "ab" * 32,
        "role": "04",
        "eui": str(messages.SUPPLIER),
        "reference": "SMKI RP 7",
    }
    common = evidence.in_common(StatementKind.RECOVERY_REVOCATION, at=at, last=last * DAY)
    statement = evidence.stated(RecoveryRevocation.model_validate(common | said | changes), at=at)
    standing = Standing(attesters=evidence.attesters(), statements=(statement,))
    return {"register": replace(key["register"], standing=standing)}


OF_ACB: dict[str, Any] = {
    "octets": compose(subject=ACB_SUBJECT),
    "request": a_request(compose_info(subject=ACB_SUBJECT)),
}
OF_DCC_SUPPLIER = settings(dcc_euis=frozenset({str(messages.SUPPLIER)}))
LIVE, APPLIED = AT - 2 * DAY, AT - DAY
