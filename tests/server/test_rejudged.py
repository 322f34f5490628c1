"""What a broker signed is judged again while it serves: today's rules refuse none of it."""

from __future__ import annotations

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.terms import EntityIdentifier
from tests.cli.command import run_here, run_json
from tests.conftest import RunningDeployment

DEVICE = EntityIdentifier.from_text("02-7E-57-00-00-D0-D0-D0")


def test_what_a_serving_broker_signed_would_be_signed_today(deployment: RunningDeployment) -> None:
    config = ("--config", deployment.config_path)
    before = run_json("ledger", "verify", "--rejudge", *config, how=run_here)["rejudged"]
    eui = EntityIdentifier(deployment.eui("supplier-a"))
    octets = sample_pre_command(eui, DEVICE, counter=990_001)
    deployment.broker("supplier-a").sign_pre_command(key="supplier-a", octets=octets)
    after = run_json("ledger", "verify", "--rejudge", *config, how=run_here)["rejudged"]
    assert after["judged"] > before["judged"]
    assert (after["refused"], after["policies_missing"]) == ([], {})
