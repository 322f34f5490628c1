"""May the DCC still get this certificate? SEC G2.58, G2.59: GBCS roles for the purposes of GBCS alone."""

from __future__ import annotations

from keybroker.content.certificate import TbsCertificate
from keybroker.content.x509_names import OrganisationName
from keybroker.policy.g2_57 import GBCS_PURPOSES, GBCS_ROLES, is_of_the_dcc
from keybroker.policy.g2_59 import recovery_revocation
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.settings import EcosSettings
from keybroker.terms import Finding, RuleName

# SEC G2.58: "the DCC shall not, on or from a date which is after the ECoS Service Live Date, become a Subscriber for an
# Organisation Certificate that: (a) has a Remote Party Role that is specified in the GB Companion Specification; and
# (b) contains a Public Key which has an associated Private Key that is used, or is to be used, for purposes that are
# not specified or described in the GB Companion Specification." G2.59 excepts the replacement of one that has "been
# revoked following the operation of one of the procedures in the SMKI Recovery Procedure", as a statement says.
GBCS_ROLE_FOR_GBCS_PURPOSES = Rule(
    name=RuleName("gbcs-role-for-gbcs-purposes"),
    clause="G2.58",
    remedy="use a role of Table 1 to Annex A of SEC Section L; or, in a recovery, give a recovery-revocation (G2.59)",
)


def gbcs_role_for_gbcs_purposes(content: TbsCertificate, policy: Policy, situation: Situation) -> Finding:
    """From the configured date, and always where none is configured: a DCC key with a GBCS role is of a GBCS purpose.

    What a key is used for is its purpose in the register. One that is not in this register is to be used for what its
    role says: the finding tells so.
    """
    named, ecos = content.subject.named, policy.settings.ecos
    if not isinstance(named, OrganisationName) or named.role not in GBCS_ROLES:
        return GBCS_ROLE_FOR_GBCS_PURPOSES.not_applicable
    if not is_of_the_dcc(named.eui, named.role, ecos) or not _is_applied(ecos, situation):
        return GBCS_ROLE_FOR_GBCS_PURPOSES.not_applicable
    keys = _registered(content.public_key, situation)
    if not keys:
        return GBCS_ROLE_FOR_GBCS_PURPOSES.passed_with(f"a key not in this register, for what OU {named.role.ou} says")
    other = sorted(key.purpose for key in keys if key.purpose not in GBCS_PURPOSES)
    if not other:
        return GBCS_ROLE_FOR_GBCS_PURPOSES.passed
    if excepted := recovery_revocation(named, situation):
        return GBCS_ROLE_FOR_GBCS_PURPOSES.passed_with(excepted)
    return GBCS_ROLE_FOR_GBCS_PURPOSES.refused(
        expected=f"a key used as GBCS describes, or a role that is not of GBCS (OU {named.role.ou})",
        found=f"a key of purpose {', '.join(other)}",
        offset=content.subject.offset,
    )


RULES: tuple[Rule, ...] = (GBCS_ROLE_FOR_GBCS_PURPOSES,)


def findings(content: TbsCertificate, policy: Policy, situation: Situation) -> tuple[Finding, ...]:
    """The rule of G2.58."""
    return (gbcs_role_for_gbcs_purposes(content, policy, situation),)


def _is_applied(ecos: EcosSettings | None, situation: Situation) -> bool:
    return ecos is None or ecos.applied_from is None or situation.at >= ecos.applied_from


def _registered(public_key: bytes, situation: Situation) -> list[RegisteredKey]:
    held = situation.register.keys.values() if situation.register else ()
    return [key for key in held if key.public_key == public_key]
