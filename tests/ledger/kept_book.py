"""Makes a small ledger with every kind of record, always the same one, and writes it down as SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from keybroker.errors import ModuleBusy, NotPermitted
from keybroker.keys.administration import OrderKey
from keybroker.keys.trust import take_in_revocation_list
from keybroker.ledger.model import Entry, Failure, RecordKind
from keybroker.terms import KeyLabel, KeyPurpose, PartyName
from tests import lists
from tests.keys.restoring import ACTOR
from tests.ledger import books, claims
from tests.ledger.books import a_permit, a_request, intend, intends, sign
from tests.ledger.kept_ceremony import hold_ceremony, live
from tests.ledger.kept_evidence import Kept
from tests.ledger.kept_upkeep import keep_up
from tests.ledger.kept_watch import watch_and_review
from tests.policy import chains
from tests.situations import AT

ROOTS: dict[str, str] = {
    "v1.sql": "cb9de3c7f60a5a05db634e74c44d7ba2c2304073008a33d16ee5994ee838504f",
    "v2.sql": "d50ee5eaed47d9647f654794adedfd7d6d34739732b28de11bbfb96ab538a5fa",
    # One more table (session keys), the same records.
    "v3.sql": "d50ee5eaed47d9647f654794adedfd7d6d34739732b28de11bbfb96ab538a5fa",
    # People, evidence, orders, thresholds and restores: two more versions of the tables at once.
    "v5.sql": "3c274108e1d74e3ea17f7593184e88e0831127580c781c3db39692cb5c90c168",
    # The life of keys and ceremonies: two more versions of the tables at once.
    "v7.sql": "880a80a84150d869ec8f828a86be871a8c4b3ddda07c6c0d9f65ef5ce447060d",
    # Checkpoints.
    "v8.sql": "9c36fdcc764c4555e88a117ae5872335be7eea7424957052289422030db10e04",
    # Anomalous Events and reviews of the audit log.
    "v9.sql": "b46288655595b12b6a6068fc70ad82d354c197543c93639aa69a7bc37bf2ff07",
    # Acts on the ledger itself: back-ups, and what was aged out.
    "v10.sql": "ca5b4f973f985db79fb35d3caacf74d2ad14b8069c4c552fc1488382b65336c9",
}
"""The root hash of each kept ledger, kept apart from it."""

PARTY = PartyName("supplier-a")


def make(directory: Path, more: Callable[[Kept], object] = lambda _kept: None) -> None:
    """Every kind of record, by this version's code; ``more`` is for another ledger, while people may give orders."""
    with books.a_book(directory, "worker-0", incarnation="1") as journal:
        journal.write([Entry(kind=RecordKind.START, party=PartyName(""), body={"version": "0.1.0"})], at=AT)
        # Since v8: a checkpoint, of records that no policy or rule changes.
        sign(journal, a_request("checkpoint", books.a_checkpoint(journal)))
        sign(journal, a_request("first"))
        intend(journal, a_request("first"), books.a_refused("refused", NotPermitted("the rules refused")))
        (failed,) = intends(journal, a_request("failed", a_permit(2)))
        journal.conclude([Failure(intent=failed, error=ModuleBusy("no session in time"), module_serial="1")], at=AT)
        journal.write([Entry(kind=RecordKind.READ, party=PARTY, body={"operation": "ListKeys"})], at=AT)
        intends(journal, a_request("open", a_permit(2)))
    with books.a_book(directory, "worker-0", incarnation="2") as journal:
        journal.close_open_intents(AT)
        journal.write([Entry(kind=RecordKind.STOP, party=PartyName(""), body={})], at=AT)
        # Since v5: people, what they state, and what they order.
        kept = Kept(journal)
        kept.enrol()
        kept.state()
        kept.act(OrderKey(label=KeyLabel("another"), purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY))
        # Since v2: uses that take something, one of them a second time; and a revocation list.
        asked = claims.asking("takes", claims.once(), claims.bound(b"x"), claims.increasing(7), claims.allocated(1))
        for end in (claims.fail, claims.succeed):
            (intent,) = claims.taken(journal, asked)
            end(journal, intent)
        take_in_revocation_list(journal, ACTOR, lists.an_arl(), (chains.TEST_ROOT,), AT)
        # Since v9: an Anomalous Event and a review of the audit log.
        watch_and_review(journal, kept)
        # Since v5: a check that is spent, a quarantine and a restore.
        # Since v10: acts on the ledger itself, before a restore voids what is stated of people.
        keep_up(journal, kept)
        more(kept)
        kept.check()
        kept.quarantine()
        kept.restore()
        sign(journal, a_request("restored", a_permit(3)))
        # Since v7: the life of a key, and a ceremony.
        live(journal)
        hold_ceremony(journal)


def dump(directory: Path) -> str:
    """The ledger in ``directory`` as SQL."""
    connection = sqlite3.connect(directory / "ledger.sqlite")
    try:
        return "\n".join(connection.iterdump()) + "\n"
    finally:
        connection.close()
