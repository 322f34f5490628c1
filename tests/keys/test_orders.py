"""An act on a key in scope of SEC G3.23 takes the order of a person who may act: for this act, once, and on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.config.packaged import packaged_policies
from keybroker.errors import KeybrokerError, PersonMayNotAct, StatementRefused
from keybroker.keys.administration import (
    KeyGenerated,
    OrderKey,
    RetireKey,
    SuspendKey,
    administer,
    needs_order,
    told_act,
)
from keybroker.keys.life_acts import DistributeKey, InstallKey, LabelKey
from keybroker.keys.orders import Ordered
from keybroker.keys.reload import Reload, check_reload_ordered, record_reload, told_reload
from keybroker.ledger.record import order_target
from keybroker.policy.file import read_policies
from keybroker.policy.model import Policy
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import StatementKind
from keybroker.terms import KeyLabel, KeyPurpose, PartyName, Provenance
from tests.keys.standing_book import (
    ACTOR,
    ALICE,
    BOB,
    CAROL,
    PEOPLE,
    StandingBook,
    a_standing_book,
)
from tests.situations import a_point
from tests.statement.attested import AT, Attests, a_location, an_order

LABEL = KeyLabel("supplier-a")
WANTED = OrderKey(label=LABEL, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PartyName("supplier-a"))
ELSEWHERE = OrderKey(label=LABEL, purpose=KeyPurpose.USER_KEY_AGREEMENT, party=PartyName("supplier-a"))
HOUR = timedelta(hours=1)
POLICIES: dict[KeyPurpose, Policy] = dict(read_policies(packaged_policies()))
NEW, NEWER = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def book(tmp_path: Path) -> Iterator[StandingBook]:
    with a_standing_book(tmp_path) as book:
        book.enrol(BOB)
        yield book
        book.check()


def order_for(told: dict[str, Any], by: Attests = ALICE, **changes: Any) -> bytes:
    return by.state(an_order(**({"act": told["act"], "target": order_target(told)} | changes)))


def by(order: bytes) -> Ordered:
    return Ordered(order=order, people=PEOPLE)


TOLD = told_act(WANTED)
BAD: dict[str, tuple[bytes, type[KeybrokerError], str]] = {
    "for another act": (order_for(TOLD, act="RetireKey"), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "for another key": (order_for(TOLD | {"key": "supplier-b"}), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "for another purpose": (order_for(told_act(ELSEWHERE)), StatementRefused, "ORDER_FOR_ANOTHER_ACT"),
    "lapsed": (order_for(TOLD, at=AT - 2 * HOUR), StatementRefused, Flaw.LAPSED),
    "from the future": (order_for(TOLD, at=AT + HOUR), StatementRefused, Flaw.FUTURE),
    "for another ledger": (order_for(TOLD, aud="keybroker.example/b"), StatementRefused, Flaw.AUDIENCE),
    "by nobody enrolled": (order_for(TOLD, CAROL), StatementRefused, Flaw.ATTESTER_UNKNOWN),
    "by somebody of whom nothing is known": (order_for(TOLD, BOB), PersonMayNotAct, "bob may not act"),
    "no order": (b"", StatementRefused, Flaw.NOT_COMPACT),
}


@pytest.mark.clause("G2.22B(b)", shows="refusal")
@pytest.mark.parametrize(("order", "error", "told"), BAD.values(), ids=BAD)
def test_refuses_an_act_by_a_bad_order(
    book: StandingBook, order: bytes, error: type[KeybrokerError], told: str
) -> None:
    with pytest.raises(error, match=told):
        administer(book.journal, ACTOR, WANTED, AT, by(order))
    assert (book.last()["kind"], book.last()["reason"]) == ("refusal", error.reason)
    assert book.standing().acts == ()


def test_refuses_an_act_without_an_order_and_says_what_one_would_name(book: StandingBook) -> None:
    with pytest.raises(PersonMayNotAct, match=order_target(TOLD)) as refusal:
        administer(book.journal, ACTOR, WANTED, AT)
    (finding,) = refusal.value.findings
    assert (finding.reason, finding.clause) == ("ORDER_MISSING", "G3.23")


@pytest.mark.clause("G2.22B(b)", shows="refusal")
def test_refuses_an_order_twice(book: StandingBook) -> None:
    order = order_for(TOLD)
    administer(book.journal, ACTOR, WANTED, AT, by(order))
    retire = RetireKey(label=LABEL, because="test")
    with pytest.raises(StatementRefused, match="STATEMENT_USED_BEFORE"):
        administer(book.journal, ACTOR, retire, AT, by(order))


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_refuses_the_order_of_a_person_abroad_and_takes_it_for_a_key_that_may_be_there(book: StandingBook) -> None:
    book.vouch_for(BOB)
    book.take_in(a_location("bob", country="FR", iat=int(AT.timestamp()) + 1))
    with pytest.raises(PersonMayNotAct, match="bob may not act") as refusal:
        administer(book.journal, ACTOR, WANTED, AT, by(order_for(TOLD, BOB)))
    assert refusal.value.clause.startswith("G3.2")
    assert not needs_order(ELSEWHERE, ELSEWHERE.purpose)
    administer(book.journal, ACTOR, ELSEWHERE, AT, by(order_for(told_act(ELSEWHERE), BOB)))


def test_refuses_the_order_of_a_person_whose_role_is_another(book: StandingBook) -> None:
    book.vouch_for(BOB, roles=["auditor"])
    with pytest.raises(PersonMayNotAct, match="bob may not act"):
        administer(book.journal, ACTOR, WANTED, AT, by(order_for(TOLD, BOB)))


def test_an_order_that_was_refused_for_the_keys_state_can_still_be_used(book: StandingBook) -> None:
    suspend = SuspendKey(label=LABEL, because="lost")
    order = order_for(told_act(suspend))
    with pytest.raises(KeybrokerError, match="no key"):
        administer(book.journal, ACTOR, suspend, AT, by(order))
    book.add(order, StatementKind.ORDER)


@pytest.mark.clause("G2.22B(b)", shows="acceptance")
def test_an_act_by_order_holds_the_order_and_remembers_who_acted(book: StandingBook) -> None:
    order = order_for(TOLD)
    receipt = administer(book.journal, ACTOR, WANTED, AT, by(order))
    told = book.record(receipt.leaf_index)["order"]
    assert isinstance(told, dict)
    assert (told["attester"], told["statement"]) == ("alice", order.decode())
    assert [(act.person, act.subject, act.at) for act in book.standing().acts] == [("alice", f"key:{LABEL}", AT)]


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_acts_on_keys_in_scope_of_g3_23_alone_need_an_order(purpose: KeyPurpose) -> None:
    wanted = OrderKey(label=LABEL, purpose=purpose, party=PartyName("supplier-a"))
    assert needs_order(wanted, purpose) is (POLICIES[purpose].location == "united-kingdom")


@pytest.mark.clause("G3.23", "G3.24", shows="refusal")
def test_refuses_to_hand_out_of_a_key_in_scope_what_nobody_ordered_and_takes_what_its_making_tells(
    book: StandingBook,
) -> None:
    administer(book.journal, ACTOR, WANTED, AT, by(order_for(TOLD)))
    made = KeyGenerated(label=LABEL, public_key=a_point(7), provenance=Provenance.GENERATED)
    labelled, installed = LabelKey(label=LABEL, module="1", identifier=b"i" * 20), InstallKey(label=LABEL, module="1")
    for act in (made, labelled, installed):
        administer(book.journal, ACTOR, act, AT)
    handed_out = DistributeKey(label=LABEL, what="certificate request", to="smki", sha256=bytes(32))
    with pytest.raises(PersonMayNotAct, match=order_target(told_act(handed_out))):
        administer(book.journal, ACTOR, handed_out, AT)
    administer(book.journal, ACTOR, handed_out, AT, by(order_for(told_act(handed_out))))
    assert [(act.person, act.subject) for act in book.standing().acts] == [("alice", f"key:{LABEL}")] * 2


# ---- a reload


def asked(digest: bytes = NEW) -> Reload:
    return Reload(digest=digest, policies=POLICIES, people=PEOPLE)


def give(book: StandingBook, digest: bytes = NEW, who: Attests = ALICE, **changes: Any) -> None:
    book.add(order_for(told_reload(digest), who, **changes), StatementKind.ORDER)


def check_refused(book: StandingBook, digest: bytes = NEW, told: str = "Reload") -> None:
    before = book.standing()
    for attempt in (
        lambda: check_reload_ordered(book.journal.ledger, asked(digest), book.at),
        lambda: record_reload(book.journal, asked(digest), book.at),
    ):
        with pytest.raises(PersonMayNotAct, match=told):
            attempt()
    assert book.standing() == before


def test_refuses_a_reload_that_nobody_ordered(book: StandingBook) -> None:
    check_refused(book, told=order_target(told_reload(NEW)))


def test_refuses_a_reload_of_another_configuration_than_was_ordered(book: StandingBook) -> None:
    give(book, NEWER)
    check_refused(book)


def test_refuses_a_reload_by_an_order_for_another_act(book: StandingBook) -> None:
    give(book, act="RetireKey")
    check_refused(book)


def test_refuses_a_reload_by_an_order_that_has_lapsed(book: StandingBook) -> None:
    give(book)
    book.at = AT + HOUR
    check_refused(book)


def test_refuses_a_reload_by_somebody_who_may_not_act(book: StandingBook) -> None:
    give(book, who=BOB)
    check_refused(book, told="bob may not act")


def test_a_reload_needs_a_person_in_the_united_kingdom_where_such_a_key_is_held(book: StandingBook) -> None:
    book.vouch_for(BOB)
    book.take_in(a_location("bob", country="FR", iat=int(AT.timestamp()) + 1))
    give(book, who=BOB)
    check_reload_ordered(book.journal.ledger, asked(), AT)
    administer(book.journal, ACTOR, WANTED, AT, by(order_for(TOLD)))
    check_refused(book, told="bob may not act")


def test_a_reload_is_by_the_order_of_one_who_may_act_though_another_ordered_it_too(book: StandingBook) -> None:
    give(book)
    give(book, who=BOB)
    record_reload(book.journal, asked(), AT)
    assert book.last()["person"] == "alice"


def test_every_worker_takes_one_order_and_the_first_has_used_it(book: StandingBook) -> None:
    give(book)
    check_reload_ordered(book.journal.ledger, asked(), AT)
    first, second = (record_reload(book.journal, asked(), AT) for _ in range(2))
    for receipt in (first, second):
        told = book.record(receipt.leaf_index)
        assert (told["act"], told["configuration"], told["person"]) == ("Reload", NEW.hex(), "alice")
        assert str(told["actor"]).startswith("{'identity': 'worker:worker-0")
    assert book.record(first.leaf_index)["order"] == book.record(second.leaf_index)["order"]
    assert [(act.person, act.subject) for act in book.standing().acts] == [("alice", "configuration")]
    assert not [each for each in book.standing().statements if each.kind is StatementKind.ORDER]


def test_an_order_that_an_earlier_reload_used_brings_nothing_back(book: StandingBook) -> None:
    give(book, NEW)
    record_reload(book.journal, asked(NEW), AT)
    give(book, NEWER)
    record_reload(book.journal, asked(NEWER), AT)
    check_refused(book, NEW)
    check_reload_ordered(book.journal.ledger, asked(NEWER), AT)
