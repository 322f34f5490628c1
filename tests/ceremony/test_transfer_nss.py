"""From SoftHSM to NSS softokn keys of every sort go; from NSS none does, and that is found before one is given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.ceremony.plan import PlanFile, Side
from keybroker.cli.dev.deployment import open_deployment
from keybroker.cli.dev.plan import DEFAULT_KEYS, DevKey
from keybroker.cli.dev.second_pki import trust_the_other
from keybroker.cli.dev.token import SoftToken, create_token
from keybroker.terms import KeyPurpose, KeyState
from tests.ceremony.killing import Story
from tests.ceremony.test_transfer import ONE, a_story, a_transfer_plan, states
from tests.deployments import create_deployment
from tests.hsm.tokens import NSS, NSS_SERIAL, PIN, make_nss

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600), pytest.mark.skipif(not NSS, reason="NSS is not installed")]
_LABEL = "keybroker-nss"


def nss_token(directory: Path, _label: str) -> SoftToken:
    place = make_nss(directory / "nss", _LABEL)
    return SoftToken(
        library=Path(NSS),
        label=_LABEL,
        serial=NSS_SERIAL,
        pin=PIN,
        profile=place.profile.name,
        environment=place.environment,
    )


def between(directory: Path, plan_file: PlanFile, *, nss: Side) -> Story:
    """The two deployments are there before the rehearsal, one of them on NSS."""
    for side in (Side.SOURCE, Side.DESTINATION):
        create_deployment(
            directory / side.value,
            keys=_keys(plan_file) if side is Side.SOURCE else (),
            origin=f"keybroker.example/rehearsal/{side}/TEST",
            make_token=nss_token if side is nss else create_token,
        )
    trust_the_other(open_deployment(directory / "destination"), directory / "source")
    return a_story(directory, plan_file)


def _keys(plan_file: PlanFile) -> tuple[DevKey, ...]:
    like = {key.purpose: key for key in DEFAULT_KEYS}
    return tuple(replace(like[key.purpose], label=key.label) for key in plan_file.plan.keys)


@pytest.mark.clause("G2.22G", shows="acceptance")
def test_keys_go_from_softhsm_to_nss(tmp_path: Path) -> None:
    keys = {
        "signs": KeyPurpose.COS_PARTY_COMMAND,
        "agrees": KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
        "enciphers": KeyPurpose.CONTINGENCY_SYMMETRIC,
    }
    story = between(tmp_path, a_transfer_plan(keys), nss=Side.DESTINATION)
    story.finish()
    assert states(story, Side.SOURCE) == {KeyState.DESTROYED}
    assert states(story, Side.DESTINATION) == {KeyState.ACTIVE}


def test_a_key_in_nss_stays_in_use_because_it_cannot_leave(tmp_path: Path) -> None:
    story = between(tmp_path, a_transfer_plan(ONE), nss=Side.SOURCE)
    story.life(Side.DESTINATION)
    with pytest.raises(AssertionError, match="it keeps no wrapping key trusted, so no key leaves it wrapped"):
        story.life(Side.SOURCE)
    assert states(story, Side.SOURCE) == {KeyState.ACTIVE}
