"""SIGHUP on a real broker: what nobody ordered is not taken and the old stands; what was ordered is, once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import grpc
import pytest

from keybroker.cli.acting import acting
from keybroker.cli.dev.evidence import order, read_attests
from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER, common
from keybroker.config import read_configuration
from keybroker.keys.evidence import add_statement
from keybroker.keys.reload import told_reload
from keybroker.keys.standing import read_standing
from keybroker.ledger import audit
from keybroker.ledger.reading import open_for_reading
from keybroker.ledger.record import order_target
from keybroker.pb import signing_pb2_grpc
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, edit, refusal, running, wait_until

pytestmark = pytest.mark.hsm

WORKERS = 2
REFUSED = "reload refused, the old configuration stands"
TAKEN = "reload taken by worker"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with running(create_deployment(tmp_path_factory.mktemp("ordered")), workers=WORKERS) as broker:
        yield broker


@pytest.fixture
def good(broker: RunningBroker) -> Iterator[str]:
    """The file as the broker has it; put back at the end."""
    text = broker.deployment.config_path.read_text()
    yield text
    broker.deployment.config_path.write_text(text)


def change(broker: RunningBroker, note: str) -> None:
    """Another configuration, though it says the same."""
    edit(broker.deployment, "[limits]", f"# {note}\n[limits]")


def give_order(broker: RunningBroker, name: str = ADMINISTRATORS[0], **changes: Any) -> bytes:
    """For the file as it stands now; gives the order's octets."""
    configuration = read_configuration(broker.deployment.config_path)
    told = told_reload(changes.pop("digest", configuration.sources.digest))
    given = {"act": str(told["act"]), "target": order_target(told), "at": configuration.clock.now(), **changes}
    made = order(broker.deployment.directory / "evidence", origin=configuration.ledger_origin, name=name, **given)
    add(broker, made, StatementKind.ORDER)
    return made


def add(broker: RunningBroker, octets: bytes, kind: StatementKind) -> None:
    configuration = read_configuration(broker.deployment.config_path)
    with acting(configuration, "operator") as (journal, actor):
        add_statement(journal, actor, octets, kind, configuration.people, configuration.clock.now())


def refused(broker: RunningBroker) -> dict[str, Any]:
    """What the supervisor said; no worker was told, and the broker serves on."""
    seen, taken = len(broker.events(REFUSED)), len(broker.events(TAKEN))
    broker.tell(signal.SIGHUP)
    broker.wait_for(REFUSED, times=seen + 1)
    assert len(broker.events(TAKEN)) == taken
    serves(broker)
    return broker.events(REFUSED)[-1]


def taken(broker: RunningBroker) -> None:
    seen = len(broker.events(TAKEN))
    broker.tell(signal.SIGHUP)
    broker.wait_for(TAKEN, times=seen + WORKERS)
    serves(broker)


def serves(broker: RunningBroker) -> None:
    with broker.channel("supplier-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        asked = broker.request(f"serves-{os.urandom(8).hex()}")
        assert stub.SignPreCommand(asked, wait_for_ready=True, timeout=20).signed.signature


def bodies(broker: RunningBroker, kind: str = "administrative") -> list[dict[str, Any]]:
    """Of the records of reloads, oldest first; ``refusal``: of those that were refused."""
    configuration = read_configuration(broker.deployment.config_path)
    ledger = open_for_reading(
        configuration.ledger_url, origin=configuration.ledger_origin, deployment=configuration.deployment
    )
    with closing(ledger):
        size = ledger.head(configuration.clock.now()).tree_size
        stored = [ledger.find(index) for index in range(size)]
    records = [json.loads(each.octets) for each in stored if each is not None and each.kind == kind]
    return [each["body"] for each in records if each.get("body", {}).get("act") == "Reload"]


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_refuses_what_nobody_ordered_and_says_what_an_order_would_name(broker: RunningBroker, good: str) -> None:
    counted = broker.metric("keybroker_reloads_refused_total")
    before = read_configuration(broker.deployment.config_path).sources.digest
    change(broker, "nobody ordered this")
    told = refused(broker)
    target = order_target(told_reload(read_configuration(broker.deployment.config_path).sources.digest))
    assert (told["reason"], target in told["why"], told["kept"]) == ("PERSON_MAY_NOT_ACT", True, before.hex())
    wait_until(lambda: broker.metric("keybroker_reloads_refused_total") == counted + 1, seconds=5)


def test_a_reload_that_nobody_ordered_is_recorded_once_whatever_the_workers(broker: RunningBroker, good: str) -> None:
    before = len(bodies(broker, "refusal"))
    change(broker, "nobody ordered this either")
    configuration = read_configuration(broker.deployment.config_path)
    told = refused(broker)
    (body,) = bodies(broker, "refusal")[before:]
    refused(broker)
    assert [each["sentence"] for each in bodies(broker, "refusal")[before:]] == [told["why"]] * 2
    assert body.pop("actor")["identity"].startswith("worker:supervisor.")
    assert body == {
        "act": "Reload",
        "configuration": configuration.sources.digest.hex(),
        "reason": "PERSON_MAY_NOT_ACT",
        "sentence": told["why"],
    }
    with acting(configuration, "operator") as (journal, _):
        audit.verify(journal.ledger, configuration.clock.now())


def test_what_cannot_be_reloaded_at_all_is_no_refusal_of_an_order(broker: RunningBroker, good: str) -> None:
    before = bodies(broker, "refusal")
    edit(broker.deployment, "cooling_off_days = 180", "cooling_off_days = 181")
    assert refused(broker)["reason"] == "CONFIGURATION_INVALID"
    assert bodies(broker, "refusal") == before


def test_refuses_another_configuration_than_was_ordered(broker: RunningBroker, good: str) -> None:
    change(broker, "ordered")
    give_order(broker)
    change(broker, "and changed after that")
    assert refused(broker)["reason"] == "PERSON_MAY_NOT_ACT"


def test_refuses_an_order_that_has_lapsed(broker: RunningBroker, good: str) -> None:
    change(broker, "too late")
    configuration = read_configuration(broker.deployment.config_path)
    ago = configuration.clock.now() - timedelta(minutes=59, seconds=58)
    give_order(broker, at=ago)
    wait_until(lambda: configuration.clock.now() - ago > timedelta(hours=1), seconds=5)
    assert refused(broker)["reason"] == "PERSON_MAY_NOT_ACT"


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_refuses_the_order_of_a_person_abroad(broker: RunningBroker, good: str) -> None:
    """The register holds a key of a Supplier: SEC G3.23. (Its gate is shut too, while such a person may have acted.)"""
    abroad = ADMINISTRATORS[1]
    locate(broker, abroad, "FR")
    change(broker, "ordered from abroad")
    give_order(broker, abroad)
    seen = len(broker.events(REFUSED))
    broker.tell(signal.SIGHUP)
    broker.wait_for(REFUSED, times=seen + 1)
    told = broker.events(REFUSED)[-1]
    assert (told["reason"], f"{abroad} may not act" in told["why"]) == ("PERSON_MAY_NOT_ACT", True)
    broker.deployment.config_path.write_text(good)
    locate(broker, abroad, "GB")
    serves(broker)


def locate(broker: RunningBroker, person: str, country: str) -> None:
    """From now on the person is there."""
    configuration = read_configuration(broker.deployment.config_path)
    said = {"of": "person", "subject": person, "party": "operator", "country": country, "site": "office", "people": []}
    later = configuration.clock.now() + (timedelta(seconds=1) if country == "GB" else timedelta())
    stated = common(configuration.ledger_origin, later, StatementKind.LOCATION)
    officer = read_attests(broker.deployment.directory / "evidence", OFFICER)
    add(broker, officer.state(Location.model_validate(stated | said)), StatementKind.LOCATION)


def test_a_worker_refuses_by_itself_what_nobody_ordered(broker: RunningBroker, good: str) -> None:
    """What the supervisor keeps for its workers was changed under it, and the worker alone is told."""
    accepted = read_configuration(broker.deployment.config_path).accepted
    before = accepted.read_bytes()
    change(broker, "written past the supervisor")
    read_configuration(broker.deployment.config_path).accept()
    seen = len(broker.events(REFUSED))
    try:
        for worker in broker.workers():
            os.kill(worker, signal.SIGHUP)
        broker.wait_for(REFUSED, times=seen + WORKERS)
    finally:
        accepted.write_bytes(before)
    assert {each["reason"] for each in broker.events(REFUSED)[seen:]} == {"PERSON_MAY_NOT_ACT"}
    serves(broker)


def test_what_is_in_force_already_needs_no_order_and_is_not_recorded(broker: RunningBroker) -> None:
    before = bodies(broker)
    taken(broker)
    assert bodies(broker) == before


@pytest.mark.clause("G3.23", "G3.24", shows="acceptance")
def test_takes_what_was_ordered_once_and_nothing_back_by_the_same_order(broker: RunningBroker) -> None:
    file = broker.deployment.config_path
    before, recorded = file.read_text(), len(bodies(broker))
    change(broker, "first")
    first = file.read_text()
    made = give_order(broker)
    taken(broker)
    change(broker, "second")
    give_order(broker)
    taken(broker)
    told = bodies(broker)[recorded:]
    digest = read_configuration(file).sources.digest.hex()
    assert [each["configuration"] == digest for each in told] == [False] * WORKERS + [True] * WORKERS
    assert len({each["order"] for each in told[:WORKERS]}) == 1
    assert {each["person"] for each in told} == {ADMINISTRATORS[0]}
    for old in (first, before):
        file.write_text(old)
        assert refused(broker)["reason"] == "PERSON_MAY_NOT_ACT"
    with pytest.raises(Exception, match="STATEMENT_USED_BEFORE"):
        add(broker, made, StatementKind.ORDER)
    file.write_text(before)
    give_order(broker)
    taken(broker)


def test_every_act_is_remembered_once_whatever_the_workers(broker: RunningBroker) -> None:
    configuration = read_configuration(broker.deployment.config_path)
    ledger = open_for_reading(
        configuration.ledger_url, origin=configuration.ledger_origin, deployment=configuration.deployment
    )
    with closing(ledger), ledger.read() as connection:
        acts = [each.person for each in read_standing(connection).acts if each.subject == "configuration"]
    orders = {each["order"] for each in bodies(broker)}
    assert acts == [ADMINISTRATORS[0]] * len(orders)


def test_a_caller_who_is_taken_out_by_order_is_refused_from_then_on(broker: RunningBroker, good: str) -> None:
    edit(broker.deployment, "urn:keybroker:network-operator-a:", "urn:keybroker:gone:")
    give_order(broker)
    taken(broker)
    with broker.channel("network-operator-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        asked = broker.request("gone", key="network-operator-a")
        code, why, _ = refusal(lambda: stub.SignPreCommand(asked, wait_for_ready=True, timeout=20))
    assert (code, why) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
    broker.deployment.config_path.write_text(good)
    give_order(broker)
    taken(broker)
