"""``keybroker people``: who may act, who may not and why, read beside the broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.statements import ADMINISTRATORS
from tests.cli import command
from tests.cli.command import run_here

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path)}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "nobody"), "nobody of the name nobody is known"),
        (("show", "evidence-officer"), "nobody of the name evidence-officer is known"),
        (("list", "--at", "tomorrow"), "expected a moment, found 'tomorrow'"),
        (("list", "--at", "2026-01-01T00:00:00"), "with its time zone (Z)"),
    ],
)
def test_refuses_a_person_or_a_moment_that_it_does_not_know(
    arguments: tuple[str, ...], told: str, env: dict[str, str]
) -> None:
    assert told in run_json("people", *arguments, env=env, expect=2)["error"]["sentence"]


def test_lists_everybody_who_is_enrolled_with_roles_and_whether_he_may_act(env: dict[str, str]) -> None:
    people = run_json("people", "list", env=env)["people"]
    assert [(each["person"], each["may_act"], each["reason"]) for each in people] == [
        (name, True, "") for name in ADMINISTRATORS
    ]
    assert {(each["party"], *each["roles"]) for each in people} == {("operator", "administrator")}


def test_tells_who_has_lapsed_by_which_clause(env: dict[str, str]) -> None:
    people = run_json("people", "list", "--at", LATER, env=env)["people"]
    assert {(each["may_act"], each["reason"], each["clause"], *each["roles"]) for each in people} == {
        (False, "PERSON_LAPSED", "G5.22(b)")
    }


def test_shows_every_finding_of_one_person_and_of_a_role_that_is_not_held(env: dict[str, str]) -> None:
    shown = run_json("people", "show", ADMINISTRATORS[0], "--in-united-kingdom", env=env)
    assert shown["may_act"]
    assert [finding["rule"] for finding in shown["findings"]] == [
        "person-enrolled",
        "person-vouched-for",
        "person-has-role",
        "person-cleared",
        "person-screened",
        "person-independent",
        "person-in-united-kingdom",
    ]
    assert shown["engagements"] == []
    refused = run_json("people", "show", ADMINISTRATORS[0], "--role", "witness", env=env)
    assert (refused["may_act"], refused["reason"], refused["clause"]) == (False, "PERSON_WITHOUT_ROLE", "G5.22(a)")


def test_says_the_same_to_people(env: dict[str, str]) -> None:
    shown = run_here("people", "show", ADMINISTRATORS[0], "--role", "witness", env=env).stdout
    assert "REFUSE person-has-role (G5.22(a))" in shown
    assert "found administrator" in shown
    assert run_here("people", "list", env=env).stdout.splitlines()[0].split("\t")[3] == "yes"


def test_writes_nothing(env: dict[str, str], deployment: Deployment) -> None:
    ledger = Path(deployment.directory) / "data" / "ledger.sqlite"
    before = ledger.read_bytes()
    run_json("people", "list", env=env)
    assert ledger.read_bytes() == before
