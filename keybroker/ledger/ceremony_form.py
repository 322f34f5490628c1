"""What do records call the acts of a ceremony, and its states? Pure."""

from __future__ import annotations

BEGIN, BEGIN_STEP, CONCLUDE_STEP = "BeginCeremony", "BeginCeremonyStep", "ConcludeCeremonyStep"
END, ABORT = "EndCeremony", "AbortCeremony"
OFFER = "OfferInCeremony"
"""Of refusals alone: what somebody in the room brought, signed or typed, and what is wrong with it."""
RENOUNCE = "renounce"
"""The step by which a destination ends a transfer; it may take the place of one that was begun."""
OFFERS, WITHHOLDS, GIVES_AWAY = "offer-wrapping-key", "withhold-key", frozenset({"wrap-key", "settle-source"})
"""Steps of a transfer from which on its two sides are not simply aborted, and the one that names the offer."""
COMPROMISE = "CompromiseKey"
"""The act after which nobody may ever use a key again."""
OPEN, DONE, ABORTED = "open", "done", "aborted"
NOTHING_BEFORE = "0" * 64
"""``previous`` of a side's first entry."""
