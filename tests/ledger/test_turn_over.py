"""One transaction ends a batch and begins the next. When it fails, neither batch is lost and neither gains."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from keybroker.errors import LedgerUnavailable
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.ledger.model import Concluded, Intent
from tests.ledger.books import a_permit, a_request, intends, signature_for
from tests.ledger.test_doubt import commits, kept, lost
from tests.situations import AT


def test_writes_nothing_of_either_batch_when_the_register_has_moved(journal: Journal) -> None:
    (before,) = intends(journal, a_request("before"))
    size = journal.head(AT).tree_size
    with pytest.raises(RegisterMoved):
        journal.turn_over([signature_for(before)], [a_request("next", a_permit(2))], register_version=7, at=AT)
    assert journal.head(AT).tree_size == size
    assert isinstance(journal.conclude([signature_for(before)], at=AT)[0], Concluded)


@pytest.mark.parametrize(("how", "then"), [(lost, True), (lost, False), (kept, False)])
def test_the_batch_before_still_ends_and_the_next_uses_no_key_when_the_commit_fails(
    journal: Journal, how: Callable[[Connection], None], then: bool
) -> None:
    (before,) = intends(journal, a_request("before"))
    result = signature_for(before)
    with commits(journal, how, then=then), pytest.raises(LedgerUnavailable):
        journal.turn_over([result], [a_request("next", a_permit(2))], register_version=0, at=AT)
    (concluded,) = journal.conclude([result], at=AT)
    assert isinstance(concluded, Concluded)
    # Whatever the file took of the next batch is closed by the one after it, and its request can be asked again.
    (again,) = intends(journal, a_request("after", a_permit(3)))
    journal.conclude([signature_for(again)], at=AT)
    verified = audit.verify(journal.ledger, AT)
    assert verified.open_intents == ()
    assert verified.signatures == 2
    assert verified.kinds.get("closed", 0) == (how is kept)


def test_ends_one_batch_and_begins_the_next_in_one_transaction(journal: Journal) -> None:
    (before,) = intends(journal, a_request("before"))
    counted: list[Connection] = []
    with commits(journal, counted.append, times=9):
        conclusions, answers = journal.turn_over(
            [signature_for(before)], [a_request("next", a_permit(2))], register_version=0, at=AT
        )
    assert len(counted) == 1
    assert isinstance(conclusions[0], Concluded)
    assert isinstance(answers[0], Intent)
    assert audit.verify(journal.ledger, AT).open_intents == (answers[0].receipt.leaf_index,)


def test_the_next_batch_is_given_again_what_the_batch_before_just_signed(journal: Journal) -> None:
    (before,) = intends(journal, a_request("same"))
    signature = signature_for(before)
    _, (again,) = journal.turn_over([signature], [a_request("same")], register_version=0, at=AT)
    assert getattr(again, "signature", None) == signature.octets
