"""Symmetric keys in real tokens: made, imported, held against their purpose; the authentication key beside them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.attributes import KeyAttribute, template
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.held_keys import Demands, KeyUnfit, authentication_label, find_held_key
from keybroker.hsm.token_module import Token
from keybroker.policy.model import RegisteredKey
from keybroker.terms import DeploymentKind, Finding, KeyLabel, KeyPurpose, Provenance
from tests.hsm.intents import a_register
from tests.hsm.registered import a_bare_key
from tests.hsm.tokens import TokenPlace
from tests.situations import a_policy, packaged_policies

pytestmark = pytest.mark.hsm
A = KeyAttribute
DCO = KeyPurpose.DCO_SMETS1
_versions = count(5000)


def a_symmetric_key(label: str, identity: bytes, purpose: KeyPurpose = DCO, **changes: Any) -> RegisteredKey:
    return a_bare_key(label, identity, purpose, **changes)


def served(token: Token, key: RegisteredKey) -> Finding:
    return token.served(a_register(key, version=next(_versions)))[key.label]


def held(token: Token, key: RegisteredKey) -> HeldKey:
    demands = Demands(profile=token.profile, policies=packaged_policies(), deployment=token.deployment)
    with token.exclusively() as connection:
        return find_held_key(connection, key, demands)


# --- refusals


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (A.SENSITIVE, False),
        (A.EXTRACTABLE, True),
        (A.WRAP, True),
        (A.UNWRAP, True),
        (A.DERIVE, True),
        (A.ALLOWED_MECHANISMS, frozenset({0x1087, 0x1082})),
    ],
)
def test_does_not_serve_a_secret_key_with_one_weaker_attribute(
    softhsm: Token, label: str, attribute: KeyAttribute, value: object
) -> None:
    # A contingency key would be extractable, wrapped: to be weaker it must do without a trusted wrapping key.
    made = {**template(a_policy(DCO), softhsm.profile.keeping), A.WRAP_WITH_TRUSTED: False, A.EXTRACTABLE: False}
    with softhsm.exclusively() as connection:
        connection.generate_secret(label, {**made, attribute: value}, b"i" * 20)  # type: ignore[dict-item]
    finding = served(softhsm, a_symmetric_key(label, b"i" * 20))
    assert not finding.passed
    assert attribute.value in finding.found or attribute is A.EXTRACTABLE


def test_does_not_serve_a_secret_key_of_another_identifier_or_two_of_a_label(softhsm: Token, label: str) -> None:
    identity = generate_key(softhsm, KeyLabel(label), a_policy(DCO))
    assert "CKA_ID" in served(softhsm, a_symmetric_key(label, b"j" * 20)).expected
    with softhsm.exclusively() as connection:
        connection.generate_secret(label, template(a_policy(DCO), softhsm.profile.keeping), identity)
    finding = served(softhsm, a_symmetric_key(label, identity))
    assert (finding.expected, finding.found) == ("exactly one secret key of this label in the module", "2")


def test_does_not_serve_a_pair_where_a_secret_key_is_registered(softhsm: Token, label: str) -> None:
    point = generate_key(softhsm, KeyLabel(label), a_policy())
    assert served(softhsm, a_symmetric_key(label, point)).found == "0"
    with pytest.raises(ModuleDisagrees, match="stands in the module already"):
        generate_key(softhsm, KeyLabel(label), a_policy(DCO))


def test_does_not_serve_a_key_whose_authentication_key_is_none(softhsm: Token, label: str) -> None:
    identity = generate_key(softhsm, KeyLabel(label), a_policy(DCO), authentication=True)
    with softhsm.exclusively() as connection:
        connection.create_data(authentication_label(label), bytes(15))
    assert "16 octets" in served(softhsm, a_symmetric_key(label, identity)).expected
    with pytest.raises(KeyUnfit):
        held(softhsm, a_symmetric_key(label, identity))


@pytest.mark.parametrize("purpose", [KeyPurpose.CONTINGENCY_SYMMETRIC, KeyPurpose.SUPPLIER_PRE_COMMAND])
def test_only_a_smets1_key_has_an_authentication_key(softhsm: Token, label: str, purpose: KeyPurpose) -> None:
    with pytest.raises(ConfigurationInvalid, match="no DLMS authentication key"):
        generate_key(softhsm, KeyLabel(label), a_policy(purpose), authentication=True)


def test_takes_no_secret_of_another_length_and_none_in_a_live_deployment(
    softhsm: Token, softhsm_place: TokenPlace, label: str
) -> None:
    with pytest.raises(ConfigurationInvalid, match="16 octets, found 32"):
        import_test_key(softhsm, KeyLabel(label), a_policy(DCO), bytes(32))
    live = softhsm_place.open(deployment=DeploymentKind.LIVE)
    with pytest.raises(ConfigurationInvalid, match="only a test deployment"):
        import_test_key(live, KeyLabel(label), a_policy(DCO), bytes(16))
    live.close()


# --- acceptance


@pytest.mark.parametrize("purpose", [DCO, KeyPurpose.S1SP_SMETS1, KeyPurpose.CONTINGENCY_SYMMETRIC])
def test_makes_a_secret_key_that_is_named_by_random_octets_and_served(
    softhsm: Token, label: str, purpose: KeyPurpose
) -> None:
    identity = generate_key(softhsm, KeyLabel(label), a_policy(purpose))
    assert len(identity) == 20
    assert served(softhsm, a_symmetric_key(label, identity, purpose)).passed
    with softhsm.exclusively() as connection:
        (found,) = connection.find_secret(label)
    assert found.identifier == identity
    assert found.attributes[A.ALLOWED_MECHANISMS] == frozenset({0x1087})
    assert (found.attributes[A.VALUE_LEN], found.attributes[A.MODIFIABLE]) == (16, False)
    assert {a.value for a, v in found.attributes.items() if v is True} == {
        "TOKEN", "PRIVATE", "SENSITIVE", "EXTRACTABLE", "WRAP_WITH_TRUSTED", "ENCRYPT", "DECRYPT", "ALWAYS_SENSITIVE",
        "LOCAL",
    }  # fmt: skip
    assert held(softhsm, a_symmetric_key(label, identity, purpose)).verifier is None


def test_an_authentication_key_is_random_or_given_and_comes_with_the_key(softhsm: Token, label: str) -> None:
    other = f"{label}-b"
    generated = generate_key(softhsm, KeyLabel(label), a_policy(DCO), authentication=True)
    imported = import_test_key(softhsm, KeyLabel(other), a_policy(DCO), b"k" * 16, authentication=b"a" * 16)
    drawn = held(softhsm, a_symmetric_key(label, generated)).authentication
    assert drawn is not None
    assert len(drawn) == 16
    given = held(softhsm, a_symmetric_key(other, imported, provenance=Provenance.IMPORTED_TEST_KEY))
    assert given.authentication == b"a" * 16
    assert repr(given).count("authentication") == 0


@pytest.mark.nss
def test_nss_keeps_secret_keys_too_but_no_authentication_key(nss: Token, label: str) -> None:
    identity = generate_key(nss, KeyLabel(label), a_policy(DCO))
    assert served(nss, a_symmetric_key(label, identity)).passed
    imported = import_test_key(nss, KeyLabel(f"{label}-b"), a_policy(DCO), b"k" * 16)
    assert served(nss, a_symmetric_key(f"{label}-b", imported, provenance=Provenance.IMPORTED_TEST_KEY)).passed
    with pytest.raises(ConfigurationInvalid, match="no data objects"):
        generate_key(nss, KeyLabel(f"{label}-c"), a_policy(DCO), authentication=True)
