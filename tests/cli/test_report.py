"""``keybroker report``: every question in every form, on the ledger of a deployment; and the page, in a browser."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.report import cell_of
from keybroker.cli.report_drawing import bars, clocks, heat
from keybroker.cli.report_page import report_page
from keybroker.cli.report_sections import Question
from keybroker.gates.lapses import Lapse
from keybroker.keys.reporting import Report, Told
from keybroker.ledger.report import Reporting
from keybroker.ledger.report_model import Grain, Period, RefusalRow
from keybroker.ledger.reviews import Reviewed
from tests.cli import browser, command
from tests.cli.command import a_deployment, run_here
from tests.ledger.told_records import MONDAY, a_year, an_act

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)
AT = MONDAY + timedelta(days=64)
HOSTILE = '<script>alert(1)</script>"&\x00'


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return a_deployment(tmp_path_factory.mktemp("reported") / "deployment")


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path), "COLUMNS": "200"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["everything"], "everything"),
        (["--csv"], "one question"),
        (["--by", "week"], "hour, day or month"),
        (["--from", "yesterday"], "a day or a moment"),
        (["--from", "2026-02-01", "--until", "2026-01-01"], "after 2026-02-01"),
    ],
)
def test_refuses_what_it_cannot_answer(arguments: list[str], names: str, env: dict[str, str]) -> None:
    done = run_here("report", *arguments, env=env)
    assert done.returncode == 2
    assert names in done.stderr


def test_answers_every_question_at_once(env: dict[str, str], deployment: Deployment) -> None:
    found = run_json("report", env=env)
    assert {each.value for each in Question} <= found.keys()
    assert (found["deployment"], found["unreviewed"]) == ("test", found["records"])
    assert [key["label"] for key in found["keys"]] == ["supplier-a"]
    assert {each["act"] for each in found["people"]} >= {"OrderKey"}
    assert found["lapses"]


@pytest.mark.parametrize("question", list(Question))
def test_answers_one_question_in_each_form(question: Question, env: dict[str, str]) -> None:
    told = run_json("report", question.value, env=env)
    assert set(Question) & told.keys() == {question}
    done = run_here("report", question.value, "--csv", env=env)
    head, *rows = csv.reader(io.StringIO(done.stdout))
    assert (len(rows), done.stderr) == (len(told[question.value]), "")
    assert all(len(row) == len(head) for row in rows)
    plain = run_here("report", question.value, env=env).stdout
    assert "Traceback" not in plain
    assert re.search(r"\(G[2-5]", plain)


def test_a_period_without_records_says_so(env: dict[str, str]) -> None:
    done = run_here("report", "people", "--from", "2001-01-01", "--until", "2001-02-01", env=env)
    assert "nobody ordered anything" in done.stdout


def test_writes_nothing_but_the_page(env: dict[str, str], deployment: Deployment, tmp_path: Path) -> None:
    before = run_json("ledger", "verify", env=env)
    told = run_json("report", "--html", tmp_path / "report.html", env=env)
    assert told["html"] == str(tmp_path / "report.html")
    assert "supplier-a" in (tmp_path / "report.html").read_text()
    assert run_json("ledger", "verify", env=env) == before


def a_report(*more: dict[str, Any], **changes: Any) -> Report:
    reporting = Reporting(period=Period())
    for index, body in enumerate([*a_year(), *more]):
        reporting.observe(index, body)
    answers = reporting.answers()
    told = [("module-validation", -3), ("certificate", 5), ("cryptoperiod", 44), ("attester", 300)]
    facts: dict[str, Any] = {
        "origin": "keybroker.example/tests/TEST",
        "deployment": "test",
        "at": AT,
        "period": Period(),
        "answers": answers,
        "anomalies": tuple(Told(event=each, message="NOT TAKEN, tried 3 times") for each in answers.anomalies),
        "reviewed": Reviewed(up_to=None, person="", since=MONDAY, unreviewed=answers.records),
        "lapses": tuple(
            Lapse(what=what, subject=f"of {what}", clause="G2.44", until=AT + timedelta(days=days), days=days)
            for what, days in told
        ),
        "keys": (),
        "replace": (),
    }
    return Report(**{**facts, **changes})


def test_the_page_is_well_formed_and_asks_for_nothing() -> None:
    page = report_page(a_report())
    assert re.findall(r"""(?:src|href|action)=["'](?!data:)([^"'#]+)""", page) == []
    assert not re.search(r"<script|@import|url\(|\son\w+=", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)  # noqa: S314 - our own


def test_what_a_record_says_is_text_in_the_page() -> None:
    event = {"detector": "burst", "expected": HOSTILE, "found": HOSTILE, "record": 0, "subject": HOSTILE}
    page = report_page(a_report(an_act("AnomalousEvent", MONDAY, **event)))  # type: ignore[arg-type]
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_free_text_is_no_formula_in_a_spreadsheet() -> None:
    cells = ("=1+1", "@a", "-x", "plain", -3, True)
    assert [cell_of(each) for each in cells] == ["'=1+1", "'@a", "'-x", "plain", "-3", "True"]


def test_bars_add_up_and_stay_within_the_plot() -> None:
    report = a_report()
    drawn = bars(report.answers.uses, Grain.DAY)
    assert drawn is not None
    assert sum(uses for _, _, uses in drawn.legend) == sum(row.uses for row in report.answers.uses)
    assert all(0 <= box.x <= box.x + box.width <= 1000 and -0.01 <= box.y <= 260 for box in drawn.boxes)
    assert len({round(box.x, 3) for box in drawn.boxes}) == 60


def test_the_many_callers_of_a_heat_table_stand_together() -> None:
    rows = [
        RefusalRow(reason="R", clause="", caller=f"c{each}", what="", count=each + 1, first="", last="")
        for each in range(12)
    ]
    drawn = heat(rows)
    assert drawn is not None
    ((_, cells, total),) = drawn.rows
    assert (len(drawn.callers), drawn.callers[-1], total) == (9, "others", sum(range(1, 13)))
    assert sum(count for count, _ in cells) == total
    assert max(shade for _, shade in cells) <= 5


def test_a_clock_that_ran_out_has_no_time_left() -> None:
    over, soon, time, full = clocks(a_report().lapses)
    assert [each.state for each in (over, soon, time, full)] == ["over", "soon", "time", "time"]
    assert over.path == ""


@pytest.mark.slow
def test_a_browser_shows_the_page_and_has_nothing_to_complain_of(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(report_page(a_report()), encoding="utf-8")
    done = browser.run(page, tmp_path, "--dump-dom")
    assert browser.said(done) == []
    for drawn in (
        'id="bars"',
        'id="heat"',
        'id="timeline"',
        'id="clocks"',
        *(f'id="{each.value}"' for each in Question),
    ):
        assert drawn in done.stdout
    picture = browser.screenshot(page, tmp_path).read_bytes()
    # A page without its plots and colours is a few thousand octets.
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 50_000
