"""Retention on the command line: not without a policy, not without a person's order, and what went says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.statements import ADMINISTRATORS
from keybroker.config import build_ledger, read_configuration
from keybroker.ledger.model import Entry, RecordKind
from keybroker.terms import PartyName
from tests.cli.command import a_deployment, run_here, run_json

POLICY = "\n[retention]\noctets_days = 400\nreads_days = 400\nrefusals_days = 400\nuses_days = 1100\n"
OLD = datetime.now(UTC) - timedelta(days=1_000)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """One whose ledger holds an old read."""
    made = a_deployment(tmp_path_factory.mktemp("retain") / "deployment")
    ledger, _, journal = build_ledger(read_configuration(made.config_path), worker="operator")
    journal.write([Entry(kind=RecordKind.READ, party=PartyName("supplier-a"), body={"operation": "ListKeys"})], at=OLD)
    journal.close()
    ledger.close()
    return made


def by(deployment: Deployment) -> tuple[object, ...]:
    who = deployment.directory / "evidence" / ADMINISTRATORS[0]
    return ("--person", f"{who}.pem", "--person-key", f"{who}.key", "--config", deployment.config_path)


def day(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def test_lets_go_by_a_policy_and_an_order_alone_and_verifies_what_is_left(deployment: Deployment) -> None:
    # 1. Without a policy nothing goes, whoever orders it.
    done = run_here("ledger", "retain", "--before", day(500), *by(deployment))
    assert done.returncode == 78
    assert "[retention]" in done.stderr
    with deployment.config_path.open("a") as file:
        file.write(POLICY)
    # 2. Without an order neither, and the refusal says what to order; nor what is younger than the policy keeps.
    done = run_here("ledger", "retain", "--before", day(500), "--config", deployment.config_path)
    assert done.returncode == 1
    assert "keybroker evidence order --act RetainLedger --target" in done.stderr
    done = run_here("ledger", "retain", "--before", day(10), *by(deployment))
    assert done.returncode == 1
    assert "expected a moment at or before" in done.stderr
    # 3. By an order it goes; the record says so, and the ledger is whole.
    told = run_json("ledger", "retain", "--before", day(500), *by(deployment), how=run_here)
    assert told["records"] == {"read": 1}
    assert set(told["kept"]) == {"uses"}
    verified = run_json("ledger", "verify", "--rejudge", "--config", deployment.config_path, how=run_here)
    assert verified["aged"] == {"read": 1}
    shown = run_json("ledger", "tail", "-n", 40, "--config", deployment.config_path, how=run_here)["records"]
    (gone,) = [each["leaf_index"] for each in shown if each["record"] is None]
    assert run_json("ledger", "show", gone, "--config", deployment.config_path, how=run_here)["record"] is None
    for command in (("ledger", "show", gone), ("ledger", "tail", "-n", 40)):
        done = run_here(*command, "--config", deployment.config_path, env={"COLUMNS": "200"})
        assert "aged out: its leaf hash alone is kept" in done.stdout
