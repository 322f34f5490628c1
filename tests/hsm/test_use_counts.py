"""A number that the token keeps with each key is read, by the attribute that the profile names.

SoftHSM counts no uses. That it is read is shown on another number that it keeps: CKA_KEY_GEN_MECHANISM (0x166), which
of a generated EC key is CKM_EC_KEY_PAIR_GEN.
"""

from __future__ import annotations

import pytest

from keybroker.errors import ConfigurationInvalid, ModuleFault
from keybroker.hsm.generate import generate_key
from keybroker.hsm.profile import read_profile
from keybroker.hsm.token_module import Token
from keybroker.hsm.use_counts import read_use_counts
from keybroker.terms import KeyLabel, KeyPurpose
from tests.hsm.tokens import ROOT
from tests.situations import packaged_policies

pytestmark = pytest.mark.hsm

KEY_GEN_MECHANISM, EC_KEY_PAIR_GEN = 0x166, 0x1040
PROFILE = (ROOT / "hsm_profiles" / "softhsm2.toml").read_text()
SECTION = '[use_counter]\nattribute = {}\ntried = false\nnotes = """Not tried."""\n'


def test_a_module_that_counts_none_gives_none(softhsm: Token) -> None:
    assert read_use_counts(softhsm, softhsm.profile.use_counter) is None


def test_reads_what_the_token_keeps_with_each_key(softhsm: Token, label: str) -> None:
    policy = packaged_policies()[KeyPurpose.SUPPLIER_PRE_COMMAND]
    generate_key(softhsm, KeyLabel(label), policy)
    found = read_use_counts(softhsm, KEY_GEN_MECHANISM)
    assert found is not None
    assert found[label] == EC_KEY_PAIR_GEN


def test_an_attribute_that_the_token_does_not_know_is_a_fault(softhsm: Token, label: str) -> None:
    generate_key(softhsm, KeyLabel(label), packaged_policies()[KeyPurpose.SUPPLIER_PRE_COMMAND])
    with pytest.raises(ModuleFault):
        read_use_counts(softhsm, 0x80000101)


def test_a_profile_may_say_where_the_device_counts() -> None:
    profile = read_profile((PROFILE + SECTION.format(0x80000101)).encode(), name="softhsm2")
    assert profile.use_counter == 0x80000101


@pytest.mark.parametrize("attribute", ["0x166", "0x1_0000_0000", '"CKA_USES"'])
def test_refuses_a_profile_that_counts_by_what_is_no_vendors_attribute(attribute: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="use_counter"):
        read_profile((PROFILE + SECTION.format(attribute)).encode(), name="softhsm2")
