"""A ledger in which all was done that records tell of people, evidence and orders, by the code that does it for all."""

from __future__ import annotations

import pytest

from keybroker.errors import StatementRefused
from keybroker.keys.acts import OrderKey
from keybroker.keys.attesters import Enrolment, Withdrawal, enrol_attester, withdraw_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.orders import Ordered
from keybroker.keys.reload import Reload, record_reload, told_reload
from keybroker.keys.thresholds import take_in_notification
from keybroker.keys.unlatching import order_unlatching
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.module_form import unlatching
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ThresholdNotification
from keybroker.terms import KeyLabel, KeyPurpose, PartyName
from tests import evidence, situations
from tests.evidence import ADMINISTRATORS, attests
from tests.keys.restoring import ACTOR, PEOPLE, UNTIL
from tests.ledger.kept_evidence import USERS_OFFICER, Kept
from tests.ledger.thresholds import USER
from tests.situations import AT

FIRST, SECOND = ADMINISTRATORS
LEAVER = "leaver"
DIGEST = b"\x07" * 32


def write(journal: Journal) -> None:
    """All of it; the two that read ``spare`` give their places to acts that tests slip in."""
    kept = Kept(journal)
    kept.enrol(StatementKind.QUARANTINE_REPORT)
    kept.state()
    label, party = KeyLabel("another"), PartyName("supplier-a")
    kept.act(OrderKey(label=label, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=party))
    kept.check()
    kept.quarantine()
    come_and_go(kept)
    notify_again(kept)
    reload(kept)
    unlatch(kept)
    journal.write([Entry(kind=RecordKind.READ, party=party, body={"spare": 1})], at=AT)
    kept.restore()
    journal.write([Entry(kind=RecordKind.READ, party=party, body={"spare": 2})], at=AT)


def come_and_go(kept: Kept) -> None:
    """Somebody is enrolled and withdrawn, both by order."""
    certificate, kinds = attests(LEAVER).certificate, frozenset({StatementKind.LOCATION})
    asked = Enrolment(name=LEAVER, party="operator", certificate=certificate, kinds=kinds, until=UNTIL)
    enrol_attester(kept.journal, ACTOR, asked, PEOPLE, AT, kept.order(asked.told(), FIRST))
    gone = Withdrawal(kid=evidence.an_attester(LEAVER).kid, because="left")
    withdraw_attester(kept.journal, ACTOR, gone, PEOPLE, AT, kept.order(gone.told(), SECOND))


def notify_again(kept: Kept) -> None:
    """A notification that is checked and not applied."""
    on = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 9}
    told = {"user": USER, "part": "test", "sequence": 1, "guidance": "G-2", "thresholds": [on]}
    said = ThresholdNotification.model_validate(kept.common(StatementKind.THRESHOLD_NOTIFICATION) | told)
    with pytest.raises(StatementRefused):
        take_in_notification(kept.journal, ACTOR, attests(USERS_OFFICER).state(said), AT)


def unlatch(kept: Kept) -> None:
    """A person has the module tried again."""
    ordered = Ordered(order=kept.order(unlatching(evidence.MODULE.serial), SECOND), people=PEOPLE)
    policies = situations.packaged_policies()
    order_unlatching(kept.journal, ACTOR, evidence.MODULE.serial, ordered, policies, AT)


def reload(kept: Kept) -> None:
    """Two workers take a configuration by one order."""
    order = kept.order(told_reload(DIGEST), FIRST)
    add_statement(kept.journal, ACTOR, order, StatementKind.ORDER, PEOPLE, AT)
    for _ in range(2):
        record_reload(kept.journal, Reload(digest=DIGEST, policies=situations.packaged_policies(), people=PEOPLE), AT)
