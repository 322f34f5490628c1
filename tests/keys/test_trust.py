"""ARLs and CRLs that are taken in: what is refused, what is written, and what the register then relies on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import KeybrokerError, LedgerBroken, NotPermitted
from keybroker.keys.acts import Actor
from keybroker.keys.register import Register
from keybroker.keys.trust import HeldList, held_lists, take_in_revocation_list, warning
from keybroker.ledger import audit, canonical_json
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.ledger.model import Receipt
from keybroker.policy.certificates import CertificateUnfit
from keybroker.terms import CallerKind, PartyName
from tests import lists
from tests.keys.ordering import act_on_key
from tests.keys.restoring import enrol
from tests.keys.test_administration import ACTIVATE, ENROL, GENERATED, ORDER
from tests.keys.test_administration import ACTOR as OWNER
from tests.ledger import books
from tests.lists import AT, HOUR, UNTIL, a_list, an_arl, entry
from tests.policy import chains
from tests.policy.authorities import ANCHORS, ISSUING_IDENTITY, ROOT_IDENTITY

ACTOR = Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PartyName("operator"))
SECOND = timedelta(seconds=1)
ANOTHER_KEY = 77
ANOTHER = chains.name((chains.OU, "07", chains.UTF8), (chains.CN, "T9", chains.UTF8))
ANOTHER_CA = chains.a_ca(ANOTHER, ANOTHER_KEY, chains.ROOT, chains.ROOT_KEY)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """With a key whose chain is known: the root is the anchor, the Issuing OCA stands in the key's chain."""
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        for act in (ORDER, GENERATED, ENROL, ACTIVATE):
            act_on_key(journal, OWNER, act, AT)
        yield journal


def take_in(journal: Journal, der: bytes, **changes: Any) -> Receipt:
    given: dict[str, Any] = {"anchors": ANCHORS, "at": AT}
    return take_in_revocation_list(journal, ACTOR, der, **(given | changes))


def held(journal: Journal, anchors: Any = ANCHORS) -> dict[bytes, HeldList]:
    with journal.ledger.read() as connection:
        return {each.issuer_identity: each for each in held_lists(connection, anchors)}


def last(journal: Journal) -> dict[str, Any]:
    stored = journal.find(journal.head(AT).tree_size - 1)
    assert stored is not None
    return {"kind": stored.kind, **canonical_json.decode(stored.octets)["body"]}  # type: ignore[dict-item]


# ---- refusals


REFUSED: dict[str, tuple[bytes, dict[str, Any], type[KeybrokerError], str]] = {
    "what is no list": (b"x", {}, CertificateUnfit, "revocation list"),
    "trailing octets": (a_list() + b"\x00", {}, CertificateUnfit, "at offset"),
    "a forged one": (lists.sign(lists.compose(), 99), {}, CertificateUnfit, "issuer's signature"),
    "one of a CA that nobody knows": (a_list(ANOTHER_KEY, ANOTHER), {}, CertificateUnfit, "a CA that is known"),
    "one of a CA whose chain leads nowhere": (
        a_list(ANOTHER_KEY, ANOTHER),
        {"chain": (chains.a_ca(ANOTHER, ANOTHER_KEY, chains.ROOT, 98),)},
        CertificateUnfit,
        "configured anchors",
    ),
    "one of an organisation": (
        a_list(chains.ORGANISATION_KEY, chains.SUBJECT),
        {},
        CertificateUnfit,
        "an issuer that is a CA",
    ),
    "one that is over": (a_list(), {"at": UNTIL + SECOND}, NotPermitted, "the list is for"),
    "one that has not begun": (a_list(), {"at": AT - SECOND}, NotPermitted, "the list is for"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_does_not_take_in(journal: Journal, name: str) -> None:
    der, changes, error, told = REFUSED[name]
    before = journal.ledger.head(AT).tree_size
    with pytest.raises(error) as refusal:
        take_in(journal, der, **changes)
    assert told in refusal.value.sentence
    assert held(journal) == {}
    # A refusal is a record too.
    assert journal.ledger.head(AT).tree_size == before + 1
    written = last(journal)
    assert (written["kind"], written["act"]) == ("refusal", "TakeInRevocationList")
    assert written["sentence"] == refusal.value.sentence
    audit.verify(journal.ledger, AT)


def test_a_crl_number_never_falls(journal: Journal) -> None:
    take_in(journal, a_list(number=7))
    with pytest.raises(NotPermitted, match="never falls: 7 is held, found 6"):
        take_in(journal, a_list(number=6, entries=(entry(1), entry(2))))
    assert held(journal)[ISSUING_IDENTITY].number == 7


def test_two_lists_of_one_number_are_not_both_taken_in(journal: Journal) -> None:
    take_in(journal, a_list(number=7))
    with pytest.raises(NotPermitted, match="another list of CRLNumber 7"):
        take_in(journal, a_list(number=7, entries=None))
    # The same one, signed again, is the same list.
    take_in(journal, a_list(number=7))


def test_whoever_judged_before_judges_anew(journal: Journal) -> None:
    register = Register(journal.ledger, ANCHORS).refresh()
    take_in(journal, an_arl())
    with pytest.raises(RegisterMoved):
        journal.intend([books.a_request("a")], register_version=register.version, at=AT)


# ---- what is relied on


def test_is_relied_on_from_now_on_and_recorded(journal: Journal) -> None:
    take_in(journal, an_arl())
    take_in(journal, a_list(entries=(entry(5),)))
    read = Register(journal.ledger, ANCHORS).refresh()
    assert set(read.lists) == {ROOT_IDENTITY, ISSUING_IDENTITY}
    assert read.lists[ISSUING_IDENTITY].revoked == {5: AT - HOUR}
    written = last(journal)
    assert (written["kind"], written["issuer"], written["number"]) == ("administrative", ISSUING_IDENTITY.hex(), "7")
    assert written["register_version"] == read.version
    audit.verify(journal.ledger, AT)


def test_the_next_list_takes_the_place_of_the_last(journal: Journal) -> None:
    take_in(journal, a_list(number=7))
    take_in(journal, a_list(number=9, entries=(entry(0x1234), entry(6))))
    assert held(journal)[ISSUING_IDENTITY].number == 9
    relied_on = held(journal)[ISSUING_IDENTITY].relied_on
    assert relied_on is not None
    assert set(relied_on.revoked) == {0x1234, 6}
    audit.verify(journal.ledger, AT)


def test_a_ca_that_no_key_stands_under_comes_with_its_list(journal: Journal) -> None:
    take_in(journal, a_list(ANOTHER_KEY, ANOTHER), chain=(ANOTHER_CA,))
    read = Register(journal.ledger, ANCHORS).refresh()
    (identity,) = read.lists
    assert read.lists[identity].issuer == "OU=07, CN=T9"
    assert len(last(journal)["chain"]) == 1
    audit.verify(journal.ledger, AT)
    # Its next one comes with it again, or is of nobody.
    with pytest.raises(CertificateUnfit):
        take_in(journal, a_list(ANOTHER_KEY, ANOTHER, number=8))


@pytest.mark.parametrize("chain", [(), (ANOTHER_CA,)])
def test_a_list_whose_anchor_is_no_longer_trusted_is_not_relied_on(journal: Journal, chain: tuple[bytes, ...]) -> None:
    take_in(journal, a_list(ANOTHER_KEY, ANOTHER) if chain else an_arl(), chain=chain)
    (found,) = held(journal, anchors=()).values()
    assert found.relied_on is None
    assert "does not verify any more" in warning(found, AT)
    assert Register(journal.ledger, ()).refresh().lists == {}


def test_a_row_that_was_altered_is_not_relied_on(journal: Journal) -> None:
    take_in(journal, a_list(number=7))
    old, new = a_list(number=8), (9).to_bytes(20, "big")
    alter(journal, "UPDATE revocation_list SET der = ?", old)
    assert held(journal)[ISSUING_IDENTITY].relied_on is None
    alter(journal, "UPDATE revocation_list SET number = ?", new)
    assert held(journal)[ISSUING_IDENTITY].relied_on is None


def alter(journal: Journal, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(journal.ledger.file, isolation_level=None)
    connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "values", "told"),
    [
        ("DELETE FROM revocation_list", (), "was taken in and is not there"),
        ("UPDATE revocation_list SET der = ?", (a_list(number=7, entries=None),), "is not the one that was taken in"),
        ("UPDATE revocation_list SET number = ?", ((8).to_bytes(20, "big"),), "is not the one that was taken in"),
        ("UPDATE revocation_list SET issuer = ?", (bytes(32),), "is not the one that was taken in"),
        (
            "INSERT INTO revocation_list VALUES (?, ?, ?, x'')",
            (ROOT_IDENTITY, bytes(20), an_arl()),
            "is not the one that was taken in",
        ),
    ],
)
def test_an_audit_finds_a_table_that_tells_otherwise(
    journal: Journal, statement: str, values: tuple[bytes, ...], told: str
) -> None:
    take_in(journal, a_list(number=7))
    alter(journal, statement, *values)
    with pytest.raises(LedgerBroken, match=told):
        audit.verify(journal.ledger, AT)


def test_warns_before_a_list_goes_stale(journal: Journal) -> None:
    take_in(journal, a_list())
    (found,) = held(journal).values()
    assert warning(found, AT) == ""
    assert warning(found, UNTIL - HOUR) == "take in the next one before 2026-01-16T00:00:00+00:00"
    assert "stale" in warning(found, UNTIL + SECOND)
    assert "not yet current" in warning(found, AT - SECOND)
