"""The life of a Key Agreement key: made to derive and to sign, it signs one request, and then never again."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from keybroker.content.decoding import decode
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import KeyAttribute, key_identifier, template
from keybroker.hsm.connection import Connection
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.sign_switch import SignSwitch, clear_sign, probe
from keybroker.hsm.token_module import Token
from keybroker.keys.certificate_request import request_info
from keybroker.ledger.model import Failure, Intent, Signature
from keybroker.policy.model import RegisteredKey
from keybroker.terms import ContentKind, Finding, KeyLabel, KeyPurpose, KeyState, Provenance
from tests import messages
from tests.hsm.intents import a_register, a_registered_key, an_intent, an_intent_on
from tests.hsm.registered import a_bare_key
from tests.situations import a_point, a_policy

pytestmark = pytest.mark.hsm
A = KeyAttribute
MAC = KeyPurpose.ACCESS_CONTROL_BROKER_MAC
_versions = count(7000)


@pytest.fixture(params=["softhsm", pytest.param("nss", marks=pytest.mark.nss)])
def token(request: pytest.FixtureRequest) -> Token:
    token: Token = request.getfixturevalue(request.param)
    return token


def served(token: Token, label: str, point: bytes, state: KeyState) -> Finding:
    key = a_bare_key(label, point, MAC, state=state)
    return token.served(a_register(key, version=next(_versions)))[key.label]


def a_request(key: RegisteredKey) -> Intent:
    """To sign the request for its certificate."""
    wanted = replace(key, eui=messages.ACCESS_CONTROL_BROKER)
    info = request_info(wanted, a_policy(key.purpose))
    return an_intent_on(key, decode(ContentKind.CERTIFICATE_SIGNING_REQUEST, info))


def can_sign(connection: Connection, label: str) -> list[bool]:
    """Tried by signing, for every key of the label."""
    session, can = connection.login_session(), []
    for key in connection.find_private(label):
        try:
            session.sign(key.handle, bytes(32))
            can.append(True)
        except CallFailed:
            can.append(False)
    return can


def with_keys(profile: Profile, **changes: bool) -> Profile:
    return replace(profile, keys=profile.keys.model_copy(update=changes))


# --- refusals


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.RETIRED])
def test_a_key_that_can_still_sign_is_not_served_once_it_has_its_certificate(
    token: Token, label: str, state: KeyState
) -> None:
    point = generate_key(token, KeyLabel(label), a_policy(MAC))
    assert served(token, label, point, KeyState.GENERATED).passed
    assert served(token, label, point, KeyState.ENROLLING).passed
    finding = served(token, label, point, state)
    assert (finding.passed, finding.clause) == (False, "G2.44(b)")
    assert "SIGN false demanded, found true" in finding.found


def test_a_key_that_was_left_modifiable_is_not_served(softhsm: Token, label: str) -> None:
    point = generate_key(softhsm, KeyLabel(label), a_policy(MAC))
    with softhsm.exclusively() as connection:
        (key,) = connection.find_private(label)
        connection.set_sign(label, key.handle, allowed=False)
    assert served(softhsm, label, point, KeyState.ACTIVE).found == "MODIFIABLE false demanded, found true"


def test_what_a_crash_left_beside_the_key_is_said_and_can_be_mended(softhsm: Token, label: str) -> None:
    point = generate_key(softhsm, KeyLabel(label), a_policy(MAC))
    with softhsm.exclusively() as connection:
        (key,) = connection.find_private(label)
        connection.set_sign(label, key.handle, allowed=False)
        connection.copy_unmodifiable(label, key.handle)
    finding = served(softhsm, label, point, KeyState.ENROLLING)
    assert (finding.expected, finding.found) == ("exactly one private key of this label in the module", "2")
    with softhsm.exclusively() as connection:
        assert can_sign(connection, label) == [False, False]
        clear_sign(connection, label, key_identifier(point), softhsm.profile)
        assert len(connection.find_private(label)) == 1
    assert served(softhsm, label, point, KeyState.ACTIVE).passed


def test_a_key_of_another_identifier_is_nobodys_to_change(softhsm: Token, label: str) -> None:
    made = template(a_policy(MAC), softhsm.profile.keeping)
    with softhsm.exclusively() as connection:
        connection.generate_pair(label, made, lambda _: b"12345678", final=False)
        with pytest.raises(ModuleDisagrees, match="found 1 of that label"):
            clear_sign(connection, label, b"87654321", softhsm.profile)
        with pytest.raises(ModuleDisagrees, match="found 0 of that label"):
            clear_sign(connection, f"{label}-b", b"87654321", softhsm.profile)
        assert can_sign(connection, label) == [True]


def test_a_token_that_refuses_to_clear_what_its_profile_says_it_can_is_not_believed(softhsm: Token, label: str) -> None:
    made = template(a_policy(MAC), softhsm.profile.keeping)
    with softhsm.exclusively() as connection:
        point = connection.generate_pair(label, made, key_identifier, final=True)
        with pytest.raises(ModuleDisagrees, match="refuses to clear"):
            clear_sign(connection, label, key_identifier(point), softhsm.profile)


@pytest.mark.clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)", shows="refusal")
def test_a_request_is_not_given_out_by_a_key_that_can_still_sign(softhsm: Token, label: str) -> None:
    made = template(a_policy(MAC), softhsm.profile.keeping)
    with softhsm.exclusively() as connection:
        point = connection.generate_pair(label, made, key_identifier, final=True)
    key = a_bare_key(label, point, MAC, state=KeyState.ENROLLING)
    assert softhsm.served(a_register(key, version=next(_versions)))[key.label].passed
    (failure,) = softhsm.use([a_request(key)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, ModuleDisagrees)
    assert failure.error.used
    assert "clear CKA_SIGN" in failure.error.sentence


# --- acceptance


def test_a_request_is_signed_once_and_its_neighbours_go_on(token: Token, label: str) -> None:
    point = generate_key(token, KeyLabel(label), a_policy(MAC))
    neighbour = a_registered_key(f"{label}-b", generate_key(token, KeyLabel(f"{label}-b"), a_policy()))
    key = a_bare_key(label, point, MAC, state=KeyState.ENROLLING)
    register = a_register(key, neighbour, version=next(_versions))
    assert all(finding.passed for finding in token.served(register).values())
    first, beside = token.use([a_request(key), an_intent(neighbour, 1)])
    assert isinstance(first, Signature)
    assert isinstance(beside, Signature)
    with token.exclusively() as connection:
        assert can_sign(connection, label) == [False]
    again, beside = token.use([a_request(key), an_intent(neighbour, 2)])
    assert isinstance(again, Failure)
    assert isinstance(beside, Signature)
    assert served(token, label, point, KeyState.ACTIVE).passed


def test_cleared_it_signs_no_more_and_is_served(token: Token, label: str) -> None:
    point = generate_key(token, KeyLabel(label), a_policy(MAC))
    with token.exclusively() as connection:
        assert can_sign(connection, label) == [True]
        for _ in range(2):
            clear_sign(connection, label, key_identifier(point), token.profile)
            (key,) = connection.find_private(label)
            assert (key.attributes[A.SIGN], key.attributes[A.DERIVE]) == (False, True)
            assert key.attributes[A.MODIFIABLE] is not token.profile.keys.final_by_copy
            assert can_sign(connection, label) == [False]
    assert served(token, label, point, KeyState.ACTIVE).passed


def test_a_key_that_never_signs_a_request_is_made_without_and_served(token: Token, label: str) -> None:
    point = generate_key(token, KeyLabel(label), a_policy(MAC), signs_request=False)
    assert served(token, label, point, KeyState.ACTIVE).passed
    with token.exclusively() as connection:
        assert can_sign(connection, label) == [False]


def test_an_imported_test_key_agrees_and_never_signs(token: Token, label: str) -> None:
    scalar = 0xA61EE
    point = a_point(scalar)
    assert import_test_key(token, KeyLabel(label), a_policy(MAC), scalar.to_bytes(32), point) == point
    key = a_bare_key(label, point, MAC, provenance=Provenance.IMPORTED_TEST_KEY)
    assert token.served(a_register(key, version=next(_versions)))[key.label].passed
    with token.exclusively() as connection:
        assert can_sign(connection, label) == [False]


def test_where_the_profile_says_it_cannot_be_cleared_nothing_is_done(softhsm: Token, label: str) -> None:
    made = template(a_policy(MAC), softhsm.profile.keeping)
    with softhsm.exclusively() as connection:
        point = connection.generate_pair(label, made, key_identifier, final=True)
        clear_sign(connection, label, key_identifier(point), with_keys(softhsm.profile, sign_can_be_cleared=False))
        assert can_sign(connection, label) == [True]


def test_the_probe_finds_what_the_profile_says_and_leaves_nothing(token: Token) -> None:
    said = token.profile.keys
    with token.exclusively() as connection:
        switch = probe(connection, token.profile)
        assert not connection.find_private("keybroker sign-switch test")
    assert switch == SignSwitch(can_be_cleared=said.sign_can_be_cleared, stays_cleared=said.sign_stays_cleared)


def test_without_an_unmodifiable_copy_softhsm_too_would_switch_it_on_again(softhsm: Token) -> None:
    with softhsm.exclusively() as connection:
        switch = probe(connection, with_keys(softhsm.profile, final_by_copy=False))
    assert switch == SignSwitch(can_be_cleared=True, stays_cleared=False)
