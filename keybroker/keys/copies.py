"""Where does a key stand, and which of its copies are accounted for? SEC G5.13(c), G5.24(c): verifiable destruction.

A module in which a key was installed, or into which it was unwrapped, is a copy by itself; blobs, files and back-ups
are told of by acts. A key is destroyed when no copy of it is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.keys.life_acts import AddCopy, ConfirmCopyDestroyed, Copy, InstallKey, KeyImported, LifeAct
from keybroker.ledger import tables
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.turn import Turn
from keybroker.terms import CopyKind, KeyLabel

_table = tables.key_copy
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCopy:
    """``added`` and ``destroyed`` are the leaf indexes of the records that say so; ``how`` and ``searched`` as in
    ConfirmCopyDestroyed, empty and None while it is there.
    """

    copy: Copy
    added: int
    destroyed: int | None
    how: str
    searched: bool | None


def copies_of(ledger: Reader, label: KeyLabel) -> tuple[KnownCopy, ...]:
    """Every copy that was ever known, the oldest first. Raises: LedgerFault."""
    with ledger.read() as connection:
        return tuple(_known(row) for row in _rows(connection, label))


def check_copy(turn: Turn, act: LifeAct) -> None:
    """Does it tell of a copy that is new, or of one that is there? Raises: NotPermitted."""
    match act:
        case AddCopy():
            _check_named(act.copy)
            if _find(turn.connection, act.label, act.copy) is not None:
                raise NotPermitted(f"this copy of {act.label} is known: {_told(act.copy)}")
        case ConfirmCopyDestroyed():
            if not 0 < len(act.how) <= _LONGEST:
                raise NotPermitted(f"expected how the copy was erased, in 1 to {_LONGEST} characters")
            if _find(turn.connection, act.label, act.copy) is None:
                raise NotPermitted(
                    f"no such copy of {act.label} is there: {_told(act.copy)}; see: keybroker keys copies"
                )
        case _:
            pass


@clause("G5.13(c)", "G5.24(c)")
def check_all_destroyed(turn: Turn, label: KeyLabel) -> None:
    """Is every copy accounted for? Of a key without any nobody knows where it was. Raises: NotPermitted."""
    rows = _rows(turn.connection, label)
    left = [_told(_known(row).copy) for row in rows if row.destroyed_index is None]
    if left:
        raise NotPermitted(
            f"{label} is destroyed when every copy is: expected none, found {'; '.join(left)} (G5.13(c))"
        )
    if not rows:
        raise NotPermitted(
            f"no copy of {label} was ever told of, so none is accounted for: expected the module that held it"
            " (keybroker keys copies add, G5.13(c))"
        )


def settle_copy(turn: Turn, act: LifeAct, receipt: Receipt) -> None:
    """Beside the record: which copy is there since, or is there no more."""
    connection = turn.connection
    match act:
        case AddCopy():
            _add(connection, act.label, act.copy, receipt)
        case InstallKey() | KeyImported():
            copy = Copy(kind=CopyKind.MODULE, place=act.module)
            if _find(connection, act.label, copy) is None:
                _add(connection, act.label, copy, receipt)
        case ConfirmCopyDestroyed():
            row = _find(connection, act.label, act.copy)
            values = {"destroyed_index": receipt.leaf_index, "how": act.how, "searched": int(act.searched)}
            own = _table.c.added_index == (row and row.added_index)
            connection.execute(update(_table).where(own).values(values))
        case _:
            pass


def _add(connection: Connection, label: KeyLabel, copy: Copy, receipt: Receipt) -> None:
    row = {"added_index": receipt.leaf_index, "label": label, **copy.told()}
    connection.execute(insert(_table).values(row))


def _find(connection: Connection, label: KeyLabel, copy: Copy) -> Any:
    """The row of a copy that is there; None where there is none."""
    columns = _table.c
    same = (columns.kind == copy.kind.value) & (columns.place == copy.place) & (columns.sha256 == copy.sha256.hex())
    there = select(_table).where((columns.label == label) & same & columns.destroyed_index.is_(None))
    return connection.execute(there).first()


def _rows(connection: Connection, label: KeyLabel) -> list[Any]:
    wanted = select(_table).where(_table.c.label == label).order_by(_table.c.added_index)
    return list(connection.execute(wanted))


def _known(row: Any) -> KnownCopy:
    return KnownCopy(
        copy=Copy(kind=CopyKind(row.kind), place=row.place, sha256=bytes.fromhex(row.sha256)),
        added=row.added_index,
        destroyed=row.destroyed_index,
        how=row.how or "",
        searched=None if row.searched is None else bool(row.searched),
    )


def _check_named(copy: Copy) -> None:
    if not 0 < len(copy.place) <= _LONGEST or not copy.place.isprintable():
        raise NotPermitted(f"the place of a copy is named in 1 to {_LONGEST} printable characters")
    if len(copy.sha256) not in (0, 32):
        raise NotPermitted("expected SHA-256 of the copy's octets (32), or nothing")
    if copy.kind is CopyKind.WRAPPED_BLOB and not copy.sha256:
        raise NotPermitted("a wrapped blob is known by SHA-256 of its octets: expected it, found none")


def _told(copy: Copy) -> str:
    mark = f", SHA-256 {copy.sha256.hex()[:16]}…" if copy.sha256 else ""
    return f"{copy.kind} {copy.place}{mark}"
