"""Full disk, failing fsync: no key use without a durable intent, no signature out without a durable outcome."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import faults

ROOT = Path(__file__).parents[2]


class Servant:
    """A journal in another process, with the fault library loaded."""

    def __init__(self, directory: Path) -> None:
        self.control = directory / "control"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.at_work", str(directory)],
            cwd=ROOT,
            env=os.environ | faults.environment(self.control),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, order: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._process.stdout.close()


@pytest.fixture
def servant(tmp_path: Path) -> Iterator[Servant]:
    servant = Servant(tmp_path)
    assert servant("intend first") == "Intent"
    assert servant("conclude") == "Concluded"
    yield servant
    servant.close()


FAULTS: list[tuple[faults.Fault, str]] = [("fsync", "ledger.sqlite"), ("write", "ledger.sqlite-wal")]


@pytest.mark.parametrize(("fault", "concerned"), FAULTS)
def test_intends_nothing_that_is_not_durable(servant: Servant, fault: faults.Fault, concerned: str) -> None:
    faults.set_fault(servant.control, fault, concerned)
    assert servant("intend r").startswith("LedgerUnavailable: the ledger cannot be written now")
    assert servant("intend r").startswith("LedgerUnavailable")
    faults.clear_fault(servant.control, fault)
    # The name is free once the ledger can be written: nothing was signed, so the request is judged anew.
    said = servant("intend r")
    if said == "OutcomeUnknown":
        said = servant("intend r")
    assert said == "Intent"
    assert servant("conclude") == "Concluded"
    intents, signatures, open_intents = servant("verify").split()
    assert (signatures, open_intents) == ("2", "0")
    assert int(intents) >= 2


@pytest.mark.parametrize(("fault", "concerned"), FAULTS)
def test_lets_no_signature_out_without_a_durable_outcome(servant: Servant, fault: faults.Fault, concerned: str) -> None:
    assert servant("intend r") == "Intent"
    faults.set_fault(servant.control, fault, concerned)
    assert servant("conclude").startswith("OutcomeUnknown: the ledger could not take the outcome")
    faults.clear_fault(servant.control, fault)
    # Whatever became of it in the file, it is called unknown, then closed or found; never refused.
    assert servant("intend s") == "Intent"
    assert servant("conclude") == "Concluded"
    assert servant("intend r") in {"Intent", "GivenAgain"}
    assert servant("verify").split()[2] in {"0", "1"}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_tries_once_more_to_write_an_outcome(servant: Servant, tmp_path: Path, after: int) -> None:
    """The disk is full after some writes: the outcome was written, or it is unknown, and the next batch goes on."""
    assert servant("intend r") == "Intent"
    faults.set_fault(servant.control, "write", "ledger.sqlite-wal", after=after)
    said = servant("conclude")
    faults.clear_fault(servant.control, "write")
    assert said == "Concluded" or said.startswith("OutcomeUnknown")
    assert servant("intend s") == "Intent"
    assert servant("conclude") == "Concluded"
    assert servant("verify").split()[2] == "0"
