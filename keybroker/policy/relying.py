"""May a certificate that came with a request be relied on now? Chain, anchors, validity, revocation, profile.

For Organisation Certificates (originators, signers of Service Requests) and Device Certificates. Device Certificates
have no revocation list (handbook 3.3); those of the CAs above Organisation Certificates are looked at, all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from keybroker.policy.certificate_chain import verify_chain
from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.device_certificates import DeviceCertificateFacts, read_device_chain
from keybroker.policy.model import CertificateFacts, Situation
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.policy.rules.key import why_not_relied_on
from keybroker.policy.trust import Anchor
from keybroker.terms import DeploymentKind, KeyUsage

__all__ = ["DeviceCertificateFacts", "rely_on", "rely_on_device"]

Validity = tuple[datetime, datetime]


def rely_on(der: Sequence[bytes], situation: Situation) -> CertificateFacts:
    """The facts of an Organisation Certificate, end entity first. Raises: CertificateUnfit, which says why not."""
    facts, validity = _organisation(tuple(der), situation.trust.organisation)
    if facts.usage is KeyUsage.CERTIFICATE_SIGNING:
        raise CertificateUnfit("certificate: expected an Organisation's, found a CA's")
    _check_now(validity, facts.test_anchor, situation)
    if situation.deployment is DeploymentKind.LIVE and is_published_test_key(public_point(facts.der[0])):
        raise CertificateUnfit("certificate: expected a key that nobody else holds, found a published test key")
    found = why_not_relied_on(facts, situation.trust.lists, situation.at)
    if found:
        raise CertificateUnfit(f"certificate: expected a chain on no current revocation list, found {found}")
    return facts


def rely_on_device(der: Sequence[bytes], situation: Situation) -> DeviceCertificateFacts:
    """The facts of a Device Certificate, end entity first. Raises: CertificateUnfit, which says why not."""
    facts, validity, test = _device(tuple(der), situation.trust.device)
    _check_now(validity, test, situation)
    return facts


def _check_now(validity: Validity, test: bool, situation: Situation) -> None:
    """Every certificate of the chain is valid now, and the anchor is one of this kind of deployment (G2.20(b))."""
    begins, ends = validity
    if not begins <= situation.at <= ends:
        raise CertificateUnfit(
            f"certificate: expected a chain valid at {situation.at.isoformat()}, found one valid from"
            f" {begins.isoformat()} to {ends.isoformat()}"
        )
    if test is not (situation.deployment is DeploymentKind.TEST):
        raise CertificateUnfit(f"certificate: expected an anchor for a {situation.deployment} deployment")


# Asked for every Command, of few certificates: what octets and anchors alone decide is decided once.
@lru_cache(maxsize=4096)
def _organisation(der: tuple[bytes, ...], anchors: tuple[Anchor, ...]) -> tuple[CertificateFacts, Validity]:
    facts, chain = verify_chain(der, anchors)
    return facts, chain.validity


@lru_cache(maxsize=4096)
def _device(der: tuple[bytes, ...], anchors: tuple[Anchor, ...]) -> tuple[DeviceCertificateFacts, Validity, bool]:
    facts, chain = read_device_chain(der, anchors)
    return facts, chain.validity, chain.anchor.test
