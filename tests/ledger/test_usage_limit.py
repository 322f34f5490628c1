"""How often a key is used: counted in the transaction of the intent, whatever became of it. SEC G5.13, G5.24."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.policy import decide
from keybroker.policy.claim import Claim
from keybroker.policy.model import Policy
from keybroker.policy.rules.key import usage_claims
from keybroker.policy.settings import LifeSettings
from tests.ledger import books, claims
from tests.situations import AT, a_caller, a_content, a_key, a_policy, a_situation


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        yield journal


def of_uses(most: int | None) -> Policy:
    packaged = a_policy()
    return replace(packaged, settings=replace(packaged.settings, life=LifeSettings(uses=most)))


def limited(most: int, before: int = 0) -> tuple[Claim, ...]:
    return usage_claims(a_key(uses_before=before), of_uses(most))


@pytest.mark.parametrize(("most", "before"), [(2, 0), (5, 3)])
def test_refuses_a_use_more_than_the_policy_allows_those_elsewhere_counted(
    journal: Journal, most: int, before: int
) -> None:
    uses = limited(most, before)
    (failed,) = claims.taken(journal, claims.asking("a", *uses))
    claims.fail(journal, failed)
    # The same request once more is another use: the key may have been used.
    (again,) = claims.taken(journal, claims.asking("a", *uses))
    claims.succeed(journal, again)
    refused = claims.spent(journal, claims.asking("b", *uses))
    assert "key-usage-limit" in refused.sentence
    assert f"at most {most}" in refused.sentence
    assert "keybroker keys renew" in refused.sentence
    audit.verify(journal.ledger, AT)


def test_of_many_at_one_instant_no_more_are_used_than_allowed(journal: Journal) -> None:
    uses, served = limited(3), []

    def ask(number: int) -> None:
        served.extend(claims.begin(journal, claims.asking(f"r{number}", *uses)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(each, books.Intent) for each in served) == 3


def test_a_use_that_is_counted_carries_no_number_and_leaves_another_its_own(journal: Journal) -> None:
    (alone,) = claims.taken(journal, claims.asking("a", *limited(9)))
    assert alone.counter is None
    (beside,) = claims.taken(journal, claims.asking("b", *limited(9), claims.allocated(100)))
    assert beside.counter == 100
    (before,) = claims.taken(journal, claims.asking("c", claims.allocated(100), *limited(9)))
    assert before.counter == 101


@pytest.mark.parametrize("most", [None, 7])
def test_a_decision_claims_a_use_exactly_where_the_policy_limits_them(most: int | None) -> None:
    decided = decide(a_content(), key=a_key(), caller=a_caller(), policy=of_uses(most), situation=a_situation())
    assert len(decided.claims) == (0 if most is None else 1)
