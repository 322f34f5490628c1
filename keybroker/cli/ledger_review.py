"""``keybroker ledger review``: who looked through the audit log, up to where, and what was found? SEC G2.26.

Without ``--up-to`` it tells how far it was reviewed, by whom and when.
"""

from __future__ import annotations

from typing import Annotated

import typer

from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order, ordered
from keybroker.cli.output import show_facts, show_json, show_receipt
from keybroker.config import Configuration, read_configuration, reading
from keybroker.config.anomalies_table import SAFE_TABLE
from keybroker.keys.review import review_ledger
from keybroker.ledger.review_form import Review
from keybroker.ledger.reviews import last_review

UpTo = Annotated[
    int | None, typer.Option("--up-to", min=0, help="The last record that was looked at, by its leaf index.")
]
Marked = Annotated[
    list[int] | None,
    typer.Option("--marked", min=0, help="A record that somebody must look into; as often as there are some."),
]
BecauseOf = Annotated[str, typer.Option("--because", help="What was looked for and found; kept in the record.")]


def review(
    config: Config,
    up_to: UpTo = None,
    marked: Marked = None,
    because: BecauseOf = "",
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Record a review of the audit log, by order of a person whose role is auditor or reviewer."""
    configuration = read_configuration(config)
    if up_to is None:
        _show(configuration, as_json=as_json)
        return
    asked = Review(up_to=up_to, marked=tuple(sorted(set(marked or ()))), because=because)
    with acting(configuration, "operator") as (journal, actor):
        given = ordered(configuration, find_order(configuration, asked.told(), order, person, person_key))
        receipt = review_ledger(journal, actor, asked, given, configuration.clock.now())
    show_receipt({"reviewed_up_to": asked.up_to, "marked": asked.marked}, receipt, as_json=as_json)


def _show(configuration: Configuration, *, as_json: bool) -> None:
    with reading(configuration) as ledger:
        found = last_review(ledger)
    days = (configuration.file.watch or SAFE_TABLE).review_days
    facts = {
        "reviewed_up_to": found.up_to,
        "by": found.person,
        "since": found.since,
        "unreviewed": found.unreviewed,
        "review_days": days,
        "overdue": found.is_overdue(days, configuration.clock.now()),
    }
    show_json({"clause": "G2.26", **facts}) if as_json else show_facts(facts)
