"""An Anomalous Event with its message, and a review of the audit log, as they stand in the kept ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.orders import Ordered
from keybroker.keys.review import review_ledger
from keybroker.ledger.anomaly_settings import SAFE
from keybroker.ledger.journal import Journal
from keybroker.ledger.message_queue import failed
from keybroker.ledger.review_form import Review
from keybroker.ledger.watching import Watch
from keybroker.statement.kind import StatementKind
from tests.evidence import attests
from tests.keys.restoring import ACTOR, FIRST, PEOPLE, UNTIL
from tests.ledger.books import a_permit, a_request, sign
from tests.ledger.kept_evidence import Kept
from tests.situations import AT

AUDITOR = "auditor-1"


def watch_and_review(journal: Journal, kept: Kept) -> None:
    """A caller is new to a key, and nobody takes the message; then an auditor looks."""
    watch = Watch(journal=journal, settings=SAFE, messages=True)
    watch.begin(AT)
    caller = replace(a_permit().decision.caller, identity="uri:urn:keybroker:supplier-a:another")
    sign(journal, a_request("watched", a_permit(4), caller=caller))
    for event in watch.look(AT):
        failed(journal.ledger, event.leaf_index, "nobody listens", AT + timedelta(seconds=2))
    kinds = frozenset({StatementKind.ORDER})
    certificate = attests(AUDITOR).certificate
    asked = Enrolment(name=AUDITOR, party="operator", certificate=certificate, kinds=kinds, until=UNTIL)
    enrol_attester(journal, ACTOR, asked, PEOPLE, AT, kept.order(asked.told(), FIRST))
    kept._vouch(AUDITOR, roles=("auditor",))
    review = Review(up_to=3, marked=(2,), because="weekly")
    ordered = Ordered(order=kept.order(review.told(), AUDITOR), people=PEOPLE)
    review_ledger(journal, ACTOR, review, ordered, AT)
