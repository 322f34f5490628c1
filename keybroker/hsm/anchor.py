"""Where the ledger stood last, kept outside it: the newest Head in private data objects of the token (invariant 5).

Several workers write, one at a time (``Journal.keeping_head``). Each adds its Head and then destroys those that are
smaller, and a reader takes the greatest: so wherever a worker dies between, what is kept never goes backwards. Only a
restore that two people ordered makes it (``keys/restore.py``).

An object's value is four lines of ASCII ended by LF: origin, tree size, root hash (hex), moment (ISO 8601, UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.connection import Connection
from keybroker.ledger.model import Head

LABEL = "keybroker ledger head"


def encode_head(head: Head) -> bytes:
    """``at`` is written in UTC."""
    moment = head.at.astimezone(UTC).isoformat()
    return f"{head.origin}\n{head.tree_size}\n{head.root_hash.hex()}\n{moment}\n".encode("ascii")


def decode_head(octets: bytes) -> Head:
    """Raises: ModuleDisagrees for octets that ``encode_head`` would not write."""
    try:
        origin, size, root, moment, end = octets.decode("ascii").split("\n")
        head = Head(
            origin=origin, tree_size=int(size), root_hash=bytes.fromhex(root), at=datetime.fromisoformat(moment)
        )
        exact = not end and head.tree_size >= 0 and len(head.root_hash) == 32 and encode_head(head) == octets
    except (ValueError, OverflowError) as error:
        raise ModuleDisagrees("the ledger's head kept in the module cannot be read") from error
    if not exact:
        raise ModuleDisagrees("the ledger's head kept in the module is not as it was written")
    return head


def read_head(connection: Connection) -> Head | None:
    """The greatest head kept, None where none is. Raises: CallFailed; ModuleDisagrees (unreadable, or of two
    ledgers)."""
    heads = [decode_head(data.octets) for data in connection.find_data(LABEL)]
    if len({head.origin for head in heads}) > 1:
        raise ModuleDisagrees("the module keeps heads of two ledgers; an operator must say which one is ours")
    return max(heads, key=lambda head: head.tree_size, default=None)


def write_head(connection: Connection, head: Head, *, kept_before: bool = False) -> None:
    """Keep this head, and no smaller one. ``kept_before``: this process has seen one kept.

    Raises: CallFailed; ModuleDisagrees: what is kept is of another ledger or history, or greater; or none is kept any
    more.
    """
    kept = read_head(connection)
    if kept is None and kept_before:
        raise ModuleDisagrees("the module keeps no head of this ledger any more: it was taken away")
    if kept is not None:
        _check_extends(kept, head)
    if kept is None or kept.tree_size < head.tree_size:
        connection.create_data(LABEL, encode_head(head))
    for data in connection.find_data(LABEL):
        if decode_head(data.octets).tree_size < head.tree_size:
            connection.destroy_data(data.handle)


def replace_head(connection: Connection, head: Head, *, instead_of: Head | None) -> None:
    """After a restore: keep the restored ledger's head and no other, in the place of the one that it does not extend.

    The new one is made before the old is destroyed: whoever dies between leaves both, and does it again. Raises:
    CallFailed; ModuleDisagrees where something else is kept.
    """
    kept = [decode_head(data.octets) for data in connection.find_data(LABEL)]
    if not all(_may_go(each, head, instead_of) for each in kept):
        raise ModuleDisagrees("the module keeps another head than the one that the restore was ordered for")
    if not any(is_same(each, head) for each in kept):
        connection.create_data(LABEL, encode_head(head))
    for data in connection.find_data(LABEL):
        if not is_same(decode_head(data.octets), head):
            connection.destroy_data(data.handle)


def is_same(one: Head, other: Head) -> bool:
    """The same tree of the same ledger, whenever it was looked at."""
    return (one.origin, one.tree_size, one.root_hash) == (other.origin, other.tree_size, other.root_hash)


def _may_go(kept: Head, head: Head, instead_of: Head | None) -> bool:
    """Is it one of the two, or one that a dying worker left of the same ledger?"""
    if is_same(kept, head) or (instead_of is not None and is_same(kept, instead_of)):
        return True
    return instead_of is not None and kept.origin == head.origin and kept.tree_size < instead_of.tree_size


def _check_extends(kept: Head, head: Head) -> None:
    if kept.origin != head.origin:
        raise ModuleDisagrees("the module keeps the head of another ledger")
    if kept.tree_size > head.tree_size:
        raise ModuleDisagrees(
            f"the ledger has {head.tree_size} records, the module remembers {kept.tree_size}: an earlier ledger was put"
            " back"
        )
    if kept.tree_size == head.tree_size and kept.root_hash != head.root_hash:
        raise ModuleDisagrees("the module keeps another root for a ledger of this size")
