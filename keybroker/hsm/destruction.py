"""Is a key gone from this module, and what does looking for it prove?

SEC G5.13(c), G5.24(c): verifiable destruction. That nothing is found counts only where the same search finds something
that was put there to be found (``presence.py``). What no search can prove is said in words, for the transcript.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.connection import Connection, ObjectFound
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.presence import not_shown, witness, witness_label
from keybroker.hsm.session_objects import destroy_session_objects
from keybroker.hsm.token_module import Token
from keybroker.terms import KeyLabel

UNPROVEN = (
    "that the module's memory or disk keeps no trace of what it destroyed: the maker's erase alone says that",
    "that no other module, member of a high-availability group or slot holds a copy",
    "that no backup of the module holds a copy: what is put back is there again",
    "that no wrapped blob of the key stands anywhere, whose wrapping key can be had",
    "that no object is hidden from this login",
)
"""What a search of one token cannot prove; each is accounted for by people (copies, statements, the maker's erase)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """``destroyed``: what stood there, one line each, none where it was gone already. ``searched``: how many objects
    the last search showed, the witness among them. ``unproven``: for the transcript."""

    label: KeyLabel
    module_serial: str
    destroyed: tuple[str, ...]
    searched: int
    witness: str
    unproven: tuple[str, ...] = UNPROVEN


@clause("G5.13(c)", "G5.24(c)")
def destroy_key(token: Token, label: KeyLabel) -> Destruction:
    """Destroy every object of the key of this label, its authentication key and what a session holds of it, and search
    for them. May be called again.

    Raises: ModuleDisagrees where the module still shows one; ModuleUnavailable where the search does not show what was
    put there to be found; ModuleFault.
    """
    with token.exclusively() as connection, witness(connection, label) as seen:
        # Destroyed and searched for in one turn, for nobody else to come between.
        _shown(connection, seen)
        destroyed = tuple(_destroyed(connection, label, seen))
        destroy_session_objects(connection.wrapping(), label)
        shown = _shown(connection, seen)
        if any(_is_of(each, label) for each in shown):
            raise ModuleDisagrees("the module still shows an object of a key that it was told to destroy")
        serial = connection.description.serial
    return Destruction(
        label=label, module_serial=serial, destroyed=destroyed, searched=len(shown), witness=witness_label(label)
    )


@clause("G5.13(c)", "G5.24(c)")
def is_absent(token: Token, label: KeyLabel) -> bool:
    """Does the module show nothing of this label, in a search that finds what was put there to be found? Raises:
    ModuleUnavailable where it does not find that; ModuleFault."""
    with token.exclusively() as connection, witness(connection, label) as seen:
        return not any(_is_of(each, label) for each in _shown(connection, seen))


def _is_of(one: ObjectFound, label: str) -> bool:
    return one.label in (label, authentication_label(label))


def _destroyed(connection: Connection, label: KeyLabel, seen: int) -> Iterator[str]:
    wrapping = connection.wrapping()
    for each in _shown(connection, seen):
        if _is_of(each, label):
            wrapping.destroy(each.handle)
            name = (each.point or each.identifier).hex()
            yield f"{each.kind} {each.label}" + (f" ({name})" if name else "")


def _shown(connection: Connection, seen: int) -> tuple[ObjectFound, ...]:
    """Every object of the token. Raises: CallFailed where the witness is not among them."""
    shown = tuple(connection.list_objects())
    if all(each.handle != seen for each in shown):
        raise not_shown()
    return shown
