"""What does a report look like? One HTML page that needs nothing else: no script, no network, no font of ours.

Each plot stands beside the table that says the same; it is read in light and dark, and printed.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from keybroker.cli.output import word_of
from keybroker.cli.report_drawing import HEIGHT, WIDTH, bars, clocks, heat, timeline
from keybroker.cli.report_sections import Question, section
from keybroker.keys.reporting import Report

_moment = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)").fullmatch
_MOST_ROWS = 500
"""Of one table in the page; the page says how many more there are, and the CSV has them all."""


def report_page(report: Report) -> str:
    """The whole page."""
    answers = report.answers
    return _template().render(
        report=report,
        sections=[section(report, each) for each in Question],
        bars=bars(answers.uses, report.period.grain),
        heat=heat(answers.refusals),
        timeline=timeline(answers.ceremonies, report.at),
        clocks=clocks(report.lapses),
        near=[each for each in report.keys if each.near],
        width=WIDTH,
        height=HEIGHT,
        most_rows=_MOST_ROWS,
    )


def _word(value: object) -> str:
    """As people read it: a moment to the second, and a space where a record has a T."""
    found = _moment(value) if isinstance(value, str) else None
    return word_of(value) if found is None else f"{found[1]} {found[2]}Z"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["word"] = _word
    environment.filters["named"] = lambda name: name.replace("_", " ")
    return environment.from_string(files("keybroker.cli").joinpath("report_page.html.j2").read_text(encoding="utf-8"))
