"""A number that counts once its use has succeeded: a forged one silences nobody, what was served is not repeated."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.errors import LedgerBroken, ModuleFault
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Failure
from keybroker.ledger.verify_claims import _check_taken_over, _Take
from keybroker.policy.claim import IncreasingOnSuccess
from tests.ledger.claims import TEXT, Asked, asking, begin, fail, spent, succeed, taken
from tests.situations import AT

LARGEST = 2**32 - 1
_runs = count()


def growing(number: int) -> IncreasingOnSuccess:
    return IncreasingOnSuccess(scope="device-counter", name=b"device", number=number, **TEXT)


def opening(name: str, number: int) -> Asked:
    return asking(name, growing(number))


def served(journal: Journal, name: str, number: int) -> None:
    (intent,) = taken(journal, opening(name, number))
    succeed(journal, intent)


def failed(journal: Journal, name: str, number: int) -> None:
    (intent,) = taken(journal, opening(name, number))
    fail(journal, intent)


@pytest.mark.parametrize("number", [0, 4, 5])
def test_refuses_what_is_no_greater_than_what_was_served(journal: Journal, number: int) -> None:
    served(journal, "a", 5)
    assert "greater than 5" in spent(journal, opening("b", number)).sentence
    audit.verify(journal.ledger, AT)


def test_refuses_while_another_is_in_progress_in_one_batch_and_in_two(journal: Journal) -> None:
    first, second = begin(journal, opening("a", 5), opening("b", 6))
    assert "no other use in progress" in str(second)
    assert "no other use in progress" in spent(journal, opening("c", 7)).sentence
    succeed(journal, first)  # type: ignore[arg-type]
    served(journal, "c", 7)
    audit.verify(journal.ledger, AT)


def test_what_failed_does_not_count_however_often_it_is_tried(journal: Journal) -> None:
    served(journal, "a", 5)
    for attempt in range(3):
        failed(journal, f"forged-{attempt}", LARGEST - attempt)
        failed(journal, "forged", LARGEST)
    assert "greater than 5" in spent(journal, opening("replayed", 5)).sentence
    served(journal, "b", 6)
    assert "greater than 6" in spent(journal, opening("replayed", 6)).sentence
    audit.verify(journal.ledger, AT)


def test_what_nobody_saw_the_end_of_does_not_count_for_nothing_has_left(journal: Journal) -> None:
    (intent,) = taken(journal, opening("a", 5))
    journal.conclude([Failure(intent=intent, error=ModuleFault("gone", used=True), module_serial="1")], at=AT)
    served(journal, "b", 5)
    audit.verify(journal.ledger, AT)


def test_a_request_that_is_forgotten_counts(journal: Journal) -> None:
    served(journal, "a", 5)
    assert journal.forget_requests(AT.replace(year=AT.year + 1)) == 1
    assert "greater than 5" in spent(journal, opening("b", 5)).sentence
    served(journal, "b", 6)
    audit.verify(journal.ledger, AT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(numbers=st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=8))
def test_what_is_served_only_grows(journal: Journal, numbers: list[tuple[int, bool]]) -> None:
    last, run = -1, next(_runs)
    for place, (number, right) in enumerate(numbers):
        claim = IncreasingOnSuccess(scope="device-counter", name=str(run).encode(), number=number, **TEXT)
        (answer,) = begin(journal, asking(f"{run}-{place}", claim))
        if number <= last:
            assert f"greater than {last}" in str(answer)
        elif right:
            succeed(journal, answer)  # type: ignore[arg-type]
            last = number
        else:
            fail(journal, answer)  # type: ignore[arg-type]
    audit.verify(journal.ledger, AT)


def value(number: int, least: int) -> bytes:
    return number.to_bytes(20, "big") + least.to_bytes(20, "big")


@pytest.mark.parametrize(
    ("now", "before", "again", "was_served"),
    [
        (value(5, 0), value(5, 0), False, True),  # served, and no less may follow
        (value(6, 5), value(5, 0), False, True),  # the least does not count what was served
        (value(6, 1), value(5, 2), False, False),  # the least fell
        (value(1, 2), value(5, 2), False, False),  # below the least
        (value(5, 6), value(4, 0), True, True),  # the same request, another number
        (value(6, 6)[:20], value(5, 0), False, True),
    ],
)
def test_an_auditor_sees_what_was_taken_over_wrongly(now: bytes, before: bytes, again: bool, was_served: bool) -> None:
    take = _Take(form="increasing-on-success", row=b"row", value=now, after=1)
    with pytest.raises(LedgerBroken, match="no less to follow"):
        _check_taken_over(2, take, before, again=again, served=was_served)
    _check_taken_over(
        2, _Take(form=take.form, row=b"row", value=value(9, 7), after=1), before, again=again, served=True
    )
