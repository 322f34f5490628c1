"""``keybroker keys renew``: what is next on the way from a key to its successor, and do it. SEC G5.13(b), G5.24(b).

Given again and again, it goes on: it orders and generates the successor, says which certificate is awaited, and when
that is enrolled switches: at one instant the successor is active and its predecessor superseded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.acting import acting
from keybroker.cli.by_order import Because, Label, Orders, act_on, act_with
from keybroker.cli.key_acts import make_key
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, SecondOrder
from keybroker.cli.output import console, show_facts, show_json
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration, reading
from keybroker.keys.life_acts import RenewKey
from keybroker.keys.renewal import Renewal, Stage, renewal_of
from keybroker.terms import KeyLabel

_Successor = Annotated[str, typer.Option("--successor", help="The label of the key that takes its place.")]
_Show = Annotated[bool, typer.Option("--show", help="Only tell how it stands, and what is next.")]


def register(group: typer.Typer) -> None:
    group.command("renew")(renew)


def renew(
    key: Label,
    successor: _Successor,
    config: Config,
    because: Because = "renewal",
    show: _Show = False,
    order: OrderFile = None,
    second_order: SecondOrder = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Prepare the successor of a key, and switch to it once its certificate is enrolled; asks for the PIN to make it.

    An order given is for the act that is next: OrderKey of the successor, then RenewKey.
    """
    configuration = read_configuration(config)
    found = _find(configuration, key, successor)
    orders = (order, person, person_key)
    if not show and found.stage is Stage.SWITCH:
        act = RenewKey(label=found.label, successor=found.successor, because=because)
        act_on(configuration, act, orders, as_json, second_order)
        return
    if not show and found.stage in (Stage.ORDER, Stage.GENERATE):
        _prepare(configuration, found, orders, second_order)
        found = _find(configuration, key, successor)
    _tell(found, as_json=as_json)


def _find(configuration: Configuration, key: str, successor: str) -> Renewal:
    with reading(configuration) as ledger:
        return renewal_of(ledger, KeyLabel(key), KeyLabel(successor))


def _prepare(configuration: Configuration, found: Renewal, orders: Orders, second: Path | None) -> None:
    # The PIN first: nothing is ordered that could not be made.
    with opened_token(configuration) as token, acting(configuration, found.order.party) as (journal, actor):
        if found.stage is Stage.ORDER:
            act_with(configuration, journal, actor, found.order, (orders, second))
        make_key(configuration, token, journal, actor, found.order)


def _tell(found: Renewal, *, as_json: bool) -> None:
    facts = {
        "key": found.label,
        "state": found.state,
        "successor": found.successor,
        "successor_state": found.successor_state,
        "next": found.stage,
    }
    if as_json:
        show_json(facts)
        return
    show_facts(facts)
    match found.stage:
        case Stage.CERTIFICATE:
            console().print(f"keybroker keys request {found.successor} -o {found.successor}.csr, have it certified,")
            console().print(f"keybroker keys enrol {found.successor} chain.pem, then this command again.")
        case Stage.DONE:
            console().print(f"{found.label} is {found.state}; destroy it in a ceremony.")
        case _:
            console().print("Give this command again.")
