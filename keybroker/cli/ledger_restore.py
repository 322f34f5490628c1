"""``keybroker ledger restore``: a back-up was put back, what came after is lost, and two people order that it goes on.

Opens the token (and asks for the PIN): what it remembers is what the ledger is held against. docs/operations/restore.md
tells the whole way, step by step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.acting import operator
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import read_compact_file
from keybroker.cli.output import console, show_facts, show_json
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, build_ledger, read_configuration
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.token_module import Token
from keybroker.keys.restore import restore_ledger
from keybroker.ledger.behind import find_behind, find_restore
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Head
from keybroker.ledger.record import order_target
from keybroker.ledger.restore_form import RESTORE, Behind
from keybroker.ledger.store import hold_ledger

Orders = Annotated[
    list[Path] | None,
    typer.Option("--order", help="An order, compact JWS; give two, of two people.", exists=True, dir_okay=False),
]
Show = Annotated[bool, typer.Option("--show", help="Only tell how it stands, and what an order must name.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The ledger, held so that no broker starts on it, and what the module remembers of it."""

    configuration: Configuration
    token: Token
    journal: Journal
    remembered: Head | None


def restore(config: Config, order: Orders = None, show: Show = False, as_json: Json = False) -> None:
    """Go on with a ledger that was put back from a back-up, by the orders of two people. The broker must be stopped.

    All evidence issued until now is void afterwards: it is given anew before anything is signed again.
    """
    if show == bool(order):
        raise typer.BadParameter("expected --show, or two of --order", param_hint="--order")
    configuration = read_configuration(config)
    with _held(configuration) as held:
        if show:
            _show(held, as_json=as_json)
        else:
            _restore(held, [read_compact_file(each) for each in order or ()], as_json=as_json)


@contextmanager
def _held(configuration: Configuration) -> Iterator[_Held]:
    ledger, _, journal = build_ledger(configuration, worker="operator")
    broker = hold_ledger(configuration.ledger_url)
    try:
        with opened_token(configuration) as token:
            if not token.keeps_anchor:
                raise ConfigurationInvalid("tokens of this profile remember no ledger", where="module.profile")
            yield _Held(configuration=configuration, token=token, journal=journal, remembered=token.read_anchor())
    finally:
        broker.close()
        journal.close()
        ledger.close()


def _restore(held: _Held, orders: list[bytes], *, as_json: bool) -> None:
    configuration, journal, remembered = held.configuration, held.journal, held.remembered
    at, actor = configuration.clock.now(), operator(configuration, "operator")
    restored = restore_ledger(journal, actor, remembered, orders, configuration.people, configuration.policies, at)
    with journal.keeping_head(at) as head:
        held.token.replace_anchor(head, instead_of=remembered)
    facts = {
        "record": restored.leaf_index,
        "lost": restored.lost,
        "numbers": restored.numbers,
        "counts": restored.counts,
        "remembered": head.tree_size,
    }
    if as_json:
        show_json(facts)
        return
    console().print("restored", style="bold green")
    show_facts(facts)
    console().print("All evidence issued until now is void. Give it anew: docs/operations/restore.md, from step 7.")


def _show(held: _Held, *, as_json: bool) -> None:
    with held.journal.ledger.read() as connection:
        recorded = find_restore(connection, held.remembered)
        behind = None if recorded is not None else find_behind(connection, held.remembered)
    facts = _facts(held, behind, None if recorded is None else recorded[0])
    show_json(facts) if as_json else show_facts(facts)


def _facts(held: _Held, behind: Behind | None, recorded: int | None) -> dict[str, object]:
    remembered = held.remembered
    facts: dict[str, object] = {
        "state": _state(behind, recorded),
        "module remembers": "nothing" if remembered is None else f"{remembered.tree_size} records",
        "of": None if remembered is None else remembered.at,
    }
    if behind is None:
        return facts
    target = order_target(behind.told())
    return {
        **facts,
        "ledger holds": f"{behind.tree_size} records",
        "lost at most": behind.lost if remembered is not None else "nobody knows",
        **{name: value for name, value in behind.told().items() if name != "act"},
        "act": RESTORE,
        "target": target,
        "order": f"keybroker evidence order --act {RESTORE} --target {target}",
    }


def _state(behind: Behind | None, recorded: int | None) -> str:
    if recorded is not None:
        return f"record {recorded} restored it; finish it with the same two orders"
    return "the ledger extends what is remembered: nothing to restore" if behind is None else "behind"
