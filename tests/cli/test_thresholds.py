"""``keybroker thresholds``: what it shows, takes in, writes and refuses; and the procedures' files."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.config import read_configuration
from keybroker.keys.quarantine import Quarantined
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.payloads import QuarantineAction, ThresholdNotification
from keybroker.statement.threshold_files import (
    ACTION_COLUMNS,
    ADT_COLUMNS,
    CSV,
    REPORT_COLUMNS,
    Row,
    check_same,
    read_actions,
    read_report,
    read_thresholds,
    write_actions,
    write_report,
    write_thresholds,
)
from tests.cli import command
from tests.cli.command import run_here
from tests.ledger.thresholds import asking, counted, held, let_through

run_json = partial(command.run_json, how=run_here)
COMMON: dict[str, Any] = {"aud": "x/TEST", "iat": 1, "exp": 2, "nonce": "n" * 24}
COUNT: dict[str, Any] = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 2}
VALUE: dict[str, Any] = {"measure": "value", "code": "0x001C", "value": "adjust-meter-balance", "least": -5, "most": 9}
ZERO = COUNT | {"variant": "7.1", "warning": 0, "quarantine": 0, "tested": False}


def a_notification(**changes: Any) -> ThresholdNotification:
    said: dict[str, Any] = {"user": "90-B3-D5-1F-AA-01-00-00", "part": "test", "sequence": 2, "guidance": "A, B"}
    return ThresholdNotification.model_validate(COMMON | said | {"thresholds": [COUNT, VALUE, ZERO]} | changes)


def an_action(which: int = 7, action: str = "release") -> QuarantineAction:
    said = {"user": "90-B3-D5-1F-AA-01-00-00", "record": which, "octets_sha256": "0a" * 32, "action": action}
    return QuarantineAction.model_validate(COMMON | said)


def a_line(action: QuarantineAction) -> Row:
    """As a file says it."""
    said = {"user_id": action.user, "octets_sha256": action.octets_sha256, "action": action.action}
    return {"record": str(action.record), **said}


# ---- the files


HEADING = ",".join(ADT_COLUMNS)


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="refusal")
@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "heading"),
        (b"a,b\r\n", "heading"),
        (HEADING.encode(), "one User ID"),
        (b"\xff", "utf-8"),
        (write_thresholds(a_notification()).replace(b",2,", b",+2,"), "decimal"),
        (write_thresholds(a_notification()).replace(b",2,", b",02,"), "decimal"),
        (write_thresholds(a_notification()).replace(b",yes", b",maybe"), "yes or no"),
        (write_thresholds(a_notification()) + b"x\r\n", "fields in every line"),
        (write_thresholds(a_notification()).replace(b"test,2", b"test,3", 1), "one User ID"),
        (write_thresholds(a_notification()).replace(b'"A, B"', b'"A, B', 1), "line|fields"),
        (b"x" * (1 << 20) + b"x", "at most"),
    ],
)
def test_refuses_a_thresholds_file_that_is_none(octets: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_thresholds(octets)


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="refusal")
@pytest.mark.parametrize("octets", [b"", HEADING.encode(), write_report([]) + b"7\r\n", b"\xff", b"x" * (1 << 21)])
def test_refuses_a_report_that_is_none(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"heading|fields|utf-8|at most"):
        read_report(octets)


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="refusal")
@pytest.mark.parametrize(
    "octets",
    [
        write_thresholds(a_notification(sequence=3)),
        write_thresholds(a_notification(user=None)),
        write_thresholds(a_notification(thresholds=[COUNT])),
        write_thresholds(a_notification(thresholds=[COUNT | {"quarantine": 3}, VALUE, ZERO])),
        write_thresholds(a_notification()).replace(b"critical", b"unknown"),
    ],
)
def test_refuses_a_statement_of_another_file(octets: bytes) -> None:
    with pytest.raises(StatementUnfit, match="STATEMENT_PAYLOAD_MALFORMED"):
        check_same(a_notification(), read_thresholds(octets))


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="refusal")
def test_refuses_an_action_that_the_file_does_not_say() -> None:
    (read,) = read_actions(write_actions([a_line(an_action(action="delete"))]))
    with pytest.raises(StatementUnfit, match="exactly this file"):
        check_same(an_action(), read)


@given(
    sequence=st.integers(1, 2**53),
    user=st.none() | st.just("90-B3-D5-1F-AA-01-00-00"),
    guidance=st.from_regex(r"[!-~]+( [!-~]+)*", fullmatch=True).filter(lambda text: len(text) <= 120),
    thresholds=st.lists(st.sampled_from([COUNT, VALUE, ZERO]), min_size=1, max_size=3, unique_by=str),
)
def test_a_file_says_what_was_written(
    sequence: int, user: str | None, guidance: str, thresholds: list[dict[str, Any]]
) -> None:
    notification = a_notification(sequence=sequence, user=user, guidance=guidance, thresholds=thresholds)
    octets = write_thresholds(notification)
    check_same(notification, read_thresholds(octets))
    assert CSV.write(ADT_COLUMNS, CSV.read(ADT_COLUMNS, octets)) == octets


def test_an_actions_file_says_what_was_written() -> None:
    actions = [an_action(1), an_action(2, "delete")]
    octets = write_actions(map(a_line, actions))
    assert octets.startswith(",".join(ACTION_COLUMNS).encode())
    for action, read in zip(actions, read_actions(octets), strict=True):
        check_same(action, read)


# ---- the command


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path)}


def officer(deployment: Deployment, name: str = "evidence-officer") -> list[object]:
    files = deployment.directory / "evidence"
    return ["--certificate", files / f"{name}.pem", "--private-key", files / f"{name}.key"]


def lines(file: Path) -> list[dict[str, str]]:
    """Of any of the files, with another reader than ours."""
    return list(csv.DictReader(file.read_text().splitlines()))


@pytest.mark.hsm
def test_shows_what_is_in_force_and_what_the_committee_was_not_told(env: dict[str, str]) -> None:
    shown = run_json("thresholds", "show", env=env)
    assert {each["of"] for each in shown["notifications"]} >= {"dcc"}
    assert all(each["in_force"] and not each["committee_notified"] for each in shown["notifications"])
    assert shown["notifications"][0]["thresholds"]
    done = run_here("thresholds", "show", env=env)
    assert (done.returncode, "critical 7.2" in done.stdout) == (0, True)


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="acceptance")
@pytest.mark.hsm
def test_a_thresholds_file_goes_out_and_comes_in_with_its_signature(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    before = run_json("thresholds", "show", env=env)["notifications"][0]
    file = tmp_path / "adt.csv"
    run_json("thresholds", "export", "thresholds", "--of", before["of"], "-o", file, env=env)
    # As it stands its signature was used: the very same notification is not checked twice (G6.6A).
    refused = run_json("thresholds", "import", "thresholds", file, env=env, expect=1)
    assert refused["error"]["reason"] == "STATEMENT_REFUSED"
    lines = file.read_bytes().replace(f",{before['sequence']},".encode(), b",99,")
    file.write_bytes(lines)
    refused = run_json("thresholds", "import", "thresholds", file, env=env, expect=1)
    assert "exactly this file" in refused["error"]["sentence"]
    run_json("thresholds", "state", "thresholds", file, *officer(deployment), env=env)
    taken = run_json("thresholds", "import", "thresholds", file, env=env)
    assert len(taken["receipts"]) == 1
    after = run_json("thresholds", "show", env=env)["notifications"]
    assert [each["in_force"] for each in after if each["of"] == before["of"]] == [True, False]
    statement = tmp_path / "again.jws"
    statement.write_bytes((tmp_path / "adt.csv.jws").read_bytes())
    refused = run_json("thresholds", "notify", statement, env=env, expect=1)
    assert "STATEMENT_USED_BEFORE" in refused["error"]["sentence"]


@pytest.mark.hsm
def test_refuses_files_that_are_none(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "adt.csv"
    file.write_text("nonsense")
    (tmp_path / "adt.csv.jws").write_text("x")
    for which in ("thresholds", "actions", "report"):
        refused = run_json("thresholds", "import", which, file, env=env, expect=1)
        assert refused["error"]["flaw"] == "STATEMENT_PAYLOAD_MALFORMED"
    assert run_json("thresholds", "export", "thresholds", "--of", "nobody", "-o", file, env=env, expect=2)


@pytest.mark.hsm
def test_signs_no_file_that_is_none_and_none_but_a_report_as_it_goes_out(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    file, mine = tmp_path / "file.csv", officer(deployment)
    file.write_text("nonsense")
    assert run_json("thresholds", "state", "report", file, *mine, env=env, expect=2)
    for which, options in (("actions", mine), ("thresholds", mine), ("report", mine[:2])):
        assert run_json("thresholds", "export", which, "-o", file, *options, env=env, expect=2)
    assert not (tmp_path / "file.csv.jws").exists()


@pytest.mark.hsm
def test_does_not_sign_a_file_that_no_statement_says(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "adt.csv"
    file.write_bytes(write_thresholds(a_notification()).replace(b"critical", b"unknown"))
    done = run_json("thresholds", "state", "thresholds", file, *officer(deployment), env=env, expect=2)
    assert "expected what the kind threshold-notification says, found: thresholds.0" in done["error"]["sentence"]
    assert not (tmp_path / "adt.csv.jws").exists()


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="acceptance")
@pytest.mark.hsm
def test_lists_what_is_quarantined_and_reports_it(env: dict[str, str], tmp_path: Path) -> None:
    assert run_json("thresholds", "actions", env=env) == {"quarantined": []}
    for which in ("report", "actions"):
        file = tmp_path / f"{which}.csv"
        assert run_json("thresholds", "export", which, "-o", file, env=env)["signed"] is False
        assert file.read_bytes().count(b"\r\n") == 1
    order = tmp_path / "order.jws"
    order.write_text("no statement")
    refused = run_json("thresholds", "actions", order, env=env, expect=1)
    assert json.dumps(refused).count("STATEMENT_NOT_COMPACT") >= 1


def a_quarantined(deployment: Deployment) -> Quarantined:
    """A communication of the deployment's own User."""
    configuration, user = read_configuration(deployment.config_path), str(deployment.keys["supplier-a"].eui)
    with acting(configuration, "operator") as (journal, _):
        exceeding = asking("a", counted(most=0, user=user))
        assert let_through(journal, exceeding, at=configuration.clock.now()) == 0
        (found,) = held(journal)
    return found


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="acceptance")
@pytest.mark.hsm
def test_what_is_quarantined_is_told_in_a_signed_report_and_released_by_a_signed_actions_file(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    found = a_quarantined(deployment)
    told = {"record": str(found.record), "user_id": found.user, "octets_sha256": found.octets_sha256}
    report, actions = tmp_path / "report.csv", tmp_path / "actions.csv"

    out = run_json("thresholds", "export", "report", "-o", report, *officer(deployment), env=env)
    assert out["signed"] is True
    (line,) = lines(report)
    assert {name: line[name] for name in told} == told
    assert (line["request"], line["thresholds"], line["state"]) == (
        "SignPreCommand supplier-a a",
        "critical 7.2",
        "quarantined",
    )
    taken = run_json("thresholds", "import", "report", report, env=env)
    assert (taken["attester"], taken["party"], taken["communications"]) == ("evidence-officer", "operator", 1)

    run_json("thresholds", "export", "actions", "-o", actions, "--of", found.user, env=env)
    assert lines(actions) == [told | {"action": "delete"}]
    actions.write_bytes(actions.read_bytes().replace(b",delete", b",release"))
    run_json("thresholds", "state", "actions", actions, *officer(deployment, "administrator-a"), env=env)
    run_json("thresholds", "import", "actions", actions, env=env)
    run_json("thresholds", "export", "report", "-o", report, env=env)
    (line,) = lines(report)
    assert line["state"] == "released"
    run_json("thresholds", "export", "report", "-o", report, "--of", "nobody", env=env)
    assert report.read_bytes() == write_report([])
    assert run_json("ledger", "verify", env=env)["whole"]


@pytest.mark.clause("G6.1(a)", "G6.1(b)", "G6.2", "G6.5", shows="refusal")
@pytest.mark.hsm
def test_refuses_a_report_that_was_changed_or_taken_in_before(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    report.write_bytes(write_report([dict.fromkeys(REPORT_COLUMNS, "1")]))
    run_json("thresholds", "state", "report", report, *officer(deployment), env=env)
    good = report.read_bytes()
    report.write_bytes(good.replace(b"1,1,", b"1,2,", 1))
    refused = run_json("thresholds", "import", "report", report, env=env, expect=1)
    assert "exactly this file" in refused["error"]["sentence"]
    report.write_bytes(good)
    run_json("thresholds", "import", "report", report, env=env)
    refused = run_json("thresholds", "import", "report", report, env=env, expect=1)
    assert refused["error"]["flaw"] == "STATEMENT_USED_BEFORE"
    run_json("thresholds", "state", "report", report, *officer(deployment, "administrator-a"), env=env)
    refused = run_json("thresholds", "import", "report", report, env=env, expect=1)
    assert refused["error"]["flaw"] == "ATTESTER_NOT_FOR_KIND"
    stated = ("thresholds", "state", "report", report, *officer(deployment), "--ledger-origin", "another.example/X")
    run_json(*stated, env=env)
    refused = run_json("thresholds", "import", "report", report, env=env, expect=1)
    assert refused["error"]["flaw"] == "STATEMENT_FOR_ANOTHER_LEDGER"
