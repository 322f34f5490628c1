"""Did the Security Sub-Committee approve a shorter period for this person? SEC G2.22B(c), and for no other clause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.gates.people.asked import Asked, told
from keybroker.gates.people.engagements import Stay
from keybroker.gates.people.word import Word, last_word
from keybroker.statement.payloads import CommitteeOpinion
from keybroker.statement.said import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortening:
    """The last opinion on record, by another attester than the person; None where there is none."""

    word: Word[CommitteeOpinion] | None

    @clause("G2.22B(c)")
    def end(self, stay: Stay, full: datetime | None, at: datetime) -> datetime | None:
        """When the exclusion that follows ``stay`` ends, ``full`` without the opinion.

        The opinion is of engagements that had begun when it was given, and that end before the moment it names: of a
        later one the Sub-Committee knew nothing.
        """
        until = self._until(at)
        if until is None or full is None or self.word is None or stay.until is None:
            return full
        known = stay.since <= self.word.payload.issued and stay.until < until
        return min(full, until) if known else full

    def told(self, at: datetime) -> str:
        """For a finding that rests on it; empty where none counts."""
        until = self._until(at)
        if until is None or self.word is None:
            return ""
        return f"period approved until {told(until)} by the Security Sub-Committee, {self.word.payload.reference}"

    def _until(self, at: datetime) -> datetime | None:
        if self.word is None or self.word.payload.until is None or at >= self.word.payload.expires:
            return None
        return moment(self.word.payload.until)


@clause("G2.22B(c)")
def shortening_of(asked: Asked) -> Shortening:
    return Shortening(
        word=last_word(
            asked,
            CommitteeOpinion,
            lambda said: (
                said.committee == "security-sub-committee"
                and said.about == "exclusion-shortened"
                and said.subject == asked.name
            ),
        )
    )
