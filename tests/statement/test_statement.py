"""A statement is relied on as what it is offered as, by an attester that stands, for this ledger, now; else not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.statement.attester import Attester
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.payloads import KINDS, MODELS
from keybroker.statement.statement import MOST_AHEAD, Statement, read_statement
from tests.statement.attested import (
    AT,
    EVERY_KIND,
    ORIGIN,
    Attests,
    a_location,
    a_person,
    an_order,
    encoded,
    parts,
    resigned,
)

ALICE, BOB = Attests(name="alice"), Attests(name="bob")
ENROLLED = {ALICE.kid: ALICE.attester()}
GOOD = ALICE.state(an_order())
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def read(octets: bytes, kind: StatementKind = StatementKind.ORDER, **changes: Any) -> Statement:
    given: dict[str, Any] = {"origin": ORIGIN, "at": AT} | changes
    attesters: Mapping[str, Attester] = given.pop("attesters", ENROLLED)
    return read_statement(octets, attesters, kind=kind, **given)


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def only(attester: Attester) -> dict[str, Any]:
    return {"attesters": {attester.kid: attester}}


def with_signature(r: int, s: int) -> bytes:
    return GOOD.rpartition(b".")[0] + b"." + encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


_, _, SIGNATURE = parts(GOOD)
R, S = int.from_bytes(SIGNATURE[:32], "big"), int.from_bytes(SIGNATURE[32:], "big")

REFUSED: dict[str, tuple[bytes, dict[str, Any], Flaw]] = {
    "of another kind": (GOOD, {"kind": StatementKind.QUARANTINE_ACTION}, Flaw.KIND),
    "another kind that says that it is ours": (
        resigned(ALICE, ALICE.state(a_person("carol")), header={"typ": StatementKind.ORDER.typ}),
        {},
        Flaw.PAYLOAD,
    ),
    "by nobody enrolled": (BOB.state(an_order()), {}, Flaw.ATTESTER_UNKNOWN),
    "by another in the name of an attester": (
        resigned(BOB, GOOD, header={"kid": ALICE.kid}),
        {},
        Flaw.SIGNATURE,
    ),
    "by an attester who was withdrawn": (GOOD, only(ALICE.attester(withdrawn_at=AT - HOUR)), Flaw.ATTESTER_WITHDRAWN),
    "by an attester whose time is over": (GOOD, only(ALICE.attester(until=AT)), Flaw.ATTESTER_LAPSED),
    "by an attester whose time is to come": (GOOD, only(ALICE.attester(since=AT + 6 * SECOND)), Flaw.ATTESTER_LAPSED),
    "by an attester for other kinds": (
        GOOD,
        only(ALICE.attester(EVERY_KIND - {StatementKind.ORDER})),
        Flaw.ATTESTER_NOT_FOR_KIND,
    ),
    "r of zero": (with_signature(0, S), {}, Flaw.SIGNATURE),
    "r and s of zero": (with_signature(0, 0), {}, Flaw.SIGNATURE),
    "r and s changed round": (with_signature(S, R), {}, Flaw.SIGNATURE),
    "s and the order of the curve": (with_signature(R, (S + ORDER_OF_P256) % 2**256), {}, Flaw.SIGNATURE),
    "for another ledger": (resigned(ALICE, GOOD, aud="keybroker.example/live"), {}, Flaw.AUDIENCE),
    "for a ledger of which ours is the beginning": (resigned(ALICE, GOOD, aud=ORIGIN + "-b"), {}, Flaw.AUDIENCE),
    "for several ledgers": (resigned(ALICE, GOOD, aud=[ORIGIN, "b"]), {}, Flaw.PAYLOAD),
    "without an audience": (resigned(ALICE, GOOD, aud=None), {}, Flaw.PAYLOAD),
    "from the future": (
        ALICE.state(an_order(at=AT + MOST_AHEAD + SECOND)),
        {},
        Flaw.FUTURE,
    ),
    "valid for too long": (
        resigned(ALICE, GOOD, exp=seconds(AT + LONGEST[StatementKind.ORDER] + SECOND)),
        {},
        Flaw.VALID_TOO_LONG,
    ),
    "lapsed": (GOOD, {"at": AT + HOUR}, Flaw.LAPSED),
    "an end before its beginning": (resigned(ALICE, GOOD, exp=seconds(AT)), {}, Flaw.PAYLOAD),
    "never ending": (resigned(ALICE, GOOD, exp=None), {}, Flaw.PAYLOAD),
    "a moment in text": (resigned(ALICE, GOOD, iat=str(seconds(AT))), {}, Flaw.PAYLOAD),
    "a moment that is true": (resigned(ALICE, GOOD, iat=True), {}, Flaw.PAYLOAD),
    "a short nonce": (resigned(ALICE, GOOD, nonce="short"), {}, Flaw.PAYLOAD),
    "a nonce with a line feed behind": (resigned(ALICE, GOOD, nonce="A" * 22 + "\n"), {}, Flaw.PAYLOAD),
    "no nonce": (resigned(ALICE, GOOD, nonce=None), {}, Flaw.PAYLOAD),
    "a claim too many": (resigned(ALICE, GOOD, iss="alice"), {}, Flaw.PAYLOAD),
    "a claim too few": (resigned(ALICE, GOOD, target=None), {}, Flaw.PAYLOAD),
}


@pytest.mark.parametrize(("octets", "changes", "flaw"), REFUSED.values(), ids=REFUSED)
def test_refuses_a_statement(octets: bytes, changes: dict[str, Any], flaw: Flaw) -> None:
    with pytest.raises(StatementUnfit) as refused:
        read(octets, **changes)
    assert refused.value.flaw is flaw
    assert refused.value.expected


@pytest.mark.parametrize("offered_as", StatementKind)
@pytest.mark.parametrize("said", [an_order(), a_person("carol"), a_location("carol")], ids=lambda it: KINDS[type(it)])
def test_no_kind_is_taken_for_another(said: Any, offered_as: StatementKind) -> None:
    octets = ALICE.state(said)
    if offered_as is KINDS[type(said)]:
        assert read(octets, offered_as).payload == said
        return
    with pytest.raises(StatementUnfit) as refused:
        read(octets, offered_as)
    assert refused.value.flaw is Flaw.KIND


def test_every_kind_has_a_model_a_longest_time_and_a_typ_of_its_own() -> None:
    assert set(MODELS) == set(LONGEST) == set(StatementKind)
    assert len(set(MODELS.values())) == len({kind.typ for kind in StatementKind}) == len(StatementKind)


def test_a_signature_that_was_turned_about_is_the_same_statement() -> None:
    """s and n - s both verify: who spends by signature octets would take it twice."""
    again = read(with_signature(R, ORDER_OF_P256 - S))
    assert again.compact != GOOD.decode()
    assert (again.identity, again.sha256, again.payload) == (read(GOOD).identity, read(GOOD).sha256, read(GOOD).payload)


@pytest.mark.parametrize("at", [AT - MOST_AHEAD, AT, AT + HOUR - SECOND], ids=["a clock before ours", "now", "last"])
def test_takes_a_good_one_for_as_long_as_it_is_valid(at: datetime) -> None:
    statement = read(GOOD, at=at)
    assert (statement.kind, statement.attester, statement.kid) == (StatementKind.ORDER, "alice", ALICE.kid)
    assert statement.identity == f"alice#{statement.payload.nonce}"


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [({"withdrawn_at": AT - SECOND}, Flaw.ATTESTER_WITHDRAWN), ({"until": AT}, Flaw.ATTESTER_LAPSED)],
    ids=["withdrawn", "lapsed"],
)
def test_refuses_by_a_certificate_that_was_good_before_and_whose_key_is_still_kept(
    changes: dict[str, Any], flaw: Flaw
) -> None:
    good, ended = ALICE.attester(), ALICE.attester(**changes)
    assert read(GOOD, **only(good)).attester == "alice"
    # Kept by the certificate's octets, and so the very same: but whether it stands is asked of the register each time.
    assert ended.key is good.key
    with pytest.raises(StatementUnfit) as unfit:
        read(GOOD, **only(ended))
    assert unfit.value.flaw is flaw


def test_a_renewed_attester_keeps_its_name_and_with_it_what_it_spent() -> None:
    renewed = replace(BOB.attester(), name="alice")
    first, second = read(GOOD), read(resigned(BOB, GOOD, header={"kid": BOB.kid}), **only(renewed))
    assert first.kid != second.kid
    assert first.identity == second.identity


@settings(max_examples=400)
@given(at=st.integers(0, len(GOOD) - 1), octet=st.integers(0, 255))
def test_one_octet_changed_is_refused_or_says_the_same(at: int, octet: int) -> None:
    _refused_or_identical(GOOD[:at] + bytes([octet]) + GOOD[at + 1 :])


@settings(max_examples=200)
@given(st.data())
def test_octets_taken_out_or_put_in_are_refused_or_say_the_same(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD)))
    until = data.draw(st.integers(at, min(at + 8, len(GOOD))))
    _refused_or_identical(GOOD[:at] + data.draw(st.binary(max_size=8)) + GOOD[until:])


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_whatever_comes_it_is_refused_and_nothing_else_is_raised(octets: bytes) -> None:
    with pytest.raises(StatementUnfit):
        read(octets)


def _refused_or_identical(octets: bytes) -> None:
    try:
        statement = read(octets)
    except StatementUnfit:
        return
    good = read(GOOD)
    assert (statement.identity, statement.sha256, statement.payload) == (good.identity, good.sha256, good.payload)
