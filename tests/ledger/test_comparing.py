"""A stand-in for a module that counts by itself is held against the ledger: each key that differs is an event."""

from __future__ import annotations

from pathlib import Path

from keybroker.errors import ModuleBusy
from keybroker.ledger import audit, message_queue
from keybroker.ledger.comparing import record_differences, uses_told
from keybroker.ledger.model import Failure
from tests.ledger.books import a_book, a_permit, a_request, intends, sign
from tests.situations import AT


def test_counts_intents_and_signatures_and_records_what_differs(tmp_path: Path) -> None:
    with a_book(tmp_path) as journal:
        sign(journal, a_request("first"), a_request("second"))
        (failed,) = intends(journal, a_request("failed", a_permit(2)))
        journal.conclude([Failure(intent=failed, error=ModuleBusy("no session"), module_serial="1")], at=AT)
        told = uses_told(journal.ledger, AT)
        assert (dict(told.intents), dict(told.signed)["supplier-a"]) == ({"supplier-a": 3}, 2)
        for fine in (2, 3):
            assert record_differences(journal, told, {"supplier-a": fine}, AT, messages=True) == []
        (event,) = record_differences(journal, told, {"supplier-a": 4}, AT, messages=True)
        assert event.anomaly.subject == "supplier-a"
        assert message_queue.undelivered(journal.ledger) == 1
        audit.verify(journal.ledger, AT)
