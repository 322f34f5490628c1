"""``keybroker report``: what were keys used for, by whom, what was refused, what lapses, what is out of the ordinary?

From the ledger and the register as they are committed; it asks no broker, proves nothing (``ledger verify`` does) and
writes nothing but the file that it is told.
"""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.moments import read_day_or_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_json, show_table, word_of
from keybroker.cli.report_sections import Question, Section, section
from keybroker.config import Configuration, read_configuration, reading
from keybroker.keys.register import Register
from keybroker.keys.reporting import Report, read_report
from keybroker.ledger.report_model import Grain, Period

_GRAINS = {"hour": Grain.HOUR, "day": Grain.DAY, "month": Grain.MONTH}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""

From = Annotated[str | None, typer.Option("--from", help="A day or a moment: what happened from then on.")]
Until = Annotated[str | None, typer.Option("--until", help="A day or a moment: what happened before it.")]
By = Annotated[str, typer.Option("--by", help="How uses are gathered over time: hour, day or month.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print one question's answer as CSV, with a head.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", help="Write all of it here as a page that needs nothing else.", dir_okay=False),
]


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    config: Config,
    question: Annotated[Question | None, typer.Argument(help="One question; all of them without.")] = None,
    since: From = None,
    until: Until = None,
    by: By = "day",
    as_csv: Csv = False,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Questions about the past, answered from the ledger; and about what comes to an end, from the register."""
    if as_csv and question is None:
        raise typer.BadParameter("expected one question, as in: keybroker report uses --csv", param_hint="--csv")
    configuration = read_configuration(config)
    found = _read(configuration, _period(since, until, by))
    sections = [section(found, each) for each in ([question] if question else Question)]
    if html is not None:
        from keybroker.cli.report_page import report_page  # the template is for those who want a page

        html.write_text(report_page(found), encoding="utf-8")
    if as_csv:
        _show_csv(sections[0])
    elif as_json:
        show_json(_told(found, sections, html))
    else:
        _show(found, sections, html)


def _period(since: str | None, until: str | None, by: str) -> Period:
    if by not in _GRAINS:
        raise typer.BadParameter(f"expected hour, day or month, found {by!r}", param_hint="--by")
    first = _moment(since, "--from")
    last = _moment(until, "--until")
    if first is not None and last is not None and first >= last:
        raise typer.BadParameter(f"expected a moment after {since}, found {until}", param_hint="--until")
    return Period(since=first, until=last, grain=_GRAINS[by])


def _moment(text: str | None, param: str) -> datetime | None:
    return None if text is None else read_day_or_moment(text, param=param)


def _read(configuration: Configuration, period: Period) -> Report:
    with reading(configuration) as ledger:
        held = Register(ledger, configuration.anchors)
        return read_report(ledger, held, configuration.policies, period, configuration.clock.now())


def _facts(found: Report) -> dict[str, object]:
    answers, reviewed = found.answers, found.reviewed
    return {
        "origin": found.origin,
        "deployment": found.deployment,
        "at": found.at,
        "from": found.period.since,
        "until": found.period.until,
        "records": answers.records,
        "within": answers.within,
        "reviewed_up_to": reviewed.up_to,
        "unreviewed": reviewed.unreviewed,
    }


def _told(found: Report, sections: list[Section], html: Path | None) -> dict[str, object]:
    answered = {each.question.value: each.objects() for each in sections}
    return {**_facts(found), **answered, **({} if html is None else {"html": str(html)})}


def _show(found: Report, sections: list[Section], html: Path | None) -> None:
    show_facts(_facts(found))
    for each in sections:
        console().print(f"\n{each.title} ({each.clause})", style="bold")
        if each.rows:
            show_table([name.replace("_", " ") for name in each.columns], each.rows)
        else:
            print(each.nothing)
    if html is not None:
        print(f"\nwritten: {html}")


def _show_csv(of: Section) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(of.columns)
    out.writerows([cell_of(value) for value in row] for row in of.rows)


def cell_of(value: object) -> str:
    """Free text stays text in a spreadsheet."""
    text = "" if value is None else str(value) if isinstance(value, str | int | float) else word_of(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
