"""Is this certificate the replacement of one that was revoked in a recovery? SEC G2.59, the exception to G2.58.

G2.59: "The requirement in Section G2.58 shall not apply in circumstances where the DCC is required to replace an
Organisation Certificate that has: (a) a Remote Party Role that is specified in the GB Companion Specification; and (b)
been revoked following the operation of one of the procedures in the SMKI Recovery Procedure."
"""

from __future__ import annotations

from hashlib import sha256

from keybroker.clause import clause
from keybroker.content.x509_names import OrganisationName
from keybroker.policy.model import KeyRegister, Situation
from keybroker.policy.stated import newest_in_force
from keybroker.statement.payloads import RecoveryRevocation


@clause("G2.57", "G2.58", "G2.59")
def recovery_revocation(named: OrganisationName, situation: Situation) -> str:
    """The statement in force that a certificate of this role and Entity Identifier was revoked in a recovery; empty
    where there is none, or where the register holds that very certificate and knows of no revocation.
    """
    register = situation.register
    if register is None:
        return ""
    found = newest_in_force(
        register.standing,
        RecoveryRevocation,
        lambda said: (said.role, said.eui) == (named.role.ou, str(named.eui)),
        situation.at,
    )
    if found is None or _stands(found[1].certificate_sha256, register):
        return ""
    statement, said = found
    return f"G2.59: it replaces {said.certificate_sha256[:16]}, revoked under {said.reference}, {statement.told()}"


def _stands(certificate_sha256: str, register: KeyRegister) -> bool:
    held = (key.certificate for key in register.keys.values() if key.certificate is not None)
    return any(
        each.revoked_at is None and bool(each.der) and sha256(each.der[0]).hexdigest() == certificate_sha256
        for each in held
    )
