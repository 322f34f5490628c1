"""``keybroker evidence attesters|enrol|renew|withdraw-attester``: who may state what, and until when?

The first are enrolled at the machine, for nobody is there to order it; as soon as two people may act, each of these
acts needs an order, and nobody orders his own enrolment.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.acting import acting
from keybroker.cli.evidence_held import find_one, held, warning_of
from keybroker.cli.moments import read_day_or_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order
from keybroker.cli.output import show_json, show_receipt, show_table
from keybroker.cli.stating import read_certificate
from keybroker.config import Configuration, read_configuration
from keybroker.config.one_party import check_own_attester
from keybroker.errors import NotPermitted
from keybroker.gates.lapses import days_left
from keybroker.keys.attesters import Enrolment, Withdrawal, enrol_attester, withdraw_attester
from keybroker.keys.evidence import refusals_recorded
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import kid_of

_Name = Annotated[str, typer.Argument(help="party/system of a system, a name without a slash of a person.")]
_Certificate = Annotated[Path, typer.Argument(help="Its certificate of a P-256 key, PEM.", exists=True, dir_okay=False)]
_Until = Annotated[
    str, typer.Option("--until", help="2027-03-01 or 2027-03-01T09:30:00Z, not after the certificate's own end.")
]


def register(group: typer.Typer) -> None:
    group.command("attesters")(attesters)
    group.command("enrol")(enrol)
    group.command("renew")(renew)
    group.command("withdraw-attester")(withdraw)


def attesters(config: Config, as_json: Json = False) -> None:
    """Everybody who was ever enrolled, for which kinds of statement, and until when."""
    configuration = read_configuration(config)
    at = configuration.clock.now()
    found = sorted(held(configuration).attesters.values(), key=lambda each: (each.name, each.since))
    rows = [_facts(each, at) for each in found]
    if as_json:
        show_json({"at": at, "attesters": rows})
        return
    columns = ("attester", "party", "kid", "kinds", "until", "days", "warning")
    names = ("name", "party", "kid", "kinds", "until", "days", "warning")
    show_table(columns, [[str(row[name])[:16] if name == "kid" else row[name] for name in names] for row in rows])


def enrol(
    name: _Name,
    certificate: _Certificate,
    party: Annotated[str, typer.Option(help="Whose it is.")],
    kinds: Annotated[str, typer.Option(help="What it may state, with commas between: location,person.")],
    until: _Until,
    config: Config,
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Take statements of these kinds from now on, if they are signed by this certificate's key."""
    configuration = read_configuration(config)
    end = read_day_or_moment(until, param="--until")
    asked = Enrolment(name=name, party=party, certificate=_der(certificate), kinds=_kinds(kinds), until=end)
    _enrol(configuration, asked, order, person, person_key, as_json=as_json)


def renew(
    name: _Name,
    certificate: _Certificate,
    until: _Until,
    config: Config,
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Another certificate for the same attester: party and kinds stay, and the old one counts until it is withdrawn."""
    configuration = read_configuration(config)
    at, end, der = configuration.clock.now(), read_day_or_moment(until, param="--until"), _der(certificate)
    is_there = partial(_newest, configuration, name)
    with acting(configuration, "operator") as (journal, actor):
        before = refusals_recorded(journal, actor, {"act": "EnrolAttester", "name": name}, at, is_there)
    asked = Enrolment(name=name, party=before.party, certificate=der, kinds=before.kinds, until=end)
    _enrol(configuration, asked, order, person, person_key, as_json=as_json)


def withdraw(
    kid: Annotated[str, typer.Argument(help="SHA-256 of its certificate, or the beginning of it.")],
    because: Annotated[str, typer.Option("--because", help="Why; kept in the record.")],
    config: Config,
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """From now on nothing counts that this certificate's key ever signed."""
    configuration = read_configuration(config)
    asked = Withdrawal(kid=_whole(configuration, kid), because=because)
    given = find_order(configuration, asked.told(), order, person, person_key)
    with acting(configuration, "operator") as (journal, actor):
        receipt = withdraw_attester(journal, actor, asked, configuration.people, configuration.clock.now(), given)
    show_receipt({"act": "WithdrawAttester", "kid": asked.kid}, receipt, as_json=as_json)


def _enrol(
    configuration: Configuration,
    asked: Enrolment,
    order: Path | None,
    person: Path | None,
    person_key: Path | None,
    *,
    as_json: bool,
) -> None:
    given, at = find_order(configuration, asked.told(), order, person, person_key), configuration.clock.now()
    is_ours = partial(check_own_attester, configuration.party, asked.party, asked.kinds)
    with acting(configuration, "operator") as (journal, actor):
        refusals_recorded(journal, actor, asked.told(), at, is_ours)
        receipt = enrol_attester(journal, actor, asked, configuration.people, at, given)
    facts = {"act": "EnrolAttester", "name": asked.name, "kid": kid_of(asked.certificate)}
    show_receipt(facts, receipt, as_json=as_json)


def _facts(attester: Attester, at: datetime) -> dict[str, object]:
    days = days_left(attester.until, at)
    return {
        "name": attester.name,
        "party": attester.party,
        "kid": attester.kid,
        "kinds": sorted(attester.kinds),
        "since": attester.since,
        "until": attester.until,
        "withdrawn_at": attester.withdrawn_at,
        "days": days,
        "warning": "withdrawn" if attester.withdrawn_at is not None else warning_of(days),
    }


def _newest(configuration: Configuration, name: str) -> Attester:
    """Raises: NotPermitted where no attester of that name stands."""
    enrolled = held(configuration).attesters.values()
    standing = [each for each in enrolled if each.name == name and each.withdrawn_at is None]
    if not standing:
        raise NotPermitted(
            f"no attester {name} stands, which could be renewed (one that was withdrawn cannot be): enrol it again with"
            f" its party and kinds: keybroker evidence enrol {name}"
        )
    return max(standing, key=lambda each: each.since)


def _whole(configuration: Configuration, prefix: str) -> str:
    """Raises: BadParameter unless exactly one enrolled certificate's kid begins so."""
    return find_one(held(configuration).attesters, prefix, param="kid", listed="keybroker evidence attesters")


def _der(file: Path) -> bytes:
    return read_certificate(file).public_bytes(Encoding.DER)


def _kinds(text: str) -> frozenset[StatementKind]:
    try:
        return frozenset(StatementKind(each.strip()) for each in text.split(","))
    except ValueError as error:
        known = ", ".join(StatementKind)
        raise typer.BadParameter(f"expected some of {known}, found {text}", param_hint="--kinds") from error
