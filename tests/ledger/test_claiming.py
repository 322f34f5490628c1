"""What was taken stays taken: in one use, one batch, one ledger, by several processes, whatever was killed."""

from __future__ import annotations

import json
import multiprocessing
import random
import sqlite3
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.errors import OutcomeUnknown
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Failure, Intent
from keybroker.policy.claim import Claim, IncreasingOnSuccess
from tests.ledger import at_work, books
from tests.ledger.claims import (
    TEXT,
    allocated,
    asking,
    begin,
    bound,
    certificate,
    fail,
    increasing,
    known,
    limited,
    once,
    serial,
    spent,
    succeed,
    succession,
    taken,
)
from tests.situations import AT

DAY = timedelta(days=1)
A_CA, AN_END_ENTITY = 1, 2


def rows(journal: Journal) -> dict[bytes, tuple[bytes, int]]:
    connection = sqlite3.connect(journal.ledger.file)
    found = connection.execute("SELECT name, value, intent_index FROM taken").fetchall()
    connection.close()
    return {name: (value, index) for name, value, index in found}


def on_success(number: int) -> IncreasingOnSuccess:
    return IncreasingOnSuccess(scope="device-counter", name=b"n", number=number, **TEXT)


# ---- refusals: first what was taken before, then what is taken now

SPENT: dict[str, tuple[tuple[Claim, ...], Claim, str, str]] = {
    "a serial that was used": ((once(),), once(), "never used", "USED_BEFORE"),
    "a serial that was used with another value": ((once(value=b"1"),), once(value=b"2"), "never used", "USED_BEFORE"),
    "another owner": ((bound(b"a"),), bound(b"b"), "bound to before", "BOUND_TO_ANOTHER"),
    "the same number": ((increasing(5),), increasing(5), "greater than 5", "NUMBER_NOT_GREATER"),
    "a smaller number": ((increasing(5),), increasing(4), "greater than 5", "NUMBER_NOT_GREATER"),
    "the number 0 twice": ((increasing(0),), increasing(0), "greater than 0", "NUMBER_NOT_GREATER"),
    "more numbers than there are": ((allocated(1, 1),), allocated(1, 1), "at most 1", "NUMBERS_USED_UP"),
    "more uses than are allowed": ((limited(1),), limited(1), "one of 1 uses", "USES_ALL_TAKEN"),
    "a use of which none is allowed": ((), limited(0), "one of 0 uses", "USES_ALL_TAKEN"),
    "a first number beyond the last": ((), allocated(3, 2), "at most 2", "NUMBERS_USED_UP"),
    "an entry that vanished and is not known": (
        (succession(1, 2),),
        succession(2),
        "entry 1 of the last one",
        "ENTRY_MISSING",
    ),
    "all entries vanished": ((succession(1, 2),), succession(), "entry 1 of the last one", "ENTRY_MISSING"),
    "an entry that vanished before it expired": (
        (certificate(1, AN_END_ENTITY, AT), succession(1)),
        succession(),
        "entry 1 of the last one",
        "ENTRY_MISSING",
    ),
    "a certificate of the other kind": (
        (certificate(0x1F, A_CA, AT),),
        known(0x1F, 2, begins=AN_END_ENTITY),
        "entry 1f of another kind",
        "ENTRY_OF_ANOTHER_KIND",
    ),
    "a number of what is in progress": (
        (on_success(5),),
        on_success(6),
        "no other use in progress",
        "USE_IN_PROGRESS",
    ),
}


@pytest.mark.parametrize("name", SPENT)
def test_refuses(journal: Journal, name: str) -> None:
    before, now, told, reason = SPENT[name]
    taken(journal, *(asking(f"before-{place}", claim) for place, claim in enumerate(before)))
    held = rows(journal)
    refusal = spent(journal, asking("now", now))
    assert told in refusal.sentence
    assert (refusal.gate, refusal.clause) == ("a-rule", "G2.61(a)")
    # What rules and gates found is told with it, as the record tells it.
    *before_it, own = refusal.findings
    assert all(finding.passed for finding in before_it)
    assert {"policy-in-force", "key-served"} < {str(finding.rule) for finding in before_it}
    assert (own.passed, own.rule, own.reason) == (False, "a-rule", reason)
    assert own.remedy
    assert refusal.sentence.endswith(f"; {own.remedy}")
    # What is refused takes nothing.
    assert rows(journal) == held
    audit.verify(journal.ledger, AT)


@pytest.mark.parametrize("name", SPENT)
def test_refuses_the_second_of_two_in_one_batch(journal: Journal, name: str) -> None:
    before, now, told, _ = SPENT[name]
    asked = [asking(f"before-{place}", claim) for place, claim in enumerate(before)]
    *_, answer = begin(journal, *asked, asking("now", now))
    assert told in str(answer)
    assert len(rows(journal)) == len(before)
    audit.verify(journal.ledger, AT)


@pytest.mark.parametrize(
    ("first", "second"),
    [(once(), once()), (increasing(5), increasing(5)), (bound(b"a"), bound(b"b")), (succession(1), succession())],
    ids=["once", "increasing", "bound", "succession"],
)
def test_refuses_one_use_that_takes_the_same_twice(journal: Journal, first: Claim, second: Claim) -> None:
    spent(journal, asking("now", first, second))
    assert rows(journal) == {}


def test_a_use_that_is_refused_for_one_claim_takes_none_of_the_others(journal: Journal) -> None:
    taken(journal, asking("a", once(b"used")))
    spent(journal, asking("b", once(b"fresh"), increasing(9), allocated(), once(b"used")))
    (intent,) = taken(journal, asking("c", once(b"fresh"), increasing(1), allocated()))
    assert intent.counter == 0


def test_what_a_claim_says_to_do_goes_before_what_its_form_says(journal: Journal) -> None:
    mended = replace(once(), remedy="have it checked again")
    taken(journal, asking("before", mended))
    assert spent(journal, asking("now", mended)).findings[-1].remedy == "have it checked again"


def test_a_number_that_counts_on_success_is_refused_as_any_other_afterwards(journal: Journal) -> None:
    (intent,) = taken(journal, asking("before", on_success(5)))
    succeed(journal, intent)
    assert spent(journal, asking("now", on_success(5))).findings[-1].reason == "NUMBER_NOT_GREATER"


def test_the_record_of_a_refusal_tells_the_findings_that_the_caller_is_told(journal: Journal) -> None:
    taken(journal, asking("before", once()))
    refusal = spent(journal, asking("now", once()))
    stored = journal.find(2)
    assert stored is not None
    told: list[Any] = canonical_json.decode(stored.octets)["findings"]  # type: ignore[assignment]
    assert [each["rule"] if isinstance(each, dict) else each[0] for each in told] == [
        str(finding.rule) for finding in refusal.findings
    ]
    assert told[-1]["reason"] == "USED_BEFORE"


# ---- what may be taken


def test_takes_what_nobody_has_and_another_batch_goes_on_from_there(journal: Journal) -> None:
    first, second = taken(
        journal,
        asking("a", once(b"1"), bound(b"x"), increasing(1), allocated(first=10)),
        asking("b", once(b"2"), bound(b"x"), increasing(7), allocated(first=10)),
    )
    (third,) = taken(journal, asking("c", once(b"1", scope="another scope"), allocated(first=10)))
    (fourth,) = taken(journal, asking("d", allocated(first=100)))
    assert [each.counter for each in (first, second, third, fourth)] == [10, 11, 12, 100]
    audit.verify(journal.ledger, AT)


def test_says_in_the_record_what_was_taken_and_from_whom(journal: Journal) -> None:
    first, second = taken(journal, asking("a", increasing(1)), asking("b", increasing(2), once(), known(1, begins=1)))
    stored = journal.find(second.receipt.leaf_index)
    assert stored is not None
    after, fresh = canonical_json.decode(stored.octets)["taken"]  # type: ignore[misc, str-unpack]
    assert after == {
        "after": first.receipt.leaf_index,
        "form": "increasing",
        "name": b"n".hex(),
        "rule": "a-rule",
        "scope": "crl-number",
        "value": serial(2).hex(),
    }
    assert "after" not in fresh  # type: ignore[operator]


def test_an_entry_may_vanish_once_it_has_expired_and_new_ones_come(journal: Journal) -> None:
    issued = [certificate(1, AN_END_ENTITY, AT), certificate(2, AN_END_ENTITY, AT + DAY)]
    taken(journal, *(asking(f"c{place}", each) for place, each in enumerate(issued)))
    taken(journal, asking("one", succession(1, 2)))
    taken(journal, asking("two", succession(2, 3, at=AT + DAY / 2)))
    assert "entry 3" in spent(journal, asking("three", succession(at=AT + 2 * DAY))).sentence
    taken(journal, asking("four", succession(3, at=AT + 2 * DAY)))


def test_a_certificate_issued_in_the_same_batch_is_known(journal: Journal) -> None:
    *_, refused, accepted = begin(
        journal,
        asking("issue", certificate(1, A_CA, AT)),
        asking("crl", known(1, begins=AN_END_ENTITY)),
        asking("arl", known(1, 99, begins=A_CA)),
    )
    assert "another kind" in str(refused)
    assert isinstance(accepted, Intent)


def test_looks_up_more_names_than_one_statement_takes(journal: Journal) -> None:
    taken(journal, asking("issue", certificate(4999, A_CA, AT)))
    numbers = range(1, 5001)
    assert "entry 1387" in spent(journal, asking("crl", known(*numbers, begins=AN_END_ENTITY))).sentence
    taken(journal, asking("list", succession(*numbers), known(*numbers, begins=A_CA)))
    assert "entry 1 " in spent(journal, asking("none", succession())).sentence


# ---- the same request again


def test_a_request_that_failed_for_certain_may_take_its_own_again(journal: Journal) -> None:
    claims = (once(), increasing(5), bound(b"x"), succession(1), limited(1))
    asked = asking("a", *claims)
    (intent,) = taken(journal, asked)
    fail(journal, intent)
    (again,) = taken(journal, asked)
    assert {index for _, index in rows(journal).values()} == {again.receipt.leaf_index}
    fail(journal, again)
    taken(journal, asked)
    audit.verify(journal.ledger, AT)


def test_a_number_that_was_given_is_never_given_again_not_even_to_the_request_that_failed(journal: Journal) -> None:
    asked, seen = asking("a", allocated(first=5)), []
    for _ in range(3):
        (intent,) = taken(journal, asked)
        seen.append(intent.counter)
        fail(journal, intent)
    assert seen == [5, 6, 7]
    audit.verify(journal.ledger, AT)


def test_another_request_takes_nothing_of_one_that_failed(journal: Journal) -> None:
    (intent,) = taken(journal, asking("a", once(), increasing(5), bound(b"x"), limited(1)))
    fail(journal, intent)
    for claim in (once(), increasing(5), bound(b"y"), limited(1)):
        spent(journal, asking("b", claim))


def test_a_request_that_failed_is_refused_what_another_took_over_since(journal: Journal) -> None:
    asked = asking("a", increasing(5))
    (intent,) = taken(journal, asked)
    fail(journal, intent)
    taken(journal, asking("b", increasing(6)))
    assert "greater than 6" in spent(journal, asked).sentence


def test_what_became_of_it_is_unknown_and_it_stays_taken(tmp_path: Path) -> None:
    asked = asking("a", once())
    with books.a_book(tmp_path) as journal:
        (intent,) = taken(journal, asked)
        unknown = Failure(intent=intent, error=OutcomeUnknown("nobody knows"), module_serial="1")
        journal.conclude([unknown], at=AT)
        spent(journal, asked)
        taken(journal, asking("b", increasing(1)))
    with books.a_book(tmp_path) as journal:
        # The worker died with an intent open: closed, outcome unknown.
        journal.close_open_intents(AT)
        assert "greater than 1" in spent(journal, asking("b", increasing(1))).sentence
        audit.verify(journal.ledger, AT)


def test_a_request_that_failed_is_judged_anew_after_its_name_was_forgotten(journal: Journal) -> None:
    asked = asking("a", once())
    (intent,) = taken(journal, asked)
    fail(journal, intent)
    journal.forget_requests(AT + DAY)
    spent(journal, asked)


# ---- several processes


def test_two_processes_never_take_the_same(tmp_path: Path) -> None:
    """Both ask for every serial and for a number each time, and are killed at any moment."""
    moments = random.Random(20260116)  # noqa: S311 - reproducible moments, no secrets
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ledger.at_work"])
    books.a_ledger(tmp_path).close()
    for life in range(4):
        workers = [
            context.Process(target=at_work.take, args=(tmp_path, f"worker-{number}", life), daemon=True)
            for number in range(2)
        ]
        for worker in workers:
            worker.start()
        time.sleep(0.5 + moments.random() * 0.2)
        for worker in workers:
            worker.kill()
            worker.join()
    with books.a_book(tmp_path) as journal:
        journal.close_open_intents(AT)
        verified = audit.verify(journal.ledger, AT)
        names, numbers = claims_of(journal, verified.tree_size)
    assert len(names) > 20
    assert Counter(names).most_common(1)[0][1] == 1
    assert numbers == sorted(set(numbers))
    acknowledged = [line.split() for line in (tmp_path / "acknowledged").read_text().splitlines()]
    assert len({number for _, number in acknowledged}) == len(acknowledged) > 5


def claims_of(journal: Journal, size: int) -> tuple[list[str], list[int]]:
    """Every serial and every number that intents took, in the order of the ledger."""
    names, numbers = [], []
    for stored in audit.read_records(journal.ledger, 0, size):
        for claim in json.loads(stored.octets).get("taken", []):
            if claim["form"] == "once":
                names.append(claim["name"])
            else:
                numbers.append(int(claim["value"], 16))
    return names, numbers


# ---- in any order


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_asked_in_whatever_order_nothing_is_taken_twice(tmp_path_factory: Any, data: st.DataObject) -> None:
    directory = tmp_path_factory.mktemp("asked")
    numbers: list[int] = []
    names: list[int] = []
    with books.a_book(directory) as journal:
        for batch in range(data.draw(st.integers(1, 4))):
            asked = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=6))
            made = [
                asking(f"{batch}-{place}", once(bytes([name])), increasing(number))
                for place, (name, number) in enumerate(asked)
            ]
            for (name, number), answer in zip(asked, begin(journal, *made), strict=True):
                if not isinstance(answer, Exception):
                    assert name not in names
                    assert number > max(numbers, default=-1)
                    names.append(name)
                    numbers.append(number)
                    if data.draw(st.booleans()):
                        fail(journal, answer)
                else:
                    assert name in names or number <= max(numbers, default=-1)
        audit.verify(journal.ledger, AT)
