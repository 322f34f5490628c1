"""Into which sets was a key split, and where are the copies of what they open? As signed entries in the ledger say.

A set counts from the end of its ceremony on: of one that was aborted, nothing is joined. Nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybroker.ceremony.blobs import BlobCopy
from keybroker.ceremony.book import Book, Held
from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.share_set import ShareSet, read_share_set
from keybroker.ceremony.steps import StepName
from keybroker.errors import NotPermitted
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.ceremony_form import DONE

_SHARES_OUT = {CeremonyKind.SPLIT: StepName.SHARE_KEY, CeremonyKind.RESHARE: StepName.RESHARE_KEY}
"""In which step of which kind shares are given out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSet:
    """A set and the copies of its blob; ``envelopes``: of each custodian SHA-256 of his envelope, in hexadecimal."""

    share_set: ShareSet
    copies: tuple[BlobCopy, ...]
    envelopes: Mapping[str, str]

    @property
    def blob(self) -> str:
        """SHA-256 of the blob, in hexadecimal."""
        return self.share_set.blobs[0]

    def told(self) -> dict[str, Json]:
        """As it stands in an entry."""
        return {
            "blob_sha256": self.blob,
            "copies": [{"path": copy.path, "site": copy.site} for copy in self.copies],
            "envelopes": {**self.envelopes},
            "key": self.share_set.key,
            "set_sha256": self.share_set.sha256.hex(),
            "share_set": self.share_set.model_dump(mode="json"),
        }


def envelope_name(share_set: ShareSet, custodian: str) -> str:
    """Of the file that is given to a custodian."""
    return f"{share_set.key}.generation-{share_set.generation}.{custodian}.share"


def given_out(held: Held, label: str) -> KeptSet | None:
    """The set of this key that this ceremony has given out; None before that, and in other kinds."""
    step = _SHARES_OUT.get(held.plan_file.plan.kind)
    facts = [each.entry.facts for each in held.steps if step is not None and each.entry.step == step.value]
    told: list[Any] = [key for each in facts for key in _keys(each)]
    # What a module's own quorum holds is no set of ours (``quorum_sets``).
    return next((_read(each) for each in told if each["key"] == label and "share_set" in each), None)


def kept_sets(book: Book, label: str) -> tuple[KeptSet, ...]:
    """Every set of this key whose ceremony is done, the oldest first. Raises: LedgerFault."""
    kinds = {kind.value for kind in _SHARES_OUT}
    done = [name for name, kind, state in book.names() if kind in kinds and state == DONE]
    found = (given_out(book.get(name), label) for name in done)
    return tuple(each for each in found if each is not None)


def every_set(book: Book, label: str) -> tuple[KeptSet, ...]:
    """Those of aborted ceremonies too: of them shares may be about. Raises: LedgerFault."""
    kinds = {kind.value for kind in _SHARES_OUT}
    found = (given_out(book.get(name), label) for name, kind, _ in book.names() if kind in kinds)
    return tuple(each for each in found if each is not None)


def newest_set(book: Book, label: str) -> KeptSet:
    """The one that counts. Raises: NotPermitted where the key was never split here; LedgerFault."""
    kept = kept_sets(book, label)
    if not kept:
        raise NotPermitted(f"the ledger knows no share set of {label}: it was not split in a ceremony of this system")
    return kept[-1]


def _keys(facts: Mapping[str, Json]) -> list[Any]:
    keys = facts.get("keys")
    return keys if isinstance(keys, list) else []


def _read(told: Mapping[str, Any]) -> KeptSet:
    """Raises: ShareUnfit for an entry that we would not write."""
    return KeptSet(
        share_set=read_share_set(encode(told["share_set"])),
        copies=tuple(BlobCopy(site=each["site"], path=each["path"]) for each in told["copies"]),
        envelopes=dict(told["envelopes"]),
    )
