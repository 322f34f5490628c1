"""``keybroker people``: who may act now, who may not, by which clause, and until when?

``list`` and ``show`` read the evidence that the ledger holds, beside the broker, and judge everybody as an order would
be judged; they ask no broker and write nothing. People are enrolled and vouched for with ``keybroker evidence``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from keybroker.cli.evidence_held import held
from keybroker.cli.moments import read_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_findings, show_json, show_table
from keybroker.config import Configuration, read_configuration
from keybroker.gates.people import ActDemand, Asked, Stay, Word, engagements_of, judge_person, person_of
from keybroker.statement.payloads import Person
from keybroker.statement.standing import Standing
from keybroker.terms import Finding

At = Annotated[
    str | None,
    typer.Option("--at", help="Judge for this moment, 2026-03-01T09:30:00Z, by what is held now. Else: now."),
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The people who may act.", no_args_is_help=True)
    group.command("list")(list_people)
    group.command("show")(show)
    app.add_typer(group, name="people")


def list_people(config: Config, at: At = None, as_json: Json = False) -> None:
    """Everybody who is known, whether an order of theirs would be taken, and what speaks against it first."""
    configuration = read_configuration(config)
    standing, moment = held(configuration), _moment(at, configuration)
    demand = _demand(frozenset(), in_united_kingdom=False)
    asked = [
        Asked(name=name, act=demand, standing=standing, settings=configuration.people, at=moment)
        for name in _names(standing)
    ]
    people = [_row(each, _judged(each)) for each in asked]
    if as_json:
        show_json({"at": moment, "people": people})
        return
    columns = ("person", "party", "roles", "may act", "because", "clause")
    names = ("person", "party", "roles", "may_act", "because", "clause")
    show_table(columns, [[each[name] for name in names] for each in people])


def show(
    name: Annotated[str, typer.Argument(help="The person's name, as it was enrolled.")],
    config: Config,
    role: Annotated[list[str] | None, typer.Option(help="The act needs this role, or one of these.")] = None,
    in_united_kingdom: Annotated[
        bool, typer.Option("--in-united-kingdom", help="The act is on a key or module in scope of SEC G3.23.")
    ] = False,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Every clause that is looked at for one person, what was found, and the engagements that it was judged by."""
    configuration = read_configuration(config)
    standing, moment = held(configuration), _moment(at, configuration)
    if name not in _names(standing):
        raise typer.BadParameter(f"nobody of the name {name} is known; keybroker people list", param_hint="name")
    demand = _demand(frozenset(role or ()), in_united_kingdom=in_united_kingdom)
    asked = Asked(name=name, act=demand, standing=standing, settings=configuration.people, at=moment)
    findings, stays = _judged(asked), sorted(engagements_of(asked), key=lambda each: each.since)
    row = _row(asked, findings)
    if as_json:
        show_json({"at": moment, **row, "findings": findings, "engagements": stays})
        return
    show_facts({**{key: row[key] for key in ("person", "party", "roles", "may_act")}, "at": moment})
    show_findings(console(), findings)
    show_table(("engaged on", "as", "since", "until"), [_engaged(each) for each in stays])


def _demand(roles: frozenset[str], *, in_united_kingdom: bool) -> ActDemand:
    # Who orders an act here acts as a Privileged Person, whatever the act.
    return ActDemand(roles=roles, in_united_kingdom=in_united_kingdom, privileged=True)


def _names(standing: Standing) -> list[str]:
    enrolled = {each.name for each in standing.attesters.values() if each.is_person}
    return sorted(enrolled | {said.person for _, said in standing.ever(Person)})


def _judged(asked: Asked) -> tuple[Finding, ...]:
    return judge_person(asked.name, act=asked.act, standing=asked.standing, settings=asked.settings, at=asked.at)


def _row(asked: Asked, findings: tuple[Finding, ...]) -> dict[str, object]:
    attesters = asked.standing.attesters.values()
    word = person_of(asked)
    first = next((finding for finding in findings if not finding.passed), None)
    return {
        "person": asked.name,
        "party": ", ".join(sorted({each.party for each in attesters if each.name == asked.name and each.is_person})),
        "roles": list(word.payload.roles) if isinstance(word, Word) else [],
        "may_act": first is None,
        "reason": first.reason if first else "",
        "because": first.found if first else "",
        "clause": first.clause if first else "",
    }


def _engaged(stay: Stay) -> tuple[object, ...]:
    return stay.system, stay.activity, stay.since, stay.until or "lasts"


def _moment(text: str | None, configuration: Configuration) -> datetime:
    return configuration.clock.now() if text is None else read_moment(text, param="--at")
