"""Canonical JSON against rfc8785, the subset's borders, and what the records of each kind say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from keybroker.content.model import GbcsCommand
from keybroker.errors import (
    KeybrokerError,
    LedgerUnavailable,
    MessageCodeUnknown,
    ModuleBusy,
    ModuleDisagrees,
    ModuleUnavailable,
    OutcomeUnknown,
)
from keybroker.ledger import canonical_json, record
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Entry, Failure, RecordKind
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, PartyName, RuleName
from tests import situations
from tests.ledger import books
from tests.situations import AT

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
BEYOND = canonical_json.LARGEST_INTEGER - 1
SCALARS = st.none() | st.booleans() | st.integers(-BEYOND, BEYOND) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_writes_what_rfc_8785_writes(body: dict[str, Any]) -> None:
    canonical_json.check_json(body)
    octets = canonical_json.encode(body)
    assert octets == rfc8785.dumps(body)
    assert canonical_json.decode(octets) == body


@pytest.mark.parametrize(
    "body",
    [
        {"a": 1.0},
        {"a": float("nan")},
        {"a": 2**53 + 1},
        {"a": -(2**53) - 1},
        {"é": 1},
        {1: 1},
        {"a": "\ud800"},
        {"a": [{"b": b"octets"}]},
        {"a": ("tuple",)},
    ],
)
def test_refuses_what_lies_outside_the_subset(body: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json.check_json(body)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a": 1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b'{"a":1}\n',
        b'{"a":"\xff"}',
        b'{"a":9007199254740993}',
        b"\xef\xbb\xbf{}",
        b'{"a":-0}',
    ],
)
def test_refuses_a_record_that_is_not_canonical(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical_json.decode(octets)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ModuleUnavailable("away", used=True), record.UNKNOWN),
        (OutcomeUnknown("nobody knows"), record.UNKNOWN),
        (ModuleUnavailable("away"), record.FAILED),
        (ModuleBusy("busy"), record.FAILED),
        (ModuleDisagrees("wrong", used=True), record.UNKNOWN),
        (ModuleDisagrees("another key"), record.FAILED),
        (LedgerUnavailable("full"), record.FAILED),
    ],
)
def test_calls_unknown_what_is_unknown(journal: Journal, error: KeybrokerError, state: str) -> None:
    (intent,) = books.intends(journal, books.a_request("r"))
    failure = Failure(intent=intent, error=error, module_serial="1")
    assert journal.conclude([failure], at=AT) == [error]
    stored = journal.find(intent.receipt.leaf_index + 1)
    assert stored is not None
    body = canonical_json.decode(stored.octets)
    assert (body["state"], body["reason"], body["sentence"]) == (state, error.reason, error.sentence)
    assert "signature" not in body


def test_keeps_no_octets_that_disclose_a_symmetric_key() -> None:
    assert not record.may_keep(situations.a_content(KeyPurpose.CONTINGENCY_COMMAND))
    assert record.may_keep(situations.a_content(KeyPurpose.SUPPLIER_PRE_COMMAND))
    assert record.may_keep(situations.a_content(KeyPurpose.AUDIT_CHECKPOINT))


def test_writes_counters_as_text_and_the_supplementary_party_where_there_is_one() -> None:
    content = situations.a_content(counter=2**64 - 1)
    facts = record.content_facts(content)
    assert facts["counter"] == "18446744073709551615"
    assert "supplementary_party" not in facts
    assert isinstance(content, GbcsCommand)
    acting = replace(content, supplementary_party=content.recipient, supplementary_counter=7)
    assert record.content_facts(acting)["supplementary_counter"] == "7"


def test_writes_the_tree_of_a_checkpoint() -> None:
    content = situations.a_content(KeyPurpose.AUDIT_CHECKPOINT, tree_size=5)
    assert record.content_facts(content)["tree_size"] == "5"
    assert record.relation(content) is None


def test_writes_moments_in_utc_with_microseconds() -> None:
    elsewhere = datetime(2026, 3, 1, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert record.moment(elsewhere) == "2026-03-01T09:30:00.000000Z"
    assert record.moment(datetime(2026, 3, 1, 9, 30, 0, 5, tzinfo=UTC)) == "2026-03-01T09:30:00.000005Z"


def test_writes_passed_findings_short_and_failed_ones_whole() -> None:
    writer = record.Writer(deployment=DeploymentKind.LIVE, in_force=books.IN_FORCE, worker="w")
    error = MessageCodeUnknown(offset=31, expected="a code", found="0xFFFF", source="GBCS")
    findings = (
        Finding(rule=RuleName("a"), clause="G1", passed=True),
        Finding(rule=RuleName("b"), clause="G2", passed=False, expected="x", found="y"),
        Finding(rule=RuleName("c"), clause="G3", passed=False, expected="x", found="y", offset=4),
    )
    body = writer.refusal(replace(books.a_refused("r", error), findings=findings), AT)
    assert body["findings"] == [
        ["a", "G1"],
        {"clause": "G2", "expected": "x", "found": "y", "rule": "b"},
        {"clause": "G3", "expected": "x", "found": "y", "offset": 4, "rule": "c"},
    ]
    assert body["offset"] == 31
    assert "deployment" not in body


def test_refuses_an_entry_whose_body_no_record_can_hold(journal: Journal) -> None:
    before = journal.head(AT).tree_size
    with pytest.raises(ValueError, match="float"):
        journal.write([Entry(kind=RecordKind.READ, party=PartyName("p"), body={"a": 1.5})], at=AT)  # type: ignore[dict-item]
    assert journal.head(AT).tree_size == before
