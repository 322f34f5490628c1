"""How long do the steps of the line take that are ours? Each runs once as a test; measured only where that is asked:

    scripts/test tests/benchmarks --benchmark-enable

Whole processes, ratios and promises are the business of ``scripts/bench``; these tell which step became slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from keybroker.content.decoding import decode
from keybroker.gates import open_gates
from keybroker.ledger.journal import Journal
from keybroker.policy import decide
from keybroker.terms import ContentKind
from tests import situations
from tests.ledger import books
from tests.situations import a_caller, a_content, a_decision, a_key, a_message, a_policy, a_situation

BATCH = 64


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        yield journal


def test_decode_one_pre_command(benchmark: BenchmarkFixture) -> None:
    octets = a_message()
    assert benchmark(decode, ContentKind.PRE_COMMAND, octets).octets == octets


def test_decide_on_one_pre_command(benchmark: BenchmarkFixture) -> None:
    content, key, caller, policy, situation = a_content(), a_key(), a_caller(), a_policy(), a_situation()
    decision = benchmark(decide, content, key=key, caller=caller, policy=policy, situation=situation)
    assert all(finding.passed for finding in decision.findings)


def test_open_the_gates_for_one_pre_command(benchmark: BenchmarkFixture) -> None:
    decision = a_decision()
    assert benchmark(open_gates, decision, situations.evidence_of(decision.key)).decision is decision


def test_intend_and_conclude_a_batch(benchmark: BenchmarkFixture, journal: Journal) -> None:
    """Two durable transactions, and between them 64 signatures by the test's own key (some 2 ms)."""
    numbers = count()

    def setup() -> tuple[tuple[object, ...], dict[str, object]]:
        # Each its own counter and request, as traffic has them.
        drawn = [next(numbers) for _ in range(BATCH)]
        return (journal, *(books.a_request(f"r{number}", books.a_permit(number)) for number in drawn)), {}

    concluded = benchmark.pedantic(books.sign, setup=setup, rounds=20)  # type: ignore[no-untyped-call]
    assert len(concluded) == BATCH
