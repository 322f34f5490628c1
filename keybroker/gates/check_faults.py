"""Is what the check system says about what is to be signed here, and is it recent? SEC G3.25(a)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain as each_of

from keybroker.clause import clause
from keybroker.gates.checkable import Checkable
from keybroker.gates.look import Look
from keybroker.statement.payloads import SupplySensitiveCheck
from keybroker.statement.said import moment
from keybroker.statement.statement import Statement
from keybroker.terms import Finding

_ANOTHER = "have these very octets checked, by the check system of the key's own party, and send that statement"
_AGAIN = "have the check applied again, and sign within the policy's [supply_sensitive_check] within_seconds"


# SEC G3.25(a): "it applies a Supply Sensitive Check prior to Digitally Signing a Pre-Command or SMETS1 Service Request
# in respect of any Supply Sensitive Service Request".
@clause("G3.25(a)")
def check_faults(look: Look, content: Checkable, statement: Statement, said: SupplySensitiveCheck) -> Iterator[Finding]:
    """What is wrong, in order; nothing where it is the check of these octets."""
    return each_of(
        _system_faults(look, statement, said), _content_faults(look, content, said), _time_faults(look, said)
    )


def _system_faults(look: Look, statement: Statement, said: SupplySensitiveCheck) -> Iterator[Finding]:
    """ "it applies": the User itself, whose key it is. SEC G3.14 keeps User Systems of several Users apart."""
    party, attester = look.use.key.party, look.standing.attesters[statement.kid]
    if attester.name != said.check_system:
        expected = f"a check by {attester.name}, who signed the statement"
        yield _fault(look, "CHECK_SYSTEM_NOT_ATTESTER", expected, said.check_system, _ANOTHER)
    if attester.party != party:
        expected, found = f"a check system of {party}", f"{attester.name} of {attester.party}"
        yield _fault(look, "CHECK_SYSTEM_OF_ANOTHER_PARTY", expected, found, _ANOTHER)


def _content_faults(look: Look, content: Checkable, said: SupplySensitiveCheck) -> Iterator[Finding]:
    """The statement against what the broker read in the octets."""
    user, device = str(content.user), str(content.device)
    variants, sha256 = " or ".join(sorted(content.variants)), content.sha256.hex()
    agreements = (
        (said.octets_sha256 == sha256, "CHECK_OF_OTHER_OCTETS", f"octets of SHA-256 {sha256}", said.octets_sha256),
        (said.variant in content.variants, "CHECK_OF_ANOTHER_VARIANT", f"variant {variants}", said.variant),
        (said.device == device, "CHECK_FOR_ANOTHER_DEVICE", f"Device {device}", said.device),
        (said.user == user, "CHECK_FOR_ANOTHER_USER", f"User {user}", said.user),
        (said.request_id == content.request_id, "CHECK_FOR_ANOTHER_REQUEST", content.request_id, said.request_id),
    )
    for agrees, reason, expected, found in agreements:
        if not agrees:
            yield _fault(look, reason, f"a check of {expected}", found, _ANOTHER)


def _time_faults(look: Look, said: SupplySensitiveCheck) -> Iterator[Finding]:
    """ "prior to Digitally Signing": before now, and not longer ago than the policy says."""
    settings = look.use.policy.settings.supply_sensitive_check
    within = settings.within_seconds if settings is not None else 0
    at, checked = look.at, moment(said.checked)
    if checked > at:
        yield _fault(look, "CHECK_AFTER_SIGNING", f"a check before {at.isoformat()}", checked.isoformat(), _AGAIN)
    if checked > said.issued:
        expected = f"a check before the statement of it, at {said.issued.isoformat()}"
        yield _fault(look, "CHECK_AFTER_STATEMENT", expected, checked.isoformat(), _AGAIN)
    if at - checked > timedelta(seconds=within):
        expected = f"a check within {within} s before {at.isoformat()}"
        yield _fault(look, "CHECK_TOO_OLD", expected, checked.isoformat(), _AGAIN)


def _fault(look: Look, reason: str, expected: str, found: str, remedy: str) -> Finding:
    return look.refused(expected=expected, found=found, reason=reason, remedy=remedy, clause="G3.25(a)")
