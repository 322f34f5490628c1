"""Where the ledger stood last, kept outside it: the newest Head in private data objects of the token (invariant 5).

Several workers write. Each adds its Head and then destroys those that are smaller, and a reader takes the greatest: so
whatever the order, and wherever a worker dies between, what is kept never goes backwards.

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
    except ValueError as error:
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


def write_head(connection: Connection, head: Head) -> None:
    """Keep this head unless a greater one is kept. Raises: CallFailed; ModuleDisagrees for a head of another ledger
    or history."""
    kept = read_head(connection)
    if kept is not None:
        _check_same_history(kept, head)
    if kept is None or kept.tree_size < head.tree_size:
        connection.create_data(LABEL, encode_head(head))
    for data in connection.find_data(LABEL):
        if decode_head(data.octets).tree_size < head.tree_size:
            connection.destroy_data(data.handle)


def _check_same_history(kept: Head, head: Head) -> None:
    if kept.origin != head.origin:
        raise ModuleDisagrees("the module keeps the head of another ledger")
    if kept.tree_size == head.tree_size and kept.root_hash != head.root_hash:
        raise ModuleDisagrees("the module keeps another root for a ledger of this size")
