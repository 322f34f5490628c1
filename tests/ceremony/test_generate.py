"""New keys at a terminal, from plan to transcript: a Command-signing key, an Issuing OCA key, and one that renews."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind, PlannedKey
from keybroker.terms import KeyPurpose
from tests.ceremony.at_terminal import PAUSED, certify, rehearse, verified
from tests.ceremony.plans import a_key, a_plan

pytestmark = pytest.mark.hsm

MADE: Mapping[str, PlannedKey] = {
    "a Command-signing key": a_key(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, "acb-new", eui="02-7E-57-00-00-00-04-01"),
    "an Issuing OCA key": a_key(KeyPurpose.ISSUING_OCA, "issuing-new", common_name="Issuing TEST"),
}


@pytest.mark.clause("G2.56", "G2.60", "G2.61", "G5.13(b)", "G5.24(b)", shows="acceptance")
@pytest.mark.parametrize("key", MADE.values(), ids=MADE)
def test_a_key_is_made_certified_on_another_day_and_active(tmp_path: Path, key: PlannedKey) -> None:
    plan_file = a_plan(CeremonyKind.GENERATE, key)
    status, screen = rehearse(tmp_path, plan_file, {"certificate": "stop"})
    assert status == PAUSED, screen
    chain = certify(tmp_path, plan_file, key.label)
    status, screen = rehearse(tmp_path, plan_file, {"certificate": ["no-such-file.pem", "../people.toml", chain]})
    assert status == 0, screen
    assert verified(tmp_path, plan_file)["steps"] == list(plan_file.plan.steps)


@pytest.mark.clause("G2.56", "G2.60", "G2.61", "G5.13(b)", "G5.24(b)", shows="acceptance")
def test_a_successor_takes_the_place_of_a_key_only_by_the_exact_word(tmp_path: Path) -> None:
    plan_file = a_plan(CeremonyKind.RENEW, a_key(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND, "acb", successor="acb-2"))
    assert rehearse(tmp_path, plan_file, {"certificate": "stop"})[0] == PAUSED
    chain = certify(tmp_path, plan_file, "acb-2")
    words = ["switch", "yes", "help", "SWITCH"]
    status, screen = rehearse(tmp_path, plan_file, {"certificate": chain, "SWITCH": words})
    assert status == 0, screen
    verified(tmp_path, plan_file)
