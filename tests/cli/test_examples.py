"""The example of each kind of statement in docs/operations/examples.md can be signed, and says what its kind says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybroker.cli.dev.evidence import make_attesters
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import MODELS
from tests.architecture.sources import ROOT
from tests.cli.command import run_here

PAGE = ROOT / "docs" / "operations" / "examples.md"
EXAMPLES = dict(re.findall(r"^## ([a-z-]+)\n.*?```toml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE))
OWN_COMMANDS = {StatementKind.ORDER, StatementKind.SUPPLY_SENSITIVE_CHECK}


def test_every_kind_that_is_stated_from_a_file_has_an_example() -> None:
    assert set(EXAMPLES) == {kind.value for kind in set(MODELS) - OWN_COMMANDS}


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_an_example_can_be_signed(kind: str, tmp_path: Path) -> None:
    ((name, certificate, key),) = list(make_attesters((), not_before=datetime.now(UTC) - timedelta(hours=1)))[:1]
    (tmp_path / f"{name}.pem").write_bytes(certificate)
    (tmp_path / f"{name}.key").write_bytes(key)
    payload = tmp_path / "payload.toml"
    payload.write_text(EXAMPLES[kind])
    files = ("--certificate", tmp_path / f"{name}.pem", "--private-key", tmp_path / f"{name}.key")
    done = run_here("evidence", "state", kind, payload, *files, "--ledger-origin", "keybroker.example/x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".") == 2
