"""Was the module established under the Information Classification Scheme, and is it that one? SEC G2.45, G3.22."""

from __future__ import annotations

from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.gates.module_agreement import agreeing_evidence
from keybroker.gates.shortfall import Shortfall
from keybroker.statement.payloads import ModuleClassification
from keybroker.terms import Finding


# SEC G2.45: "within Cryptographic Modules established in accordance with its Information Classification Scheme"; G3.22
# says the same of Users.
def classified_module(look: Look) -> Looked:
    """The newest classification of the module that is there now; in every deployment, the same for a whole batch."""
    return Looked(finding=look.once(find=lambda: _finding(look)))


def _finding(look: Look) -> Finding:
    found = agreeing_evidence(ModuleClassification, look.evidence.module, look.standing, look.at)
    if isinstance(found, Shortfall):
        return found.shuts(look)
    statement, said = found
    expected = "a module established under the Information Classification Scheme, and evidence of it in force"
    return look.passed(expected=expected, found=f"{said.classification} under {said.scheme}; {statement.told()}")
