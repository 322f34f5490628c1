"""Bad input in the room: people who are not there, or not themselves; time that moves; evidence that goes; two at once.

Each is refused with a sentence that says what to do, with a record where it is a refusal; nothing is lost and nothing
is half done: with good input the very same ceremony comes to its verified end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from keybroker.ceremony.package import Flaw
from keybroker.ceremony.plan import CeremonyKind, PlannedKey, Side
from keybroker.ceremony.room import Paused
from keybroker.cli.acting import acting
from keybroker.cli.dev.ceremony_cast import approve
from keybroker.cli.dev.evidence import order, read_attests, take_in
from keybroker.cli.dev.statements import OFFICER, common
from keybroker.errors import ConfigurationInvalid, ModuleFault, ModuleUnavailable, NotPermitted
from keybroker.keys.standing import read_standing
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger.record import order_target
from keybroker.statement.approval import Approval
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Person
from keybroker.statement.statement import Statement
from keybroker.terms import KeyPurpose, KeyState
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.scripted import Answer
from tests.ceremony.spoilt import Event, Spoilt, prepared
from tests.ceremony.stories import ACB

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]
HOUR = timedelta(hours=1)
_EUI = "02-7E-57-00-00-00-04-01"
_numbers = count(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a deployment in which every test makes a key of its own, with people whom all share."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def made(place: Path) -> Spoilt:
    """A key that is still to be made, without any approval."""
    return a_generation(place, a_key(KeyPurpose.COS_PARTY_TLS, f"tls-{next(_numbers)}"))


@pytest.fixture
def approved(place: Path) -> Spoilt:
    """A key that the SMKI PMA approved."""
    label = f"issuing-{next(_numbers)}"
    return a_generation(place, a_key(KeyPurpose.ISSUING_OCA, label, common_name=f"{label} TEST"))


def a_generation(place: Path, key: PlannedKey) -> Spoilt:
    return prepared(a_plan(CeremonyKind.GENERATE, key), place)


def leaves(_question: str = "") -> str:
    raise Paused("somebody left the room.")


# --- people


@pytest.fixture
def locked(place: Path, made: Spoilt) -> Iterator[Spoilt]:
    """The witness's key file is encrypted."""
    file = place / "people" / "witness-1" / "signing.key"
    clear = file.read_bytes()
    key = load_pem_private_key(clear, None)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right")))
    yield made
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_a_wrong_pin_is_tried_three_times_and_the_room_goes_on(locked: Spoilt) -> None:
    with pytest.raises(Paused, match=r"witness-1 did not sign: .*; nothing is lost, resume when he can"):
        locked.life(answers={"passphrase of signing.key": "wrong"})
    left = [told for told in locked.room.told if "tries are left here" in told]
    assert [told.split()[-5] for told in left] == ["2", "1", "0"]
    assert [(each["by"], each["flaw"]) for each in locked.refusals()] == [("witness-1", "PERSON_PIN_WRONG")]
    assert locked.concluded() == []
    held = locked.life(answers={"passphrase of signing.key": ["wrong", "wrong", *["right"] * 20]})
    assert held.state == "done"
    locked.story.verified(locked.side)


def test_refuses_to_go_on_without_somebody_of_the_plan(made: Spoilt) -> None:
    absent = made.people.with_name("absent.toml")
    tables = made.people.read_text().split("\n\n")
    absent.write_text("\n\n".join(each for each in tables if '"witness-1"' not in each))
    with pytest.raises(Paused, match="witness-1 has no key at this machine; name it in the people's file, then resume"):
        made.life(people=absent)
    assert made.concluded() == []
    made.finish()


def test_refuses_another_in_the_name_of_somebody_of_the_plan(made: Spoilt) -> None:
    swapped = made.people.with_name("swapped.toml")
    swapped.write_text(made.people.read_text().replace("people/witness-1", "people/admin-1"))
    with pytest.raises(Paused):
        made.life(people=swapped, answers={"again or stop": leaves})
    assert any(told.startswith("witness-1 could not sign: ") for told in made.room.told)
    assert [(each["offered"], each["by"], each["flaw"]) for each in made.refusals()] == [
        ("signature", "witness-1", "CMS_UNFIT")
    ]
    assert made.concluded() == []
    made.finish()


def test_refuses_a_person_whose_keys_are_not_there(made: Spoilt) -> None:
    lost = made.people.with_name("lost.toml")
    lost.write_text(made.people.read_text().replace("people/witness-1", "people/nobody"))
    with pytest.raises(ConfigurationInvalid, match=r"expected a certificate in PEM in .*nobody"):
        made.life(people=lost)
    made.finish()


@pytest.mark.parametrize("step", ["gather", "make-key"])
def test_who_leaves_between_two_signatures_leaves_the_step_unsigned_and_it_is_done_once(
    made: Spoilt, step: str
) -> None:
    signed_by_one: dict[str, Event] = {}

    def begins() -> None:
        signed_by_one["signs witness-1"] = leaves_now
        made.room.when |= signed_by_one

    with pytest.raises(Paused):
        made.life(when={f"step {step}": begins})
    assert any(told.startswith("signs admin-1") for told in made.room.told)
    assert step not in made.concluded()
    made.finish()


def leaves_now() -> None:
    leaves()


# --- time and evidence


def test_refuses_to_go_on_by_a_clock_that_went_back(made: Spoilt) -> None:
    with pytest.raises(NotPermitted, match=r"the clock went back since the last step: .*; mend it, then resume"):
        made.life(when={"concluded check-module": made.move(-HOUR / 2)})
    assert [(each["act"], each["step"]) for each in made.refusals()] == [("BeginCeremonyStep", "make-key")]
    assert made.concluded() == ["gather", "check-module"]
    made.ahead = timedelta()
    made.finish()


def test_refuses_to_conclude_by_a_clock_that_went_back_within_the_step(made: Spoilt) -> None:
    with pytest.raises(NotPermitted, match="the clock went back"):
        made.life(when={"public key": made.move(-HOUR / 2)})
    assert made.refusals()[-1]["act"] == "ConcludeCeremonyStep"
    assert made.concluded() == ["gather", "check-module"]
    made.ahead = timedelta()
    made.finish()


def withdraw(spoilt: Spoilt, sort: Callable[[Statement], bool]) -> None:
    """Every statement of that sort, by order of an administrator."""
    configuration = spoilt.configuration
    at = configuration.clock.now()
    with acting(configuration, "operator") as (journal, actor):
        with journal.ledger.read() as connection:
            held = [each for each in read_standing(connection).statements if sort(each)]
        assert held
        for each in held:
            asked = StatementWithdrawal(sha256=each.sha256, because="as the test wants it")
            given = order(
                configuration.path.parent / "evidence",
                origin=configuration.ledger_origin,
                act="WithdrawStatement",
                target=order_target(asked.told()),
                at=at,
            )
            withdraw_statement(journal, actor, asked, configuration.people, at, given)


def state(spoilt: Spoilt, said: Approval | Person) -> None:
    """The officer says it."""
    configuration = spoilt.configuration
    officer = read_attests(configuration.path.parent / "evidence", OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        take_in(journal, actor, said, officer, configuration.people, configuration.clock.now())


def is_of(spoilt: Spoilt) -> Callable[[Statement], bool]:
    sha256 = spoilt.story.plan_file.sha256.hex()
    return lambda each: isinstance(each.payload, Approval) and each.payload.plan_sha256 == sha256


def approvals_last(spoilt: Spoilt, lasts: timedelta) -> None:
    """In the place of the approval that is held, the same for so long."""
    configuration = spoilt.configuration
    with acting(configuration, "operator") as (journal, _), journal.ledger.read() as connection:
        (held,) = [each.payload for each in read_standing(connection).statements if is_of(spoilt)(each)]
    withdraw(spoilt, is_of(spoilt))
    short = common(configuration.ledger_origin, configuration.clock.now(), StatementKind.APPROVAL, last=lasts)
    state(spoilt, Approval.model_validate(held.model_dump() | dict(short)))


def test_refuses_a_step_whose_approval_lapsed_since_the_last_one(approved: Spoilt) -> None:
    approvals_last(approved, HOUR)
    with pytest.raises(NotPermitted, match=r"approval-on-record: expected approval generate of smki-pma.* found none"):
        approved.life(when={"concluded check-module": approved.move(2 * HOUR)})
    assert [each["step"] for each in approved.refusals()] == ["make-key"]
    assert approved.concluded() == ["gather", "check-module"]
    approved.ahead = timedelta()
    approve(approved.configuration, approved.story.plan_file)
    approved.finish()


def test_refuses_a_step_whose_approval_was_withdrawn_since_the_last_one(approved: Spoilt) -> None:
    with pytest.raises(NotPermitted, match="approval-on-record"):
        approved.life(when={"concluded make-key": lambda: withdraw(approved, is_of(approved))})
    assert approved.concluded()[-1] == "make-key"
    approve(approved.configuration, approved.story.plan_file)
    approved.finish()


def test_refuses_a_person_who_is_vouched_for_no_more(tmp_path: Path) -> None:
    made = a_generation(tmp_path, a_key(ACB, "acb", eui=_EUI))
    said: list[Person] = []

    def is_witness(statement: Statement) -> bool:
        payload = statement.payload
        mine = isinstance(payload, Person) and payload.person == "witness-1"
        if isinstance(payload, Person) and mine:
            said.append(payload)
        return mine

    with pytest.raises(NotPermitted, match=r"the plan .* is refused: "):
        made.life(when={"concluded make-key": lambda: withdraw(made, is_witness)})
    assert made.refusals()[-1]["step"] == "make-request"
    now = common(made.configuration.ledger_origin, made.configuration.clock.now(), StatementKind.PERSON)
    state(made, Person.model_validate(said[-1].model_dump() | dict(now)))
    made.finish()


def test_refuses_to_begin_a_plan_whose_time_is_over(made: Spoilt) -> None:
    made.ahead = timedelta(days=31)
    with pytest.raises(NotPermitted, match="plan-in-force: expected a plan in force at"):
        made.life()
    assert [each["act"] for each in made.refusals()] == ["BeginCeremony"]
    made.ahead = timedelta()
    made.finish()


def test_a_plan_whose_time_is_over_goes_on_from_where_it_cannot_be_undone(tmp_path: Path) -> None:
    spoilt = prepared(a_plan(CeremonyKind.DESTROY, a_key(ACB, "acb")), tmp_path)
    month = timedelta(days=31)
    with pytest.raises(NotPermitted, match="plan-in-force"):
        spoilt.life(when={"concluded count-copies": spoilt.move(month)})
    assert spoilt.concluded()[-1] == "count-copies"
    spoilt.ahead = timedelta()
    assert spoilt.life(when={"concluded destroy-copies": spoilt.move(month)}).state == "done"
    spoilt.story.verified(spoilt.side)


# --- plans, and two at once


def test_the_plan_that_goes_on_is_the_one_that_was_begun_whatever_stands_on_disk(made: Spoilt) -> None:
    good = made.story.plan.read_bytes()
    with pytest.raises(Paused):
        made.life(when={"concluded make-key": leaves_now})
    other = written(made.story.plan_file.plan.model_copy(update={"reason": "another reason"}))
    made.story.plan.write_bytes(other.octets)
    with pytest.raises(NotPermitted, match="stands in the ledger already; a name is used once"):
        made.life(plan_file=other)
    held = made.life()
    assert (held.state, held.plan_file.octets) == ("done", good)
    made.story.verified(made.side)


def test_refuses_a_second_ceremony_on_the_key_and_a_second_process_on_the_ceremony(made: Spoilt, place: Path) -> None:
    planned = made.story.plan_file.plan.keys[0]
    second = prepared(a_plan(CeremonyKind.GENERATE, planned, name=f"second-{planned.label}"), place)
    said: list[tuple[int, str]] = []

    def at_once() -> None:
        said.append(second.process())
        said.append(made.process())

    held = made.life(when={"entry": at_once})
    assert [status for status, _ in said] == [1, 1]
    assert f"expected no other ceremony on the key, found {made.name}" in said[0][1]
    assert f"another process conducts the ceremony {made.name}; go on there, or end it first" in said[1][1]
    assert [each["act"] for each in second.refusals()] == ["BeginCeremony"]
    assert held.state == "done"
    made.story.verified(made.side)


# --- what the ceremony gives and takes


def test_refuses_what_the_other_side_did_not_give_and_asks_again(tmp_path: Path) -> None:
    spoilt = prepared(a_plan(CeremonyKind.TRANSFER, a_key(KeyPurpose.COS_PARTY_TLS, "moved")), tmp_path)
    spoilt.side = Side.DESTINATION
    own, people = str(spoilt.directory / f"{spoilt.name}.offer.json"), str(tmp_path / "people.toml")
    brought: list[Answer] = [own, people, leaves]
    with pytest.raises(Paused):
        spoilt.life(answers={"The package?": brought})
    assert [(each["offered"], each["flaw"]) for each in spoilt.refusals()] == [
        (f"{spoilt.name}.package.json", Flaw.ANOTHER_SIDE),
        (f"{spoilt.name}.package.json", Flaw.UNREADABLE),
    ]
    assert sum(told.startswith("not so: ") for told in spoilt.room.told) == 2
    assert spoilt.concluded()[-1] == "offer-wrapping-key"
    spoilt.story.finish()


@pytest.mark.parametrize("step", ["gather", "make-request", "activate-key"])
def test_a_directory_that_is_lost_is_written_again(approved: Spoilt, step: str) -> None:
    def lost() -> None:
        shutil.rmtree(approved.directory)
        leaves()

    with pytest.raises(Paused):
        approved.life(when={f"concluded {step}": lost})
    approved.finish()


def test_a_token_that_is_away_in_the_middle_of_a_step_is_used_again_once_it_is_back(made: Spoilt) -> None:
    tokens = made.deployment.directory / "tokens"
    away = tokens.with_name("away")

    def removed() -> None:
        tokens.rename(away)

    with pytest.raises(ModuleFault, match="taken away"):
        made.life(when={"step make-key": removed})
    assert made.concluded() == ["gather", "check-module"]
    with pytest.raises(ModuleUnavailable):
        made.life()
    away.rename(tokens)
    made.finish()
    assert made.story.state(made.side, made.story.plan_file.plan.keys[0].label) is KeyState.ACTIVE
