"""Do the intents and the table of counters tell the same uses? Each use is a number, and equal sums are equal uses.

Each intent tells how many came before it with the same counter: 0, 1, 2 … as often as the table says. Two equal sums of
hashes stand for two equal sets, and need no memory. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json
from keybroker.terms import ContentKind

_WITHOUT_RELATION = frozenset(ContentKind) - {ContentKind.PRE_COMMAND, ContentKind.COMMAND}
"""The kinds of which a counter is a fact among others (``record.relation``)."""


def use_of(index: int, body: dict[str, Json]) -> int:
    """A number for this intent's use of a counter, 0 where it uses none. Raises: LedgerBroken."""
    content, reused = body["content"], body["reused"]
    if not isinstance(content, dict) or not isinstance(reused, int):
        raise LedgerBroken(f"record {index}: expected content facts and a number of earlier uses, found neither")
    if "counter" not in content or content.get("kind") in _WITHOUT_RELATION:
        return 0
    try:
        relation = bytes.fromhex(f"{content['originator']}{content['recipient']}".replace("-", ""))
        relation += int(str(content["counter"])).to_bytes(8, "big")
    except (KeyError, ValueError, OverflowError) as error:
        raise LedgerBroken(f"record {index}: expected originator, recipient and counter, found {content}") from error
    return _weight(relation, reused)


def check_counters(uses: int, counters: Iterable[tuple[bytes, int]] | None) -> None:
    """``uses``: the sum over all intents. A table that is not given is not looked at. Raises: LedgerBroken."""
    if counters is None:
        return
    told = sum(_weight(relation, reused) for relation, used in counters for reused in range(used))
    if told != uses:
        raise LedgerBroken("the table of counters does not tell the same uses as the intents")


def _weight(relation: bytes, reused: int) -> int:
    return int.from_bytes(sha256(relation + reused.to_bytes(8, "big", signed=True)).digest(), "big")
