"""Register and module reconciled: every difference has a name, and what agrees has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.hsm.attributes import Attributes, AttributeValue, KeyAttribute, expected, key_identifier, template
from keybroker.hsm.connection import ObjectKind
from keybroker.hsm.generate import generate_key
from keybroker.hsm.held_keys import IN_NO_MODULE
from keybroker.hsm.inventory import DiscrepancyKind, StoredObject, list_objects, reconcile
from keybroker.hsm.token_module import Token
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, Provenance
from tests.hsm.heads import a_head
from tests.hsm.registered import a_bare_key
from tests.hsm.tokens import packaged_profile
from tests.situations import a_point, a_policy, packaged_policies

KEEPING = packaged_profile("softhsm2").keeping
PAIR = a_bare_key("pair", a_point(1), KeyPurpose.RECOVERY_COMMAND)
SECRET = a_bare_key("secret", b"i" * 20, KeyPurpose.DCO_SMETS1)
K, D = ObjectKind, DiscrepancyKind


def shown(key: RegisteredKey) -> Attributes:
    return expected(a_policy(key.purpose), key.provenance, KEEPING)


def a_private(key: RegisteredKey = PAIR, **changes: AttributeValue) -> StoredObject:
    attributes = {**shown(key), **{KeyAttribute(name): value for name, value in changes.items()}}
    return StoredObject(
        kind=K.PRIVATE_KEY,
        label=key.label,
        identifier=key_identifier(key.public_key),
        point=None,
        attributes=attributes,
    )


def a_public(key: RegisteredKey = PAIR) -> StoredObject:
    return StoredObject(
        kind=K.PUBLIC_KEY,
        label=key.label,
        identifier=key_identifier(key.public_key),
        point=key.public_key,
        attributes={},
    )


def a_secret(key: RegisteredKey = SECRET) -> StoredObject:
    return StoredObject(
        kind=K.SECRET_KEY, label=key.label, identifier=key.public_key, point=None, attributes=shown(key)
    )


def a_thing(label: str, kind: ObjectKind = K.DATA) -> StoredObject:
    return StoredObject(kind=kind, label=label, identifier=b"", point=None, attributes={})


WHOLE = (a_private(), a_public(), a_secret())


def kinds(objects: tuple[StoredObject, ...], **registered: Any) -> list[tuple[str, str, str]]:
    """Of the two keys, changed as named."""
    keys = {key.label: dataclasses.replace(key, **registered.get(key.label, {})) for key in (PAIR, SECRET)}
    found = reconcile(keys, packaged_policies(), objects, KEEPING)
    return [(each.kind.value, each.label, each.object_kind.value) for each in found]


TWIN = dataclasses.replace(PAIR, public_key=a_point(2))


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ((a_public(), a_secret()), [("half", "pair", "private-key")]),
        ((a_private(), a_secret()), [("half", "pair", "public-key")]),
        ((a_secret(),), [("missing", "pair", "private-key"), ("missing", "pair", "public-key")]),
        ((a_private(), a_public()), [("missing", "secret", "secret-key")]),
        ((*WHOLE, a_private()), [("twice", "pair", "private-key")]),
        ((*WHOLE, a_public(TWIN)), [("stranger", "pair", "public-key")]),
        (
            (a_private(), a_public(TWIN), a_secret()),
            [("half", "pair", "public-key"), ("stranger", "pair", "public-key")],
        ),
        ((*WHOLE, a_secret(dataclasses.replace(SECRET, label=PAIR.label))), [("stranger", "pair", "secret-key")]),
        ((a_private(SIGN_RECOVER=True), a_public(), a_secret()), [("weaker", "pair", "private-key")]),
        ((a_private(SENSITIVE=False), a_public(), a_secret()), [("weaker", "pair", "private-key")]),
        ((*WHOLE, a_thing("unknown")), [("orphan", "unknown", "data")]),
        ((*WHOLE, a_thing("unknown", K.CERTIFICATE)), [("orphan", "unknown", "certificate")]),
        ((*WHOLE, a_thing("nobody.authentication")), [("orphan", "nobody.authentication", "data")]),
        ((*WHOLE, a_thing("x.wrapping-key", K.SECRET_KEY)), [("leftover", "x.wrapping-key", "secret-key")]),
        ((*WHOLE, a_thing("x.wrapping-pair", K.PRIVATE_KEY)), [("leftover", "x.wrapping-pair", "private-key")]),
        ((*WHOLE, a_thing("x.search-witness", K.SECRET_KEY)), [("leftover", "x.search-witness", "secret-key")]),
        ((*WHOLE, a_thing("keybroker ledger head", K.SECRET_KEY)), [("orphan", "keybroker ledger head", "secret-key")]),
        (
            (*WHOLE, a_thing("secret.authentication"), a_thing("secret.authentication")),
            [("twice", "secret.authentication", "data")],
        ),
        ((*WHOLE, a_thing("secret.authentication", K.OTHER)), [("stranger", "secret.authentication", "other")]),
    ],
)
def test_names_every_difference(objects: tuple[StoredObject, ...], found: list[tuple[str, str, str]]) -> None:
    assert kinds(objects) == found


@pytest.mark.parametrize("state", sorted(IN_NO_MODULE))
def test_what_stands_of_a_key_that_is_in_no_module_remains(state: KeyState) -> None:
    assert kinds(WHOLE, pair={"state": state}) == [
        ("remains", "pair", "private-key"),
        ("remains", "pair", "public-key"),
    ]
    assert kinds((a_secret(),), pair={"state": state}) == []


@pytest.mark.parametrize("state", [KeyState.RETIRED, KeyState.TRANSFERRED, KeyState.COMPROMISED])
def test_a_key_that_is_over_may_stand_or_be_gone_but_not_by_half(state: KeyState) -> None:
    assert kinds(WHOLE, pair={"state": state}) == []
    assert kinds((a_secret(),), pair={"state": state}) == []
    assert kinds((a_private(), a_secret()), pair={"state": state}) == [("half", "pair", "public-key")]


def test_a_generated_key_must_look_generated_and_an_unwrapped_one_need_not() -> None:
    objects = (a_private(LOCAL=False), a_public(), a_secret())
    assert kinds(objects) == [("weaker", "pair", "private-key")]
    assert kinds(objects, pair={"provenance": Provenance.UNWRAPPED}) == []


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
@given(st.permutations([*WHOLE, a_thing("secret.authentication"), a_thing("keybroker ledger head")]))
def test_what_agrees_has_no_difference_in_whatever_order(objects: list[StoredObject]) -> None:
    assert kinds(tuple(objects)) == []


@given(st.sets(st.integers(0, 2)))
def test_no_object_that_is_taken_away_goes_unnoticed(gone: set[int]) -> None:
    left = tuple(each for place, each in enumerate(WHOLE) if place not in gone)
    assert bool(kinds(left)) == bool(gone)


# --- real tokens


@pytest.mark.parametrize(
    "token", [pytest.param("softhsm", marks=pytest.mark.hsm), pytest.param("nss", marks=pytest.mark.nss)]
)
def test_lists_what_stands_in_a_token_and_finds_it_in_order(
    request: pytest.FixtureRequest, token: str, label: str
) -> None:
    module: Token = request.getfixturevalue(token)
    for each in list_objects(module):
        with module.exclusively() as connection:
            connection.destroy_key(each.label)
    keys: Mapping[KeyLabel, RegisteredKey] = {}
    for purpose in (KeyPurpose.RECOVERY_COMMAND, KeyPurpose.ACCESS_CONTROL_BROKER_MAC, KeyPurpose.DCO_SMETS1):
        name = KeyLabel(f"{label}-{purpose}")
        with_data = purpose is KeyPurpose.DCO_SMETS1 and module.profile.objects.data
        identity = generate_key(module, name, a_policy(purpose), signs_request=False, authentication=with_data)
        keys = {**keys, name: a_bare_key(name, identity, purpose)}
    module.write_anchor(a_head(5))
    objects = list_objects(module)
    assert len(objects) == (7 if module.profile.objects.data else 5)
    assert reconcile(keys, packaged_policies(), objects, module.profile.keeping) == ()

    (first, *_) = keys
    with module.exclusively() as connection:
        weak = {**template(a_policy(), module.profile.keeping), KeyAttribute.DERIVE: True}
        connection.generate_pair(first, weak, key_identifier)
    found = reconcile(keys, packaged_policies(), list_objects(module), module.profile.keeping)
    assert {each.kind for each in found} == {D.STRANGER}
    assert reconcile({}, packaged_policies(), objects, module.profile.keeping) != ()
