"""``keybroker ceremony``: judge a plan, conduct it, go on with it, end it, verify what is left of it.

SEC G2.22F-G2.22I, G2.44B, G5.13, G5.24. One plan file in, a transcript out: nothing is asked twice, and nothing that
was done is lost when somebody leaves the room.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keybroker.ceremony.book import Book
from keybroker.ceremony.conducting import begin, conduct, renounce
from keybroker.ceremony.guarded_memory import guard_memory
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.judging import judge_plan
from keybroker.ceremony.plan import Side, read_plan
from keybroker.ceremony.room import Paused, Room
from keybroker.cli.acting import acting
from keybroker.cli.ceremony_hall import opened_hall, scene_of
from keybroker.cli.ceremony_rehearse import prepare_rehearsal
from keybroker.cli.ceremony_room import TerminalRoom
from keybroker.cli.ceremony_terminal import resting_when_interrupted
from keybroker.cli.ceremony_verify import verify
from keybroker.cli.dev.deployment import open_deployment
from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_findings, show_json, show_receipt
from keybroker.config import read_configuration
from keybroker.errors import KeybrokerError

_Plan = Annotated[Path, typer.Argument(help="The plan file, TOML.", exists=True, dir_okay=False)]
_Name = Annotated[str, typer.Argument(help="The ceremony's name, as its plan has it.")]
_Side = Annotated[Side, typer.Option("--side", help="Of a transfer: source or destination.")]
_People = Annotated[
    Path,
    typer.Option("--people", help="Where each person's keys are at this machine, TOML.", exists=True, dir_okay=False),
]
_Directory = Annotated[
    Path, typer.Option("--directory", "-d", help="What the ceremony takes and gives.", file_okay=False)
]
_PeopleOrNone = Annotated[
    Path | None,
    typer.Option("--people", help="Of a destination that renounces: as for run.", exists=True, dir_okay=False),
]
_DirectoryOrNone = Annotated[
    Path | None,
    typer.Option("--directory", "-d", help="Of a destination that renounces: as for run.", file_okay=False),
]
_Renunciation = Annotated[
    Path | None,
    typer.Option("--renunciation", help="Of a source: what the destination gave.", exists=True, dir_okay=False),
]
_Do = Callable[[Hall, Room], None]
_LONGEST_BECAUSE = 400
PAUSED = 75
"""Exit status (EX_TEMPFAIL): it rests, and ``resume`` goes on."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Ceremonies: plan, rehearse, conduct, verify.", no_args_is_help=True)
    for command in (check, rehearse, run, resume, abort, show, verify):
        group.command(command.__name__)(command)
    app.add_typer(group, name="ceremony")


def check(plan: _Plan, config: Config, side: _Side = Side.HERE, as_json: Json = False) -> None:
    """Judge a plan whole, before anybody enters the room: every finding, with its clause."""
    configuration, plan_file = read_configuration(config), read_plan(plan.read_bytes())
    findings = judge_plan(plan_file, scene_of(configuration, side))
    fit = all(finding.passed for finding in findings)
    if as_json:
        show_json({"plan_sha256": plan_file.sha256, "fit": fit, "findings": findings})
    else:
        show_facts({"plan": plan_file.plan.name, "kind": plan_file.plan.kind, "plan sha256": plan_file.sha256})
        show_findings(console(), findings)
        console().print("fit to be carried out" if fit else "refused")
    if not fit:
        raise typer.Exit(ExitStatus.REFUSED)


def rehearse(plan: _Plan, directory: _Directory, side: _Side = Side.HERE) -> None:
    """Conduct the very same plan on SoftHSM, in a throw-away deployment that is made in the directory."""
    place = prepare_rehearsal(read_plan(plan.read_bytes()), directory)
    plan_file, config = read_plan(place.plan.read_bytes()), place.configurations[side]
    deployment = open_deployment(config.parent)
    os.environ.update(deployment.broker_environment)
    begun = _is_begun(config, plan_file.plan.name)
    do: _Do = partial(_go_on, name=plan_file.plan.name) if begun else partial(begin, plan_file=plan_file)
    outputs = directory / f"{plan_file.plan.name}.{side}"
    name = plan_file.plan.name
    again = f"keybroker ceremony rehearse {plan} --directory {directory} --side {side}"
    _conducted(config, place.people, outputs, side, do, name, again)


def _is_begun(config: Path, name: str) -> bool:
    with acting(read_configuration(config), "operator") as (journal, actor):
        return Book(journal=journal, actor=actor).find(name) is not None


def run(plan: _Plan, config: Config, people: _People, directory: _Directory, side: _Side = Side.HERE) -> None:
    """Conduct a ceremony, with everybody in the room; asks for the module's PIN."""
    plan_file = read_plan(plan.read_bytes())
    name = plan_file.plan.name
    do = partial(begin, plan_file=plan_file)
    _conducted(config, people, directory, side, do, name, f"keybroker ceremony resume {name}")


def resume(name: _Name, config: Config, people: _People, directory: _Directory, side: _Side = Side.HERE) -> None:
    """Go on where it was interrupted: nothing is lost, and no step is done twice."""
    do = partial(_go_on, name=name)
    _conducted(config, people, directory, side, do, name, f"keybroker ceremony resume {name}")


def _go_on(hall: Hall, room: Room, name: str) -> None:
    conduct(hall, room, name)


def _conducted(config: Path, people: Path, directory: Path, side: Side, do: _Do, name: str, again: str) -> None:
    """``again``: the command that goes on with it."""
    configuration, room = read_configuration(config), TerminalRoom(directory=directory)
    # PINs are typed here, words of shares too, and what opens a split key passes through, sealed to the module.
    guard_memory()
    try:
        with (
            resting_when_interrupted(),
            opened_hall(configuration, room, side=side, people=people, directory=directory) as hall,
        ):
            do(hall, room)
            state = hall.book.get(name).state
    except Paused as paused:
        room.tell(f"{paused} Go on with: {again}")
        raise typer.Exit(PAUSED) from paused
    except KeybrokerError:
        room.tell(
            "Where the ceremony was begun already, nothing of it is lost: mend what is said below, then go on with:"
            f" {again}"
        )
        raise
    room.tell(f"The ceremony {name} is {state}. Its transcript: {name}.transcript.json")


def abort(
    name: _Name,
    because: Annotated[str, typer.Option("--because", help="Why; kept in the record.")],
    config: Config,
    side: _Side = Side.HERE,
    people: _PeopleOrNone = None,
    directory: _DirectoryOrNone = None,
    renunciation: _Renunciation = None,
    as_json: Json = False,
) -> None:
    """End a ceremony before its point of no return; its keys stay as they are, and are free for another.

    The destination of a transfer, once it offered, does so with --side, --people and --directory: what stands there is
    destroyed, and everybody signs. Its source, behind wrap-key, with the --renunciation that came of that.
    """
    if people is not None and directory is not None:
        again = f"keybroker ceremony abort {name} --side {side}"
        do = partial(renounce, name=name, because=_said(because))
        _conducted(config, people, directory, side, do, name, again)
        return
    configuration = read_configuration(config)
    given = None if renunciation is None else renunciation.read_bytes()
    with acting(configuration, "operator") as (journal, actor):
        receipt = Book(journal=journal, actor=actor).abort(name, because, configuration.clock.now(), given)
    show_receipt({"ceremony": name, "state": "aborted"}, receipt, as_json=as_json)


def _said(because: str) -> str:
    """It stands in an entry. Raises: typer.BadParameter."""
    if not 0 < len(because) <= _LONGEST_BECAUSE or not because.isprintable():
        raise typer.BadParameter(f"expected why, in 1 to {_LONGEST_BECAUSE} characters", param_hint="--because")
    return because


def show(
    config: Config, name: Annotated[str | None, typer.Argument(help="One of them.")] = None, as_json: Json = False
) -> None:
    """Which ceremonies there were, or how far one is."""
    configuration = read_configuration(config)
    with acting(configuration, "operator") as (journal, actor):
        book = Book(journal=journal, actor=actor)
        if name is None:
            told: list[dict[str, object]] = [
                {"ceremony": each, "kind": kind, "state": state} for each, kind, state in book.names()
            ]
        else:
            told = [_progress(book, name)]
    if as_json:
        show_json({"ceremonies": told})
        return
    for each in told:
        show_facts(each)


def _progress(book: Book, name: str) -> dict[str, object]:
    held = book.get(name)
    progress = held.progress
    step = progress.next
    return {
        "ceremony": name,
        "kind": held.plan_file.plan.kind,
        "state": held.state,
        "plan sha256": held.plan_file.sha256,
        "concluded": [each.entry.step for each in held.steps],
        "next": step.told if step is not None and held.state == "open" else "nothing",
        "begun": held.begun,
    }
