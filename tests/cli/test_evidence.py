"""``keybroker evidence``: statements made, given, shown and taken away; who may make them; and orders for acts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.dev.deployment import Deployment
from tests.cli import command
from tests.cli.command import run_here
from tests.statement.attested import Attests

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)
LOCATION = {"of": "person", "subject": "carol", "party": "operator", "country": "GB", "site": "office", "people": []}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return command.a_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def env(deployment: Deployment) -> dict[str, str]:
    return {"KEYBROKER_CONFIG": str(deployment.config_path)}


@pytest.fixture
def ordering(deployment: Deployment, env: dict[str, str]) -> dict[str, str]:
    """By administrator-a."""
    return env | command.ordering(deployment)


def files(deployment: Deployment, name: str) -> tuple[str, Path, str, Path]:
    directory = deployment.directory / "evidence"
    return "--certificate", directory / f"{name}.pem", "--private-key", directory / f"{name}.key"


def a_statement(deployment: Deployment, env: dict[str, str], directory: Path, *more: object, **changes: Any) -> Path:
    """A location by the officer."""
    payload, made = directory / "payload.json", directory / "made.jws"
    payload.write_text(json.dumps(LOCATION | changes))
    run_json(
        "evidence", "state", "location", payload, *files(deployment, "evidence-officer"), "-o", made, *more, env=env
    )
    return made


def held(env: dict[str, str]) -> dict[str, dict[str, Any]]:
    """By SHA-256."""
    return {each["sha256"]: each for each in run_json("evidence", "list", env=env)["statements"]}


def enrolled(env: dict[str, str], name: str) -> list[dict[str, Any]]:
    return [each for each in run_json("evidence", "attesters", env=env)["attesters"] if each["name"] == name]


def an_attester(directory: Path, name: str) -> Path:
    """A certificate, valid now."""
    now = datetime.now(UTC)
    who = Attests(name=name, not_before=now - timedelta(days=1), not_after=now + timedelta(days=900))
    file = directory / f"{name.replace('/', '-')}.pem"
    file.write_bytes(who.x509.public_bytes(Encoding.PEM))
    return file


def refusal(*arguments: object, env: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = run_json(*arguments, env=env, expect=1)["error"]
    return answer


# ---- statements


@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (b"", "STATEMENT_NOT_COMPACT"),
        (b"hello", "STATEMENT_NOT_COMPACT"),
        (b"a" * 20_000, "STATEMENT_TOO_LONG"),
        (b"e30.e30." + b"A" * 86, "STATEMENT_HEADER_NOT_EXACT"),
    ],
)
def test_refuses_what_is_no_statement(env: dict[str, str], tmp_path: Path, octets: bytes, flaw: str) -> None:
    (tmp_path / "file").write_bytes(octets)
    error = refusal("evidence", "add", "location", tmp_path / "file", env=env)
    assert (error["reason"], error["flaw"]) == ("STATEMENT_REFUSED", flaw)


def test_refuses_one_kind_as_another_and_says_which(
    deployment: Deployment, env: dict[str, str], tmp_path: Path
) -> None:
    made = a_statement(deployment, env, tmp_path)
    error = refusal("evidence", "add", "person", made, env=env)
    assert (error["flaw"], "location" in error["sentence"]) == ("STATEMENT_OF_ANOTHER_KIND", True)


def test_refuses_a_kind_that_is_given_otherwise(deployment: Deployment, env: dict[str, str], tmp_path: Path) -> None:
    made = a_statement(deployment, env, tmp_path)
    error = refusal("evidence", "add", "threshold-notification", made, env=env)
    assert "keybroker thresholds notify" in error["sentence"]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("{}", "Field required"),
        ("[]", "an object"),
        ("{", "cannot be read"),
        (json.dumps(LOCATION | {"more": 1}), "more"),
        (json.dumps(LOCATION | {"country": "England"}), "country"),
    ],
)
def test_does_not_state_what_no_kind_says(
    deployment: Deployment, env: dict[str, str], tmp_path: Path, payload: str, told: str
) -> None:
    file = tmp_path / "payload.json"
    file.write_text(payload)
    answer = run_json("evidence", "state", "location", file, *files(deployment, "evidence-officer"), env=env, expect=2)
    assert told in answer["error"]["sentence"]


def test_does_not_state_with_anothers_key(deployment: Deployment, env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(LOCATION))
    mine, other = files(deployment, "evidence-officer"), files(deployment, "administrator-a")
    answer = run_json("evidence", "state", "location", file, *mine[:2], *other[2:], env=env, expect=2)
    assert "another's" in answer["error"]["sentence"]


def test_a_statement_is_given_once_shown_and_withdrawn_by_order(
    deployment: Deployment, env: dict[str, str], ordering: dict[str, str], tmp_path: Path
) -> None:
    made = a_statement(deployment, env, tmp_path, "--days", 6)
    receipt = run_json("evidence", "add", "location", made, env=env)["receipt"]
    assert refusal("evidence", "add", "location", made, env=env)["flaw"] == "STATEMENT_USED_BEFORE"
    (sha256,) = (each for each, facts in held(env).items() if "carol" in facts["subject"])
    facts = held(env)[sha256]
    assert (facts["kind"], facts["attester"], facts["counts"]) == ("location", "evidence-officer", True)
    assert (facts["days"], facts["warning"]) == (5, "lapses within 7 days")
    shown = run_json("evidence", "show", sha256[:8], env=env)
    assert shown["says"]["site"] == "office"
    assert (shown["record"], shown["compact"]) == (receipt["leaf_index"], made.read_text().strip())
    assert run_here("evidence", "show", sha256[:8], "--compact", env=env).stdout == made.read_text()
    assert '"site": "office"' in run_here("evidence", "show", sha256[:8], env=env).stdout
    withdraw = ("evidence", "withdraw", sha256[:8], "--because", "test")
    assert refusal(*withdraw, env=env)["reason"] == "PERSON_MAY_NOT_ACT"
    run_json(*withdraw, env=ordering)
    assert sha256 not in held(env)


@pytest.mark.parametrize("prefix", ["", "xyz", "0" * 64])
def test_shows_nothing_of_what_is_not_held(env: dict[str, str], prefix: str) -> None:
    assert "found 0" in run_json("evidence", "show", prefix or "zz", env=env, expect=2)["error"]["sentence"]


def test_a_payload_in_toml_may_hold_its_moments(deployment: Deployment, env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "payload.toml"
    file.write_text(
        'of = "node"\nsubject = "n"\nparty = "operator"\ncountry = "GB"\nsite = "s"\npeople = ["carol"]\n'
        '[environment]\nstandard = "ISO/IEC 27001"\nreference = "IS 1"\nexpires = 2030-01-01T00:00:00Z\n'
    )
    made = run_json("evidence", "state", "location", file, *files(deployment, "evidence-officer"), env=env)
    (tmp_path / "made.jws").write_text(made["statement"])
    run_json("evidence", "add", "location", tmp_path / "made.jws", env=env)
    assert run_json("evidence", "show", made["sha256"], env=env)["says"]["environment"]["expires"] == 1_893_456_000
    file.write_text("expires = 2030-01-01T00:00:00\n")
    arguments = ("evidence", "state", "location", file, *files(deployment, "evidence-officer"))
    assert "time zone" in run_json(*arguments, env=env, expect=2)["error"]["sentence"]


# ---- attesters


def test_an_attester_is_enrolled_renewed_and_withdrawn_by_order(
    env: dict[str, str], ordering: dict[str, str], tmp_path: Path
) -> None:
    name = "supplier-a/second-check"
    enrol = ("evidence", "enrol", name, an_attester(tmp_path, name), "--party", "supplier-a")
    more = ("--kinds", "supply-sensitive-check,location", "--until", "2028-01-01")
    error = refusal(*enrol, *more, env=env)
    assert (error["reason"], error["findings"][0]["reason"]) == ("PERSON_MAY_NOT_ACT", "ORDER_MISSING")
    assert enrolled(env, name) == []
    kid = run_json(*enrol, *more, env=ordering)["kid"]
    (first,) = enrolled(env, name)
    assert (first["kid"], first["kinds"]) == (kid, ["location", "supply-sensitive-check"])
    renewed = an_attester(tmp_path, name)
    again = run_json("evidence", "renew", name, renewed, "--until", "2028-06-01T00:00:00Z", env=ordering)
    assert [(each["party"], each["kinds"]) for each in enrolled(env, name)] == [("supplier-a", first["kinds"])] * 2
    run_json("evidence", "withdraw-attester", kid[:12], "--because", "renewed", env=ordering)
    assert {each["kid"]: each["warning"] for each in enrolled(env, name)}[kid] == "withdrawn"
    withdraw = ("evidence", "withdraw-attester", kid, "--because", "again")
    assert "stands" in refusal(*withdraw, env=ordering)["sentence"]
    assert again["kid"] != kid


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"--kinds": "everything"}, 2, "module-validation"),
        ({"--until": "tomorrow"}, 2, "a day or a moment"),
        ({"--until": "2028-01-01T00:00:00"}, 2, "time zone"),
        ({"--until": "2020-01-01"}, 1, "after now"),
        ({"--until": "2099-01-01"}, 1, "certificate"),
        ({"--kinds": "order"}, 1, "a person alone"),
    ],
)
def test_refuses_to_enrol(
    ordering: dict[str, str], tmp_path: Path, changes: dict[str, str], status: int, told: str
) -> None:
    options = {"--party": "supplier-a", "--kinds": "location", "--until": "2028-01-01"} | changes
    given = [each for option in options.items() for each in option]
    name = "supplier-a/refused"
    answer = run_json("evidence", "enrol", name, an_attester(tmp_path, name), *given, env=ordering, expect=status)
    assert told in answer["error"]["sentence"]


def test_refuses_to_renew_whom_nobody_enrolled(ordering: dict[str, str], tmp_path: Path) -> None:
    file = an_attester(tmp_path, "nobody")
    assert (
        "no attester nobody"
        in refusal("evidence", "renew", "nobody", file, "--until", "2028-01-01", env=ordering)["sentence"]
    )


# ---- orders


def test_an_act_on_a_key_is_refused_without_an_order_and_done_by_the_one_that_it_names(
    env: dict[str, str], ordering: dict[str, str], tmp_path: Path
) -> None:
    act = ("keys", "suspend", "supplier-a", "--because", "test")
    finding = refusal(*act, env=env)["findings"][0]
    target = finding["remedy"].split("--target ")[1].split()[0]
    order = tmp_path / "order.jws"
    made = run_json("evidence", "order", "--act", "SuspendKey", "--target", target, "-o", order, env=ordering)
    assert made["statement"] == order.read_text().strip()
    other = ("keys", "suspend", "supplier-a", "--because", "another reason", "--order", order)
    assert refusal(*other, env=env)["flaw"] == "ORDER_FOR_ANOTHER_ACT"
    run_json(*act, "--order", order, env=env)
    assert refusal(*act, "--order", order, env=env)["reason"] == "NOT_PERMITTED"


def test_a_person_orders_an_act_right_there(env: dict[str, str], ordering: dict[str, str]) -> None:
    act = ("keys", "resume", "supplier-a", "--because", "test")
    half = env | {"KEYBROKER_PERSON": ordering["KEYBROKER_PERSON"]}
    assert "--person-key" in run_json(*act, env=half, expect=2)["error"]["sentence"]
    receipt = run_json(*act, env=ordering)["receipt"]
    record = run_json("ledger", "show", receipt["leaf_index"], env=env)
    assert "administrator-a" in json.dumps(record)


@pytest.mark.parametrize(
    "changes", [{"--act": "Sus pend"}, {"--target": "abc"}, {"--target": "zz" * 32}, {"--minutes": "2000"}]
)
def test_does_not_sign_an_order_that_is_none(ordering: dict[str, str], changes: dict[str, str]) -> None:
    options = {"--act": "SuspendKey", "--target": "ab" * 32} | changes
    run_json("evidence", "order", *(each for option in options.items() for each in option), env=ordering, expect=2)


def test_an_order_is_signed_where_no_configuration_is(ordering: dict[str, str]) -> None:
    without = {name: value for name, value in ordering.items() if name != "KEYBROKER_CONFIG"}
    order = ("evidence", "order", "--act", "SuspendKey", "--target", "ab" * 32)
    assert "--ledger-origin" in run_json(*order, env=without, expect=2)["error"]["sentence"]
    assert run_json(*order, "--ledger-origin", "keybroker.example/live", env=without)["statement"]


def test_the_digest_of_a_configuration_says_what_an_order_for_it_names(
    deployment: Deployment, env: dict[str, str], ordering: dict[str, str], tmp_path: Path
) -> None:
    told = run_json("config", "digest", env=env)
    assert (told["act"], len(told["digest"]), len(told["target"])) == ("Reload", 64, 64)
    order = tmp_path / "order.jws"
    run_json("evidence", "order", "--act", "Reload", "--target", told["target"], "-o", order, env=ordering)
    run_json("evidence", "add", "order", order, env=env)
    assert f"Reload {told['target']}" in {each["subject"] for each in held(env).values()}
    before = deployment.config_path.read_text()
    deployment.config_path.write_text(before + "\n")
    assert run_json("config", "digest", env=env)["digest"] != told["digest"]
    deployment.config_path.write_text(before)


def test_text_names_everything_that_json_does(env: dict[str, str]) -> None:
    for arguments in (("evidence", "list"), ("evidence", "attesters"), ("config", "digest")):
        done = run_here(*arguments, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
