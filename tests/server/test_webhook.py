"""A message is sent with its HMAC, over TLS that is verified, in bounded time; what is not taken says why."""

from __future__ import annotations

import hmac
import json
import ssl
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from keybroker.config.anomalies_table import WebhookTable
from keybroker.ledger.canonical_json import Json
from keybroker.server.webhook import NotTaken, Webhook
from tests.server.receiver import HANG, HANG_UP, TRICKLE, Receiver, receiving
from tests.situations import AT

SECRET = "a secret of the tests, long enough"
RECORD: dict[str, Json] = {"kind": "administrative", "body": {"act": "AnomalousEvent", "subject": "é"}}


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    with receiving(tmp_path) as receiver:
        yield receiver


def a_table(url: str, **changes: Any) -> WebhookTable:
    told = {"url": url, "secret": {"environment": "WEBHOOK_SECRET"}, "timeout_seconds": 0.5}
    return WebhookTable.model_validate({**told, **changes})


def a_webhook(receiver: Receiver, *, trusted: bool = True, **changes: Any) -> Webhook:
    context = ssl.create_default_context(cafile=str(receiver.anchors) if trusted else None)
    url = changes.pop("url", receiver.url)
    return Webhook(table=a_table(url, **changes), origin="o/TEST", context=context)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (500, "found 500"),
        (302, "found 302"),
        (404, "found 404"),
        (HANG, "timed out|TimeoutError|closed|EOF"),
        (TRICKLE, "closed|Disconnected|EOF|Bad|H"),
        (HANG_UP, "Disconnected|closed|EOF"),
    ],
)
def test_what_is_not_taken_says_so_in_bounded_time(receiver: Receiver, does: int | str, why: str) -> None:
    receiver.does = [does]
    began = time.monotonic()
    with pytest.raises(NotTaken, match=why):
        a_webhook(receiver).send(7, RECORD, AT)
    assert time.monotonic() - began < 5
    assert (receiver.took, receiver.asked) == ([], 1)


def test_refuses_a_receiver_whose_certificate_it_cannot_verify(receiver: Receiver) -> None:
    with pytest.raises(NotTaken, match="CERTIFICATE_VERIFY_FAILED"):
        a_webhook(receiver, trusted=False).send(7, RECORD, AT)
    assert receiver.asked == 0


def test_refuses_a_receiver_of_another_name(receiver: Receiver) -> None:
    with pytest.raises(NotTaken, match="CERTIFICATE_VERIFY_FAILED"):
        a_webhook(receiver, url=f"https://localhost:{receiver.port}/").send(7, RECORD, AT)


def test_where_nobody_listens_nothing_is_taken(receiver: Receiver) -> None:
    with pytest.raises(NotTaken, match="refused"):
        a_webhook(receiver, url="https://127.0.0.1:1/").send(7, RECORD, AT)


def test_without_a_secret_nothing_is_sent(receiver: Receiver) -> None:
    with pytest.raises(NotTaken, match="at least 16"):
        a_webhook(receiver, secret={"environment": "NO_SUCH_SECRET"}).send(7, RECORD, AT)
    assert receiver.asked == 0


def test_whoever_has_the_secret_knows_who_sent_it_and_when(receiver: Receiver) -> None:
    a_webhook(receiver).send(7, RECORD, AT)
    ((headers, octets),) = receiver.took
    told = dict(each.split("=", 1) for each in headers["Keybroker-Signature"].split(","))
    signed = hmac.digest(SECRET.encode(), told["t"].encode() + b"." + octets, sha256).hex()
    assert (told["sha256"], told["t"]) == (signed, str(int(AT.timestamp())))
    assert headers["Keybroker-Event"] == "o/TEST 7"
    assert json.loads(octets) == {"event": 7, "origin": "o/TEST", "record": RECORD}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://127.0.0.1/events"},
        {"url": "https:///events"},
        {"url": "https://user:password@example/"},
        {"secret": {}},
        {"secret": {"environment": "A", "credential": "b"}},
        {"secret": {"file": "secret"}},
        {"timeout_seconds": 0.0},
        {"timeout_seconds": 61.0},
        {"retries": 3},
    ],
)
def test_refuses_a_table_that_sends_nowhere_or_to_anybody(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_table(**{"url": "https://example/", **changes})
