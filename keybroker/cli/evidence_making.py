"""``keybroker evidence order|state``: how does somebody sign an order, or a statement of any kind?

Neither touches a ledger: who states is seldom who keeps the broker. The configuration is read for the ledger's name and
its clock alone, and not at all where ``--ledger-origin`` gives the name.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.octets import check_writable
from keybroker.cli.options import Json
from keybroker.cli.orders import sign_order
from keybroker.cli.output import show_json
from keybroker.cli.stating import read_stater, said
from keybroker.config import read_configuration
from keybroker.policy.strict_toml import read_toml
from keybroker.statement.compact import read_compact
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.payloads import MODELS

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="KEYBROKER_CONFIG", help="The broker's keybroker.toml.", dir_okay=False),
]
_Origin = Annotated[str | None, typer.Option("--ledger-origin", help="Instead of --config: the ledger that it is for.")]
_Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write it here instead of printing it.", dir_okay=False)
]


def register(group: typer.Typer) -> None:
    group.command("order")(order)
    group.command("state")(state)


def order(
    act: Annotated[str, typer.Option(help="The act, as its refusal or keybroker config digest names it.")],
    target: Annotated[str, typer.Option(help="What it does to what: 64 hexadecimal digits, from the same place.")],
    person: Annotated[
        Path, typer.Option("--person", envvar="KEYBROKER_PERSON", help="Your certificate, PEM.", dir_okay=False)
    ],
    person_key: Annotated[
        Path, typer.Option("--person-key", envvar="KEYBROKER_PERSON_KEY", help="Its key, PEM.", dir_okay=False)
    ],
    minutes: Annotated[int, typer.Option(help="How long it counts.", min=1, max=1_440)] = 60,
    config: _Config = None,
    ledger_origin: _Origin = None,
    output: _Output = None,
    as_json: Json = False,
) -> None:
    """Sign an order for one administrative act: it is for this act alone, and is used once."""
    check_writable(output)
    origin, at = _for_whom(config, ledger_origin)
    stater = read_stater(person, person_key)
    made = sign_order(stater, act, target.lower(), origin=origin, at=at, lasts=timedelta(minutes=minutes))
    _give(made, output, as_json=as_json)


def state(
    kind: Annotated[StatementKind, typer.Argument(help="What is stated.")],
    payload: Annotated[
        Path, typer.Argument(help="What it says, .toml or .json; moments may be TOML's.", exists=True, dir_okay=False)
    ],
    certificate: Annotated[Path, typer.Option(help="As the broker enrolled it, PEM.", dir_okay=False)],
    private_key: Annotated[Path, typer.Option(help="Its private key, PEM.", dir_okay=False)],
    days: Annotated[
        float | None, typer.Option(help="How long it counts; else as long as its kind may.", min=0.0001, max=4_000)
    ] = None,
    config: _Config = None,
    ledger_origin: _Origin = None,
    output: _Output = None,
    as_json: Json = False,
) -> None:
    """Sign a statement: aud, iat, exp and nonce are put in, the rest is the file's."""
    check_writable(output)
    origin, at = _for_whom(config, ledger_origin)
    lasts = LONGEST[kind] if days is None else timedelta(days=days)
    if lasts > LONGEST[kind]:
        raise typer.BadParameter(f"a {kind} counts for {LONGEST[kind].days} days at most", param_hint="--days")
    statement = said(MODELS[kind], _claims(payload), origin=origin, at=at, lasts=lasts)
    _give(read_stater(certificate, private_key).state(statement), output, as_json=as_json)


def _for_whom(config: Path | None, origin: str | None) -> tuple[str, datetime]:
    """The ledger's origin, and now."""
    if origin is not None:
        return origin, datetime.now(UTC)
    if config is None:
        raise typer.BadParameter("expected --config or --ledger-origin: which ledger is it for?")
    configuration = read_configuration(config)
    return configuration.ledger_origin, configuration.clock.now()


def _claims(file: Path) -> dict[str, object]:
    """Raises: BadParameter."""
    try:
        octets = file.read_bytes()
        claims = json.loads(octets) if file.suffix == ".json" else _plain(read_toml(octets))
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}", param_hint="payload") from error
    if not isinstance(claims, dict):
        raise typer.BadParameter(f"expected an object in {file}", param_hint="payload")
    return claims


def _plain(value: object) -> object:
    """TOML's moments as the seconds that statements hold."""
    match value:
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"expected a moment with its time zone, found {value.isoformat()}")
            return int(value.timestamp())
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def _give(made: bytes, output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "wb") as file:
            file.write(made + b"\n")
    if as_json:
        show_json({"sha256": read_compact(made).sha256, "statement": made.decode("ascii"), "output": output})
    elif output is None:
        print(made.decode("ascii"))
