"""A key's life and a ceremony, as they stand in the kept ledger: always the same."""

from __future__ import annotations

from datetime import timedelta

from keybroker.ceremony.book import Book
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.steps import own_steps
from keybroker.keys.administration import KeyGenerated, administer
from keybroker.keys.life_acts import InstallKey, LabelKey
from keybroker.ledger.journal import Journal
from keybroker.terms import KeyLabel, KeyPurpose, Provenance
from tests.ceremony.plans import a_key, a_plan, written
from tests.keys.restoring import ACTOR
from tests.situations import AT, a_point

LABEL = KeyLabel("another")


def live(journal: Journal) -> None:
    """The key that was ordered is made, labelled and installed."""
    for act in (
        KeyGenerated(label=LABEL, public_key=a_point(2), provenance=Provenance.GENERATED),
        LabelKey(label=LABEL, module="1", identifier=bytes(8)),
        InstallKey(label=LABEL, module="1"),
    ):
        administer(journal, ACTOR, act, AT)


def hold_ceremony(journal: Journal) -> None:
    """One step is concluded, one begun; then it is aborted."""
    plan = a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "tls")).plan
    span = {"valid_from": AT - timedelta(hours=1), "valid_until": AT + timedelta(hours=1)}
    plan_file = written(plan.model_copy(update=span))
    book, name = Book(journal=journal, actor=ACTOR), plan.name
    book.open(plan_file, Side.HERE, AT)
    first, second, *_ = own_steps(plan, Side.HERE)
    book.begin(name, first, {"drawn": "1"}, AT)
    entry = Entry(
        ceremony=name,
        plan_sha256=plan_file.sha256.hex(),
        ledger=journal.ledger.origin,
        side=Side.HERE.value,
        number=1,
        step=first.name.value,
        at=AT,
        people=("admin-1",),
        facts={"said": "what the test wants"},
    )
    book.conclude(first, entry, {"admin-1": b"signed"}, AT)
    book.begin(name, second, {}, AT)
    book.abort(name, "as the test wants it", AT)
