"""A key that claims to have come in by a door that its purpose does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from keybroker.hsm.held_keys import Demands, find_held_keys
from keybroker.hsm.profile import read_profile
from keybroker.policy.model import KeyRegister
from keybroker.terms import DeploymentKind, KeyLabel, Provenance
from tests import situations

PROFILE = Path(__file__).parents[2] / "hsm_profiles" / "softhsm2.toml"


class Untouched:
    """A connection that must not be asked."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"the module was asked: {name}")


def test_a_users_key_that_was_unwrapped_is_not_served() -> None:
    key = situations.a_key(provenance=Provenance.UNWRAPPED)
    demands = Demands(
        profile=read_profile(PROFILE.read_bytes(), name="softhsm2"),
        policies=situations.packaged_policies(),
        deployment=DeploymentKind.TEST,
    )
    connection: Any = Untouched()
    held = find_held_keys(connection, KeyRegister(version=1, keys={key.label: key}), demands)
    assert not held.keys
    assert not held.findings[KeyLabel("supplier-a")].passed
