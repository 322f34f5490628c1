"""Acts on the ledger itself, as they stand in the kept ledger: a back-up, and a retention by which a read went."""

from __future__ import annotations

from datetime import timedelta

from keybroker.keys.orders import Ordered
from keybroker.keys.retention import Keeps, retain_ledger
from keybroker.keys.upkeep import record_back_up
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.record import moment
from keybroker.ledger.upkeep_form import BackedUp, retention
from keybroker.terms import PartyName
from tests.keys.restoring import ACTOR, PEOPLE
from tests.ledger.kept_evidence import SECOND, Kept
from tests.situations import AT, packaged_policies

_KEEPS = Keeps(octets_days=31, reads_days=366, refusals_days=366, uses_days=1_098)


def keep_up(journal: Journal, kept: Kept) -> None:
    """``kept`` gives the order."""
    head = journal.head(AT)
    backed_up = BackedUp(
        tree_size=head.tree_size, root_hash=head.root_hash.hex(), sha256="ab" * 32, octets=1, recipients=("cd" * 32,)
    )
    record_back_up(journal, ACTOR, backed_up, AT)
    old, before = AT - timedelta(days=800), AT - timedelta(days=700)
    journal.write([Entry(kind=RecordKind.READ, party=PartyName("supplier-a"), body={"operation": "ListKeys"})], at=old)
    order = Ordered(order=kept.order(retention(moment(before)), SECOND), people=PEOPLE)
    retain_ledger(journal, ACTOR, before, order, _KEEPS, packaged_policies(), AT)
