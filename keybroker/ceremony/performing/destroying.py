"""Is every copy of a key gone, and how is that known? SEC G5.13(c), G5.24(c): verifiable destruction.

Counted, destroyed, confirmed: three steps, each signed. A copy is searched for where a search can prove that it is
absent; elsewhere those who sign say how it was erased, and the transcript says what nobody can prove.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keybroker.ceremony.erasing import UNPROVEN_OF_FILES, erase_file, find_file
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.room import Answered
from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.destruction import UNPROVEN, destroy_key, is_absent
from keybroker.keys.acts import Act
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import AddCopy, ConfirmCopyDestroyed, Copy, DestroyKey
from keybroker.ledger.canonical_json import Json
from keybroker.terms import CopyKind, KeyLabel

ALL, NO_MORE = "ALL", "done"
LONGEST_HOW = 255
UNPROVEN_OF_WORDS = ("what was erased elsewhere: those who sign this entry say so, and nothing here shows it",)
_ALL_TOLD = (
    "Module, high-availability members, wrapped copies, files, back-ups. Add one that is missing first: type stop, then"
    " keybroker keys copies add, then resume. If these are all, type ALL."
)
_HOW_TOLD = (
    "The maker's erase by its name, or what was done to the medium, when and by whom. Everybody who signs this entry"
    " signs for it."
)
_DIRECTORY_TOLD = (
    "A directory of this machine: every file in it and below is compared by its digest, and the copies are overwritten"
    f" and removed. Type {NO_MORE} when no directory is left to search."
)


@clause("G5.13(c)", "G5.24(c)")
def count_copies(stage: Stage) -> Done:
    """Every copy that anybody knows of, shown before the first is touched."""
    keys: list[Json] = []
    acts: list[Act] = []
    for planned in stage.plan.keys:
        label = KeyLabel(planned.label)
        there, found = _there(stage, label), objects_of(stage.hall.token, label)
        module = Copy(kind=CopyKind.MODULE, place=stage.hall.token.serial)
        if found and module not in there:
            acts.append(AddCopy(label=label, copy=module))
            there = (*there, module)
        for copy in there:
            stage.room.facts({copy.kind.value: copy.place, "sha256": copy.sha256.hex() or "-"})
        stage.room.ask(f"Are these all the copies of {label}? ({ALL})", _ALL_TOLD, _all)
        objects: list[Json] = [f"{each.kind} {(each.point or each.identifier).hex()}" for each in found]
        copies: list[Json] = [{**copy.told()} for copy in there]
        keys.append({"copies": copies, "key": label, "objects": objects})
    return Done(facts={"keys": keys, "module": stage.hall.token.serial}, acts=tuple(acts))


def _all(answer: str) -> None:
    if answer.strip() != ALL:
        raise Answered(f"expected {ALL}, or stop")


def _there(stage: Stage, label: KeyLabel) -> tuple[Copy, ...]:
    """Copies that are not accounted for yet."""
    known = copies_of(stage.hall.book.journal.ledger, label)
    return tuple(each.copy for each in known if each.destroyed is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """``searched``: a search showed that it is absent; ``unproven``: what it, or who says so, cannot show."""

    copy: Copy
    how: str
    searched: bool
    unproven: Sequence[str]

    def told(self) -> dict[str, Json]:
        return {
            **self.copy.told(),
            "cannot_be_proven": [*self.unproven],
            "how": self.how,
            "shown_by": "a search" if self.searched else "the word of those who sign",
        }


@clause("G5.13(c)", "G5.24(c)")
def destroy_copies(stage: Stage) -> Done:
    """Each copy: destroyed here and searched for, or signed for. What an interruption left is gone on with."""
    keys: list[Json] = []
    acts: list[Act] = []
    for planned in stage.plan.keys:
        label = KeyLabel(planned.label)
        there = _there(stage, label)
        gone: list[Gone] = []
        for number, copy in enumerate(there, start=1):
            gone.append(_destroyed(stage, label, copy))
            stage.room.progress(f"copies of {label}", number, len(there))
        acts += _confirmed(label, gone)
        copies: list[Json] = [each.told() for each in gone]
        keys.append({"copies": copies, "key": label})
    return Done(facts={"keys": keys}, acts=tuple(acts))


def _confirmed(label: KeyLabel, gone: Sequence[Gone]) -> Iterator[Act]:
    for each in gone:
        yield ConfirmCopyDestroyed(label=label, copy=each.copy, how=each.how, searched=each.searched)


def _destroyed(stage: Stage, label: KeyLabel, copy: Copy) -> Gone:
    stage.room.facts({copy.kind.value: copy.place, "sha256": copy.sha256.hex() or "-"})
    if copy.kind is CopyKind.MODULE and copy.place == stage.hall.token.serial:
        return _in_module(stage, label, copy)
    if copy.kind in (CopyKind.WRAPPED_BLOB, CopyKind.HOST_KEY_FILE) and copy.sha256:
        return _in_files(stage, copy)
    return _by_word(stage, copy)


def _in_module(stage: Stage, label: KeyLabel, copy: Copy) -> Gone:
    destruction = destroy_key(stage.hall.token, label)
    found = f"{len(destruction.destroyed)} objects" if destruction.destroyed else "nothing was left"
    how = f"destroyed in the module ({found}); a search of {destruction.searched} objects showed it no more"
    return Gone(copy=copy, how=how, searched=True, unproven=destruction.unproven)


def _in_files(stage: Stage, copy: Copy) -> Gone:
    """Directory for directory, until there is none left to search."""
    searched: list[str] = []
    erased, own = 0, list[Path]()
    while (directory := stage.room.ask(f"Where to search for {copy.place}?", _DIRECTORY_TOLD, _directory)) is not None:
        for file in _found(directory, copy):
            erase_file(file)
            own.append(file)
            erased += 1
        if _found(directory, copy):
            raise ModuleDisagrees(f"a copy stands in {directory.name} still, though it was removed; mend it and resume")
        searched.append(str(directory))
        stage.room.tell(f"{directory} holds it no more; {erased} were removed so far.")
    if not searched or not _was_there(copy, own):
        return _by_word(stage, copy)
    how = f"{erased} overwritten and removed; searched for by digest in {', '.join(searched)}"
    return Gone(copy=copy, how=how[:LONGEST_HOW], searched=True, unproven=UNPROVEN_OF_FILES)


def _was_there(copy: Copy, erased: Sequence[Path]) -> bool:
    """Of one that was written to a known path: was it found there? A search elsewhere, or of a mount point whose medium
    is away, finds nothing too."""
    _, known, path = copy.place.partition(": /")
    return not known or Path(f"/{path}").resolve() in erased


def _found(directory: Path, copy: Copy) -> tuple[Path, ...]:
    return find_file(directory, copy.sha256.hex())


def _directory(answer: str) -> Path | None:
    """Raises: Answered for what is no directory that can be read to its end."""
    if answer.strip().lower() == NO_MORE:
        return None
    directory = Path(answer.strip()).resolve()
    try:
        if not answer.strip() or not directory.is_dir():
            raise Answered(f"expected a directory, or {NO_MORE}")
        find_file(directory, "")
    except OSError as error:
        raise Answered(f"the directory cannot be searched: {error.strerror}") from error
    return directory


def _by_word(stage: Stage, copy: Copy) -> Gone:
    how = stage.room.ask(f"How was {copy.place} erased?", _HOW_TOLD, _how)
    return Gone(copy=copy, how=how, searched=False, unproven=(*_unproven_of(copy), *UNPROVEN_OF_WORDS))


def _unproven_of(copy: Copy) -> Sequence[str]:
    return UNPROVEN if copy.kind in (CopyKind.MODULE, CopyKind.HA_MEMBER) else UNPROVEN_OF_FILES


def _how(answer: str) -> str:
    said = answer.strip()
    if not 0 < len(said) <= LONGEST_HOW or not said.isprintable():
        raise Answered(f"expected how it was erased, in 1 to {LONGEST_HOW} characters")
    return said


@clause("G5.13(c)", "G5.24(c)")
def confirm_destruction(stage: Stage) -> Done:
    """The module is searched once more, and everybody signs that nothing is left to account for."""
    destroyed = next(each.entry for each in stage.held.steps if each.entry.step == "destroy-copies")
    acts: list[Act] = []
    for planned in stage.plan.keys:
        label = KeyLabel(planned.label)
        if not is_absent(stage.hall.token, label):
            raise ModuleDisagrees(f"the module shows {label} again: it was put back while it was being destroyed")
        # The entry names the one before it, and so on to the plan: its digest is that of all that was done.
        acts.append(DestroyKey(label=label, transcript=bytes.fromhex(destroyed.sha256)))
    keys: list[Json] = [key.label for key in stage.plan.keys]
    facts: dict[str, Json] = {"destroyed": keys, "module": stage.hall.token.serial, "transcript": destroyed.sha256}
    return Done(facts=facts, acts=tuple(acts))
