"""What does a stranger need to judge this ledger without us? An evidence package, in a directory. SEC G2.27, G2.30.

In the spirit of BS 10008: who made it, when, from what, how, and a digest of every file; the tree's every leaf hash,
the records that were asked for as they were hashed, and what they rest on. One moment of the ledger, and nothing of
chance: the same ledger, selection and moment give the same octets. ``docs/evidence-package.md`` says what each file is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.checkpoints import every_checkpoint
from keybroker.ledger.export_beside import ceremony_files, key_files, octets_lines
from keybroker.ledger.export_choosing import Choosing, Selection
from keybroker.ledger.export_files import Files, Written
from keybroker.ledger.export_gathering import Gathered
from keybroker.ledger.export_summary import as_page, as_text
from keybroker.ledger.model import Head
from keybroker.ledger.reading import Reader
from keybroker.ledger.record import moment

FORM = "keybroker evidence package 1"
MANIFEST, MANIFEST_DIGEST = "manifest.json", "manifest.sha256"
_HOW = (
    "Read by keybroker ledger export in one transaction of a ledger that keybroker ledger verify had found whole;"
    " records are the very octets that were hashed. docs/evidence-package.md of that version says what each file is."
)
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Who makes the package (``identity`` as in records), on which machine, with which version, when."""

    identity: str
    machine: str
    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is not in the ledger: the text of a configuration, profile or policy by its digest in hexadecimal, and files
    that every package bears (name to octets). ``checkpoints`` gives those of trees up to a size as signed notes.
    """

    find_text: Callable[[str], bytes | None]
    files: Mapping[str, bytes]
    checkpoints: Callable[[Connection, int], Iterable[bytes]] = every_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What was made. ``records`` are held whole; ``without_text`` are digests in force of which no text is known."""

    head: Head
    records: int
    manifest_sha256: str
    without_text: tuple[str, ...]
    files: tuple[Written, ...]


def make_package(ledger: Reader, directory: Path, selection: Selection, making: Making, beside: Beside) -> Package:
    """Write the package into a directory that is there and empty. It is synced file by file, and not yet released.

    Raises: OSError where it cannot be written; LedgerUnavailable, LedgerBroken.
    """
    with ledger.read() as connection:
        row = connection.execute(select(tables.head)).one()
        head = Head(origin=ledger.origin, tree_size=row.tree_size, root_hash=row.root_hash, at=making.at)
        choosing = _chosen(connection, selection, head.tree_size)
        files, gathered = Files(directory), Gathered()
        # 1. The tree, and the records.
        files.add("leaves.txt", _leaves(connection, head.tree_size, choosing.chosen))
        files.add("records.ndjson", _whole(connection, head.tree_size, choosing.chosen, gathered))
        # 2. What stands beside them.
        files.add("octets.ndjson", octets_lines(connection, choosing.chosen))
        files.add("checkpoints.ndjson", map(_note_line, beside.checkpoints(connection, head.tree_size)))
        for name, octets in (*key_files(connection, selection, choosing.labels), *ceremony_files(gathered.ceremonies)):
            files.add(name, [octets])
    without_text = _add_in_force(files, gathered, selection, beside)
    # 3. What people and strangers need, and the manifest last.
    for name, octets in sorted(beside.files.items()):
        files.add(name, [octets])
    facts = _facts(ledger, head, selection, making, len(choosing.chosen))
    _add_summary(files, facts, gathered)
    manifest = encode({**facts, "files": [each.told() for each in sorted(files.written, key=lambda each: each.name)]})
    files.add(MANIFEST, [manifest])
    digest = sha256(manifest).hexdigest()
    files.add(MANIFEST_DIGEST, [f"{digest}  {MANIFEST}\n".encode()])
    return Package(
        head=head,
        records=len(choosing.chosen),
        manifest_sha256=digest,
        without_text=without_text,
        files=tuple(files.written),
    )


def _chosen(connection: Connection, selection: Selection, size: int) -> Choosing:
    choosing, aged = Choosing(selection=selection), set[int]()
    for row in _rows(connection, size):
        if row.octets:
            choosing.see(row.leaf_index, json.loads(row.octets))
        else:
            aged.add(row.leaf_index)
    choosing.chosen -= aged
    if not selection.is_whole:
        for row in _rows(connection, size):
            if row.leaf_index in choosing.chosen:
                choosing.bring_attesters(json.loads(row.octets))
    return choosing


def _rows(connection: Connection, size: int) -> Iterator[Any]:
    """Records in order, by pages: no cursor is held open over all of them."""
    table, first = tables.record, 0
    while first < size:
        last = min(first + _PAGE, size)
        within = (table.c.leaf_index >= first) & (table.c.leaf_index < last)
        yield from connection.execute(select(table).where(within).order_by(table.c.leaf_index)).all()
        first = last


def _leaves(connection: Connection, size: int, chosen: set[int]) -> Iterator[bytes]:
    """One line for each leaf: its hash, and whether its record is the next line of records.ndjson, or was aged out."""
    for row in _rows(connection, size):
        mark = "x" if not row.octets else "+" if row.leaf_index in chosen else "-"
        yield f"{row.leaf_hash.hex()} {mark}\n".encode()


def _whole(connection: Connection, size: int, chosen: set[int], gathered: Gathered) -> Iterator[bytes]:
    for row in _rows(connection, size):
        if row.leaf_index in chosen:
            gathered.see(row.leaf_index, json.loads(row.octets))
            yield row.octets + b"\n"


def _note_line(note: bytes) -> bytes:
    return encode({"note": note.decode()}) + b"\n"


def _add_in_force(files: Files, gathered: Gathered, selection: Selection, beside: Beside) -> tuple[str, ...]:
    """The texts by their digests. A party is not given the configuration, which names every caller."""
    told: list[Json] = []
    without_text = []
    for digest, used in sorted(gathered.in_force.items()):
        withheld = selection.party is not None and used.kind == "configuration"
        text = None if withheld else beside.find_text(digest)
        if text is not None:
            files.add(f"in_force/{digest}", [text])
        elif not withheld:
            without_text.append(digest)
        told.append({**used.told(), "sha256": digest, "text": "withheld" if withheld else text is not None})
    files.add("in_force.json", [encode({"in_force": told})])
    return tuple(without_text)


def _facts(ledger: Reader, head: Head, selection: Selection, making: Making, records: int) -> dict[str, Json]:
    return {
        "exported": {
            "at": moment(making.at),
            "by": making.identity,
            "how": _HOW,
            "keybroker": making.version,
            "machine": making.machine,
        },
        "form": FORM,
        "ledger": {"deployment": ledger.deployment.value, "origin": ledger.origin},
        "records": records,
        "selection": selection.told(),
        "tree": {"root_hash": head.root_hash.hex(), "tree_size": head.tree_size},
    }


def _add_summary(files: Files, facts: Mapping[str, Any], gathered: Gathered) -> None:
    exported, tally = facts["exported"], gathered.tally
    asked = {name: str(value) for name, value in facts["selection"].items() if value is not None}
    shown = {
        "ledger": f"{facts['ledger']['origin']} ({facts['ledger']['deployment']} deployment)",
        "made": f"{exported['at']} by {exported['by']} on {exported['machine']}, keybroker {exported['keybroker']}",
        "asked for": ", ".join(f"{name} {value}" for name, value in asked.items()) or "everything",
        "records": f"{facts['records']} of {facts['tree']['tree_size']}, from {tally.first} to {tally.last}",
        "root hash": facts["tree"]["root_hash"],
        "to verify": "python verify_evidence.py THIS-DIRECTORY",
    }
    counted = tuple(tally.tables())
    files.add("summary.txt", [as_text("Evidence package", shown, counted).encode()])
    files.add("summary.html", [as_page("Evidence package", shown, counted).encode()])
