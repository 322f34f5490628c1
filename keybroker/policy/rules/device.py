"""Is this the Device with which a key may be agreed? Of every content that has a Device's Key Agreement certificate.

SEC G2.44(b), G3.22; GBCS key agreement (handbook 1.8, 3.2).
"""

from __future__ import annotations

from keybroker.clause import clause
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import Situation
from keybroker.policy.relying import DeviceCertificateFacts, rely_on_device
from keybroker.policy.rule import Rule
from keybroker.terms import EntityIdentifier, Finding, KeyUsage, RuleName

# GBCS: a key is agreed between the Remote Party's Key Agreement private key and the Device's Key Agreement public key,
# which the Device's certificate alone vouches for. Agreed with anybody else's, the Message Authentication Code would be
# one that no Device accepts, and the key one that another holds.
DEVICE_CERTIFICATE_RELIED_ON = Rule(
    name=RuleName("device-certificate-relied-on"),
    clause="GBCS Device Certificate; G2.44(b), G3.22",
    remedy="send the Device's own certificate with its issuers, up to a configured Device anchor",
)


def device_certificate_relied_on(chain: tuple[bytes, ...], peer: bytes, situation: Situation) -> Finding:
    """The chain can be relied on, and the point with which the key is agreed is the very one that it certifies."""
    facts = _facts(chain, situation)
    if isinstance(facts, str):
        return DEVICE_CERTIFICATE_RELIED_ON.refused(expected="a chain to a configured Device anchor", found=facts)
    if facts.public_point != peer:
        expected = f"the certificate's public point {facts.public_point.hex()[:16]}"
        return DEVICE_CERTIFICATE_RELIED_ON.refused(expected=expected, found=peer.hex()[:16])
    return DEVICE_CERTIFICATE_RELIED_ON.passed


def _facts(chain: tuple[bytes, ...], situation: Situation) -> DeviceCertificateFacts | str:
    """What the chain states, or why it cannot be relied on."""
    try:
        return rely_on_device(chain, situation)
    except CertificateUnfit as error:
        return str(error)


# GBCS Device Certificate: a Device has one key to sign with and one to agree keys with, and keyUsage tells them apart.
DEVICE_CERTIFICATE_FOR_KEY_AGREEMENT = Rule(
    name=RuleName("device-certificate-for-key-agreement"),
    clause="GBCS Device Certificate; G2.44(b), G3.22",
    remedy="send the Device's Key Agreement certificate, not that of its signing key",
)


def device_certificate_for_key_agreement(facts: DeviceCertificateFacts) -> Finding:
    """Its keyUsage is keyAgreement."""
    if facts.usage is KeyUsage.KEY_AGREEMENT:
        return DEVICE_CERTIFICATE_FOR_KEY_AGREEMENT.passed
    return DEVICE_CERTIFICATE_FOR_KEY_AGREEMENT.refused(expected=KeyUsage.KEY_AGREEMENT, found=facts.usage)


# GBCS Grouping Header: the Device is named as the recipient of a Command, and as the originator of what it answers.
DEVICE_CERTIFICATE_IS_THE_DEVICES = Rule(
    name=RuleName("device-certificate-is-the-devices"),
    clause="GBCS Grouping Header; G2.44(b), G3.22",
    remedy="send the certificate of the Device that the message names",
)


def device_certificate_is_the_devices(facts: DeviceCertificateFacts, device: EntityIdentifier) -> Finding:
    """Its EUI is that of the Device which the message names."""
    if facts.eui == device:
        return DEVICE_CERTIFICATE_IS_THE_DEVICES.passed
    return DEVICE_CERTIFICATE_IS_THE_DEVICES.refused(expected=f"a certificate of {device}", found=str(facts.eui))


RULES: tuple[Rule, ...] = (
    DEVICE_CERTIFICATE_RELIED_ON,
    DEVICE_CERTIFICATE_FOR_KEY_AGREEMENT,
    DEVICE_CERTIFICATE_IS_THE_DEVICES,
)


@clause("G2.44(b)")
def device_findings(
    chain: tuple[bytes, ...], peer: bytes, device: EntityIdentifier, situation: Situation
) -> tuple[Finding, ...]:
    """All three; where the chain cannot be relied on, what it states is not looked at."""
    relied_on = device_certificate_relied_on(chain, peer, situation)
    facts = _facts(chain, situation)
    if isinstance(facts, str):
        return (relied_on,)
    return (
        relied_on,
        device_certificate_for_key_agreement(facts),
        device_certificate_is_the_devices(facts, device),
    )
