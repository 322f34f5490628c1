"""What is weaker than a purpose demands, by provenance and by what a token can keep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybroker.content.public_key import public_key_identifier
from keybroker.hsm.attributes import (
    AttributeValue,
    KeyAttribute,
    TokenKeeping,
    expected,
    key_identifier,
    stays_modifiable,
    template,
    weaker,
)
from keybroker.terms import KeyPurpose, Provenance
from tests.situations import a_point, a_policy

A = KeyAttribute
FULL = TokenKeeping(allowed_mechanisms=True, final=True, sign_can_be_cleared=True, untold=frozenset())
AGREES = a_policy(KeyPurpose.ACCESS_CONTROL_BROKER_MAC)
ENCIPHERS = a_policy(KeyPurpose.DCO_SMETS1)
USER = a_policy(KeyPurpose.SUPPLIER_PRE_COMMAND)
RECOVERY = a_policy(KeyPurpose.RECOVERY_COMMAND)


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        (A.SENSITIVE, False),
        (A.PRIVATE, False),
        (A.EXTRACTABLE, True),
        (A.SIGN, False),
        (A.SIGN_RECOVER, True),
        (A.DECRYPT, True),
        (A.UNWRAP, True),
        (A.DERIVE, True),
        (A.ALLOWED_MECHANISMS, frozenset()),
        (A.ALLOWED_MECHANISMS, frozenset({0x1041, 0x1042})),
        (A.MODIFIABLE, True),
        (A.LOCAL, False),
        (A.ALWAYS_SENSITIVE, False),
        (A.NEVER_EXTRACTABLE, False),
        (A.KEY_TYPE, 0),
        (A.EC_PARAMS, bytes.fromhex("06052B81040022")),
        (A.TOKEN, False),
        (A.TOKEN, None),
    ],
)
def test_a_generated_key_is_weaker_by_any_one_attribute(attribute: KeyAttribute, found: AttributeValue | None) -> None:
    demanded = expected(USER, Provenance.GENERATED, FULL)
    told = (
        {**demanded, attribute: found} if found is not None else {k: v for k, v in demanded.items() if k != attribute}
    )
    phrase, *_ = weaker(demanded, told)
    assert phrase.startswith(attribute.value)


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        (A.SIGN, True),
        (A.DERIVE, False),
        (A.DECRYPT, True),
        (A.MODIFIABLE, True),
        (A.ALLOWED_MECHANISMS, frozenset()),
        (A.ALLOWED_MECHANISMS, frozenset({0x1050, 0x1051})),
        (A.KEY_TYPE, 0x1F),
    ],
)
def test_a_key_agreement_key_in_use_is_weaker_by_any_one_attribute(
    attribute: KeyAttribute, found: AttributeValue
) -> None:
    demanded = expected(AGREES, Provenance.GENERATED, FULL)
    assert [phrase.split()[0] for phrase in weaker(demanded, {**demanded, attribute: found})] == [attribute.value]


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        (A.ENCRYPT, False),
        (A.DECRYPT, False),
        (A.WRAP, True),
        (A.UNWRAP, True),
        (A.DERIVE, True),
        (A.SIGN, True),
        (A.SENSITIVE, False),
        (A.MODIFIABLE, True),
        (A.VALUE_LEN, 32),
        (A.KEY_TYPE, 3),
        (A.ALLOWED_MECHANISMS, frozenset({0x1087, 0x1085})),
    ],
)
def test_a_secret_key_is_weaker_by_any_one_attribute(attribute: KeyAttribute, found: AttributeValue) -> None:
    demanded = expected(ENCIPHERS, Provenance.GENERATED, FULL)
    assert [phrase.split()[0] for phrase in weaker(demanded, {**demanded, attribute: found})] == [attribute.value]


def test_before_its_certificate_a_key_agreement_key_may_sign_and_be_modified_and_nothing_more() -> None:
    before = expected(AGREES, Provenance.GENERATED, FULL, may_sign=True)
    after = expected(AGREES, Provenance.GENERATED, FULL)
    assert set(after) - set(before) == {A.SIGN, A.MODIFIABLE}
    assert (after[A.SIGN], after[A.MODIFIABLE]) == (False, False)
    made = template(AGREES, FULL)
    assert (made[A.SIGN], made[A.DERIVE]) == (True, True)
    assert template(AGREES, FULL, signs_request=False)[A.SIGN] is False
    assert stays_modifiable(AGREES, FULL, signs_request=True)
    assert not stays_modifiable(AGREES, FULL, signs_request=False)
    assert not stays_modifiable(USER, FULL, signs_request=True)


def test_where_a_token_cannot_clear_sign_it_is_not_demanded_for_policy_alone_forbids() -> None:
    demanded = expected(AGREES, Provenance.GENERATED, replace(FULL, sign_can_be_cleared=False))
    assert A.SIGN not in demanded
    assert demanded[A.MODIFIABLE] is False
    assert A.SIGN in expected(USER, Provenance.GENERATED, replace(FULL, sign_can_be_cleared=False))


def test_an_extractable_key_is_weaker_without_a_trusted_wrapping_key() -> None:
    demanded = expected(RECOVERY, Provenance.GENERATED, FULL)
    assert demanded[A.EXTRACTABLE] is True
    assert weaker(demanded, {**demanded, A.WRAP_WITH_TRUSTED: False})


def test_a_key_that_never_leaves_is_stronger_than_one_that_may_leave_wrapped() -> None:
    demanded = expected(RECOVERY, Provenance.GENERATED, FULL)
    assert not weaker(demanded, {**demanded, A.EXTRACTABLE: False, A.WRAP_WITH_TRUSTED: False})


@pytest.mark.parametrize("provenance", [Provenance.UNWRAPPED, Provenance.IMPORTED_TEST_KEY])
def test_what_an_unwrap_always_makes_false_is_not_demanded_after_one(provenance: Provenance) -> None:
    demanded = expected(USER, provenance, FULL)
    assert not {A.LOCAL, A.ALWAYS_SENSITIVE, A.NEVER_EXTRACTABLE} & set(demanded)
    assert {A.SENSITIVE, A.EXTRACTABLE, A.ALLOWED_MECHANISMS} <= set(demanded)


def test_no_key_is_extractable_where_a_trusted_wrapping_key_cannot_be_demanded() -> None:
    keeping = replace(FULL, allowed_mechanisms=False, final=False, untold=frozenset({A.WRAP_WITH_TRUSTED}))
    assert template(RECOVERY, keeping)[A.EXTRACTABLE] is False
    assert expected(RECOVERY, Provenance.GENERATED, keeping)[A.NEVER_EXTRACTABLE] is True


def test_the_identifier_is_the_subject_key_identifier_of_the_certificate() -> None:
    assert key_identifier(a_point()) == public_key_identifier(a_point())
    assert key_identifier(a_point())[0] >> 4 == 0b0100
