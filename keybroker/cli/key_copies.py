"""``keybroker keys copies``: where does a key stand, and which copies of it are accounted for? SEC G5.13(c), G5.24(c).

A module in which a key was made or unwrapped is known by itself. That a copy is destroyed is signed for by two people;
the key itself is destroyed in a ceremony, which refuses while one copy is left.
"""

from __future__ import annotations

from typing import Annotated

import typer

from keybroker.cli.by_order import Label, by_order
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_table
from keybroker.config import Configuration, read_configuration, reading
from keybroker.keys.administration import Act
from keybroker.keys.copies import KnownCopy, copies_of
from keybroker.keys.life_acts import AddCopy, ConfirmCopyDestroyed, Copy
from keybroker.terms import CopyKind, KeyLabel

_Kind = Annotated[CopyKind, typer.Option("--kind", help="What it is.")]
_Place = Annotated[str, typer.Option("--place", help="A module's serial, or site and file.")]
_Digest = Annotated[str, typer.Option("--sha256", help="SHA-256 of its octets in hexadecimal; a blob has one.")]


def register(group: typer.Typer) -> None:
    copies = typer.Typer(help="Every copy of a key that is known.", no_args_is_help=True)
    copies.command("list")(list_copies)
    copies.command("add")(add)
    copies.command("confirm-destroyed")(confirm_destroyed)
    group.add_typer(copies, name="copies")


def list_copies(key: Label, config: Config, as_json: Json = False) -> None:
    """Every copy that was ever known, and what became of it."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        found = copies_of(ledger, KeyLabel(key))
    if as_json:
        show_json({"key": key, "copies": found})
        return
    columns = ("kind", "place", "SHA-256", "known since record", "destroyed by record", "how", "searched")
    show_table(columns, [_line(each) for each in found])
    if not found:
        print("no copy is known: say where it stands with: keybroker keys copies add")


@by_order
def add(_: Configuration, key: Label, kind: _Kind, place: _Place, sha256: _Digest = "") -> Act:
    """Say that a copy of the key is there; it is accounted for before the key counts as destroyed."""
    return AddCopy(label=KeyLabel(key), copy=_copy(kind, place, sha256))


@by_order
def confirm_destroyed(
    _: Configuration,
    key: Label,
    kind: _Kind,
    place: _Place,
    how: Annotated[str, typer.Option("--how", help="How it was erased: the vendor's command, the shredder.")],
    sha256: _Digest = "",
    searched: Annotated[bool, typer.Option("--searched", help="A search of the place found it no more.")] = False,
) -> Act:
    """Two people sign that a copy is destroyed."""
    copy = _copy(kind, place, sha256)
    return ConfirmCopyDestroyed(label=KeyLabel(key), copy=copy, how=how, searched=searched)


def _copy(kind: CopyKind, place: str, sha256: str) -> Copy:
    try:
        return Copy(kind=kind, place=place, sha256=bytes.fromhex(sha256))
    except ValueError as error:
        raise typer.BadParameter(f"expected 64 hexadecimal digits, found {sha256!r}", param_hint="--sha256") from error


def _line(each: KnownCopy) -> tuple[object, ...]:
    copy, searched = each.copy, "" if each.searched is None else each.searched
    return (copy.kind, copy.place, copy.sha256.hex(), each.added, each.destroyed, each.how, searched)
