"""Does the Cryptographic Module hold the key as the register and its purpose demand? SEC G2.44, G2.45, G3.22."""

from __future__ import annotations

from keybroker.gates.model import GateEvidence
from keybroker.policy.model import Decision, GateRequirement
from keybroker.terms import Finding, RuleName


# SEC G3.22: "Each User shall ensure that it carries out Cryptographic Processing only within Cryptographic Modules
# established in accordance with its Information Classification Scheme." G2.44 and G2.45 say the same of the DCC. The
# module reports for each key whether it holds that key, with that public key and with attributes as strong as its
# purpose demands; a key it does not report is not held.
def key_served(decision: Decision, evidence: GateEvidence, requirement: GateRequirement) -> Finding:
    """The module's own finding for the key, as it stood when the batch began."""
    finding = evidence.served.get(decision.key.label)
    if finding is not None:
        return finding
    return Finding(
        rule=RuleName("key-served"),
        clause=requirement.clause,
        passed=False,
        expected="a key that the module reports as its own",
        found="no report of it",
    )
