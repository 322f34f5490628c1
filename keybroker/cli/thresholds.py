"""``keybroker thresholds``: which Anomaly Detection Thresholds are in force, and what exceeded one? SEC G6.

``notify`` takes in a signed notification and ``actions`` a User's signed order for what is quarantined; each is an act
of the operator at the machine that is recorded. ``export`` and ``import`` are for the procedures' files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli import thresholds_files
from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import read_compact_file
from keybroker.cli.output import console, show_json, show_receipt, show_table
from keybroker.config import read_configuration, reading
from keybroker.keys.quarantine import act_on, in_quarantine
from keybroker.keys.thresholds import HeldNotification, notifications
from keybroker.statement.payloads import Threshold

Statement = Annotated[
    Path, typer.Argument(help="The signed statement (a compact JWS).", exists=True, dir_okay=False, allow_dash=False)
]
Every = Annotated[bool, typer.Option("--every", help="Those that were deleted or processed too.")]

_NOTIFICATION = ("of", "part", "sequence", "in force", "why not", "until", "Security Sub-Committee notified")
_QUARANTINED = ("record", "User", "key", "request", "thresholds", "state", "at")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Anomaly Detection Thresholds, and what exceeded one.", no_args_is_help=True)
    group.command("show")(show)
    group.command("notify")(notify)
    group.command("actions")(actions)
    group.command("export")(thresholds_files.export)
    group.command("import")(thresholds_files.take_in)
    group.command("state")(thresholds_files.state)
    app.add_typer(group, name="thresholds")


def show(config: Config, as_json: Json = False) -> None:
    """Every notification that is held, what it sets, and whether the Security Sub-Committee was told (G6.8)."""
    configuration = read_configuration(config)
    at = configuration.clock.now()
    with reading(configuration) as ledger:
        held = notifications(ledger, at)
    if as_json:
        show_json({"part": configuration.file.deployment.part, "notifications": [_facts(each) for each in held]})
        return
    show_table(_NOTIFICATION, [_line(each) for each in held])
    in_force = [each for each in held if each.in_force]
    show_table(
        ("of", "on", "within s", "warning above", "quarantine above", "least", "most"),
        [(each.whose, *_limits(threshold)) for each in in_force for threshold in each.notification.thresholds],
    )


def notify(file: Statement, config: Config, as_json: Json = False) -> None:
    """Check a notification and apply it from now on; checked once, it is spent, applied or not (G6.6A)."""
    configuration, octets = read_configuration(config), read_compact_file(file)
    with acting(configuration, "operator") as (journal, actor):
        receipt = thresholds_files.notify(configuration, journal, actor, octets, configuration.clock.now())
    show_receipt({"act": "ApplyThresholds"}, receipt, as_json=as_json)
    if not as_json:
        console().print("what it leaves out is not set any more, and refused: keybroker thresholds show")


def actions(
    config: Config,
    file: Annotated[
        Path | None, typer.Argument(help="A User's signed order; without it: what is quarantined.", dir_okay=False)
    ] = None,
    every: Every = False,
    as_json: Json = False,
) -> None:
    """What is quarantined; or with a User's order, release or delete one."""
    configuration = read_configuration(config)
    if file is not None:
        with acting(configuration, "operator") as (journal, actor):
            receipt = act_on(journal, actor, read_compact_file(file), configuration.people, configuration.clock.now())
        show_receipt({"act": "ActOnQuarantined"}, receipt, as_json=as_json)
        return
    with reading(configuration) as ledger:
        found = in_quarantine(ledger, every=every)
    if as_json:
        show_json({"quarantined": found})
        return
    rows = [(each.record, each.user, each.key, each.name, each.counts, each.state, each.at) for each in found]
    show_table(_QUARANTINED, rows)


def _line(held: HeldNotification) -> tuple[object, ...]:
    said = held.notification
    return (held.whose, said.part, said.sequence, held.in_force, held.why_not, said.expires, held.told)


def _facts(held: HeldNotification) -> dict[str, object]:
    said = held.notification
    return {
        "of": held.whose,
        "part": said.part,
        "sequence": said.sequence,
        "sha256": held.statement.sha256,
        "record": held.statement.leaf_index,
        "attester": held.statement.attester,
        "guidance": said.guidance,
        "in_force": held.in_force,
        "why_not": held.why_not,
        "until": said.expires,
        "committee_notified": held.told,
        "thresholds": [each.model_dump(exclude_none=True) for each in said.thresholds],
    }


def _limits(each: Threshold) -> tuple[object, ...]:
    on = " ".join(word for word in (each.measure, each.variant, each.code, each.value) if word)
    return (on, each.period_seconds, each.warning, each.quarantine, each.least, each.most)
