"""What does an operator record of a key's later life: handed out, superseded, compromised? SEC G5.13, G5.24.

A compromise needs the orders of two people (``--order`` and ``--second-order``). What only a ceremony does (to split,
transfer and destroy a key) is ``keybroker ceremony``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.by_order import Because, Label, by_order
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_table
from keybroker.config import Configuration, read_configuration, reading
from keybroker.errors import NotPermitted
from keybroker.keys.administration import Act
from keybroker.keys.history import Transition, history_of
from keybroker.keys.life_acts import CompromiseKey, DistributeKey, SupersedeKey
from keybroker.terms import KeyLabel


def register(group: typer.Typer) -> None:
    group.command("history")(history)
    group.command("distribute")(distribute)
    group.command("supersede")(supersede)
    group.command("compromise")(compromise)


def history(key: Label, config: Config, as_json: Json = False) -> None:
    """Everything that was ever done to the key: when, from which state to which, by whom, and in which record."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        found = history_of(ledger, KeyLabel(key))
    if not found:
        raise NotPermitted(f"the register has no key {key}")
    if as_json:
        show_json({"key": key, "history": found})
        return
    columns = ("record", "at", "act", "clause's word", "from", "to", "by", "ordered by", "ceremony")
    show_table(columns, [_line(each) for each in found])


@by_order
def distribute(
    _: Configuration,
    key: Label,
    file: Annotated[Path, typer.Argument(help="What was handed out.", exists=True, dir_okay=False)],
    to: Annotated[str, typer.Option("--to", help="To whom.")],
    what: Annotated[str, typer.Option("--what", help="What it is: certificate request, wrapped key.")],
) -> Act:
    """Record that something of the key was handed out; the record keeps SHA-256 of the file."""
    digest = hashlib.sha256(file.read_bytes()).digest()
    return DistributeKey(label=KeyLabel(key), what=what, to=to, sha256=digest)


@by_order
def supersede(_: Configuration, key: Label, because: Because) -> Act:
    """Another key has taken its place already (to have one take its place: keys renew). It will never sign again."""
    return SupersedeKey(label=KeyLabel(key), because=because)


@by_order
def compromise(_: Configuration, key: Label, because: Because) -> Act:
    """Somebody else has the key, or may have it: it is good for nothing but to be destroyed. Two people order it.

    Until they have, one can suspend it.
    """
    return CompromiseKey(label=KeyLabel(key), because=because)


def _line(each: Transition) -> tuple[object, ...]:
    people = " and ".join(each.people)
    return (
        *(each.record, each.at, each.act, each.word, each.before, each.after),
        *(each.actor, people, each.ceremony),
    )
