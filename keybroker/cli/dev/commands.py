"""``keybroker dev``: a whole development deployment in one directory, up and down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from keybroker.cli.dev import broker
from keybroker.cli.dev.certify import certify
from keybroker.cli.dev.deployment import Deployment, create_deployment, is_deployment, is_free, open_deployment
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.cli.options import Json
from keybroker.cli.output import console, is_fancy, show_json
from keybroker.terms import EntityIdentifier

Directory = Annotated[Path, typer.Argument(help="Where the deployment is, or will be.", file_okay=False)]
As = Annotated[str, typer.Option("--as", help="As which caller: supplier-a, dcc, auditor, …")]

_SAMPLE = "pre-command.hex"
_DEVICE = EntityIdentifier(bytes.fromhex("027E5700000D0001"))


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="A development deployment, everything in it TEST.", no_args_is_help=True)
    group.command("up")(up)
    group.command("down")(down)
    group.command("env")(env)
    group.command("certify")(certify)
    app.add_typer(group, name="dev")


def up(
    directory: Directory,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="For a new deployment; 0 picks a free one.")] = 0,
    as_json: Json = False,
) -> None:
    """Make the deployment where it is missing, start its broker, wait until it is ready, and say what to type next."""
    fresh = not is_deployment(directory)
    if fresh and port and not is_free(port):
        raise typer.BadParameter(f"expected a free port, found {port} taken", param_hint="--port")
    with _step("making token, certificates and keys"):
        deployment = create_deployment(directory, listen_port=port) if fresh else open_deployment(directory)
    if port not in (0, deployment.port):
        raise typer.BadParameter(
            f"this deployment was made for port {deployment.port}, found {port}; leave --port out", param_hint="--port"
        )
    with _step("starting the broker"):
        pid = broker.start(deployment, workers=workers)
    sample = _write_sample(deployment)
    if as_json:
        show_json(
            {
                "created": fresh,
                "pid": pid,
                "target": deployment.target,
                "metrics": deployment.metrics,
                "directory": deployment.directory,
                "config": deployment.config_path,
                "keys": sorted(deployment.keys),
                "callers": deployment.callers,
                "sample": sample,
                "environment": deployment.client_environment("supplier-a") if _has_supplier(deployment) else {},
            }
        )
        return
    _say_what_next(deployment, sample, fresh=fresh)


def down(directory: Directory, as_json: Json = False) -> None:
    """Stop the deployment's broker and wait until it has. The directory stays; remove it when you like."""
    deployment = open_deployment(directory)
    with _step("stopping the broker"):
        stopped = broker.stop(deployment)
    if as_json:
        show_json({"stopped": stopped, "directory": deployment.directory})
    else:
        console().print("stopped" if stopped else "it was not running")


def env(
    directory: Directory,
    caller: As = "supplier-a",
    with_pin: Annotated[
        bool, typer.Option("--with-pin", help="Also the token's PIN and the administrator who orders acts on keys.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the environment that the other commands read; for: eval "$(keybroker dev env DIRECTORY)"."""
    deployment = open_deployment(directory)
    if caller not in deployment.callers:
        raise typer.BadParameter(f"expected one of {', '.join(deployment.callers)}, found {caller}", param_hint="--as")
    environment = deployment.client_environment(caller)
    if with_pin:
        environment |= deployment.operator_environment
    if as_json:
        show_json(environment)
    else:
        print(_exports(environment))


def _write_sample(deployment: Deployment) -> Path | None:
    """A Pre-Command to try, where there is a supplier's key."""
    if not _has_supplier(deployment):
        return None
    originator = deployment.keys["supplier-a"].eui
    if originator is None:
        return None
    sample = deployment.directory / _SAMPLE
    sample.write_text(sample_pre_command(originator, _DEVICE, counter=1).hex() + "\n")
    return sample


def _has_supplier(deployment: Deployment) -> bool:
    return "supplier-a" in deployment.keys


def _say_what_next(deployment: Deployment, sample: Path | None, *, fresh: bool) -> None:
    out, place = console(), quote(str(deployment.directory))
    made = "made and started" if fresh else "started"
    out.print(f"{made}: a TEST broker on {deployment.target}, metrics on {deployment.metrics}", style="bold green")
    out.print(f"keys: {', '.join(sorted(deployment.keys))}")
    out.print("\nnext, type:", style="bold")
    out.print(f'  eval "$(keybroker dev env {place})"')
    if sample is not None:
        out.print(f"  keybroker explain {quote(str(sample))} --key supplier-a")
        out.print(f"  keybroker sign {quote(str(sample))} --key supplier-a")
    out.print("  keybroker keys list")
    out.print("  keybroker ledger tail")
    out.print(f"  keybroker dev down {place}")


def _exports(environment: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={quote(value)}" for name, value in environment.items())


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Something that takes a moment: shown while it lasts, to somebody who is looking."""
    if not is_fancy(stderr=True):
        yield
        return
    with console(stderr=True).status(what):
        yield
