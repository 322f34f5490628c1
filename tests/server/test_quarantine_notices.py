"""What is quarantined or deleted has an event and a count of its own, once its record is durable; never its octets."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from keybroker.config.clock import Clock
from keybroker.content.model import GbcsCommand
from keybroker.errors import ThresholdExceeded
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import RequestIdentity
from keybroker.ledger.quarantining import Kept
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.quarantine_notices import QuarantineNotices
from keybroker.server.standing import Current, Limits, Standing
from keybroker.server.work import Work
from keybroker.signing import Ask, Line
from keybroker.terms import KeyLabel, Operation, RequestId
from tests.gates.test_anomaly_threshold import USER, notified, on
from tests.gates.test_every_gate import a_stage, fresh, numbered
from tests.ledger import books
from tests.ledger.thresholds import act, asking, counted, held
from tests.situations import AT, a_caller

LIMITS = Limits(message_octets=65_536, batch_items=16, deadline_seconds=30, connection_age_seconds=3_600)


@dataclass
class Watch:
    """What an operator sees."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    out: io.StringIO = field(default_factory=io.StringIO)

    @property
    def log(self) -> Logger:
        made: Logger = structlog.wrap_logger(
            structlog.WriteLogger(self.out), processors=[structlog.processors.JSONRenderer()]
        )
        return made

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def counted(self, state: str) -> float:
        return self.registry.get_sample_value("keybroker_quarantined_total", {"state": state}) or 0


@pytest.fixture
def watch() -> Watch:
    return Watch()


def an_ask(content: GbcsCommand, name: str) -> Ask:
    """With its Supply Sensitive Check, as it must have."""
    identity = RequestIdentity(
        caller=a_caller(),
        operation=Operation.SIGN_PRE_COMMAND,
        key=KeyLabel("supplier-a"),
        request_id=RequestId(name),
        sha256=sha256(name.encode()).digest(),
    )
    return Ask(identity=identity, kind=content.kind, octets=content.octets, statements=(fresh(content),))


def a_work(line: Line, watch: Watch) -> Work:
    standing = Standing(line=line, callers={a_caller().identity: a_caller()}, limits=LIMITS, clock=Clock(AT))
    return Work(Current(standing), Metrics(watch.registry), watch.log)


NAMES = {"each by its own name": ("a", "b"), "one name twice in a batch": ("a", "b", "a")}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_batch_tells_of_each_communication_that_it_quarantined(
    tmp_path: Path, watch: Watch, names: tuple[str, ...]
) -> None:
    contents = {name: numbered(1_000 + ord(name)) for name in names}
    with a_stage(tmp_path, notified(on(warning=0, quarantine=0))) as stage:
        work = a_work(stage.line, watch)
        _, flying = work.begin([an_ask(contents[name], name) for name in names], None)
        outcomes = work.end(work.use(flying))
        kept = held(stage.line.journal)
    assert [type(outcome) for outcome in outcomes] == [ThresholdExceeded] * len(names)
    assert [event["event"] for event in watch.events] == ["quarantined"] * 2
    assert [(each["request_id"], each["record"]) for each in watch.events] == [
        (name, one.record) for name, one in zip("ab", kept, strict=True)
    ]
    told = watch.events[0]
    assert (told["key"], told["user"], told["system"]) == ("supplier-a", USER, a_caller().system)
    assert len(told["counts"]) == 1
    assert "7.2" in told["counts"][0]
    assert contents["a"].octets.hex() not in watch.out.getvalue()
    assert (watch.counted("quarantined"), watch.counted("deleted")) == (2, 0)


def test_what_is_signed_or_refused_otherwise_is_not_told(tmp_path: Path, watch: Watch) -> None:
    content = numbered(1_000)
    with a_stage(tmp_path) as stage:
        work = a_work(stage.line, watch)
        _, flying = work.begin([an_ask(content, "a")], None)
        work.end(work.use(flying))
        _, flying = work.begin([an_ask(content, "b")], None)
        work.end(work.use(flying))
    assert watch.events == []


def told_of(journal: Journal, watch: Watch, *asked: Any) -> list[str]:
    QuarantineNotices(Metrics(CollectorRegistry()), watch.log).tell(books.intend(journal, *asked))
    return [event["event"] for event in watch.events]


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with books.a_book(tmp_path) as journal:
        yield journal


def test_what_was_deleted_is_told_as_deleted(journal: Journal, watch: Watch) -> None:
    (answer,) = books.intend(journal, asking("r", counted("value", most=0, found="7", deletes=True)))
    assert isinstance(answer, Kept)
    QuarantineNotices(Metrics(watch.registry), watch.log).tell([answer])
    assert watch.events == [
        {
            "event": "deleted",
            "record": held(journal, every=True)[0].record,
            "request_id": "r",
            "key": "supplier-a",
            "system": answer.identity.caller.system,
            "user": answer.user,
            "counts": ["value"],
        }
    ]
    assert (watch.counted("quarantined"), watch.counted("deleted")) == (0, 1)


def test_what_is_in_quarantine_already_is_not_told_again_until_it_is_put_there_anew(
    journal: Journal, watch: Watch
) -> None:
    full = counted(most=0)
    assert told_of(journal, watch, asking("1", full)) == ["quarantined"]
    assert told_of(journal, watch, asking("2", full)) == ["quarantined"]
    act(journal, held(journal)[0].record, "delete")
    assert told_of(journal, watch, asking("3", full)) == ["quarantined"] * 2
