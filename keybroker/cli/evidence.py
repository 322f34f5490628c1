"""``keybroker evidence``: what was stated, by whom, until when; and how is it given and taken away?

``list``, ``show`` and ``attesters`` read what the ledger holds, beside the broker, and write nothing. What is added,
withdrawn, enrolled is an act of the operator at the machine that is recorded. ``order`` and ``state`` sign statements,
anywhere. docs/operations/evidence.md tells which kind is given when.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli import evidence_acts, evidence_making
from keybroker.cli.acting import acting
from keybroker.cli.evidence_held import find_one, held, warning_of
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order, read_compact_file
from keybroker.cli.output import show_facts, show_json, show_receipt, show_table
from keybroker.config import read_configuration
from keybroker.gates.lapses import about, days_left
from keybroker.keys.evidence import add_statement
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Order
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

_Sha256 = Annotated[str, typer.Argument(help="SHA-256 of its payload, or the beginning of it (eight digits or more).")]
_COLUMNS = ("statement", "kind", "by", "about", "until", "days", "warning")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Evidence: signed statements, and who may make them.", no_args_is_help=True)
    group.command("list")(list_statements)
    group.command("show")(show)
    group.command("add")(add)
    group.command("withdraw")(withdraw)
    evidence_acts.register(group)
    evidence_making.register(group)
    app.add_typer(group, name="evidence")


def list_statements(config: Config, as_json: Json = False) -> None:
    """Every statement that is held, until when it counts, and a warning 30 and 7 days before it lapses."""
    configuration = read_configuration(config)
    at = configuration.clock.now()
    standing = held(configuration)
    rows = [_facts(standing, each, at) for each in standing.statements]
    if as_json:
        show_json({"at": at, "statements": rows})
        return
    names = ("sha256", "kind", "attester", "subject", "until", "days", "warning")
    show_table(_COLUMNS, [[_short(row[name]) if name == "sha256" else row[name] for name in names] for row in rows])


def show(
    sha256: _Sha256,
    config: Config,
    compact: Annotated[bool, typer.Option("--compact", help="The statement itself, as it was signed.")] = False,
    as_json: Json = False,
) -> None:
    """One statement, with everything that it says."""
    configuration = read_configuration(config)
    standing = held(configuration)
    statement = _find(standing, sha256)
    facts = _facts(standing, statement, configuration.clock.now())
    says = statement.payload.model_dump(mode="json")
    if as_json:
        show_json({**facts, "record": statement.leaf_index, "says": says, "compact": statement.compact})
    elif compact:
        print(statement.compact)
    else:
        show_facts({**facts, "record": statement.leaf_index})
        print(json.dumps(says, indent=2, ensure_ascii=False))


def add(
    kind: Annotated[StatementKind, typer.Argument(help="What it states; a statement of one kind is never another.")],
    file: Annotated[Path, typer.Argument(help="The statement (a compact JWS).", exists=True, dir_okay=False)],
    config: Config,
    as_json: Json = False,
) -> None:
    """Verify a statement, record it, and rely on it from now on until it lapses or is withdrawn."""
    configuration, octets = read_configuration(config), read_compact_file(file)
    with acting(configuration, "operator") as (journal, actor):
        receipt = add_statement(journal, actor, octets, kind, configuration.people, configuration.clock.now())
    show_receipt({"act": "AddStatement", "kind": kind}, receipt, as_json=as_json)


def withdraw(
    sha256: _Sha256,
    because: Annotated[str, typer.Option("--because", help="Why; kept in the record.")],
    config: Config,
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Rely on a statement no more; what rested on it alone is refused from now on."""
    configuration = read_configuration(config)
    statement = _find(held(configuration), sha256)
    asked = StatementWithdrawal(sha256=statement.sha256, because=because)
    given = find_order(configuration, asked.told(), order, person, person_key)
    with acting(configuration, "operator") as (journal, actor):
        receipt = withdraw_statement(journal, actor, asked, configuration.people, configuration.clock.now(), given)
    show_receipt({"act": "WithdrawStatement", "sha256": statement.sha256}, receipt, as_json=as_json)


def _facts(standing: Standing, statement: Statement, at: datetime) -> dict[str, object]:
    payload, void = statement.payload, standing.why_void(statement, at)
    days = days_left(payload.expires, at)
    subject = f"{payload.act} {payload.target}" if isinstance(payload, Order) else about(statement)[0]
    return {
        "sha256": statement.sha256,
        "kind": statement.kind,
        "attester": statement.attester,
        "subject": subject,
        "issued": payload.issued,
        "until": payload.expires,
        "days": days,
        "warning": warning_of(days) if void is None else f"does not count: {void.flaw}",
        "counts": void is None,
    }


def _short(sha256: object) -> str:
    return sha256.hex()[:16] if isinstance(sha256, bytes) else str(sha256)


def _find(standing: Standing, prefix: str) -> Statement:
    """Raises: BadParameter unless exactly one held statement begins so."""
    by_sha256 = {each.sha256.hex(): each for each in standing.statements}
    return by_sha256[find_one(by_sha256, prefix, param="sha256", listed="keybroker evidence list")]
