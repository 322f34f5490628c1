"""A stranger verifies what a real broker on SoftHSM did, from a package that was made while it served."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import Broker
from keybroker.errors import NotPermitted
from keybroker.ledger.note_keys import write_vkey
from tests.cli.command import run_here, run_json
from tests.ledger.exported import verify
from tests.server.broker import DEVICE, RunningBroker, running, wait_until
from tests.server.test_transparency import a_deployment, client, covered, key_of

pytestmark = pytest.mark.hsm


def test_a_run_with_signatures_refusals_and_checkpoints_verifies_with_the_modules_key_and_callers_receipts(
    tmp_path: Path,
) -> None:
    made = a_deployment(tmp_path / "dev", tiles="tiles")
    with running(made) as broker, client(made, "supplier-a") as supplier:
        receipts = [receipt_of(supplier, broker, counter) for counter in range(1, 4)]
        eui = broker.deployment.keys["supplier-a"].eui
        assert eui is not None
        with pytest.raises(NotPermitted):
            supplier.sign_pre_command(key="supplier-a", octets=sample_pre_command(DEVICE, eui, 9))
        last = max(int(receipt.partition(":")[0]) for receipt in receipts)
        wait_until(lambda: covered(broker) > last, seconds=30, otherwise=broker.log)
        for name, selection in (("whole", ()), ("key", ("--key", "supplier-a")), ("party", ("--party", "supplier-a"))):
            target = tmp_path / f"{name}.tar"
            told = run_json("ledger", "export", "-c", made.config_path, "-o", target, *selection, how=run_here)
            held = ["--checkpoint-key", write_vkey(key_of(made)), "--manifest-sha256", told["manifest_sha256"]]
            found = verify(target, *held, *(word for each in receipts for word in ("--receipt", each)), expect=0)
            assert (found["wrong"], found["under_checkpoint"] > last) == ([], True)
            assert found["signatures"] >= 3
            assert told["without_text"] == []


def receipt_of(supplier: Broker, broker: RunningBroker, counter: int) -> str:
    """A signature's receipt, as the verifier takes it."""
    eui = broker.deployment.keys["supplier-a"].eui
    assert eui is not None
    receipt = supplier.sign_pre_command(key="supplier-a", octets=sample_pre_command(eui, DEVICE, counter)).receipt
    return f"{receipt.leaf_index}:{receipt.leaf_hash.hex()}"
