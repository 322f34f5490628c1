"""``keybroker keys inventory``: does the module hold what the register says, and nothing else? SEC G5.13(a), G5.24(a).

It names every orphan, stranger, weaker attribute and missing object, and changes nothing.
"""

from __future__ import annotations

import typer

from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_table
from keybroker.cli.token import opened_token
from keybroker.config import read_configuration, reading
from keybroker.hsm.inventory import list_objects, reconcile
from keybroker.keys.register import Register


def register(group: typer.Typer) -> None:
    group.command("inventory")(inventory)


def inventory(config: Config, as_json: Json = False) -> None:
    """Reconcile register and module; asks for the PIN. Exit status 1 where anything differs."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        held = Register(ledger, configuration.anchors).refresh()
    with opened_token(configuration) as token:
        objects = list_objects(token)
        found = reconcile(held.keys, configuration.policies, objects, token.profile.keeping)
        serial = token.identity.serial
    if as_json:
        show_json({"module": serial, "objects": len(objects), "keys": len(held.keys), "discrepancies": found})
    else:
        columns = ("what", "label", "object", "expected", "found")
        show_table(columns, [(each.kind, each.label, each.object_kind, each.expected, each.found) for each in found])
        print(f"{len(objects)} objects in module {serial}, {len(held.keys)} keys in the register: {len(found)} differ")
    if found:
        raise typer.Exit(1)
