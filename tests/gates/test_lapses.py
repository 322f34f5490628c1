"""What keys depend on and lapses: certificates, revocation lists and reviews of people, beside evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from keybroker.cli.dev.statements import ADMINISTRATORS
from keybroker.gates.lapses import Lapse, days_left, due_back_up, lapses, warning_due
from keybroker.policy.settings import LifeSettings
from keybroker.policy.trust import RevocationList
from keybroker.statement.attester import Attester
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import ThresholdNotification
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import KeyState
from tests import evidence, messages
from tests.gates.approved import an_approval
from tests.gates.looks import DAY
from tests.situations import AT, ORIGIN, a_certificate, a_key, a_policy
from tests.statement.attested import Attests, a_person

HOUR = timedelta(hours=1)
OFFICER, ALICE = Attests(name="officer"), Attests(name="alice")
PERSON = StatementKind.PERSON


# ---- certificates of keys


def of_key(**changes: Any) -> tuple[Lapse, ...]:
    """The key's certificate, valid for another ten days, but for ``changes`` of the key."""
    key = a_key(**({"certificate": a_certificate(not_after=AT + 10 * DAY)} | changes))
    return lapses(Standing(), {}, AT, keys=(key,))


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.ENROLLING])
def test_tells_when_the_certificate_of_a_key_ends(state: KeyState) -> None:
    (told,) = of_key(state=state)
    assert (told.what, told.subject, told.clause) == ("certificate", "supplier-a", "G5.13(b), G5.24(b)")
    assert (told.until, told.days, told.warned_days) == (AT + 10 * DAY, 10, 30)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": KeyState.RETIRED},
        {"certificate": None},
        {"certificate": a_certificate(not_after=AT + 10 * DAY, revoked_at=AT - DAY)},
    ],
    ids=["retired", "without one", "revoked"],
)
def test_tells_nothing_of_a_key_of_which_no_certificate_is_relied_on(changes: dict[str, Any]) -> None:
    assert of_key(**changes) == ()


# ---- cryptoperiods


def of_age(days: int, **changes: Any) -> tuple[Lapse, ...]:
    """Of a key that was activated so many days ago, and may be used for a hundred."""
    packaged = a_policy()
    policy = replace(packaged, settings=replace(packaged.settings, life=LifeSettings(cryptoperiod_days=100)))
    key = a_key(**({"certificate": None, "activated_at": AT - days * DAY} | changes))
    return tuple(
        each for each in lapses(Standing(), {policy.purpose: policy}, AT, keys=(key,)) if each.what == "cryptoperiod"
    )


@pytest.mark.parametrize(("days", "left", "warned"), [(1, 99, None), (71, 29, 30), (95, 5, 7), (101, -1, 7)])
def test_tells_when_the_cryptoperiod_of_a_key_ends(days: int, left: int, warned: int | None) -> None:
    (told,) = of_age(days)
    assert (told.subject, told.clause) == ("supplier-a", "G5.13(a), G5.24(a)")
    assert (told.days, told.warned_days) == (left, warned)


@pytest.mark.parametrize(
    "changes",
    [{"activated_at": None}, *({"state": state} for state in KeyState if state.is_over)],
    ids=str,
)
def test_tells_no_end_of_a_key_that_is_not_used_yet_or_not_any_more(changes: dict[str, Any]) -> None:
    assert of_age(99, **changes) == ()


# ---- revocation lists

LISTS: list[tuple[str, timedelta, timedelta, int | None]] = [
    # how long it lasts, how much is left, and which warning is due
    ("a daily one, made anew in time", DAY, 7 * HOUR, None),
    ("a daily one, less than a quarter left", DAY, 5 * HOUR, 7),
    ("a weekly one, made anew in time", 7 * DAY, 2 * DAY, None),
    ("a weekly one, less than a quarter left", 7 * DAY, DAY, 7),
    ("a yearly one, thirty-one days left", 365 * DAY, 31 * DAY, None),
    ("a yearly one, twenty-nine days left", 365 * DAY, 29 * DAY, 30),
    ("a yearly one, six days left", 365 * DAY, 6 * DAY, 7),
    ("one that has ended", DAY, -HOUR, 7),
]


def of_list(lasts: timedelta, left: timedelta, **changes: Any) -> Lapse:
    until = AT + left
    held = RevocationList(
        issuer_identity=bytes(32), number=1, this_update=until - lasts, next_update=until, revoked={}, issuer="CN=Z1"
    )
    (told,) = lapses(Standing(), {}, AT, lists=(replace(held, **changes),))
    return told


@pytest.mark.parametrize(("lasts", "left", "warned"), [case[1:] for case in LISTS], ids=[case[0] for case in LISTS])
def test_warns_of_a_revocation_list_once_another_should_have_followed_it(
    lasts: timedelta, left: timedelta, warned: int | None
) -> None:
    told = of_list(lasts, left)
    assert (told.what, told.subject, told.clause) == ("revocation-list", "CN=Z1", "G5.13(a), G5.24(a)")
    assert (told.until, told.days, told.warned_days) == (AT + left, left // DAY, warned)


def test_names_the_key_of_an_issuer_without_a_name() -> None:
    assert of_list(DAY, HOUR, issuer="").subject == "00" * 8


# ---- reviews of people


def a_standing(*stated: tuple[Attests, int, str]) -> Standing:
    """Who said it, how many days ago the clearance was reviewed, and of whom; each a minute after the one before."""
    enrolled: dict[str, Attester] = {each.kid: each.attester() for each in (OFFICER, ALICE)}
    held: list[Statement] = []
    for number, (by, ago, name) in enumerate(stated):
        at = AT - HOUR + timedelta(minutes=number)
        reviewed = int((AT - ago * DAY).timestamp())
        said = a_person(name, at=at, clearance={"level": "SC", "reviewed": reviewed})
        held.append(read_statement(by.state(said), enrolled, kind=PERSON, origin=ORIGIN, at=AT))
    return Standing(attesters=enrolled, statements=tuple(held))


def reviews(standing: Standing) -> list[tuple[str, int, int | None]]:
    found = [each for each in lapses(standing, {}, AT) if each.what == "clearance-review"]
    assert {each.clause for each in found} <= {"G4.1(b), G4.4(b)"}
    return [(each.subject, each.days, each.warned_days) for each in found]


def test_tells_when_each_persons_clearance_is_to_be_reviewed_again() -> None:
    held = a_standing((OFFICER, 100, "bob"), (OFFICER, 340, "carol"), (OFFICER, 360, "dave"), (OFFICER, 400, "erin"))
    assert reviews(held) == [("erin", -34, 7), ("dave", 6, 7), ("carol", 26, 30), ("bob", 266, None)]


def test_the_last_word_of_another_says_when_a_clearance_was_reviewed() -> None:
    held = a_standing((OFFICER, 100, "alice"), (OFFICER, 350, "alice"), (ALICE, 1, "alice"))
    assert reviews(held) == [("alice", 16, 30)]
    assert reviews(a_standing((ALICE, 1, "alice"))) == []
    held = a_standing((OFFICER, 350, "bob"))
    withdrawn = {kid: replace(attester, withdrawn_at=AT) for kid, attester in held.attesters.items()}
    assert reviews(held) == [("bob", 16, 30)]
    assert reviews(replace(held, attesters=withdrawn)) == []


# ---- days


@pytest.mark.parametrize(
    ("left", "days", "due"),
    [(31 * DAY, 31, None), (31 * DAY - HOUR, 30, 30), (8 * DAY, 8, 30), (7 * DAY, 7, 7), (HOUR, 0, 7), (-HOUR, -1, 7)],
)
def test_counts_whole_days_and_says_which_warning_is_due(left: timedelta, days: int, due: int | None) -> None:
    assert days_left(AT + left, AT) == days
    assert warning_due(days) == due


# ---- variants that two people say are not supply sensitive


def test_each_of_two_peoples_words_on_a_variant_lapses_by_itself_and_gives_way_to_his_own_next_one() -> None:
    one, other = ADMINISTRATORS[:2]
    said = [evidence.not_sensitive("7.16", by) for by in (one, other)]
    renewed = evidence.not_sensitive("7.16", one, at=evidence.BEFORE + HOUR / 2)
    held = Standing(attesters=evidence.attesters(), statements=(*said, renewed))
    told = [each for each in lapses(held, {}, AT) if each.what == "variant-not-sensitive"]
    assert {each.clause for each in told} == {"G3.25"}
    assert [each.subject for each in told] == [f"7.16 by {other}", f"7.16 by {one}"]


# ---- thresholds and attesters


OF_USER = str(messages.SUPPLIER)
THRESHOLD = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 2}


@pytest.mark.parametrize(("user", "subject", "clause"), [(OF_USER, OF_USER, "G6.3"), (None, "dcc", "G6.6")])
def test_tells_whose_thresholds_lapse_and_by_which_clause(user: str | None, subject: str, clause: str) -> None:
    common = evidence.in_common(StatementKind.THRESHOLD_NOTIFICATION)
    said = {"user": user, "part": "test", "sequence": 1, "guidance": "G-1", "thresholds": [THRESHOLD]}
    stated = evidence.stated(ThresholdNotification.model_validate(common | said))
    held = Standing(attesters=evidence.attesters(), statements=(stated,))
    (told,) = (each for each in lapses(held, {}, AT) if each.what == "threshold-notification")
    assert (told.subject, told.clause) == (f"{subject}, test", clause)


def test_tells_when_an_attester_ends_and_of_one_enrolled_anew_its_last_end() -> None:
    renewed = replace(OFFICER.attester(), kid="another", until=AT + 5 * DAY)
    once = replace(OFFICER.attester(), until=AT + 2 * DAY)
    held = Standing(attesters={each.kid: each for each in (once, renewed)})
    (told,) = (each for each in lapses(held, {}, AT) if each.what == "attester")
    assert (told.subject, told.clause, told.days) == ("officer", "G2.44, G3.23, G3.25", 5)


# ---- approvals


def test_tells_of_an_approval_until_its_time_is_over_for_nothing_takes_its_place() -> None:
    soon, over = an_approval(last=2 * DAY), an_approval(last=DAY)
    held = Standing(attesters=evidence.attesters(), statements=(soon, over))
    (told,) = (each for each in lapses(held, {}, AT) if each.what == "approval")
    assert (told.subject, told.clause) == (f"combine, PMA-combine, {soon.sha256.hex()[:16]}", "G2.22I, G2.44B")
    assert (told.days, told.warned_days) == (1, 7)


@pytest.mark.parametrize(
    ("last", "left", "warned"),
    [
        (AT - timedelta(days=3), -1, 7),
        (AT - timedelta(days=2), 0, 7),
        (AT - timedelta(days=2, seconds=-1), 0, None),
        (AT, 2, None),
        (None, -1, 7),
    ],
)
def test_warns_of_a_back_up_that_is_due_and_not_before(last: datetime | None, left: int, warned: int | None) -> None:
    due = due_back_up(last, timedelta(days=2), AT)
    assert (due.what, due.clause, due.days, due.warned_days) == ("back-up", "G2.16", left, warned)
