"""What came out of a step: the facts that are signed, and the acts on the key register that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.keys.acts import Act
from keybroker.ledger.canonical_json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """``acts`` are recorded in the transaction that concludes the step, by the word of its entry."""

    facts: Mapping[str, Json]
    acts: tuple[Act, ...] = ()
