"""The later life of a key: what each act refuses, who must stand behind it, and what the history then says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keybroker.errors import NotPermitted
from keybroker.keys.acts import TRANSITIONS, Act, ActivateKey, KeyGenerated, OrderKey, ResumeKey
from keybroker.keys.administration import administer, administer_in
from keybroker.keys.copies import copies_of
from keybroker.keys.history import history_of
from keybroker.keys.life_acts import AddCopy, CeremonyWord, Copy, RenewKey, SplitKey
from keybroker.keys.register import Register
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.life_form import IN_A_CEREMONY, TWO_PEOPLE
from keybroker.ledger.turn import Turn
from keybroker.terms import CopyKind, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance
from tests import messages
from tests.keys import living
from tests.keys.living import (
    ACTIVATED_HERE,
    ACTOR,
    ADD,
    BLOB,
    BLOB_GONE,
    COMBINE,
    COMPROMISE,
    DESTROY,
    DISTRIBUTED,
    GONE,
    HERE,
    IMPORTED,
    INSTALLED,
    LABEL,
    LABELLED,
    NEXT,
    ORDER,
    PARTY,
    REJOIN,
    RENEW,
    RETIRE,
    SPLIT,
    SUPERSEDE,
    TO,
    TRANSFER,
    TRANSFERRED,
    WORD,
    do,
    state_of,
    successor,
    two_orders,
)
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.situations import AT, a_point

ACTS: tuple[Act, ...] = (
    *(LABELLED, DISTRIBUTED, INSTALLED, SUPERSEDE, SPLIT, COMBINE, REJOIN, TRANSFER, TRANSFERRED, IMPORTED),
    *(ACTIVATED_HERE, living.RENOUNCE, COMPROMISE, DESTROY),
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        living.open_ceremony(journal, LABEL, NEXT)
        yield journal


# ---- refusals

UNFIT = [(before, act) for before in TO for act in ACTS if before not in TRANSITIONS[type(act)]]


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize(("before", "act"), UNFIT, ids=lambda it: it if isinstance(it, str) else type(it).__name__)
def test_refuses_an_act_that_does_not_lead_from_the_state(journal: Journal, before: KeyState, act: Act) -> None:
    do(journal, *TO[before])
    with pytest.raises(NotPermitted, match="needs the key"):
        do(journal, act)
    assert state_of(journal) is before
    assert audit.verify(journal.ledger, AT).kinds["refusal"] == 1


@pytest.mark.clause("G2.22G", shows="refusal")
@pytest.mark.parametrize("after", [ResumeKey(label=LABEL, because="x"), ActivateKey(label=LABEL), SUPERSEDE, RETIRE])
def test_refuses_to_use_again_what_was_suspended_for_a_transfer(journal: Journal, after: Act) -> None:
    do(journal, *TO[KeyState.TRANSFERRING])
    with pytest.raises(NotPermitted, match="found transferring"):
        do(journal, after)


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize("act", [SPLIT, TRANSFER], ids=lambda act: type(act).__name__)
def test_refuses_what_only_a_ceremony_does_though_two_people_order_it(journal: Journal, act: Act) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match="by a ceremony alone"):
        administer(journal, ACTOR, act, AT, two_orders(act))


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize(
    "word",
    [
        replace(WORD, ceremony=""),
        replace(WORD, ceremony="A b"),
        replace(WORD, entry=b""),
        replace(WORD, entry=bytes(31)),
    ],
    ids=repr,
)
def test_refuses_the_word_of_a_ceremony_that_is_none(journal: Journal, word: CeremonyWord) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match="a ceremony's word"):
        administer(journal, ACTOR, SPLIT, AT, ceremony=word)


@pytest.mark.parametrize(("quorum", "parts"), [(0, 3), (1, 3), (4, 3), (2, 17), (-1, 3), (0, 0), (1, 1)])
def test_refuses_to_split_into_parts_that_are_none(journal: Journal, quorum: int, parts: int) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match=r"expected a quorum of 2 or more.*G2\.44B"):
        do(journal, SplitKey(label=LABEL, quorum=quorum, parts=parts))


@pytest.mark.parametrize(
    ("act", "said"), [(SPLIT, r"not split.*G2\.44B"), (TRANSFER, r"never leaves its module.*G2\.22G")]
)
def test_refuses_to_split_or_move_a_key_of_a_user(journal: Journal, act: Act, said: str) -> None:
    order = OrderKey(label=LABEL, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=PARTY)
    do(journal, order, living.GENERATED, living.ACTIVATE)
    with pytest.raises(NotPermitted, match=said):
        do(journal, act)


def test_refuses_to_take_in_a_key_that_never_leaves(journal: Journal) -> None:
    do(journal, OrderKey(label=LABEL, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=PARTY))
    with pytest.raises(NotPermitted, match=r"never leaves its module"):
        do(journal, IMPORTED)


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="refusal")
@pytest.mark.parametrize(
    ("acts", "said"),
    [
        ((), "has no key contingency-2"),
        ((replace(ORDER, label=NEXT),), "generated or enrolling, found ordered"),
        (
            (
                replace(ORDER, label=NEXT, eui=messages.RECOVERY),
                KeyGenerated(label=NEXT, public_key=a_point(8), provenance=Provenance.GENERATED),
            ),
            "speaks for the same EUI",
        ),
        (
            (
                OrderKey(label=NEXT, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=PARTY),
                KeyGenerated(label=NEXT, public_key=a_point(8), provenance=Provenance.GENERATED),
            ),
            "renewed by one like it",
        ),
        (
            (
                replace(ORDER, label=NEXT, party=PartyName("another")),
                KeyGenerated(label=NEXT, public_key=a_point(8), provenance=Provenance.GENERATED),
            ),
            "renewed by one like it",
        ),
    ],
)
def test_refuses_to_renew_a_key_by_one_that_could_not_take_its_place(
    journal: Journal, acts: tuple[Act, ...], said: str
) -> None:
    do(journal, *TO[KeyState.ACTIVE], *acts)
    with pytest.raises(NotPermitted, match=said):
        do(journal, RENEW)
    assert state_of(journal) is KeyState.ACTIVE


def test_refuses_to_renew_a_key_by_itself(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match="generated or enrolling"):
        do(journal, RenewKey(label=LABEL, successor=LABEL, because="x"))


@pytest.mark.parametrize("before", [KeyState.ORDERED, KeyState.RETIRED, KeyState.COMPROMISED], ids=str)
def test_refuses_to_order_a_successor_of_a_key_that_is_not_in_use(journal: Journal, before: KeyState) -> None:
    do(journal, *TO[before])
    with pytest.raises(NotPermitted, match="expected a key that is active or suspended"):
        do(journal, *successor())


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="refusal")
def test_refuses_a_second_successor_until_the_first_is_retired(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE], *successor())
    third = successor(KeyLabel("contingency-3"), 9)
    with pytest.raises(NotPermitted, match="is to renew contingency already"):
        do(journal, *third)
    do(journal, replace(RETIRE, label=NEXT), *third)


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="refusal")
@pytest.mark.parametrize("before", [KeyState.ACTIVE, KeyState.SUSPENDED], ids=str)
def test_refuses_to_activate_a_successor_beside_what_it_renews(journal: Journal, before: KeyState) -> None:
    do(journal, *TO[before], *successor())
    with pytest.raises(NotPermitted, match="active in its place"):
        do(journal, ActivateKey(label=NEXT))


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="refusal")
@pytest.mark.parametrize(
    ("acts", "said"),
    [
        ((living.GENERATED, RETIRE), "no copy of contingency was ever told of"),
        ((living.GENERATED, INSTALLED, RETIRE), "found module 0123456789abcdef"),
        ((living.GENERATED, INSTALLED, ADD, RETIRE, GONE), "found wrapped-blob site-a/contingency.blob"),
    ],
)
def test_refuses_to_destroy_a_key_while_a_copy_is_unaccounted_for(
    journal: Journal, acts: tuple[Act, ...], said: str
) -> None:
    do(journal, ORDER, *acts)
    with pytest.raises(NotPermitted, match=said):
        do(journal, DESTROY)
    audit.verify(journal.ledger, AT)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (GONE, "no such copy"),
        (replace(ADD, copy=replace(BLOB, sha256=b"")), "known by SHA-256"),
        (replace(ADD, copy=replace(BLOB, sha256=bytes(31))), "SHA-256"),
        (replace(ADD, copy=replace(BLOB, place="")), "in 1 to 255"),
        (replace(ADD, copy=replace(BLOB, place="a\nb")), "printable"),
        (replace(GONE, how=""), "how the copy was erased"),
        (replace(LABELLED, module=" x"), "named by its serial"),
        (replace(INSTALLED, module=""), "named by its serial"),
        (replace(DISTRIBUTED, sha256=b""), "32 octets"),
    ],
)
def test_refuses_to_record_what_is_no_fact(journal: Journal, act: Act, said: str) -> None:
    do(journal, *TO[KeyState.GENERATED])
    with pytest.raises(NotPermitted, match=said):
        do(journal, act)


def test_refuses_a_copy_that_is_known(journal: Journal) -> None:
    do(journal, *TO[KeyState.GENERATED], ADD)
    with pytest.raises(NotPermitted, match="is known"):
        do(journal, ADD)
    do(journal, BLOB_GONE)
    with pytest.raises(NotPermitted, match="no such copy"):
        do(journal, BLOB_GONE)


def test_an_act_in_an_open_transaction_stands_or_falls_with_it(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])

    def work(turn: Turn) -> None:
        administer_in(turn, journal, ACTOR, SPLIT, AT, ceremony=WORD)
        raise NotPermitted("the step could not be concluded")

    with pytest.raises(NotPermitted, match="concluded"):
        journal.ledger.transact(work)
    assert state_of(journal) is KeyState.ACTIVE
    journal.ledger.transact(lambda turn: administer_in(turn, journal, ACTOR, SPLIT, AT, ceremony=WORD))
    assert state_of(journal) is KeyState.SPLIT


# ---- acceptance


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="acceptance")
def test_a_successor_is_active_and_what_it_renews_superseded_by_one_record(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE], *successor())
    (receipt,) = do(journal, RENEW, at=AT + timedelta(days=1))
    assert (state_of(journal), state_of(journal, NEXT)) == (KeyState.SUPERSEDED, KeyState.ACTIVE)
    keys = Register(journal.ledger, []).refresh().keys
    assert (keys[LABEL].activated_at, keys[NEXT].activated_at) == (AT, AT + timedelta(days=1))
    for label, word in ((LABEL, "superseded"), (NEXT, "renewed")):
        last = history_of(journal.ledger, label)[-1]
        assert (last.record, last.word) == (receipt.leaf_index, word)
    audit.verify(journal.ledger, AT)


@pytest.mark.clause("G5.13(b)", "G5.24(b)", shows="acceptance")
def test_every_word_of_the_clause_is_a_dated_fact_in_the_history(journal: Journal) -> None:
    do(journal, ORDER, living.GENERATED, LABELLED, DISTRIBUTED, INSTALLED, living.ACTIVATE, *successor(), RENEW)
    do(journal, GONE, DESTROY)
    history = history_of(journal.ledger, LABEL)
    words = [each.word for each in history if each.word]
    assert words == [
        *("registered, ordered", "generated", "labelled", "distributed", "installed", "superseded", "destroyed")
    ]
    assert history_of(journal.ledger, NEXT)[-1].word == "renewed"
    assert {(each.at, each.actor) for each in history} == {(AT, "local:operator")}
    assert [each.before for each in history][1:] == [each.after for each in history][:-1]
    assert [(each.people, each.ceremony) for each in history[-2:]] == [
        (("administrator-a", "administrator-b"), None),
        ((), "a-ceremony"),
    ]
    audit.verify(journal.ledger, AT)


def test_a_key_that_came_from_elsewhere_keeps_its_age_and_uses(journal: Journal) -> None:
    before = AT - timedelta(days=300)
    do(journal, ORDER, replace(IMPORTED, activated_at=before, uses=41), ACTIVATED_HERE)
    key = Register(journal.ledger, []).refresh().keys[LABEL]
    assert (key.state, key.provenance) == (KeyState.ACTIVE, Provenance.UNWRAPPED)
    assert (key.activated_at, key.uses_before) == (before, 41)
    assert [each.copy for each in copies_of(journal.ledger, LABEL)] == [HERE]
    audit.verify(journal.ledger, AT)


def test_refuses_to_renounce_a_key_while_a_copy_is_unaccounted_for(journal: Journal) -> None:
    do(journal, *TO[KeyState.INSTALLED], ADD, GONE)
    with pytest.raises(NotPermitted, match="found wrapped-blob"):
        do(journal, living.RENOUNCE)
    assert state_of(journal) is KeyState.INSTALLED


def test_a_key_that_was_renounced_comes_again_as_itself_alone(journal: Journal) -> None:
    do(journal, *TO[KeyState.RENOUNCED])
    with pytest.raises(NotPermitted, match="expected the very key that was"):
        do(journal, replace(IMPORTED, public_key=a_point(9)))
    out = {act.__name__ for act, leads in TRANSITIONS.items() if leads.get(KeyState.RENOUNCED)}
    assert out == {"KeyImported", "AddCopy", "ConfirmCopyDestroyed"}
    do(journal, IMPORTED, ACTIVATED_HERE)
    known = copies_of(journal.ledger, LABEL)
    assert [(each.copy, each.destroyed is None) for each in known] == [(HERE, False), (HERE, True)]
    audit.verify(journal.ledger, AT)


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
def test_a_split_key_is_combined_and_parted_again_and_destroyed(journal: Journal) -> None:
    do(journal, *TO[KeyState.SPLIT], ADD, GONE, COMBINE, REJOIN, BLOB_GONE, DESTROY)
    assert state_of(journal) is KeyState.DESTROYED
    known = copies_of(journal.ledger, LABEL)
    assert [(each.copy, each.how, each.searched) for each in known] == [
        (HERE, "C_DestroyObject", True),
        (BLOB, "shredded", False),
    ]
    # One that turns up after all is told of, whatever was believed.
    do(journal, AddCopy(label=LABEL, copy=Copy(kind=CopyKind.BACK_UP, place="site-b/tape-7")))
    assert copies_of(journal.ledger, LABEL)[-1].destroyed is None
    audit.verify(journal.ledger, AT)


@pytest.mark.parametrize("before", [state for state in TO if state in TRANSITIONS[type(COMPROMISE)]], ids=str)
def test_a_compromised_key_is_good_for_nothing_but_to_be_destroyed(journal: Journal, before: KeyState) -> None:
    do(journal, *TO[before], COMPROMISE)
    stays = (None, KeyState.COMPROMISED)
    leading_on = {act.__name__ for act, leads in TRANSITIONS.items() if leads.get(KeyState.COMPROMISED) not in stays}
    assert leading_on == {"DestroyKey"}
    assert state_of(journal) is KeyState.COMPROMISED
    audit.verify(journal.ledger, AT)


def test_nothing_leads_out_of_a_transfer_but_its_end_and_a_compromise() -> None:
    stays = (None, KeyState.TRANSFERRING)
    out = {act.__name__ for act, leads in TRANSITIONS.items() if leads.get(KeyState.TRANSFERRING) not in stays}
    assert out == {"KeyTransferred", "CompromiseKey"}


def test_what_leads_to_destruction_or_parts_has_a_ceremony_and_a_compromise_two_people() -> None:
    assert {"DestroyKey", "SplitKey", "BeginTransfer", "KeyTransferred"} <= IN_A_CEREMONY
    assert {"CompromiseKey", "ConfirmCopyDestroyed"} <= TWO_PEOPLE
