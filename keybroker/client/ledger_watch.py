"""Is the ledger still the one that the broker showed before, and does it hold what it gave receipts for? SEC G2.27.

The last checkpoint that the ledger's own key signed is kept, in memory or in a file. Every later one must extend it,
and every receipt must be in a tree that one covers: both by proofs of RFC 9162, checked here. What does not hold is
``LedgerForked``, from then on at every call: asking again mends nothing, and somebody must know.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from keybroker.client.answers import InclusionProof, Receipt
from keybroker.errors import ContentMalformed, LedgerForked, NoteUnfit, NotPermitted, ProofUnfit, RequestMalformed
from keybroker.ledger.note import read_note
from keybroker.ledger.note_keys import check_signed, read_vkey
from keybroker.ledger.proofs import check_consistency, check_inclusion

OVERDUE_SECONDS = 300.0
"""A receipt that no checkpoint covers by then is not in the ledger that is shown."""
MOST_PROOFS = 1024
"""Of one call."""

_HEAD = re.compile(rb"([^\n]+)\n(0|[1-9][0-9]{0,19})\n([A-Za-z0-9+/]{43}=)\n")
"""C2SP tlog-checkpoint without extension lines: origin, size, root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """A checkpoint whose signature was verified; ``note`` is the signed note, with its cosignatures."""

    origin: str
    tree_size: int
    root_hash: bytes
    note: bytes


class Asks(Protocol):
    """What of the broker answers."""

    async def get_checkpoint(self, tree_size: int = 0) -> bytes: ...

    async def get_inclusion_proofs(self, leaf_indexes: Sequence[int], tree_size: int) -> list[InclusionProof]: ...

    async def get_consistency_proof(self, first_size: int, second_size: int) -> list[bytes]: ...


@final
class LedgerWatch:
    """What one client remembers of one ledger. Inside one event loop."""

    def __init__(self, ledger_key: str, state: Path | None) -> None:
        """``ledger_key`` is a verifier key (C2SP signed-note), as ``keybroker ledger key`` prints it; ``state`` is a
        file, which is made. Raises: ContentMalformed, NoteUnfit, OSError, ValueError (a state that is none).
        """
        self._key = read_vkey(ledger_key)
        self._state = state
        self._pending: dict[int, tuple[bytes, float]] = {}
        self._failure: LedgerForked | None = None
        self._one_at_a_time = asyncio.Lock()
        self.head: TreeHead | None = None
        if state is not None and state.exists():
            self.head = self.read(_kept(state))

    @property
    def pending(self) -> int:
        """Receipts that no checkpoint covered yet."""
        return len(self._pending)

    def read(self, note: bytes) -> TreeHead:
        """Raises: ContentMalformed for what is no checkpoint, NoteUnfit for one that the ledger's key did not sign."""
        read = read_note(note)
        check_signed(read, self._key)
        found = _HEAD.fullmatch(read.body)
        if found is None or found[1].decode() != self._key.name:
            expected = f"a checkpoint of {self._key.name}: three lines"
            raise ContentMalformed(offset=0, expected=expected, found="another text", source="C2SP tlog-checkpoint")
        return TreeHead(origin=self._key.name, tree_size=int(found[2]), root_hash=b64decode(found[3]), note=note)

    def check(self) -> None:
        """Raises: LedgerForked, once that was found."""
        if self._failure is not None:
            raise self._failure

    def add(self, receipt: Receipt, now: float) -> None:
        """``now`` is on any clock that goes on. Raises: LedgerForked for a receipt of another ledger, or a second one
        for another record in the same place."""
        if receipt.origin != self._key.name:
            raise self._forked(f"a receipt of {receipt.origin}, expected one of {self._key.name}")
        leaf, _ = self._pending.setdefault(receipt.leaf_index, (receipt.leaf_hash, now))
        if leaf != receipt.leaf_hash:
            raise self._forked(f"two receipts for record {receipt.leaf_index}, of different records")

    async def look(self, asks: Asks, now: float) -> None:
        """Take in the last checkpoint; check every receipt that it covers. Raises: LedgerForked; what asking does."""
        async with self._one_at_a_time:
            await self._look(asks, now)

    async def _look(self, asks: Asks, now: float) -> None:
        try:
            await self.follow(asks, await asks.get_checkpoint())
        except NotPermitted as refusal:
            # A ledger that was never shown may have no checkpoint yet; whoever may not ask is told why.
            if self.head is not None or refusal.findings:
                raise
        size = 0 if self.head is None else self.head.tree_size
        covered = sorted(index for index in self._pending if index < size)
        for start in range(0, len(covered), MOST_PROOFS):
            await self._check_receipts(asks, covered[start : start + MOST_PROOFS])
        overdue = [index for index, (_, since) in self._pending.items() if now - since > OVERDUE_SECONDS]
        if overdue:
            raise self._forked(f"no checkpoint covers record {min(overdue)} after {OVERDUE_SECONDS:.0f} s")

    async def follow(self, asks: Asks, note: bytes) -> None:
        """A checkpoint that the broker gives: no shorter than the last, and extending it. Raises: LedgerForked."""
        shown = self._read_or_forked(note)
        before = self.head
        if before is not None and shown.tree_size < before.tree_size:
            raise self._forked(f"it showed {before.tree_size} records, and shows {shown.tree_size} now")
        await self._check_extends(asks, before, shown)
        if before is None or shown.note != before.note:
            self._keep(shown)

    async def compare(self, asks: Asks, note: bytes) -> None:
        """A checkpoint that somebody else was shown: of this same tree, earlier or later. Raises: LedgerForked."""
        theirs = self._read_or_forked(note)
        await self.look(asks, 0.0)
        ours = self.head
        if ours is not None:
            first, second = sorted((ours, theirs), key=lambda head: head.tree_size)
            await self._check_extends(asks, first, second)

    async def _check_extends(self, asks: Asks, first: TreeHead | None, second: TreeHead) -> None:
        if first is None:
            return
        try:
            proof: Sequence[bytes] = ()
            if first.tree_size != second.tree_size:
                proof = await asks.get_consistency_proof(first.tree_size, second.tree_size)
            check_consistency(first.tree_size, second.tree_size, proof, first.root_hash, second.root_hash)
        except (ProofUnfit, RequestMalformed) as error:
            raise self._forked(error.sentence) from error

    async def _check_receipts(self, asks: Asks, indexes: list[int]) -> None:
        head = self.head
        if head is None:
            return
        proofs = {proof.leaf_index: proof for proof in await asks.get_inclusion_proofs(indexes, head.tree_size)}
        for index in indexes:
            leaf, _ = self._pending[index]
            proof = proofs.get(index)
            try:
                hashes = () if proof is None else proof.hashes
                check_inclusion(leaf, index, head.tree_size, hashes, head.root_hash)
            except ProofUnfit as error:
                raise self._forked(f"it gave a receipt for what it does not hold: {error.sentence}") from error
            del self._pending[index]

    def _read_or_forked(self, note: bytes) -> TreeHead:
        try:
            return self.read(note)
        except (ContentMalformed, NoteUnfit) as error:
            raise self._forked(f"a checkpoint that its key did not sign: {error.sentence}") from error

    def _keep(self, head: TreeHead) -> None:
        self.head = head
        if self._state is not None:
            unfinished = self._state.with_name(f".{self._state.name}.new")
            with unfinished.open("w") as out:
                json.dump({"note": head.note.decode()}, out)
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(self._state)

    def _forked(self, found: str) -> LedgerForked:
        """Remembered: from now on every call says so."""
        self._failure = LedgerForked(
            f"the ledger {self._key.name} is not the one that it was: {found}; keep the receipts and checkpoints that"
            " you have, and tell the auditor"
        )
        return self._failure


def _kept(state: Path) -> bytes:
    """Raises: ValueError for a file that no client wrote."""
    try:
        note: str = json.loads(state.read_bytes())["note"]
        return note.encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{state}: expected what a client kept of a ledger, found something else") from error
