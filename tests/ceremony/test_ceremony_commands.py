"""``keybroker ceremony`` on a development deployment: judged, run, resumed, aborted, shown, by people with keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.plan import CeremonyKind, PlannedKey, read_plan
from keybroker.cli.dev.deployment import Deployment
from keybroker.terms import KeyPurpose
from tests.ceremony.at_terminal import KEYBROKER, PAUSED, at_terminal, deployment, verify
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.terminal import Answer, Secret
from tests.cli import command
from tests.cli.command import Done, run
from tests.deployments import prepare_rehearsal
from tests.hsm.tokens import PIN, make_softhsm

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]
ADMIN, WITNESS = "admin-1", "witness-1"
BOUND_BY_ITSELF = KeyPurpose.CONTINGENCY_COMMAND
"""A new key of it needs no certificate: five steps, and two people sign each."""
WITNESS_PIN: Mapping[str, Answer] = {f"{WITNESS}: PIN of your token": Secret(PIN)}
REFUSED, CONFIGURATION = 1, 78
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A deployment in ``here``, whose ``acb`` is retired; ``admin-1`` has key files, ``witness-1`` a token of his own,
    both as ``keybroker custodian enrol`` made them."""

    directory: Path

    @property
    def deployment(self) -> Deployment:
        return deployment(self.directory)

    @property
    def people(self) -> Path:
        return self.directory / "people.toml"

    def outputs(self, name: str) -> Path:
        return self.directory / name

    def run(self, plan: Path, answers: Mapping[str, Answer], people: Path | None = None) -> tuple[int, str]:
        """At a terminal: exit status and screen."""
        return self._conducted("run", plan, plan_name(plan), answers, people)

    def resume(self, name: str, answers: Mapping[str, Answer]) -> tuple[int, str]:
        return self._conducted("resume", name, name, answers, None)

    def _conducted(
        self, act: str, what: Path | str, name: str, answers: Mapping[str, Answer], people: Path | None
    ) -> tuple[int, str]:
        config, outputs = self.deployment.config_path, self.outputs(name)
        options = ("--config", config, "--people", people or self.people, "--directory", outputs)
        typed = (KEYBROKER, "ceremony", act, what, *options)
        return at_terminal(typed, answers, self.deployment.directory, self.deployment.broker_environment)

    def told(self, act: str, *arguments: object, expect: int = 0) -> Any:
        return command.run_json("ceremony", act, *arguments, "--config", self.deployment.config_path, expect=expect)

    def said(self, act: str, *arguments: object) -> Done:
        return run("ceremony", act, *arguments, "--config", self.deployment.config_path)

    def verified(self, name: str) -> Mapping[str, object]:
        return verify(self.outputs(name) / f"{name}.transcript.json", self.directory / f"parts-{name}")

    def state(self, name: str) -> Mapping[str, Any]:
        (told,) = self.told("show", name)["ceremonies"]
        return dict(told)


def plan_name(plan: Path) -> str:
    return read_plan(plan.read_bytes()).plan.name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    directory = tmp_path_factory.mktemp("place")
    enrol(directory, ADMIN, "--test-files", directory / "people" / ADMIN)
    token = make_softhsm(directory / "token of the witness", label=WITNESS)
    (configuration,) = token.environment.items()
    where = ("--library", token.library, "--token-label", token.label, "--token-serial", token.serial)
    more = ("--environment", "=".join(configuration), "--pin-environment", "WITNESS_PIN")
    enrol(directory, WITNESS, *where, *more, "--directory", directory / "people" / WITNESS)
    # The deployment is made with what this plan destroys, and serves for the others too.
    retired = a_key(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, "acb")
    prepare_rehearsal(a_plan(CeremonyKind.DESTROY, retired), directory)
    return Place(directory=directory)


def enrol(directory: Path, name: str, *options: object) -> None:
    (directory / "people").mkdir(exist_ok=True)
    done = run("custodian", "enrol", name, *options, env={"WITNESS_PIN": PIN})
    assert done.returncode == 0, done.stderr


@pytest.fixture
def plan(place: Place) -> Path:
    """Of a new key, approved, and carried out by nobody yet."""
    key = new_key()
    return prepare_rehearsal(a_plan(CeremonyKind.GENERATE, key, name=f"make-{key.label}"), place.directory).plan


def new_key() -> PlannedKey:
    return a_key(BOUND_BY_ITSELF, f"new-{next(_numbers)}", eui="02-7E-57-00-00-00-04-01")


def a_people_file(place: Place, *people: tuple[str, str]) -> Path:
    """Names, and whose directory each names."""
    file = place.directory / f"people-{next(_numbers)}.toml"
    told = (f'[[person]]\nname = "{name}"\ndirectory = "people/{other}"\n' for name, other in people)
    file.write_text("\n".join(told))
    return file


class TestCheck:
    def test_says_that_a_plan_is_fit(self, place: Place, plan: Path) -> None:
        told = place.told("check", plan)
        assert told["fit"] is True
        assert all(finding["passed"] for finding in told["findings"])
        done = place.said("check", plan)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "fit to be carried out")

    def test_refuses_a_plan_with_every_finding_and_its_clause(self, place: Place, plan: Path) -> None:
        good = read_plan(plan.read_bytes()).plan
        bad = place.directory / "bad.toml"
        bad.write_bytes(written(good.model_copy(update={"people": good.people[:1], "steps": ("close",)})).octets)
        told = place.told("check", bad, expect=REFUSED)
        assert told["fit"] is False
        refused = [finding for finding in told["findings"] if not finding["passed"]]
        assert {"STEPS_DIFFER", "ROLE_NOT_FILLED"} <= {finding["reason"] for finding in refused}
        assert all(finding["clause"] for finding in refused)
        done = place.said("check", bad)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (REFUSED, "refused")

    def test_refuses_a_file_that_is_no_plan(self, place: Place) -> None:
        bad = place.directory / "no-plan.toml"
        bad.write_text('kind = "split"\n')
        assert place.told("check", bad, expect=CONFIGURATION)["error"]["reason"] == "CONFIGURATION_INVALID"


class TestRun:
    def test_a_person_with_a_token_signs_after_a_wrong_pin(self, place: Place, plan: Path) -> None:
        pins = [Secret("wrong-pin-1"), Secret("wrong-pin-2"), *[Secret(PIN)] * 5]
        status, screen = place.run(plan, {f"{WITNESS}: PIN of your token": pins})
        assert status == 0, screen
        assert f"{WITNESS}: the person's token refuses the PIN. 2 tries are left here." in screen
        name = plan_name(plan)
        assert place.verified(name)["complete"] is True
        shown = place.state(name)
        assert (shown["state"], shown["next"], shown["concluded"][-1]) == ("done", "nothing", "close")

    def test_rests_after_three_wrong_pins_and_goes_on_when_he_knows_it(self, place: Place, plan: Path) -> None:
        wrong = [Secret(f"wrong-pin-{number}") for number in (1, 2, 3)]
        status, screen = place.run(plan, {f"{WITNESS}: PIN of your token": wrong})
        assert (status, place.state(plan_name(plan))["next"]) == (PAUSED, "gather")
        assert f"{WITNESS} did not sign" in screen
        status, screen = place.resume(plan_name(plan), WITNESS_PIN)
        assert status == 0, screen

    def test_rests_where_a_person_is_missing_in_the_people_s_file(self, place: Place, plan: Path) -> None:
        status, screen = place.run(plan, {}, a_people_file(place, (ADMIN, ADMIN)))
        name = plan_name(plan)
        assert status == PAUSED
        assert f"{WITNESS} has no key at this machine" in screen
        assert f"keybroker ceremony resume {name}" in screen
        status, screen = place.resume(name, WITNESS_PIN)
        assert status == 0, screen
        assert place.verified(name)["complete"] is True

    @pytest.mark.parametrize(
        ("people", "told"),
        [
            (((ADMIN, WITNESS), (WITNESS, ADMIN)), f"expected the keys of {ADMIN}"),
            (((ADMIN, ADMIN), (WITNESS, ADMIN)), f"expected the keys of {WITNESS}"),
            (((ADMIN, ADMIN), (ADMIN, ADMIN)), f"found twice: {ADMIN}"),
            (((ADMIN, ADMIN), (WITNESS, "nobody")), "expected a certificate in PEM"),
        ],
    )
    def test_refuses_a_people_s_file_that_is_not_of_these_people(
        self, place: Place, plan: Path, people: tuple[tuple[str, str], ...], told: str
    ) -> None:
        status, screen = place.run(plan, {}, a_people_file(place, *people))
        assert status == CONFIGURATION
        assert told in " ".join(screen.split())
        assert plan_name(plan) not in {each["ceremony"] for each in place.told("show")["ceremonies"]}

    def test_refuses_a_plan_that_was_changed_after_it_was_made(self, place: Place, plan: Path) -> None:
        good = read_plan(plan.read_bytes()).plan
        stranger = good.people[1].model_copy(update={"name": "stranger"})
        plan.write_bytes(written(good.model_copy(update={"people": (good.people[0], stranger)})).octets)
        status, screen = place.run(plan, {})
        assert status == REFUSED
        assert "PERSON_NOT_ENROLLED" in screen or "stranger" in screen

    def test_refuses_to_go_on_with_what_was_never_begun(self, place: Place) -> None:
        status, screen = place.resume("never-begun", {})
        assert status == REFUSED
        assert "keybroker ceremony run PLAN" in " ".join(screen.split())


class TestAbort:
    def test_ends_a_ceremony_before_its_point_of_no_return_for_good(self, place: Place, plan: Path) -> None:
        name = plan_name(plan)
        assert place.run(plan, {"Press Enter to begin step 2": "stop", **WITNESS_PIN})[0] == PAUSED
        told = place.told("abort", name, "--because", "nobody needs it")
        assert (told["ceremony"], told["state"]) == (name, "aborted")
        shown = place.state(name)
        assert (shown["state"], shown["next"], shown["concluded"]) == ("aborted", "nothing", ["gather"])
        assert place.told("abort", name, "--because", "again", expect=REFUSED)["error"]["reason"] == "NOT_PERMITTED"
        assert place.run(plan, {})[0] == REFUSED
        status, screen = place.resume(name, {})
        assert (status, f"The ceremony {name} is aborted." in screen) == (0, True)
        assert place.verified(name)["state"] == "aborted"

    def test_refuses_to_end_one_behind_it_which_goes_on_to_its_end(self, place: Place) -> None:
        plan = place.directory / "destroy-acb.plan.toml"
        compared: list[str] = ["", "", "", "stop"]
        answers: dict[str, Answer] = {
            "all the copies": "ALL",
            "Type DESTROY": "DESTROY",
            "Where to search": "done",
            "How was": "by the test",
            **WITNESS_PIN,
        }
        assert place.run(plan, {"Press Enter when everybody has compared the entry": compared, **answers})[0] == PAUSED
        told = place.told("abort", "destroy-acb", "--because", "too late", expect=REFUSED)
        assert "copies of the key are being destroyed: go on" in told["error"]["sentence"]
        shown = place.state("destroy-acb")
        assert (shown["state"], shown["next"], shown["begun"]) == ("open", "destroy-copies", True)
        status, screen = place.resume("destroy-acb", answers)
        assert status == 0, screen
        assert "Begun before" in screen
        assert place.verified("destroy-acb")["complete"] is True


class TestShow:
    def test_lists_every_ceremony_and_how_far_one_is(self, place: Place, plan: Path) -> None:
        name = plan_name(plan)
        assert place.run(plan, {"Press Enter to begin step 1": "stop"})[0] == PAUSED
        listed = place.told("show")["ceremonies"]
        assert {"ceremony": name, "kind": "generate", "state": "open"} in listed
        shown = place.state(name)
        assert (shown["next"], shown["begun"], shown["concluded"]) == ("gather", False, [])
        assert shown["plan sha256"] == read_plan(plan.read_bytes()).sha256.hex()
        assert name in place.said("show", name).stdout

    def test_refuses_one_that_never_was(self, place: Place) -> None:
        assert place.told("show", "never-begun", expect=REFUSED)["error"]["reason"] == "NOT_PERMITTED"
