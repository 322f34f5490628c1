"""``keybroker keys report``: what G2.57 wants replaced, read from the register beside the broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from keybroker.cli.dev.deployment import Deployment, DevKey
from keybroker.terms import EntityIdentifier, KeyPurpose, RemotePartyRole
from tests import messages
from tests.cli import command
from tests.cli.command import run_here
from tests.deployments import create_deployment

pytestmark = pytest.mark.hsm

run_json = partial(command.run_json, how=run_here)


def a_dev_key(label: str, purpose: KeyPurpose, role: RemotePartyRole, eui: EntityIdentifier) -> DevKey:
    return DevKey(label=label, purpose=purpose, party="dcc", eui=eui, role=role)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """One whose broker never runs, with an XML key that was certified as if it were the Access Control Broker's."""
    keys = (
        a_dev_key("dsp-xml", KeyPurpose.DSP_XML, RemotePartyRole.ACCESS_CONTROL_BROKER, messages.TRANSITIONAL_COS),
        a_dev_key(
            "access-control-broker",
            KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
            RemotePartyRole.ACCESS_CONTROL_BROKER,
            messages.ACCESS_CONTROL_BROKER,
        ),
    )
    return create_deployment(tmp_path_factory.mktemp("deployment"), keys=keys)


def test_lists_the_dcc_keys_that_g2_57_wants_replaced_each_with_its_latest_date(deployment: Deployment) -> None:
    env = {"KEYBROKER_CONFIG": str(deployment.config_path), "COLUMNS": "200"}
    told = run_json("keys", "report", env=env)
    (key,) = told["keys_to_replace"]
    assert told["clause"] == "G2.57"
    assert (key["label"], key["purpose"], key["overdue"]) == ("dsp-xml", "dsp-xml", False)
    done = run_here("keys", "report", env=env)
    assert done.returncode == 0, done.stderr
    assert "dsp-xml" in done.stdout
    assert key["at_the_latest"][:10] in done.stdout
    assert "access-control-broker " not in done.stdout


def test_says_so_where_no_key_is_to_be_replaced(tmp_path: Path) -> None:
    supplier = DevKey(
        label="supplier-a",
        purpose=KeyPurpose.SUPPLIER_PRE_COMMAND,
        party="supplier-a",
        eui=messages.SUPPLIER,
        role=RemotePartyRole.SUPPLIER,
    )
    held = create_deployment(tmp_path, keys=(supplier,))
    env = {"KEYBROKER_CONFIG": str(held.config_path)}
    assert run_json("keys", "report", env=env)["keys_to_replace"] == []
    assert "no key is to be replaced" in run_here("keys", "report", env=env).stdout
