"""On what is it tried? A development deployment of its own, behind the shim, with a threshold that is soon reached."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from keybroker.cli.acting import acting
from keybroker.cli.dev.configuration import LEDGER_ORIGIN
from keybroker.cli.dev.deployment import Deployment, create_deployment
from keybroker.cli.dev.evidence import read_attests
from keybroker.cli.dev.statements import OFFICER
from keybroker.cli.stating import common
from keybroker.config import read_configuration
from keybroker.keys.thresholds import take_in_notification
from keybroker.statement.payloads import ThresholdNotification
from tests import faults
from tests.faults.shim import put_between

DEADLINE_SECONDS = 5
LIMITED_VARIANT, LIMITED_CODE = "7.1", 0x004F
_TILES, _LOG = "tiles", "broker.log"
MOST, PERIOD_SECONDS = 40, 60
"""Of the supplier's Commands of the limited variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``control`` holds the switches of both libraries, ``uses`` is the module's account from the record ``since`` on,
    ``replies`` the clients'."""

    deployment: Deployment
    control: Path
    uses: Path
    replies: Path
    since: int

    @property
    def ledger(self) -> Path:
        return self.deployment.directory / "data" / "ledger.sqlite"

    @property
    def published(self) -> Path:
        """The checkpoint as the world sees it."""
        return self.deployment.directory / _TILES / "checkpoint"

    @property
    def log(self) -> Path:
        return self.deployment.directory / _LOG

    @property
    def checkpoints(self) -> Path:
        """Every one that was seen."""
        return self.replies.parent / "checkpoints"

    @property
    def broker_environment(self) -> dict[str, str]:
        """What the broker needs besides its configuration."""
        return {**self.deployment.broker_environment, **faults.environment(self.control)}

    def reply_files(self) -> list[Path]:
        return sorted(self.replies.glob("*.jsonl"))

    def written(self) -> list[Path]:
        """Every file that the broker wrote: its log, its data, and what it publishes."""
        own = self.deployment.directory
        below = [file for name in ("data", _TILES) for file in (own / name).rglob("*") if file.is_file()]
        return [file for file in (self.log, *below) if file.exists()]


def make_scene(directory: Path) -> Scene:
    """Raises: ConfigurationInvalid where SoftHSM2 is missing."""
    deployment = create_deployment(
        directory / "deployment",
        limits={"deadline_seconds": DEADLINE_SECONDS},
        anchor_seconds=2,
        checkpoints={"key": "audit-checkpoint", "every_records": 500, "every_seconds": 2, "tiles": _TILES},
    )
    scene = Scene(
        deployment=deployment,
        control=directory / "control",
        uses=directory / "uses",
        replies=directory / "replies",
        since=_records(deployment),
    )
    scene.replies.mkdir()
    put_between(deployment, scene.control, scene.uses)
    _lower_a_threshold(scene)
    return scene


def _records(deployment: Deployment) -> int:
    with closing(sqlite3.connect(f"file:{deployment.directory}/data/ledger.sqlite?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM record").fetchone()
    return int(count)


def _lower_a_threshold(scene: Scene) -> None:
    """The supplier notifies anew: the same thresholds, but for the limited variant."""
    configuration = read_configuration(scene.deployment.config_path)
    at = configuration.clock.now()
    said = _supplier_said(scene)
    for threshold in said["thresholds"]:
        if threshold.get("variant") == LIMITED_VARIANT:
            threshold.update(period_seconds=PERIOD_SECONDS, warning=MOST // 2, quarantine=MOST)
    said.update(common(LEDGER_ORIGIN, at, timedelta(days=30)), sequence=said["sequence"] + 1)
    officer = read_attests(scene.deployment.directory / "evidence", OFFICER)
    with acting(configuration, "operator") as (journal, actor):
        take_in_notification(journal, actor, officer.state(ThresholdNotification.model_validate(said)), at)


def _supplier_said(scene: Scene) -> dict[str, Any]:
    """The payload of the supplier's own notification in force."""
    supplier = str(scene.deployment.keys["supplier-a"].eui)
    with closing(sqlite3.connect(f"file:{scene.ledger}?mode=ro", uri=True)) as connection:
        kind = "SELECT compact FROM statement WHERE kind LIKE '%threshold-notification%'"
        compacts = [bytes(row[0]).decode("ascii") for row in connection.execute(kind)]
    payloads = [compact.split(".")[1] for compact in compacts]
    read: list[dict[str, Any]] = [
        json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) for payload in payloads
    ]
    (said,) = [each for each in read if each["user"] == supplier]
    return said
