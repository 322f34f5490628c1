"""``keybroker ledger``: is the record whole, and what does it say?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from keybroker.cli import ledger_proofs
from keybroker.cli.ledger_restore import restore
from keybroker.cli.ledger_review import review
from keybroker.cli.options import Config, Json
from keybroker.cli.output import Jsonable, console, is_fancy, show_facts, show_json, show_table
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration, reading, witness_places
from keybroker.errors import LedgerBroken
from keybroker.ledger.audit import Progress, read_records, verify
from keybroker.ledger.cosignatures import check_cosignatures
from keybroker.ledger.model import Head, StoredRecord


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The ledger: evidence in ten years.", no_args_is_help=True)
    group.command("verify")(verify_all)
    group.command("show")(show)
    group.command("tail")(tail)
    group.command("restore")(restore)
    group.command("review")(review)
    ledger_proofs.register(group)
    app.add_typer(group, name="ledger")


def verify_all(
    config: Config,
    with_token: Annotated[
        bool, typer.Option("--with-token", help="Compare with the head kept in the token too; asks for the PIN.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Recompute every record, signature, the tree and the tables, and name the first thing wrong. Writes nothing.

    Cosignatures are verified under the keys of the witnesses that are configured.

    Exit status 0 when the ledger is whole, 3 when it is broken. Without --with-token an older database file put back
    whole is not noticed.
    """
    configuration = read_configuration(config)
    anchor = _kept_in_token(configuration) if with_token else None
    with reading(configuration) as ledger, _progress("recomputing the ledger") as progress:
        verified = verify(ledger, configuration.clock.now(), anchor=anchor, progress=progress)
        cosigned = check_cosignatures(ledger, [place.key for place in witness_places(configuration)])
    facts = {**_facts(verified), "cosignatures": cosigned}
    if as_json:
        show_json({"whole": True, "compared_with_token": anchor is not None, **facts})
        return
    console().print("whole and consistent", style="bold green")
    compared = "yes" if anchor is not None else "no (--with-token)"
    show_facts({**facts, "compared with token": compared})


def show(
    config: Config,
    leaf_index: Annotated[int, typer.Argument(min=0, help="The record's leaf index, from its receipt.")],
    as_json: Json = False,
) -> None:
    """One record, as it was hashed."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        stored = ledger.find(leaf_index)
        size = ledger.head(configuration.clock.now()).tree_size
    if stored is None:
        raise typer.BadParameter(f"expected 0 to {size - 1}, found {leaf_index}", param_hint="leaf_index")
    if as_json:
        show_json(_shown(stored))
        return
    show_facts({"record": stored.leaf_index, "kind": stored.kind, "party": stored.party, "leaf hash": stored.leaf_hash})
    console().print(json.dumps(json.loads(stored.octets), indent=2, ensure_ascii=False))


def tail(
    config: Config,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many records.")] = 10,
    as_json: Json = False,
) -> None:
    """The last records."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        size = ledger.head(configuration.clock.now()).tree_size
        records = read_records(ledger, max(size - count, 0), count)
    if as_json:
        show_json({"tree_size": size, "records": [_shown(stored) for stored in records]})
        return
    rows = [(each.leaf_index, _moment(each), each.kind, each.party, _gist(each)) for each in records]
    show_table(("record", "at", "kind", "party", "what"), rows)


def _kept_in_token(configuration: Configuration) -> Head:
    with opened_token(configuration) as token:
        anchor = token.read_anchor()
    if anchor is None:
        raise LedgerBroken("expected the ledger's head in the token, found none")
    return anchor


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """Somebody who waits at a terminal sees how many records are done, of how many."""
    if not is_fancy(stderr=True):
        yield _nobody_looks
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar  # see output.console()

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _nobody_looks(_done: int, _total: int) -> None:
    """Standard error is no terminal, or somebody likes no colour."""


def _facts(verified: object) -> dict[str, object]:
    names = ("origin", "deployment", "tree_size", "root_hash", "kinds", "signatures", "open_intents")
    return {name: getattr(verified, name) for name in names}


def _shown(stored: StoredRecord) -> dict[str, object]:
    return {"leaf_index": stored.leaf_index, "leaf_hash": stored.leaf_hash, "record": json.loads(stored.octets)}


def _moment(stored: StoredRecord) -> Jsonable:
    at: Jsonable = json.loads(stored.octets).get("at")
    return at


def _gist(stored: StoredRecord) -> str:
    record = json.loads(stored.octets)
    body = record.get("body", record)
    words = [body.get(name) for name in ("operation", "act", "key", "reason", "state", "from", "to")]
    return " ".join(str(word) for word in words if isinstance(word, str) and word)
