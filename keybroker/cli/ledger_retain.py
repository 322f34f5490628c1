"""``keybroker ledger retain``: what the party's retention policy does not keep any more goes, by order of a person.

SEC G2.17-G2.18, G3.10. docs/operations/retention.md tells what may go, when, and what stays for ever.
"""

from __future__ import annotations

from typing import Annotated

import typer

from keybroker.cli.acting import acting
from keybroker.cli.moments import read_day_or_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order, ordered
from keybroker.cli.output import console, show_facts, show_json
from keybroker.config import Configuration, read_configuration
from keybroker.errors import ConfigurationInvalid
from keybroker.keys.orders import without_order
from keybroker.keys.retention import Keeps, retain_ledger
from keybroker.ledger.record import moment
from keybroker.ledger.upkeep_form import retention


def retain(
    config: Config,
    before: Annotated[str, typer.Option(help="A day, or a moment with its time zone: what is older goes.")],
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Let messages and records go that are older, as far as [retention] allows. The tree stays; the broker may serve.

    Killed in between, it is given the same order again.
    """
    configuration = read_configuration(config)
    keeps, since = _keeps(configuration), read_day_or_moment(before, param="--before")
    told = retention(moment(since))
    given = ordered(configuration, find_order(configuration, told, order, person, person_key))
    if given is None:
        raise without_order(told)
    with acting(configuration, "operator") as (journal, actor):
        at, policies = configuration.clock.now(), configuration.policies
        retained = retain_ledger(journal, actor, since, given, keeps, policies, at)
    kept = {sort: f"from {latest.isoformat()}" for sort, latest in retained.kept.items()}
    facts = {"record": retained.leaf_index, "octets": retained.octets, "records": dict(retained.kinds), "kept": kept}
    if as_json:
        show_json(facts)
        return
    console().print("retained what the policy keeps", style="bold green")
    show_facts(facts)


def _keeps(configuration: Configuration) -> Keeps:
    table = configuration.file.retention
    if table is None:
        raise ConfigurationInvalid(
            "expected a table [retention] that says how long each sort is kept (SEC G2.17, G3.10(a)); without one"
            " nothing goes",
            where="retention",
        )
    return Keeps(
        octets_days=table.octets_days,
        reads_days=table.reads_days,
        refusals_days=table.refusals_days,
        uses_days=table.uses_days,
    )
