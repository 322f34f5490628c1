"""``keybroker ledger``: is the record whole, and what does it say?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from keybroker.cli import ledger_proofs
from keybroker.cli.ledger_backup import backup, backups, open_backup
from keybroker.cli.ledger_export import export
from keybroker.cli.ledger_restore import restore
from keybroker.cli.ledger_retain import retain
from keybroker.cli.ledger_review import review
from keybroker.cli.ledger_verify import verify_all
from keybroker.cli.options import Config, Json
from keybroker.cli.output import Jsonable, console, show_facts, show_json, show_table
from keybroker.config import read_configuration, reading
from keybroker.ledger.audit import read_records
from keybroker.ledger.model import StoredRecord

_AGED = "aged out: its leaf hash alone is kept"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The ledger: evidence in ten years.", no_args_is_help=True)
    group.command("verify")(verify_all)
    group.command("show")(show)
    group.command("tail")(tail)
    group.command("export")(export)
    group.command("restore")(restore)
    group.command("backup")(backup)
    group.command("backups")(backups)
    group.command("open-backup")(open_backup)
    group.command("retain")(retain)
    group.command("review")(review)
    ledger_proofs.register(group)
    app.add_typer(group, name="ledger")


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
    told = json.dumps(json.loads(stored.octets), indent=2, ensure_ascii=False) if stored.octets else _AGED
    console().print(told)


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


def _shown(stored: StoredRecord) -> dict[str, object]:
    record = json.loads(stored.octets) if stored.octets else None
    return {"leaf_index": stored.leaf_index, "leaf_hash": stored.leaf_hash, "record": record}


def _moment(stored: StoredRecord) -> Jsonable:
    at: Jsonable = json.loads(stored.octets).get("at") if stored.octets else None
    return at


def _gist(stored: StoredRecord) -> str:
    if not stored.octets:
        return _AGED
    record = json.loads(stored.octets)
    body = record.get("body", record)
    words = [body.get(name) for name in ("operation", "act", "key", "reason", "state", "from", "to")]
    return " ".join(str(word) for word in words if isinstance(word, str) and word)
