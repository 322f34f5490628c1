"""How does a record tell that somebody reviewed the audit log? SEC G2.26. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.ledger.canonical_json import Json

REVIEW = "ReviewLedger"
"""The act, in records and orders."""
REVIEWERS = frozenset({"auditor", "reviewer"})
"""Who may order it has one of these roles."""
MOST_MARKED = 1000
"""Records in one review: a list that nobody reads marks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """``up_to`` is the leaf index of the last record that was looked at; ``marked`` those that somebody must look into,
    in order. ``because`` says what was looked for, and what was found.
    """

    up_to: int
    marked: tuple[int, ...]
    because: str

    def told(self) -> dict[str, Json]:
        """What the record says of it, and what its order names."""
        return {"act": REVIEW, "because": self.because, "marked": list(self.marked), "up_to": self.up_to}


def read_review(act: Mapping[str, Json]) -> Review:
    """What a record of the act tells. Raises: ValueError for another form."""
    match act:
        case {"because": str(because), "marked": list(marked), "up_to": int(up_to)} if not isinstance(up_to, bool):
            indexes = tuple(each for each in marked if isinstance(each, int) and not isinstance(each, bool))
            if len(indexes) != len(marked) or list(indexes) != sorted(set(indexes)):
                raise ValueError("marked: leaf indexes, each once, in order")
            return Review(up_to=up_to, marked=indexes, because=because)
        case _:
            raise ValueError("because, marked, up_to")


def why_not(review: Review, *, before: int | None, last: int) -> str:
    """What is wrong with a review after one up to ``before``, where the last record is ``last``; empty: nothing.

    Never beyond the head, never backwards; what is marked lies within it.
    """
    least = 0 if before is None else before
    if not least <= review.up_to <= last:
        return f"expected up to a record between {least} and {last}, found {review.up_to}"
    if len(review.marked) > MOST_MARKED:
        return f"expected at most {MOST_MARKED} marked records, found {len(review.marked)}"
    outside = [each for each in review.marked if not 0 <= each <= review.up_to]
    if outside:
        return f"expected marked records up to {review.up_to}, found {outside[0]}"
    return "" if review.because.strip() else "expected words that say what was looked for, found none"
