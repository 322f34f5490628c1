"""``keybroker module list``: the evidence about modules with its clock, read beside the broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment
from tests.cli import command
from tests.cli.command import run_here
from tests.deployments import create_deployment

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """One whose broker never runs, with the evidence that every development deployment is given."""
    return create_deployment(tmp_path_factory.mktemp("deployment"))


def test_lists_what_is_held_about_the_token_and_until_when(deployment: Deployment) -> None:
    env = {"KEYBROKER_CONFIG": str(deployment.config_path), "COLUMNS": "200"}
    (module,) = run_json("module", "list", env=env)["modules"]
    assert module["module"]["manufacturer"] == "SoftHSM project"
    assert module["module"]["members"] == [module["serial"]]
    assert module["classification"]["scheme"]
    assert module["classification_void"] == ""
    assert module["validation"] is None
    assert module["clocks"] == []
    done = run_here("module", "list", env=env)
    assert done.returncode == 0, done.stderr
    assert module["serial"] in done.stdout
    assert module["classification"]["scheme"] in done.stdout


def test_refuses_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    done = run_here("module", "list", "--config", tmp_path / "none.toml")
    assert done.returncode == 78
