"""May this checkpoint be cosigned, and what does it show if not? C2SP tlog-witness, section add-checkpoint. Pure.

The answers are those of the specification, in its order. Beside them stands what the checkpoint shows *against the
ledger*, whatever is answered:

    FORK          proven: the ledger signed two trees, one of which does not extend the other
    UNPROVEN      the ledger's signature is good, the proof beside it leads nowhere: its sender erred, or hides a fork

A checkpoint is no secret, so anybody may send one that is good with a proof that is not: that alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from keybroker.content.model import AuditCheckpoint
from keybroker.errors import NoteUnfit, ProofUnfit
from keybroker.ledger.merkle import EMPTY_ROOT
from keybroker.ledger.note import Note
from keybroker.ledger.note_keys import NoteKey, check_signed
from keybroker.ledger.proofs import check_consistency, roots_reached
from keybroker.witness.request import AddCheckpoint


class Shown(Enum):
    FORK = "fork"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What speaks against the ledger: its signed checkpoint, and the cosigned root at ``size`` that it does not extend.

    ``shown_root`` is the root that the checkpoint's tree has at that size, where its proof tells.
    """

    shown: Shown
    size: int
    cosigned_root: bytes
    shown_root: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``status`` OK: to be cosigned. ``signed``: by the ledger, whatever becomes of it."""

    status: HTTPStatus
    sentence: str
    signed: bool = False
    against: Against | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the witness knows: whose ledger, and what it cosigned. ``roots`` by tree size; ``last_size`` 0 for none."""

    origin: str
    ledger_keys: tuple[NoteKey, ...]
    last_size: int
    roots: Mapping[int, bytes]

    @property
    def last_root(self) -> bytes:
        return self.roots[self.last_size] if self.last_size else EMPTY_ROOT


def judge(asked: AddCheckpoint, memory: Memory) -> Judgement:
    """Raises nothing: each way to be refused has its status."""
    checkpoint = asked.checkpoint
    if checkpoint.origin != memory.origin:
        return Judgement(status=HTTPStatus.NOT_FOUND, sentence=f"this witness knows ledger {memory.origin} alone")
    try:
        check_by_ledger(asked.note, memory.ledger_keys)
    except NoteUnfit as unfit:
        return Judgement(status=HTTPStatus.FORBIDDEN, sentence=unfit.sentence)
    against = _another_root(checkpoint, memory)
    if asked.old_size > checkpoint.tree_size:
        sentence = f"the old size is {asked.old_size}, the checkpoint's {checkpoint.tree_size}: expected no less"
        return Judgement(status=HTTPStatus.BAD_REQUEST, sentence=sentence, signed=True, against=against)
    if asked.old_size != memory.last_size:
        sentence = f"the last checkpoint cosigned is of {memory.last_size} records"
        return Judgement(status=HTTPStatus.CONFLICT, sentence=sentence, signed=True, against=against)
    return _judge_proof(asked, memory, against)


def check_by_ledger(note: Note, ledger_keys: Sequence[NoteKey]) -> None:
    """At least one trusted key signed it, and no signature of one is wrong. Raises: NoteUnfit."""
    found = [key for key in ledger_keys if any((s.name, s.key_id) == (key.name, key.key_id) for s in note.signatures)]
    if not found:
        raise NoteUnfit("the checkpoint bears no signature of a key of the ledger that this witness trusts")
    for key in found:
        check_signed(note, key)


def _judge_proof(asked: AddCheckpoint, memory: Memory, against: Against | None) -> Judgement:
    new, refused = asked.checkpoint, HTTPStatus.UNPROCESSABLE_ENTITY
    if new.tree_size == 0 and new.root_hash != EMPTY_ROOT:
        # RFC 6962 section 2.1: the hash of the empty string.
        return Judgement(status=refused, sentence="the root of no records is another one", signed=True)
    try:
        check_consistency(asked.old_size, new.tree_size, asked.proof, _root_for(asked, memory), new.root_hash)
    except ProofUnfit as unfit:
        return Judgement(
            status=refused, sentence=unfit.sentence, signed=True, against=against or _by_proof(asked, memory)
        )
    return Judgement(status=HTTPStatus.OK, sentence="", signed=True)


def _root_for(asked: AddCheckpoint, memory: Memory) -> bytes:
    """From the empty tree nothing is to be proven, and its root is known."""
    return memory.last_root if asked.old_size else EMPTY_ROOT


def _another_root(new: AuditCheckpoint, memory: Memory) -> Against | None:
    """Was another root cosigned for the very same size? Whatever was sent with it, the ledger signed both."""
    cosigned = memory.roots.get(new.tree_size)
    if cosigned is None or cosigned == new.root_hash:
        return None
    return Against(shown=Shown.FORK, size=new.tree_size, cosigned_root=cosigned, shown_root=new.root_hash)


def _by_proof(asked: AddCheckpoint, memory: Memory) -> Against | None:
    """A proof that leads to the new root shows which older root is in it; that is not the one that was cosigned."""
    if not memory.last_size or asked.checkpoint.tree_size == memory.last_size:
        return None
    size, root = memory.last_size, memory.last_root
    try:
        older, newer = roots_reached(size, asked.checkpoint.tree_size, asked.proof, root)
    except ProofUnfit:
        return Against(shown=Shown.UNPROVEN, size=size, cosigned_root=root)
    proven = newer == asked.checkpoint.root_hash and older != root
    return Against(
        shown=Shown.FORK if proven else Shown.UNPROVEN,
        size=size,
        cosigned_root=root,
        shown_root=older if proven else None,
    )
