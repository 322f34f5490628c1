"""``keybroker keys report``: which keys does SEC G2.57 want replaced, and by when?

From the register as it is committed, with the configuration's policies; it asks no broker and writes nothing.
"""

from __future__ import annotations

import typer

from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_table
from keybroker.config import read_configuration, reading
from keybroker.keys.register import Register
from keybroker.policy.g2_57 import KeyToReplace, keys_to_replace


def register(group: typer.Typer) -> None:
    group.command("report")(report)


def report(config: Config, as_json: Json = False) -> None:
    """The DCC's keys with a GBCS role that serve purposes GBCS does not describe, each with its latest date (G2.57)."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        held = Register(ledger, configuration.anchors).refresh()
    found = keys_to_replace(held, configuration.policies, configuration.clock.now())
    if as_json:
        show_json({"clause": "G2.57", "register_version": held.version, "keys_to_replace": found})
        return
    columns = ("key", "party", "purpose", "role", "EUI", "replace by", "overdue")
    show_table(columns, [_row(each) for each in found])
    if not found:
        print("no key is to be replaced (G2.57)")


def _row(key: KeyToReplace) -> tuple[object, ...]:
    overdue = "OVERDUE" if key.overdue else ""
    return (key.label, key.party, key.purpose, key.role.ou, key.eui, key.at_the_latest, overdue)
