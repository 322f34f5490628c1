"""How does a command get a person's order? From a file, or signed here for exactly this act. SEC G3.23, G4.

``--order FILE`` takes one that was made elsewhere (``keybroker evidence order``); ``--person`` and ``--person-key``
sign one that lasts for minutes. Whether the person may act, and whether the act needs an order, is decided where the
act is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.stating import Stater, read_stater, said
from keybroker.config import Configuration
from keybroker.keys.orders import Ordered
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import order_target
from keybroker.statement.payloads import Order

SIGNED_HERE = timedelta(minutes=5)
"""How long an order counts that is used at once."""

OrderFile = Annotated[
    Path | None,
    typer.Option("--order", help="A person's order for this very act (a compact JWS).", exists=True, dir_okay=False),
]
SecondOrder = Annotated[
    Path | None,
    typer.Option("--second-order", help="The order of a second person for the same act.", exists=True, dir_okay=False),
]
PersonCertificate = Annotated[
    Path | None,
    typer.Option(
        "--person",
        envvar="KEYBROKER_PERSON",
        help="Or sign the order here: the certificate of the person who orders it, PEM.",
        dir_okay=False,
    ),
]
PersonKey = Annotated[
    Path | None,
    typer.Option("--person-key", envvar="KEYBROKER_PERSON_KEY", help="Its private key, PEM.", dir_okay=False),
]


def find_order(
    configuration: Configuration,
    act: Mapping[str, Json],
    order: Path | None,
    person: Path | None,
    person_key: Path | None,
) -> bytes | None:
    """The order for ``act`` (what records say of it), None where the options give none.

    Raises: BadParameter.
    """
    if order is not None:
        return read_compact_file(order)
    if (person is None) is not (person_key is None):
        raise typer.BadParameter("expected --person and --person-key, or neither of them")
    if person is None or person_key is None:
        return None
    return sign_order(
        read_stater(person, person_key),
        str(act["act"]),
        order_target(act),
        origin=configuration.ledger_origin,
        at=configuration.clock.now(),
        lasts=SIGNED_HERE,
    )


def ordered(configuration: Configuration, order: bytes | None, second: Path | None = None) -> Ordered | None:
    """An order with what people are judged by here; ``second`` holds that of another person. Raises: BadParameter."""
    if order is None:
        if second is not None:
            told = "expected --order, or --person and --person-key, beside it"
            raise typer.BadParameter(told, param_hint="--second-order")
        return None
    other = None if second is None else read_compact_file(second)
    return Ordered(order=order, people=configuration.people, second=other)


def sign_order(stater: Stater, act: str, target: str, *, origin: str, at: datetime, lasts: timedelta) -> bytes:
    """``target``: ``order_target`` of the act. Raises: BadParameter."""
    claims = {"act": act, "target": target, "at": int(at.timestamp())}
    return stater.state(said(Order, claims, origin=origin, at=at, lasts=lasts))


def read_compact_file(file: Path) -> bytes:
    """A compact JWS as files hold it: with a line feed behind, or without."""
    return file.read_bytes().strip()
