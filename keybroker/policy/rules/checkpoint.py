"""Is this checkpoint of this broker's own ledger? SEC G2.27, G2.45."""

from __future__ import annotations

from keybroker.content.model import AuditCheckpoint
from keybroker.policy.model import Situation
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, RuleName

# SEC G2.27: "The DCC shall ensure that all such system activity recorded in audit logs is recorded in a standard format
# which is compliant with: (a) British Standard BS 10008:2008 (Evidential Weight and Legal Admissibility of Electronic
# Information)". A checkpoint is evidence of one log: the log it names must be the one this broker keeps.
CHECKPOINT_ORIGIN_IS_THIS_LEDGER = Rule(
    name=RuleName("checkpoint-origin-is-this-ledger"),
    clause="G2.27",
    remedy="have the checkpoint signed by the broker that keeps that ledger",
)


def checkpoint_origin_is_this_ledger(checkpoint: AuditCheckpoint, situation: Situation) -> Finding:
    """The checkpoint's origin line is this ledger's origin, to the octet."""
    if checkpoint.origin == situation.ledger_origin:
        return CHECKPOINT_ORIGIN_IS_THIS_LEDGER.passed
    return CHECKPOINT_ORIGIN_IS_THIS_LEDGER.refused(
        expected=situation.ledger_origin, found=repr(checkpoint.origin), offset=0
    )
