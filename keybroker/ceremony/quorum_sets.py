"""Which key does a module's own quorum hold, and who has a card of it? As signed entries in the ledger say.

The counterpart of ``kept_sets`` for keys that no shares of ours hold: here the maker's cards are named by whose they
are, and the copies that they open by where they stand (SEC G2.44B). Nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from keybroker.ceremony.book import Book, Held
from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.steps import StepName
from keybroker.keys.life_acts import Copy
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.ceremony_form import DONE
from keybroker.terms import CopyKind

_GIVEN_OUT = {CeremonyKind.SPLIT: StepName.SHARE_KEY, CeremonyKind.RESHARE: StepName.RESHARE_KEY}
_LONGEST_PLACE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumSet:
    """``cards``: of each custodian what he holds, in the words of the room; ``places``: site and place of each copy
    that the quorum opens; ``mechanism``: as the module's profile names it."""

    ceremony: str
    key: str
    public_key_sha256: str
    mechanism: str
    generation: int
    threshold: int
    cards: Mapping[str, str]
    places: tuple[str, ...]

    def told(self) -> dict[str, Json]:
        """As it stands in an entry."""
        return {
            "cards": {**self.cards},
            "ceremony": self.ceremony,
            "generation": self.generation,
            "key": self.key,
            "mechanism": self.mechanism,
            "places": [*self.places],
            "public_key_sha256": self.public_key_sha256,
            "threshold": self.threshold,
        }

    @property
    def sha256(self) -> bytes:
        """By which entries and gates name it."""
        return sha256(encode(self.told())).digest()

    @property
    def count(self) -> int:
        return len(self.cards)

    @property
    def copies(self) -> tuple[Copy, ...]:
        """What the register knows of: each copy, and each card."""
        mechanism = self.mechanism
        opened = (f"{place}, opened by {mechanism}" for place in self.places)
        cards = (f"{mechanism} of {name}, generation {self.generation}: {card}" for name, card in self.cards.items())
        return tuple(Copy(kind=CopyKind.BACK_UP, place=each[:_LONGEST_PLACE]) for each in (*opened, *cards))


def quorum_given_out(held: Held, label: str) -> QuorumSet | None:
    """What this ceremony has put under the module's quorum; None before that, and for a key in shares of ours."""
    step = _GIVEN_OUT.get(held.plan_file.plan.kind)
    told: list[Any] = [
        key
        for each in held.steps
        if step is not None and each.entry.step == step.value
        for key in _keys(each.entry.facts)
    ]
    return next((_read(each) for each in told if each["key"] == label and "cards" in each), None)


def quorum_sets(book: Book, label: str, *, done: bool = True) -> tuple[QuorumSet, ...]:
    """Of this key, the oldest first; ``done``: of ceremonies that came to their end alone. Raises: LedgerFault."""
    kinds = {kind.value for kind in _GIVEN_OUT}
    names = [name for name, kind, state in book.names() if kind in kinds and (state == DONE or not done)]
    found = (quorum_given_out(book.get(name), label) for name in names)
    return tuple(each for each in found if each is not None)


def newest_quorum(book: Book, label: str) -> QuorumSet | None:
    """The one that counts; None where shares of ours hold the key. Raises: LedgerFault."""
    return next(reversed(quorum_sets(book, label)), None)


def _keys(facts: Mapping[str, Json]) -> list[Any]:
    keys = facts.get("keys")
    return keys if isinstance(keys, list) else []


def _read(told: Mapping[str, Any]) -> QuorumSet:
    return QuorumSet(
        ceremony=told["ceremony"],
        key=told["key"],
        public_key_sha256=told["public_key_sha256"],
        mechanism=told["mechanism"],
        generation=told["generation"],
        threshold=told["threshold"],
        cards=dict(told["cards"]),
        places=tuple(told["places"]),
    )
