"""May a ceremony end before its end, and by whose word? Pure.

Before its point of no return by nobody's. A destination whose offer may be out renounces instead (``renouncing.py``). A
source whose wrapped keys may be out ends by that renunciation, verified as all that comes from the other side; or once
every key of it is compromised, so that neither it nor any later transfer can ever make a second user (SEC G2.22I).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from keybroker.ceremony.entry import Entry
from keybroker.ceremony.package import PackageUnfit, read_renunciation
from keybroker.ceremony.plan import PlanFile
from keybroker.ceremony.steps import Progress, StepName, why_not_aborted
from keybroker.ceremony.transcript_form import read_form
from keybroker.errors import NotPermitted
from keybroker.ledger.canonical_json import Json

NOT_NEEDED = (
    "no wrapped key left by it yet, so there is nothing that could be renounced: abort it without a renunciation"
)
RENOUNCE_FIRST = (
    "its wrapping key may be out: what stands here is destroyed and renounced, before everybody's eyes; give"
    " --side destination, --people and --directory"
)
OR_RENOUNCED = "; or give the destination's --renunciation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """It may end. ``renounced``: the entry by which the destination renounced, and ``transcript`` in which it stood;
    ``compromised``: by the keys' state alone, behind the point of no return."""

    renounced: Entry | None = None
    transcript: bytes = b""
    compromised: bool = False

    def told(self) -> dict[str, Json]:
        """For the record: a renunciation's entry with everybody's signatures, so that it stands here for good."""
        if self.renounced is None:
            return {"compromised": True} if self.compromised else {}
        step = read_form(self.transcript).steps[-1]
        signatures: dict[str, Json] = {**step.signatures}
        told: dict[str, Json] = {
            "entry": self.renounced.octets.decode(),
            "entry_sha256": self.renounced.sha256,
            "signatures": signatures,
            "transcript_sha256": sha256(self.transcript).hexdigest(),
        }
        return {"renunciation": told}


def why_not_ended(
    plan_file: PlanFile, progress: Progress, entries: Sequence[Entry], renunciation: bytes | None, *, compromised: bool
) -> Ends | str:
    """``entries`` are this side's; ``compromised``: every key that it holds is. Why not, in words, else by what."""
    why, given_away = why_not_aborted(progress), not why_not_aborted(progress, given_back=True)
    if renunciation is not None:
        if not why:
            return NOT_NEEDED
        return _renounced(plan_file, entries, renunciation) if given_away else why
    if not why:
        return RENOUNCE_FIRST if progress.offers else Ends()
    if not given_away:
        return why
    return Ends(compromised=True) if compromised else why + OR_RENOUNCED


def check_renounced(progress: Progress, name: str) -> None:
    """Is there something to renounce, that is not in use? Raises: NotPermitted."""
    why = why_not_aborted(progress)
    if progress.is_done or progress.aborted:
        why = "it has ended"
    elif not progress.offers:
        why = why or "it has offered nothing: abort it without people"
    if why:
        raise NotPermitted(f"the ceremony {name} is not renounced: {why}")


def _renounced(plan_file: PlanFile, entries: Sequence[Entry], renunciation: bytes) -> Ends | str:
    concluded = {entry.step: entry for entry in entries}
    wrapped = concluded.get(StepName.WRAP_KEY.value)
    offer = str(concluded[StepName.WITHHOLD_KEY.value].facts["offer"])
    try:
        entry = read_renunciation(
            renunciation, plan_file, offer_sha256=offer, package_sha256=None if wrapped is None else wrapped.sha256
        )
    except PackageUnfit as unfit:
        return f"the renunciation is not relied on: {unfit.sentence}"
    return Ends(renounced=entry, transcript=renunciation)
