"""For whom is the Device to encipher its answer? A Command that carries the certificate of an Unknown Remote Party.

GBCS other-information (handbook 1.3): supplementary party || its counter || X.509 certificate. A false one would have a
Device disclose a consumer's data to another.
"""

from __future__ import annotations

from keybroker.content.inner_command import InnerCommand
from keybroker.policy.certificates import CertificateUnfit, read_end_entity
from keybroker.policy.model import Situation
from keybroker.policy.relying import rely_on
from keybroker.policy.rule import Rule
from keybroker.terms import DeploymentKind, Finding, KeyUsage, RuleName

# GBCS other-information: the certificate that a Command carries is that of the supplementary remote party, for whose
# Key Agreement key the Device is to encipher.
SUPPLEMENTARY_CERTIFICATE_IS_THE_PARTYS = Rule(
    name=RuleName("supplementary-certificate-is-the-partys"),
    clause="GBCS other-information; G2.44(b)",
    remedy="have the message composed with the Key Agreement certificate of the party that it names",
)


def supplementary_certificate_is_the_partys(content: InnerCommand) -> Finding:
    """It is an Organisation Certificate by its profile, for key agreement, of the supplementary remote party."""
    expected = f"a keyAgreement certificate of {content.supplementary_party}"
    try:
        facts = read_end_entity(content.supplementary_certificate)
    except CertificateUnfit as error:
        return SUPPLEMENTARY_CERTIFICATE_IS_THE_PARTYS.refused(expected=expected, found=str(error))
    if facts.eui == content.supplementary_party and facts.usage is KeyUsage.KEY_AGREEMENT:
        return SUPPLEMENTARY_CERTIFICATE_IS_THE_PARTYS.passed
    return SUPPLEMENTARY_CERTIFICATE_IS_THE_PARTYS.refused(expected=expected, found=f"{facts.usage} of {facts.eui}")


# GBCS Organisation Certificate: one that is revoked, expired or of no known issuer vouches for nobody. What the DCC
# published for tests carries certificates that have expired, and no Command with another certificate in it would have
# the published MAC: so a test deployment passes where no chain came, and says so in the finding.
SUPPLEMENTARY_CERTIFICATE_RELIED_ON = Rule(
    name=RuleName("supplementary-certificate-relied-on"),
    clause="GBCS Organisation Certificate; G2.44(b)",
    remedy="send the certificate that the message carries again, with its issuers, as the originator's certificates",
)


def supplementary_certificate_relied_on(content: InnerCommand, situation: Situation) -> Finding:
    """Its chain is beside the message, and can be relied on now."""
    found = _why_not(content, situation)
    if not found:
        return SUPPLEMENTARY_CERTIFICATE_RELIED_ON.passed
    if situation.deployment is DeploymentKind.TEST and not content.originator_chain:
        return SUPPLEMENTARY_CERTIFICATE_RELIED_ON.passed_with(f"not relied on in this test deployment: {found}")
    return SUPPLEMENTARY_CERTIFICATE_RELIED_ON.refused(expected="a chain that can be relied on", found=found)


def _why_not(content: InnerCommand, situation: Situation) -> str:
    if content.originator_chain[:1] != (content.supplementary_certificate,):
        return "another certificate beside it" if content.originator_chain else "no chain beside it"
    try:
        rely_on(content.originator_chain, situation)
    except CertificateUnfit as error:
        return str(error)
    return ""


RULES: tuple[Rule, ...] = (SUPPLEMENTARY_CERTIFICATE_IS_THE_PARTYS, SUPPLEMENTARY_CERTIFICATE_RELIED_ON)


def supplementary_findings(content: InnerCommand, situation: Situation) -> tuple[Finding, ...]:
    """Both; of a message without such a certificate neither says anything."""
    if not content.supplementary_certificate:
        return tuple(rule.not_applicable for rule in RULES)
    return (supplementary_certificate_is_the_partys(content), supplementary_certificate_relied_on(content, situation))
