"""A check system's statement: made in a few lines, taken by the gate, and carried to it beside the octets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from keybroker.client import SigningRequest
from keybroker.client.refusals import finding_from
from keybroker.client.ssc import confirm
from keybroker.errors import RequestMalformed
from keybroker.gates.checkable import checkable
from keybroker.ledger.model import Refused
from keybroker.server.replies import finding
from keybroker.server.requests import read_item
from keybroker.signing import Ask
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import SupplySensitiveCheck
from keybroker.statement.statement import read_statement
from keybroker.terms import ContentKind, Finding, RuleName
from tests import duis, evidence, messages
from tests.evidence import ORIGIN, attests
from tests.gates.checks import CALLER, CHAIN, CHECK, a_pre_command
from tests.server.callers import caller

OCTETS = messages.compose_command(messages.OPEN_LOAD_SWITCH)


def a_statement(**changes: Any) -> str:
    said: dict[str, Any] = {
        "variant": "7.2",
        "device": messages.DEVICE,
        "user": messages.SUPPLIER,
        "request_id": f"{messages.SUPPLIER}:{messages.DEVICE}:1000",
        "confirmed_by": "rule: asked by the customer",
        "origin": ORIGIN,
        "chain": CHAIN,
        "certificate": attests(CHECK).certificate,
        "private_key": attests(CHECK).sign,
    }
    return confirm(OCTETS, **(said | changes))


def read(statement: str) -> SupplySensitiveCheck:
    """As the gate reads it, now."""
    said = read_statement(
        statement.encode(),
        evidence.attesters(),
        kind=StatementKind.SUPPLY_SENSITIVE_CHECK,
        origin=ORIGIN,
        at=datetime.now(UTC),
    ).payload
    assert isinstance(said, SupplySensitiveCheck)
    return said


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"variant": "seven"}, "variant"),
        ({"request_id": ""}, "request_id"),
        ({"confirmed_by": ""}, "confirmed_by"),
        ({"chain": (CHECK,)}, "chain"),
        ({"chain": ()}, "check_system"),
        ({"chain": ("check", "test-node")}, "check_system"),
        ({"origin": ""}, "aud"),
        ({"valid_seconds": 0}, "exp later than iat"),
    ],
)
def test_makes_no_statement_that_may_not_be_said(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        a_statement(**changes)


def test_what_is_confirmed_is_what_the_broker_reads() -> None:
    said = read(a_statement())
    assert (said.check_system, said.variant, said.intended) == (CHECK, "7.2", True)
    assert (said.device, said.user) == (str(messages.DEVICE), str(messages.SUPPLIER))
    assert [hop.system for hop in said.chain] == list(CHAIN)
    assert (said.checked, said.exp - said.iat) == (said.iat, 300)


def test_the_moment_of_the_check_may_lie_before_the_statement() -> None:
    before = datetime.now(UTC) - timedelta(minutes=2)
    assert read(a_statement(checked=before, valid_seconds=60)).checked == int(before.timestamp())


def test_a_key_in_memory_signs_as_well_as_a_token_of_the_check_systems_own() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    header, payload, signature = a_statement(private_key=key).split(".")
    assert all((header, payload, signature))


def test_every_statement_is_another() -> None:
    assert read(a_statement()).nonce != read(a_statement()).nonce


def test_what_is_confirmed_is_what_the_gate_compares() -> None:
    said, content = read(a_statement()), checkable(a_pre_command())
    assert content is not None
    assert (said.octets_sha256, said.request_id) == (content.sha256.hex(), content.request_id)
    assert (said.device, said.user) == (str(content.device), str(content.user))
    assert said.variant in content.variants


# To the broker.

PRE_COMMAND = SigningRequest(kind=ContentKind.PRE_COMMAND, key="k", octets=OCTETS)
SERVICE_REQUEST = SigningRequest(kind=ContentKind.SERVICE_REQUEST, key="k", octets=duis.a_transform(command_variant=1))


def asked(request: SigningRequest, *statements: str) -> Ask | Refused:
    item = SigningRequest(
        kind=request.kind, key=request.key, octets=request.octets, supply_sensitive_checks=statements
    ).item("r-1")
    return read_item(item, caller(), 100_000)


@pytest.mark.parametrize("request_", [PRE_COMMAND, SERVICE_REQUEST], ids=lambda request: str(request.kind))
@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (("a",) * 5, "at most 4 statements, found 5"),
        (("a", "b" * 16_385), "1 to 16384 octets, found 16385"),
        (("",), "1 to 16384 octets, found 0"),
        (("é" * 8_193,), "1 to 16384 octets, found 16386"),
    ],
)
def test_refuses_more_or_longer_statements_than_a_gate_reads(
    request_: SigningRequest, statements: tuple[str, ...], told: str
) -> None:
    refused = asked(request_, *statements)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, RequestMalformed)
    assert refused.error.field == "supply_sensitive_checks"
    assert told in refused.error.sentence


@pytest.mark.parametrize("request_", [PRE_COMMAND, SERVICE_REQUEST], ids=lambda request: str(request.kind))
def test_statements_travel_beside_the_octets(request_: SigningRequest) -> None:
    ask = asked(request_, "a.b.c", "x" * 16_384)
    assert isinstance(ask, Ask)
    assert ask.statements == (b"a.b.c", b"x" * 16_384)
    assert ask.accompanying == ()
    none = asked(request_)
    assert isinstance(none, Ask)
    assert none.statements == ()
    assert none.identity.sha256 != ask.identity.sha256


def test_no_other_request_takes_a_check() -> None:
    request = SigningRequest(kind=ContentKind.COMMAND, key="k", octets=OCTETS, supply_sensitive_checks=("a.b.c",))
    with pytest.raises(ValueError, match="a command takes no supply_sensitive_checks"):
        request.item("r-1")


def test_reason_and_remedy_of_a_finding_reach_the_caller() -> None:
    found = Finding(
        rule=RuleName("supply-sensitive-check"),
        clause="G3.25",
        passed=False,
        expected="a check",
        found=f"none from {CALLER}",
        reason="CHECK_MISSING",
        remedy="have it checked",
    )
    assert finding_from(finding(found)) == found
