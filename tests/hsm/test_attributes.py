"""What is weaker than a purpose demands, by provenance and by what a token can keep."""

from __future__ import annotations

import pytest

from keybroker.hsm.attributes import (
    AttributeValue,
    KeyAttribute,
    TokenKeeping,
    expected,
    key_identifier,
    template,
    weaker,
)
from keybroker.policy.certificates import subject_key_identifier
from keybroker.terms import KeyPurpose, Provenance
from tests.situations import a_point, a_policy

A = KeyAttribute
FULL = TokenKeeping(allowed_mechanisms=True, final=True, untold=frozenset())
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
    keeping = TokenKeeping(allowed_mechanisms=False, final=False, untold=frozenset({A.WRAP_WITH_TRUSTED}))
    assert template(RECOVERY, keeping)[A.EXTRACTABLE] is False
    assert expected(RECOVERY, Provenance.GENERATED, keeping)[A.NEVER_EXTRACTABLE] is True


def test_the_identifier_is_the_subject_key_identifier_of_the_certificate() -> None:
    assert key_identifier(a_point()) == subject_key_identifier(a_point())
    assert key_identifier(a_point())[0] >> 4 == 0b0100
