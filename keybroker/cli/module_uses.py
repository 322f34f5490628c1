"""``keybroker module uses``: does the module count as many uses of each key as the ledger tells? SEC G2.27, G2.29."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_table
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration
from keybroker.hsm.use_counts import read_use_counts
from keybroker.ledger.comparing import UsesTold, record_differences, uses_told
from keybroker.ledger.store import hold_ledger
from keybroker.ledger.watching import Event


def register(group: typer.Typer) -> None:
    group.command("uses")(uses)


def uses(config: Config, as_json: Json = False) -> None:
    """Hold the module's own count of uses against the ledger; asks for the PIN. The broker must be stopped.

    Each key that differs is an Anomalous Event, on record. Exit status 1 where any does.
    """
    configuration = read_configuration(config)
    broker = hold_ledger(configuration.ledger_url)
    try:
        with opened_token(configuration) as token:
            counted = read_use_counts(token, token.profile.use_counter)
        _compare(configuration, counted, as_json=as_json)
    finally:
        broker.close()


def _compare(configuration: Configuration, counted: Mapping[str, int] | None, *, as_json: bool) -> None:
    if counted is None:
        profile = configuration.profile.name
        if as_json:
            show_json({"counts": False, "profile": profile, "keys": [], "events": []})
        else:
            print(f"modules of profile {profile} count no uses: there is nothing to compare")
        return
    at, watch = configuration.clock.now(), configuration.file.watch
    messages = watch is not None and watch.webhook is not None
    with acting(configuration, "operator") as (journal, _):
        told = uses_told(journal.ledger, at)
        events = record_differences(journal, told, counted, at, messages=messages)
    _show(told, counted, events, as_json=as_json)
    if events:
        raise typer.Exit(1)


def _show(told: UsesTold, counted: Mapping[str, int], events: list[Event], *, as_json: bool) -> None:
    rows = [(key, count, told.intents.get(key, 0), told.signed.get(key, 0)) for key, count in sorted(counted.items())]
    columns = ("key", "module", "intents", "signed")
    if as_json:
        keys = [dict(zip(columns, row, strict=True)) for row in rows]
        show_json({"counts": True, "keys": keys, "events": events})
        return
    show_table(columns, rows)
    for event in events:
        print(f"DIFFERS: {event.anomaly.subject}: {event.anomaly.found} (record {event.leaf_index})")
