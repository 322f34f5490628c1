"""An operator's acts at the machine: who did them, the latch they obey, and an audit that writes nothing."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pwd
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests, take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER, common
from keybroker.config import read_configuration, reading
from keybroker.config.latch import find_latch, latch, unlatch
from keybroker.keys.standing import read_standing
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location
from tests.cli import command
from tests.cli.command import run, run_here

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> Iterator[dict[str, str]]:
    yield {
        "KEYBROKER_CONFIG": str(deployment.config_path),
        **deployment.broker_environment,
        **command.ordering(deployment),
    }
    unlatch(deployment.directory / "data")


def last_body(env: dict[str, str]) -> Any:
    (shown,) = run_json("ledger", "tail", "-n", 1, env=env)["records"]
    return shown["record"]["body"]


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("keys", "revoke", "supplier-a", "--because", "lost"), 2, "--at"),
        (("keys", "revoke", "supplier-a", "--at", "2026-01-01T00:00:00Z"), 2, "--because"),
        (("keys", "revoke", "supplier-a", "--at", "yesterday", "--because", "lost"), 2, "expected a moment"),
        (("keys", "revoke", "supplier-a", "--at", "2026-01-01T00:00:00", "--because", "lost"), 2, "time zone"),
        (("keys", "revoke", "supplier-a", "--at", "2999-01-01T00:00:00Z", "--because", "lost"), 2, "has come"),
        (("keys", "revoke", "nobody", "--at", "2020-01-01T00:00:00Z", "--because", "lost"), 1, "order it first"),
    ],
)
def test_refuses_a_revocation_that_says_too_little(
    arguments: tuple[str, ...], status: int, said: str, env: dict[str, str]
) -> None:
    done = run_here(*arguments, env=env | {"COLUMNS": "200"})
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("module", "check"),
        ("ledger", "verify", "--with-token"),
        ("keys", "generate", "another", "--purpose", "supplier-pre-command", "--party", "supplier-a"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_no_command_tries_the_pin_of_a_latched_module(
    arguments: tuple[str, ...], env: dict[str, str], deployment: Deployment
) -> None:
    data = deployment.directory / "data"
    (data / "module-latched").write_text("somebody was here\n")
    answer = run_json(*arguments, env=env, expect=78)
    assert answer["error"]["reason"] == "PIN_WRONG"
    assert "somebody was here" in answer["error"]["sentence"]
    assert find_latch(data) == "somebody was here"


def test_a_wrong_pin_on_the_command_line_latches_and_the_right_one_is_not_tried_then(
    env: dict[str, str], deployment: Deployment
) -> None:
    data = deployment.directory / "data"
    wrong = run("module", "check", "--json", env=env | {"KEYBROKER_PIN": "not the PIN"})
    assert wrong.returncode == 78
    assert "PIN_WRONG" in wrong.stdout
    assert "not the PIN" not in wrong.stdout + wrong.stderr + str(find_latch(data))
    assert find_latch(data)
    assert run_json("module", "check", env=env, expect=78)["error"]["reason"] == "PIN_WRONG"
    assert run_json("module", "unlatch", env=env)["was_latched"] is True
    assert command.run_json("module", "check", env=env)["passed"] is True


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
@pytest.mark.clause("G3.23", "G3.24", shows="acceptance")
def test_a_module_is_unlatched_by_order_of_a_person_in_the_united_kingdom_alone(
    env: dict[str, str], deployment: Deployment
) -> None:
    """Its key is a Supplier's. The broker never ran here: the ledger alone is asked."""
    data, abroad = deployment.directory / "data", ADMINISTRATORS[1]
    latch(data, "the PIN was wrong")
    say_abroad(deployment, abroad)
    nobody = dict.fromkeys(command.ordering(deployment), "")
    elsewhere = command.ordering(deployment, abroad)
    for who, told in ((nobody, "keybroker evidence order --act UnlatchModule --target"), (elsewhere, f"{abroad} may")):
        refused = run_json("module", "unlatch", env=env | who, expect=1)["error"]
        assert (refused["reason"], told in refused["sentence"]) == ("PERSON_MAY_NOT_ACT", True)
        assert find_latch(data) == "the PIN was wrong"
        body = last_body(env)
        assert (body["act"], body["reason"]) == ("UnlatchModule", "PERSON_MAY_NOT_ACT")
    done = run_json("module", "unlatch", env=env)
    assert (done["was_latched"], find_latch(data)) == (True, None)
    body, configuration = last_body(env), read_configuration(deployment.config_path)
    serial = configuration.file.module.token_serial
    assert (body["module"], body["order"]["attester"]) == (serial, ADMINISTRATORS[0])
    with reading(configuration) as ledger, ledger.read() as connection:
        acts = [(each.person, each.subject) for each in read_standing(connection).acts]
    assert acts[-1] == (ADMINISTRATORS[0], f"module:{serial}")
    assert run_json("ledger", "verify", env=env)["whole"] is True
    assert run_json("module", "unlatch", env=env | nobody) == {"was_latched": False, "because": None, "record": None}


def say_abroad(deployment: Deployment, person: str) -> None:
    configuration = read_configuration(deployment.config_path)
    at = configuration.clock.now()
    said = {"of": "person", "subject": person, "party": "operator", "country": "FR", "site": "office", "people": []}
    stated = Location.model_validate(common(configuration.ledger_origin, at, StatementKind.LOCATION) | said)
    officer = read_attests(deployment.directory / "evidence", OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        take_in(journal, actor, stated, officer, configuration.people, at)


@pytest.mark.parametrize(
    ("statement", "status", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'v9999'", 78, "later keybroker"),
        ("DROP TABLE alembic_version", 78, "no ledger's tables"),
        ("UPDATE record SET octets = x'7b7d' WHERE leaf_index = 1", 3, "record 1: expected leaf hash"),
    ],
)
@pytest.mark.parametrize("act", ["verify", "tail"])
def test_an_audit_changes_nothing_of_what_it_refuses(
    statement: str, status: int, said: str, act: str, env: dict[str, str], deployment: Deployment, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    ledger.write_bytes((deployment.directory / "data" / "ledger.sqlite").read_bytes())
    connection = sqlite3.connect(ledger, isolation_level=None)
    connection.execute(statement)
    connection.close()
    settings = deployment.config_path.read_text().replace("sqlite:///ledger.sqlite", f"sqlite:///{ledger}")
    configuration = deployment.directory / "audit.toml"
    configuration.write_text(settings)
    before = ledger.read_bytes()
    done = run_here("ledger", act, "--config", configuration, env=env)
    assert ledger.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
    if act == "verify" or status == 78:
        assert done.returncode == status, done.stdout + done.stderr
        assert said in done.stderr


# ---- acceptance


def test_a_revocation_is_an_act_of_the_real_user_and_closes_the_key(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        env = env | {name: "somebody-else"}
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert getpass.getuser() == "somebody-else"
    arguments = ("keys", "revoke", "supplier-a", "--at", "2026-01-02T03:04:05+01:00", "--because", "key lost")
    assert run_json(*arguments, env=env)["act"] == "RevokeCertificate"
    body = last_body(env)
    assert body["actor"]["identity"] == f"local:{pwd.getpwuid(os.getuid()).pw_name}"
    assert (body["act"], body["revoked_at"], body["because"]) == (
        "RevokeCertificate", "2026-01-02T02:04:05.000000Z", "key lost"
    )  # fmt: skip
    assert run_json("ledger", "verify", env=env)["whole"] is True


def test_an_audit_shows_how_far_it_is_to_whoever_looks(env: dict[str, str]) -> None:
    assert run_here("ledger", "verify", env=env).stderr == ""
    ours, terminal = os.openpty()
    verified = subprocess.run(
        [sys.executable, "-m", "keybroker.cli.main", "ledger", "verify", "--json"],
        env={**os.environ, **env, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more ends with an error
        while octets := os.read(ours, 4096):
            seen += octets
    os.close(ours)
    assert b"recomputing the ledger" in seen
    assert json.loads(verified.stdout)["whole"] is True
