"""Did the SMKI PMA approve the transfer by which the key came, and its mechanism, after the views? SEC G2.22I(a)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.gates.approvals import GIVE, Given, ever, in_force, was_given
from keybroker.gates.shortfall import Shortfall
from keybroker.statement.approval import About, Approval
from keybroker.statement.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferApproved:
    """The two approvals of one transfer, and the views that they took into account."""

    transfer: Given
    mechanism: Given
    views: Given

    def __str__(self) -> str:
        _, said = self.transfer
        told = f"from {said.source} to {said.destination} by {said.mechanism}"
        return f"{told}: {said.reference}, {self.mechanism[1].reference}, after views {self.views[1].reference}"


# SEC G2.22I(a): "the SMKI PMA has, prior to the transfer of the Secret Key Material or other associated information
# taking place and having taken account of the views of the Security Sub-Committee on the proposed transfer, approved
# both: (i) the secure transfer of that Secret Key Material and any other associated information; and (ii) the secure
# mechanism by which the transfer is to take place".
@clause("G2.22I(a)")
def transfer_approved(
    standing: Standing, fingerprint: str, *, plan_sha256: str | None = None, at: datetime | None = None
) -> TransferApproved | Shortfall:
    """The newest approved transfer of the key, or the first thing that is missing.

    Before the transfer ``at`` is given, and all three must be in force then. Of a transfer that took place they are on
    record: that their time is over since takes nothing back. With ``plan_sha256`` both approvals are of that plan.
    """
    transfer = next(iter(_of(standing, "transfer", fingerprint, plan_sha256, at)), None)
    if transfer is None:
        return _missing("the transfer", "G2.22I(a)(i)", "TRANSFER_NOT_APPROVED")
    said = transfer[1]
    mechanisms = _of(standing, "mechanism", fingerprint, said.plan_sha256, at)
    mechanism = next((each for each in mechanisms if _way(each[1]) == _way(said)), None)
    if mechanism is None:
        return _missing(f"the mechanism {said.mechanism}", "G2.22I(a)(ii)", "MECHANISM_NOT_APPROVED")
    views = [each for each in _of(standing, "views", fingerprint, None, at) if _ends(each[1]) == _ends(said)]
    by_reference = {each[1].reference: each for each in reversed(views)}
    named = [by_reference.get(each.views or "") for each in (said, mechanism[1])]
    if (first := named[0]) is None or named[1] is None:
        return _missing(f"the proposed transfer, {said.views}", "G2.22I(a)", "VIEWS_NOT_ON_RECORD", "views on")
    return TransferApproved(transfer=transfer, mechanism=mechanism, views=first)


def _of(standing: Standing, about: About, fingerprint: str, plan: str | None, at: datetime | None) -> list[Given]:
    held = ever(standing, about, (fingerprint,)) if at is None else in_force(standing, about, (fingerprint,), at)
    return [each for each in held if was_given(standing, each) and plan in (None, each[1].plan_sha256)]


def _ends(said: Approval) -> tuple[str | None, ...]:
    return said.source, said.destination


def _way(said: Approval) -> tuple[str | None, ...]:
    return *_ends(said), said.mechanism


def _missing(what: str, clause: str, reason: str, by: str = "the SMKI PMA's approval of") -> Shortfall:
    return Shortfall(expected=f"{by} {what}, naming the key", found="none", reason=reason, remedy=GIVE, clause=clause)
