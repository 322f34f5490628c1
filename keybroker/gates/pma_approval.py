"""Did the SMKI PMA approve how the key came here, and that it is used for this message now? SEC G2.22I(a).

Two things, under one gate. A key that came from another system needs the approvals of that transfer on record. A
Recovery or Contingency key is used only after the SMKI PMA so decided (SMKI Recovery Procedure): for messages that the
decision names, so often as it says, until it ends. The ledger counts, in the transaction that writes the intent.
"""

from __future__ import annotations

from datetime import datetime

from keybroker.clause import clause
from keybroker.content.contents import Content
from keybroker.gates.approvals import (
    Given,
    another_plan,
    covers,
    ever,
    fingerprint_of,
    lapsed,
    missing,
    told_message,
)
from keybroker.gates.look import Look
from keybroker.gates.model import Looked, QuorumStand
from keybroker.gates.shortfall import Shortfall
from keybroker.gates.transfer_approved import TransferApproved, transfer_approved
from keybroker.policy.claim import Limited
from keybroker.policy.model import RegisteredKey
from keybroker.statement.standing import Standing
from keybroker.terms import ContentKind, KeyState, Provenance

_REQUIRED = "the SMKI PMA's approval of this use of the key, and of how the key came where it was moved"
DECIDED = "SMKI Recovery Procedure"
"""By what a use is decided (SEC L10; handbook 6.1): G2.22I speaks of transfers."""
_MORE = "have the SMKI PMA decide on further uses, and give that approval: keybroker evidence add approval FILE"


def pma_approval(look: Look) -> Looked:
    """Open with one use of the approval that covers the message, where one is asked for."""
    key, content = look.use.key, look.use.content
    came = how_it_came(key, look.standing)
    if isinstance(came, Shortfall):
        return Looked(finding=came.shuts(look))
    moved = "" if came is None else f"; came {came}"
    if _asks_for_no_decision(key, content):
        found = f"a request for the certificate of a key that is held whole{moved}"
        return Looked(finding=look.passed(expected=_REQUIRED, found=found))
    decision = _decision(look, content)
    if isinstance(decision, Shortfall):
        return Looked(finding=decision.shuts(look))
    return _using(look, decision, moved)


@clause("G2.22I(a)")
def how_it_came(key: RegisteredKey, standing: Standing) -> TransferApproved | Shortfall | None:
    """None for a key that came from no other system."""
    if key.provenance is not Provenance.UNWRAPPED:
        return None
    return transfer_approved(standing, fingerprint_of(key.public_key))


def why_no_use(key: RegisteredKey, standing: Standing, at: datetime) -> Shortfall | None:
    """Whatever is asked of it, a Command is not signed now: no decision on this key is in force."""
    decisions = _decisions(key, standing, at)
    return decisions if isinstance(decisions, Shortfall) else None


# SEC G2.56(b): a Command signing key also signs requests for its own certificate. Where the module holds it whole, that
# sends nothing to a Device; a key in parts is put together for nothing without a decision.
def _asks_for_no_decision(key: RegisteredKey, content: Content) -> bool:
    return content.kind is ContentKind.CERTIFICATE_SIGNING_REQUEST and key.state is not KeyState.COMBINED


def _decisions(key: RegisteredKey, standing: Standing, at: datetime) -> tuple[Given, ...] | Shortfall:
    """Those in force on the use of this key, the newest first."""
    held = tuple(ever(standing, "combine", (fingerprint_of(key.public_key),)))
    if not held:
        return missing("combine", DECIDED)
    counting = tuple(given for given in held if standing.why_void(given[0], at) is None)
    return counting or lapsed(standing, held[0], at, DECIDED)


def _decision(look: Look, content: Content) -> Given | Shortfall:
    """The newest that covers the message; with a quorum in the room, of the plan for which it came."""
    decisions = _decisions(look.use.key, look.standing, look.at)
    if isinstance(decisions, Shortfall):
        return decisions
    if (quorum := _own_quorum(look)) is not None:
        of_plan = tuple(given for given in decisions if given[1].plan_sha256 == quorum.plan_sha256)
        if not of_plan:
            return another_plan(decisions[0][1], quorum.plan_sha256, DECIDED)
        decisions = of_plan
    covering = next((given for given in decisions if covers(given[1], content)), None)
    return covering or Shortfall(
        expected=f"an approval of {told_message(content)}",
        found=f"{decisions[0][1].reference}, of other messages",
        reason="APPROVAL_OF_OTHER_MESSAGES",
        remedy="have the SMKI PMA decide on this message, or send one of those that it approved",
        clause=DECIDED,
    )


def _own_quorum(look: Look) -> QuorumStand | None:
    quorum = look.evidence.quorum
    return quorum if quorum is not None and quorum.key == look.use.key.label else None


def _using(look: Look, decision: Given, moved: str) -> Looked:
    """One of so many uses, by who said it and which it is: octets of a signature can be changed without breaking it."""
    statement, said = decision
    limited = Limited(
        rule=look.requirement.gate,
        clause=DECIDED,
        scope="approval",
        name=statement.identity.encode(),
        told=f"approval {said.reference}",
        most=said.uses or 0,
        remedy=_MORE,
    )
    found = f"{said.reference}, at most {said.uses} uses: {statement.told()}{moved}"
    return Looked(finding=look.passed(expected=_REQUIRED, found=found), claims=(limited,))
