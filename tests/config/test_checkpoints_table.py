"""What may stand in [checkpoints]: nothing that would publish nowhere, or name a key that no note can name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.dev.configuration import DEFAULT_LIMITS, Settings, configuration_text
from keybroker.cli.dev.token import SoftToken
from keybroker.config.file import ConfigurationFile, read_file
from keybroker.errors import ConfigurationInvalid

GOOD: dict[str, Any] = {"key": "audit-checkpoint", "every_records": 1000, "every_seconds": 10}


def read(origin: str = "keybroker.example/TEST", **table: Any) -> ConfigurationFile:
    token = SoftToken(
        profile="softhsm2", library=Path("x.so"), label="t", serial="1", pin="1", so_pin="1", environment={}
    )
    settings = Settings(
        listen="127.0.0.1:1",
        metrics="127.0.0.1:2",
        fixed_clock=None,
        limits=DEFAULT_LIMITS,
        anchor_seconds=10,
        origin=origin,
        checkpoints=table or None,
    )
    return read_file(b"caller = []\n" + configuration_text(settings, token, ()).encode(), name="x")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no key": ({"every_records": 1000, "every_seconds": 10}, "checkpoints.key: is demanded"),
    "a checkpoint for every record": (GOOD | {"every_records": 1}, "greater than or equal to 16"),
    "no time": (GOOD | {"every_seconds": 0}, "checkpoints.every_seconds"),
    "a port with nothing to serve": (GOOD | {"listen": "127.0.0.1:80"}, "need checkpoints.tiles"),
    "entries published nowhere": (GOOD | {"publish_entries": True}, "need checkpoints.tiles"),
    "a place that is none": (GOOD | {"tiles": "t", "listen": "here"}, "checkpoints.listen"),
    "a word that is none": (GOOD | {"witness": "w"}, "there is no such key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    table, sentence = REFUSED[name]
    with pytest.raises(ConfigurationInvalid, match=re.escape(sentence)):
        read(**table)


def test_refuses_checkpoints_of_a_ledger_whose_name_no_key_can_bear() -> None:
    with pytest.raises(ConfigurationInvalid, match="such a ledger has no checkpoints"):
        read(origin="a+b/TEST", **GOOD)
    assert read(origin="a+b/TEST").checkpoints is None


def test_accepts_it_absent_and_whole() -> None:
    assert read().checkpoints is None
    table = read(**GOOD, tiles="tiles", listen="127.0.0.1:0", publish_entries=True).checkpoints
    assert table is not None
    assert table.publish_entries is True
    assert read(**GOOD).checkpoints is not None
