"""``keybroker evidence attesters|enrol|renew|withdraw-attester``: who may state what, and until when?

The first are enrolled at the machine, for nobody is there to order it; as soon as two people may act, each of these
acts needs an order, and nobody orders his own enrolment.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.evidence_held import days_left, find_one, held, warning_of
from keybroker.cli.key_acts import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order
from keybroker.cli.output import show_facts, show_json, show_table
from keybroker.cli.stating import read_certificate
from keybroker.config import Configuration, read_configuration
from keybroker.config.one_party import check_own_attester
from keybroker.errors import NotPermitted
from keybroker.keys.attesters import Enrolment, Withdrawal, enrol_attester, withdraw_attester
from keybroker.ledger.model import Receipt
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
    with held(configuration) as standing:
        rows = [_facts(each, at) for each in sorted(standing.attesters.values(), key=lambda it: (it.name, it.since))]
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
    asked = Enrolment(name=name, party=party, certificate=_der(certificate), kinds=_kinds(kinds), until=_moment(until))
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
    before = _newest(configuration, name)
    asked = Enrolment(
        name=name, party=before.party, certificate=_der(certificate), kinds=before.kinds, until=_moment(until)
    )
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
    _show({"act": "WithdrawAttester", "kid": asked.kid}, receipt, as_json=as_json)


def _enrol(
    configuration: Configuration,
    asked: Enrolment,
    order: Path | None,
    person: Path | None,
    person_key: Path | None,
    *,
    as_json: bool,
) -> None:
    check_own_attester(configuration.party, asked.party, asked.kinds)
    given = find_order(configuration, asked.told(), order, person, person_key)
    with acting(configuration, "operator") as (journal, actor):
        receipt = enrol_attester(journal, actor, asked, configuration.people, configuration.clock.now(), given)
    facts = {"act": "EnrolAttester", "name": asked.name, "kid": kid_of(asked.certificate)}
    _show(facts, receipt, as_json=as_json)


def _show(facts: dict[str, str], receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        show_json({**facts, "receipt": receipt})
    else:
        show_facts({**facts, "record": receipt.leaf_index})


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
    with held(configuration) as standing:
        standing_now = [each for each in standing.attesters.values() if each.name == name and each.withdrawn_at is None]
    if not standing_now:
        raise NotPermitted(
            f"no attester {name} stands, which could be renewed (one that was withdrawn cannot be): enrol it again with"
            f" its party and kinds: keybroker evidence enrol {name}"
        )
    return max(standing_now, key=lambda each: each.since)


def _whole(configuration: Configuration, prefix: str) -> str:
    """Raises: BadParameter unless exactly one enrolled certificate's kid begins so."""
    with held(configuration) as standing:
        return find_one(standing.attesters, prefix, param="kid", listed="keybroker evidence attesters")


def _der(file: Path) -> bytes:
    return read_certificate(file).public_bytes(Encoding.DER)


def _kinds(text: str) -> frozenset[StatementKind]:
    try:
        return frozenset(StatementKind(each.strip()) for each in text.split(","))
    except ValueError as error:
        known = ", ".join(StatementKind)
        raise typer.BadParameter(f"expected some of {known}, found {text}", param_hint="--kinds") from error


def _moment(text: str) -> datetime:
    """A day is its beginning, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected a day or a moment, found {text!r}", param_hint="--until") from error
    if moment.tzinfo is None and len(text) > len("2027-03-01"):
        raise typer.BadParameter(f"expected a moment with its time zone (Z), found {text}", param_hint="--until")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
