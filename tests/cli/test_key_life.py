"""The life of a key at the command line: renewed step by step, its history, its copies, the module's inventory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.dev.deployment import Deployment, DevKey
from keybroker.config.latch import unlatch
from keybroker.terms import KeyPurpose
from tests.cli import command
from tests.cli.command import run_here
from tests.deployments import create_deployment

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)
KEY, NEXT = "dco", "dco-2"
TWICE = ("--kind", "module", "--how", "C_DestroyObject", "--searched")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """With one key that needs no certificate."""
    key = DevKey(label=KEY, purpose=KeyPurpose.DCO_SMETS1, party="dcc", eui=None, role=None)
    return create_deployment(tmp_path_factory.mktemp("deployment"), keys=(key,))


def environment(deployment: Deployment) -> dict[str, str]:
    own = {"KEYBROKER_CONFIG": str(deployment.config_path)}
    return own | deployment.broker_environment | command.ordering(deployment)


@pytest.fixture
def env(deployment: Deployment) -> Iterator[dict[str, str]]:
    yield environment(deployment)
    unlatch(deployment.directory / "data")


@pytest.fixture(scope="module")
def renewed(deployment: Deployment) -> list[dict[str, Any]]:
    """What each command of the renewal showed."""
    renew, env = ("keys", "renew", KEY, "--successor", NEXT), environment(deployment)
    told = [run_json(*renew, "--show", env=env), *(run_json(*renew, env=env) for _ in range(3))]
    unlatch(deployment.directory / "data")
    return told


def orders(env: dict[str, str], directory: Path, deployment: Deployment, *refused: object) -> list[Path]:
    """The orders of both administrators, for the act that was refused without."""
    done = run_here(*refused, "--json", env={name: value for name, value in env.items() if "PERSON" not in name})
    said = command.json.loads(done.stdout)
    remedy = next(finding["remedy"] for finding in said["error"]["findings"] if not finding["passed"])
    words = remedy.split()
    act, target = words[words.index("--act") + 1], words[words.index("--target") + 1]
    made = []
    for name in ("administrator-a", "administrator-b"):
        made.append(directory / f"{name}.jws")
        signing = env | command.ordering(deployment, name)
        run_json("evidence", "order", "--act", act, "--target", target, "-o", made[-1], env=signing)
    return made


def test_refuses_the_history_of_a_key_that_nobody_ordered(env: dict[str, str]) -> None:
    done = run_here("keys", "history", "nobody", env=env)
    assert (done.returncode, "has no key nobody" in done.stderr) == (1, True), done.stderr


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="acceptance")
def test_a_key_is_renewed_step_by_step_and_its_history_says_so(
    env: dict[str, str], renewed: list[dict[str, Any]]
) -> None:
    shown, prepared, switched, done = renewed
    assert shown["next"] == "order the successor"
    assert (prepared["successor_state"], prepared["next"]) == ("generated", "switch to the successor")
    assert (switched["act"], done["next"]) == ("RenewKey", "renewed")
    told: Any = run_json("keys", "history", NEXT, env=env)["history"]
    assert [each["word"] for each in told] == ["registered, ordered", "generated", "labelled", "installed", "renewed"]
    assert run_json("keys", "history", KEY, env=env)["history"][-1]["after"] == "superseded"
    (copy,) = run_json("keys", "copies", "list", NEXT, env=env)["copies"]
    assert (copy["copy"]["kind"], copy["destroyed"]) == ("module", None)
    assert run_json("ledger", "verify", env=env)


@pytest.mark.usefixtures("renewed")
def test_the_inventory_names_what_differs(env: dict[str, str]) -> None:
    told = run_json("keys", "inventory", env=env)
    assert told["discrepancies"] == []


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="refusal")
@pytest.mark.usefixtures("renewed")
def test_two_people_sign_that_a_copy_is_destroyed_and_one_alone_does_not(
    env: dict[str, str], deployment: Deployment, tmp_path: Path
) -> None:
    serial = run_json("keys", "inventory", env=env)["module"]
    gone = ("keys", "copies", "confirm-destroyed", NEXT, "--place", serial, *TWICE)
    alone = run_here(*gone, env=env)
    assert alone.returncode == 1
    assert "the orders of two people" in alone.stderr
    first, second = orders(env, tmp_path, deployment, *gone)
    bare = {name: value for name, value in env.items() if "PERSON" not in name}
    assert run_here(*gone, "--second-order", second, env=bare).returncode == 2
    assert run_here(*gone, "--order", first, "--second-order", first, env=bare).returncode == 1
    first, second = orders(env, tmp_path, deployment, *gone)
    run_json(*gone, "--order", first, "--second-order", second, env=bare)
    (copy,) = run_json("keys", "copies", "list", NEXT, env=env)["copies"]
    assert (copy["how"], copy["searched"], copy["destroyed"] is None) == ("C_DestroyObject", True, False)
    assert run_json("ledger", "verify", env=env)
