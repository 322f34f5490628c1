"""Keys for one TLS session with a SMETS1 Device (SEC G2.44A(d)) in a real token: refused, made, used, destroyed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keybroker.errors import EvidenceSpent, KeybrokerError, ModuleFault, NotPermitted, OutcomeUnknown, RequestRepeated
from keybroker.hsm.attributes import KeyAttribute, template
from keybroker.hsm.token_module import Token
from keybroker.keys.acts import (
    ActivateKey,
    EnrolCertificate,
    KeyGenerated,
    ResumeKey,
    RetireKey,
    SessionKeyDestroyed,
    SessionKeyMade,
    SuspendKey,
)
from keybroker.ledger.audit import verify
from keybroker.ledger.model import Concluded
from keybroker.signing import Outcome
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, Provenance, RequestId
from tests.content.test_smets1 import DEVICE
from tests.dcc_uses import a_dcc_caller
from tests.hsm.tokens import TokenPlace, make_softhsm, opened
from tests.lives import live
from tests.server.broker import wait_until
from tests.server.session_keys import ANOTHER, CALLER, COS_TLS, DCO, OTHER_TLS, S1SP, S1SP_B, TLS, Place, a_place
from tests.situations import AT, a_policy

pytestmark = pytest.mark.hsm
OTHER_DEVICE = EntityIdentifier.from_text("90-B3-D5-1F-30-01-00-07")


@pytest.fixture(scope="module")
def token_place(tmp_path_factory: pytest.TempPathFactory) -> TokenPlace:
    return make_softhsm(tmp_path_factory.mktemp("sessions") / "place")


@pytest.fixture(scope="module")
def token(token_place: TokenPlace) -> Iterator[Token]:
    with opened(token_place) as token:
        yield token


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("book")


@pytest.fixture
def place(token: Token, directory: Path) -> Iterator[Place]:
    """One ledger for the module; each test is a life of the worker, in one run of the broker."""
    with a_place(token, directory) as place:
        yield place
        verify(place.journal.ledger, place.at)


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, NotPermitted), outcome
    return outcome.sentence


def refuses(do: Callable[[], object], error: type[KeybrokerError] = NotPermitted) -> str:
    with pytest.raises(error) as refusal:
        do()
    return refusal.value.sentence


# ---- refusals: how a session cannot begin


@pytest.mark.clause("G2.44A(d)", shows="refusal")
def test_refuses_a_record_that_holds_no_handshake_of_ours(place: Place) -> None:
    signed = place.handshake()
    intent = signed - 1
    assert place.body(intent)["kind"] == "intent"
    size = place.journal.head(AT).tree_size
    for leaf_index in (0, 1, intent, size + 1000, 2**53 - 1):
        assert "holds no signature in a TLS handshake" in refuses(lambda at=leaf_index: place.begins(at))  # type: ignore[misc]
    protected = place.protects(S1SP)
    assert isinstance(protected, Concluded)
    assert "holds no signature" in refuses(lambda: place.begins(protected.receipt.leaf_index))


def test_refuses_another_partys_handshake_as_if_it_were_not_there(place: Place) -> None:
    theirs = place.handshake(OTHER_TLS, caller=ANOTHER)
    assert "holds no signature in a TLS handshake" in refuses(lambda: place.begins(theirs))


def test_refuses_a_handshake_that_was_signed_for_another_system_of_the_party(place: Place) -> None:
    handshake = place.handshake()
    another_system = replace(CALLER, identity="uri:urn:another-system")
    assert "made for this caller" in refuses(lambda: place.begins(handshake, caller=another_system))
    assert place.begins(handshake).key


def test_refuses_a_handshake_that_is_not_by_a_smets1_tls_key(place: Place) -> None:
    assert "under a smets1-tls key" in refuses(lambda: place.begins(place.handshake(COS_TLS)))


def test_refuses_a_handshake_that_is_too_old_or_of_a_time_to_come(place: Place) -> None:
    handshake = place.handshake()
    place.passes(301)
    assert "301 seconds ago, expected at most 300" in refuses(lambda: place.begins(handshake))
    place.passes(-302)
    assert "-1 seconds ago" in refuses(lambda: place.begins(handshake))
    place.passes(301)
    assert place.begins(handshake).key


def test_refuses_a_handshake_a_second_time_whatever_became_of_the_first_session(place: Place) -> None:
    handshake = place.handshake()
    begun = place.begins(handshake)
    for parent in (S1SP, S1SP_B):
        assert "this handshake was used" in refuses(lambda label=parent: place.begins(handshake, parent=label))  # type: ignore[misc]
    place.ends(begun.key)
    for parent in (S1SP, S1SP_B):
        assert "this handshake was used" in refuses(lambda label=parent: place.begins(handshake, parent=label))  # type: ignore[misc]


def test_refuses_strangers_to_the_key_and_other_keys(place: Place) -> None:
    handshake = place.handshake()
    stranger = a_dcc_caller(TLS)
    assert "may not use a key of that name" in refuses(lambda: place.begins(handshake, caller=stranger))
    assert "may not use a key of that name" in refuses(lambda: place.begins(handshake, parent=KeyLabel("none")))
    assert "caller-party-is-keys-party" in refuses(lambda: place.begins(handshake, caller=ANOTHER))
    for parent in (DCO, TLS):
        assert "s1sp-smets1 key" in refuses(lambda label=parent: place.begins(handshake, parent=label))  # type: ignore[misc]
    begun = place.begins(handshake)
    assert "may not use" in refuses(lambda: place.begins(place.handshake(), parent=begun.key))


def test_refuses_one_request_id_for_two_requests(place: Place) -> None:
    same = RequestId("the-same")
    begun = place.begins(place.handshake(), request_id=same)
    refuses(lambda: place.begins(place.handshake(), request_id=same), RequestRepeated)
    place.ends(begun.key)


def test_every_refusal_is_a_record(place: Place) -> None:
    size = place.journal.head(AT).tree_size
    refuses(lambda: place.begins(0))
    refuses(lambda: place.begins(0, caller=a_dcc_caller(TLS)))
    refuses(lambda: place.sessions.end(a_dcc_caller(TLS), KeyLabel("none"), RequestId("e")))
    assert [place.body(index)["kind"] for index in range(size, size + 3)] == ["refusal"] * 3


# ---- refusals: how a session's key cannot be used


def test_refuses_another_device(place: Place) -> None:
    begun = place.begins(place.handshake())
    assert "smets1-device-is-keys-device" in refused(place.protects(begun.key, OTHER_DEVICE))


def test_refuses_after_the_longest_time_though_nobody_ended_it(place: Place) -> None:
    begun = place.begins(place.handshake())
    place.passes(3599)
    assert isinstance(place.protects(begun.key), Concluded)
    place.passes(1)
    assert "smets1-session-lasts" in refused(place.protects(begun.key))
    place.sessions.sweep()
    assert place.held(begun.key) == 0
    assert "may not use" in refused(place.protects(begun.key))


@pytest.mark.clause("G2.44A(d)", shows="refusal")
def test_refuses_an_ended_session(place: Place) -> None:
    begun = place.begins(place.handshake())
    assert isinstance(place.protects(begun.key), Concluded)
    place.ends(begun.key)
    assert "may not use a key of that name" in refused(place.protects(begun.key))


def test_refuses_strangers_to_the_session(place: Place) -> None:
    begun = place.begins(place.handshake())
    for caller in (a_dcc_caller(TLS), ANOTHER):
        assert isinstance(place.protects(begun.key, caller=caller), NotPermitted)
        refuses(lambda who=caller: place.ends(begun.key, caller=who))  # type: ignore[misc]
    assert isinstance(place.protects(begun.key), Concluded)


def test_refuses_while_the_parent_is_suspended_and_ends_it_then(place: Place) -> None:
    begun = place.begins(place.handshake())
    place.does(SuspendKey(label=S1SP, because="lost"))
    assert "may not use" in refused(place.protects(begun.key))
    place.sessions.sweep()
    place.does(ResumeKey(label=S1SP, because="found"))
    assert place.held(begun.key) == 0
    assert "may not use" in refused(place.protects(begun.key))


def test_refuses_what_other_keys_are_administered_by(place: Place) -> None:
    label = place.begins(place.handshake()).key
    made = KeyGenerated(label=label, public_key=bytes(20), provenance=Provenance.IMPORTED_TEST_KEY)
    for act in (ActivateKey(label=label), made, EnrolCertificate(label=label, chain=(b"",), anchors=())):
        refuses(lambda this=act: place.does(this))  # type: ignore[misc]
    for another in (SessionKeyMade(label=S1SP), SessionKeyDestroyed(label=S1SP), SessionKeyDestroyed(label=label)):
        refuses(lambda this=another: place.does(this))  # type: ignore[misc]


# ---- made, used, destroyed


def test_the_key_is_generated_here_never_leaves_and_the_circumstance_stands_in_the_record(place: Place) -> None:
    handshake = place.handshake()
    begun = place.begins(handshake)
    assert begun.until == place.at.replace(microsecond=0) + timedelta(hours=1)
    with place.token.exclusively() as connection:
        (found,) = connection.find_secret(begun.key)
    assert found.attributes[KeyAttribute.LOCAL] is True
    assert found.attributes[KeyAttribute.SENSITIVE] is found.attributes[KeyAttribute.ALWAYS_SENSITIVE] is True
    assert found.attributes[KeyAttribute.EXTRACTABLE] is False
    assert found.attributes[KeyAttribute.NEVER_EXTRACTABLE] is True
    outcome = place.protects(begun.key)
    assert isinstance(outcome, Concluded)
    (told,) = (each for each in outcome.intent.permit.findings if each.rule == "smets1-module-demand")
    assert told.found == f"G2.44A(d): a key for one TLS session with {DEVICE}, its handshake record {handshake}"
    (gate,) = (each for each in outcome.intent.permit.findings if each.rule == "validated-module")
    assert gate.found.startswith("not demanded by G2.44(e); G2.44A(d)")
    # Its parent's use is not the session's.
    parents = place.protects(S1SP)
    assert isinstance(parents, Concluded)
    (told,) = (each for each in parents.intent.permit.findings if each.rule == "smets1-module-demand")
    assert told.found == "G2.44(e): Level 3 demanded"


@pytest.mark.clause("G2.44A(d)", shows="acceptance")
def test_the_end_is_destruction_looked_for_and_recorded_and_may_be_asked_again(place: Place) -> None:
    begun = place.begins(place.handshake())
    assert place.held(begun.key) == 1
    destroyed = place.ends(begun.key)
    assert place.held(begun.key) == 0
    acts = place.acts(begun.key)
    assert [act["act"] for act in acts] == ["BeginSession", "SessionKeyMade", "RetireKey", "SessionKeyDestroyed"]
    assert place.body(destroyed)["body"] == acts[-1]
    assert place.ends(begun.key) == destroyed
    assert len(place.acts(begun.key)) == 4


def test_the_same_request_gives_the_same_key_while_it_lasts(place: Place) -> None:
    handshake, again = place.handshake(), RequestId("again")
    first = place.begins(handshake, request_id=again)
    second = place.begins(handshake, request_id=again)
    assert (second.key, second.receipt, second.until) == (first.key, first.receipt, first.until)
    assert (first.given_again, second.given_again) == (False, True)
    place.ends(first.key)
    assert "has ended" in refuses(lambda: place.begins(handshake, request_id=again))


def test_every_worker_uses_and_ends_it(place: Place, token: Token, directory: Path) -> None:
    begun = place.begins(place.handshake())
    with a_place(token, directory, worker="worker-1") as other:
        other.sessions.sweep()
        assert isinstance(other.protects(begun.key), Concluded)
        other.ends(begun.key)
    assert "may not use" in refused(place.protects(begun.key))


def test_what_an_operator_retires_is_destroyed(place: Place) -> None:
    begun = place.begins(place.handshake())
    place.does(RetireKey(label=begun.key, because="lost"))
    place.sessions.sweep()
    assert place.held(begun.key) == 0
    assert place.acts(begun.key)[-1]["act"] == "SessionKeyDestroyed"


def test_another_key_of_that_label_is_neither_used_nor_destroyed(place: Place) -> None:
    handshake = place.handshake()
    label = KeyLabel(f"{S1SP}-session-{handshake}")
    with place.token.exclusively() as connection:
        made = template(a_policy(KeyPurpose.S1SP_SMETS1), place.token.profile.keeping)
        connection.generate_secret(label, made, b"somebody's own key..")
    with pytest.raises(KeybrokerError, match="stands in the module already"):
        place.begins(handshake)
    place.sessions.sweep()
    assert place.held(label) == 1
    assert place.acts(label)[-1]["act"] == "SessionKeyDestroyed"
    assert "may not use" in refused(place.protects(label))


# ---- left over


def test_the_next_run_of_the_broker_destroys_what_the_last_one_left(
    place: Place, token: Token, directory: Path
) -> None:
    begun = place.begins(place.handshake())
    with a_place(token, directory, broker="run-2", worker="worker-1") as after:
        after.sessions.sweep()
        assert after.held(begun.key) == 0
        assert after.acts(begun.key)[-2]["because"] == "the broker started anew"
        assert "may not use" in refused(after.protects(begun.key))


@pytest.mark.parametrize(
    ("when", "left", "acts"),
    [
        ("ordered", 0, ["BeginSession"]),
        ("made", 1, ["BeginSession"]),
        ("ended", 1, ["BeginSession", "SessionKeyMade", "RetireKey"]),
    ],
)
def test_what_a_worker_left_that_was_killed_is_destroyed_and_recorded(
    place: Place, token_place: TokenPlace, directory: Path, when: str, left: int, acts: list[str]
) -> None:
    handshake = place.handshake()
    given = (token_place.library, token_place.label, token_place.serial, str(directory), when, str(handshake))
    died = live("tests.server.dying_in_a_session", given, environment=os.environ | token_place.environment, seconds=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    label = KeyLabel(f"{S1SP}-session-{handshake}")
    assert (place.held(label), [act["act"] for act in place.acts(label)]) == (left, acts)
    assert isinstance(place.protects(label), NotPermitted)
    place.sessions.sweep()
    assert place.held(label) == 0
    assert [act["act"] for act in place.acts(label)][-2:] == ["RetireKey", "SessionKeyDestroyed"]
    assert isinstance(place.protects(label), NotPermitted)


def test_while_the_module_is_away_nothing_serves_and_when_it_is_back_the_key_is_destroyed(
    place: Place, token_place: TokenPlace
) -> None:
    begun, handshake = place.begins(place.handshake()), place.handshake()
    tokens = Path(token_place.environment["SOFTHSM2_CONF"]).parent / "tokens"
    away = tokens.rename(tokens.with_name("away"))
    try:
        with pytest.raises(ModuleFault):
            place.ends(begun.key)
        with pytest.raises(ModuleFault):
            place.begins(handshake)
        place.sessions.sweep()
        assert [act["act"] for act in place.acts(begun.key)][-1] == "RetireKey"
    finally:
        away.rename(tokens)
    wait_until(lambda: is_back(place), seconds=5)
    assert not isinstance(place.protects(begun.key), Concluded)
    assert place.held(begun.key) == 1
    place.sessions.sweep()
    assert place.held(begun.key) == 0
    assert place.acts(begun.key)[-1]["act"] == "SessionKeyDestroyed"
    # Nothing was written of the other, so its handshake is not used up.
    assert isinstance(place.protects(place.begins(handshake).key), Concluded)


def is_back(place: Place) -> bool:
    try:
        return place.held(S1SP) == 1
    except ModuleFault:
        return False


def test_what_another_living_worker_is_making_is_left_alone(place: Place, token: Token, directory: Path) -> None:
    handshake = place.handshake()
    with a_place(token, directory, worker="worker-1") as other:
        label = other.orders(handshake).label
        place.sessions.sweep()
        refuses(lambda: place.ends(label), OutcomeUnknown)
        assert [act["act"] for act in place.acts(label)] == ["BeginSession"]
    place.sessions.sweep()
    assert [act["act"] for act in place.acts(label)] == ["BeginSession", "RetireKey", "SessionKeyDestroyed"]


def test_counters_begin_anew_with_each_sessions_key(place: Place) -> None:
    for _ in range(2):
        begun = place.begins(place.handshake())
        counters = []
        for _ in range(2):
            outcome = place.protects(begun.key)
            assert not isinstance(outcome, EvidenceSpent)
            assert isinstance(outcome, Concluded)
            counters.append(outcome.intent.counter)
        assert counters == [1, 2]
