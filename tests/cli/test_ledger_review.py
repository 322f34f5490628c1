"""``keybroker ledger review`` and ``keybroker module uses`` at the machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment
from tests.cli import command
from tests.cli.command import a_deployment, ordering, run, run_here

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return a_deployment(tmp_path_factory.mktemp("reviewed") / "deployment")


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path), "COLUMNS": "200"}


def test_tells_how_far_the_log_was_reviewed(env: dict[str, str]) -> None:
    told = run_json("ledger", "review", env=env)
    assert (told["clause"], told["reviewed_up_to"], told["overdue"], told["review_days"]) == ("G2.26", None, False, 31)
    assert told["unreviewed"] > 0
    assert "unreviewed" in run_here("ledger", "review", env=env).stdout


def test_refuses_without_an_order_and_says_what_it_must_name(env: dict[str, str]) -> None:
    told = run_json("ledger", "review", "--up-to", 3, "--marked", 1, "--because", "weekly", env=env, expect=1)
    assert told["error"]["reason"] == "PERSON_MAY_NOT_ACT"
    assert "keybroker evidence order --act ReviewLedger --target" in told["error"]["sentence"]


def test_refuses_an_administrator_who_is_no_auditor(env: dict[str, str], deployment: Deployment) -> None:
    given = {**env, **ordering(deployment)}
    told = run_json("ledger", "review", "--up-to", 3, "--because", "weekly", env=given, expect=1)
    assert "role" in told["error"]["sentence"]
    assert run_json("ledger", "verify", env=env)["whole"] is True


def test_a_module_that_counts_nothing_is_compared_with_nothing(
    env: dict[str, str], deployment: Deployment, tmp_path: Path
) -> None:
    given = {**env, **deployment.broker_environment}
    told = command.run_json("module", "uses", env=given)
    assert (told["counts"], told["profile"], told["events"]) == (False, "softhsm2", [])
    assert "count no uses" in run("module", "uses", env=given).stdout
