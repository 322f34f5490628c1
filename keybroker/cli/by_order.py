"""Commands that do one act on one key by a person's order. SEC G3.23.

Each has the same options beside its own: the configuration, the order or the key that signs one, a second order, JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, SecondOrder, find_order, ordered
from keybroker.cli.output import show_receipt
from keybroker.config import Configuration, read_configuration
from keybroker.keys.acts import name_of
from keybroker.keys.administration import Act, Actor, administer, told_act
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt

Label = Annotated[str, typer.Argument(help="The key's label: [a-z0-9-]{1,63}.")]
Because = Annotated[str, typer.Option("--because", help="Why; kept in the record.")]
Orders = tuple[Path | None, Path | None, Path | None]
"""``--order``, ``--person``, ``--person-key``."""


def by_order(make_act: Callable[..., Act]) -> Callable[..., None]:
    """The command that does what ``make_act`` makes of the configuration and its own arguments, which typer reads.

    The command raises: as ``make_act``; as ``act_on``.
    """

    def command(
        *,
        config: Config,
        order: OrderFile = None,
        second_order: SecondOrder = None,
        person: PersonCertificate = None,
        person_key: PersonKey = None,
        as_json: Json = False,
        **own: Any,
    ) -> None:
        configuration = read_configuration(config)
        act_on(configuration, make_act(configuration, **own), (order, person, person_key), as_json, second_order)

    _declare(command, [*_parameters(make_act)[1:], *_parameters(command)[:-1]])
    command.__doc__ = make_act.__doc__
    return command


def _parameters(function: Callable[..., object]) -> list[Parameter]:
    return list(signature(function, eval_str=True).parameters.values())


def _declare(command: Callable[..., None], parameters: list[Parameter]) -> None:
    """For typer, which gives every argument by its name."""
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    by_name = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
    described = signature(command).replace(parameters=by_name)
    command.__signature__ = described  # type: ignore[attr-defined]  # inspect.signature looks for it


def act_on(configuration: Configuration, act: Act, orders: Orders, as_json: bool, second: Path | None = None) -> None:
    """Do one act by the orders given, and show its receipt. Raises: as ``administer``; BadParameter."""
    with acting(configuration, "operator") as (journal, actor):
        receipt = act_with(configuration, journal, actor, act, (orders, second))
    show_receipt({"key": act.label, "act": name_of(act)}, receipt, as_json=as_json)


def act_with(
    configuration: Configuration, journal: Journal, actor: Actor, act: Act, orders: tuple[Orders, Path | None]
) -> Receipt:
    """The same with a pen that is at hand already."""
    first, second = orders
    given = ordered(configuration, find_order(configuration, told_act(act), *first), second)
    return administer(journal, actor, act, configuration.clock.now(), given, policies=configuration.policies)
