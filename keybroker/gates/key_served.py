"""Does the Cryptographic Module hold the key as the register and its purpose demand? SEC G2.44, G2.45, G3.22."""

from __future__ import annotations

from dataclasses import replace

from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.terms import Finding, RuleName

RULE = RuleName("key-served")
_REMEDY = "tell the operator: keybroker module check"


def served(clause: str) -> Finding:
    """What a module says of a key that it holds as it should. Made once for many uses, as all that modules say."""
    expected = "the registered key in the module, as strong as its purpose demands"
    return Finding(rule=RULE, clause=clause, passed=True, expected=expected, found="held so")


# SEC G3.22: "Each User shall ensure that it carries out Cryptographic Processing only within Cryptographic Modules
# established in accordance with its Information Classification Scheme." G2.44 and G2.45 say the same of the DCC. The
# module reports for each key whether it holds that key, with that public key and with attributes as strong as its
# purpose demands; a key it does not report is not held.
def key_served(look: Look) -> Looked:
    """The module's own finding for the key, as it stood when the batch began."""
    finding = look.evidence.served.get(look.use.key.label)
    if finding is None:
        expected, found = "a key that the module reports as its own", "no report of it"
        return Looked(finding=look.refused(expected=expected, found=found, reason="KEY_NOT_REPORTED", remedy=_REMEDY))
    if not finding.passed:
        finding = replace(finding, reason=finding.reason or "KEY_NOT_AS_DEMANDED", remedy=_REMEDY)
    return Looked(finding=finding)
