"""What do records call the acts of a ceremony, and its states? Pure."""

from __future__ import annotations

BEGIN, BEGIN_STEP, CONCLUDE_STEP = "BeginCeremony", "BeginCeremonyStep", "ConcludeCeremonyStep"
END, ABORT = "EndCeremony", "AbortCeremony"
OFFER = "OfferInCeremony"
"""Of refusals alone: what somebody in the room brought, signed or typed, and what is wrong with it."""
OPEN, DONE, ABORTED = "open", "done", "aborted"
NOTHING_BEFORE = "0" * 64
"""``previous`` of a side's first entry."""
