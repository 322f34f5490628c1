"""Back-ups put back and restored, again and again: no number that was used with a key comes a second time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from keybroker.errors import LedgerNotRemembered
from keybroker.gates.model import Surroundings
from keybroker.hsm.remembered import Remembered
from keybroker.keys.restore import restore_ledger
from keybroker.ledger import audit, tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded
from keybroker.ledger.restore_form import MARGIN
from keybroker.policy.model import KeyRegister
from keybroker.signing import Line, Outcome
from keybroker.terms import ContentKind, DeploymentKind, KeyPurpose
from tests.content.test_smets1 import DEVICE, GET
from tests.dcc_uses import a_dcc_key
from tests.evidence import SURROUNDINGS
from tests.fakes import FakeModule
from tests.keys.restoring import ACTOR, PEOPLE, back_up, behind, enrol, orders, start, vouch
from tests.ledger import books
from tests.situations import AT, ORIGIN, packaged_policies
from tests.token_line import FixedRegister, TokenLine

LABEL = a_dcc_key(KeyPurpose.S1SP_SMETS1).label


@dataclass(frozen=True, slots=True)
class Remembering:
    """Surroundings that are good but for what is remembered, compared at every batch."""

    remembered: Remembered

    def seen(self, at: datetime) -> Surroundings:
        return replace(SURROUNDINGS, rolled_back=self.remembered(at))


@dataclass(frozen=True, slots=True)
class Stage:
    """A line over a module that outlives every ledger."""

    line: TokenLine
    module: FakeModule

    @property
    def journal(self) -> Journal:
        return self.line.journal

    def protect(self, name: str) -> Outcome:
        return self.line.asked(LABEL, ContentKind.SMETS1_INSTRUCTION, DEVICE.octets + GET, name)

    def counter(self, name: str) -> int:
        outcome = self.protect(name)
        assert isinstance(outcome, Concluded), outcome
        assert outcome.intent.counter is not None
        return outcome.intent.counter


def restore(journal: Journal, module: FakeModule, at: datetime) -> None:
    remembered = module.read_anchor()
    given = orders(behind(journal, remembered), at=at)
    restore_ledger(journal, ACTOR, remembered, given, PEOPLE, packaged_policies(), at)
    module._head = journal.head(at)


@contextmanager
def a_stage(directory: Path, module: FakeModule, identity: bytes, worker: str = "worker-0") -> Iterator[Stage]:
    with books.a_book(directory, worker) as journal:
        with journal.ledger.read() as connection:
            version = connection.execute(select(tables.head.c.register_version)).scalar_one()
        key = a_dcc_key(KeyPurpose.S1SP_SMETS1, public_key=identity)
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=packaged_policies(),
            register=FixedRegister(KeyRegister(version=version, keys={key.label: key})),
            journal=journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=Remembering(Remembered(module, journal, pause_seconds=-1)),
        )
        yield Stage(TokenLine(line, journal), module)


def test_nothing_that_counts_is_used_on_a_ledger_that_is_behind(tmp_path: Path) -> None:
    module = FakeModule()
    identity = module.add_secret(LABEL, bytes(16))
    with a_stage(tmp_path, module, identity) as stage:
        older = back_up(stage.journal, tmp_path / "older")
        assert stage.counter("a") == 1
    with a_stage(older, module, identity) as stage:
        outcome = stage.protect("b")
    assert isinstance(outcome, LedgerNotRemembered)
    assert "the module remembers" in outcome.sentence
    assert module.uses == 1


@pytest.mark.parametrize("seed", range(5))
def test_no_counter_comes_twice_over_back_ups_and_restores(tmp_path: Path, seed: int) -> None:
    chance, module, used = random.Random(seed), FakeModule(), list[int]()  # noqa: S311 - no secret is drawn
    identity, directory, at = module.add_secret(LABEL, bytes(16)), tmp_path, AT
    with books.a_book(directory) as journal:
        enrol(journal)
    for time in range(4):
        with a_stage(directory, module, identity) as stage:
            module.write_anchor(stage.journal.head(at))
            start(stage.journal)
            used += [stage.counter(f"{time}-{number}") for number in range(chance.randrange(4))]
            directory = back_up(stage.journal, tmp_path / f"older-{time}")
            used += [stage.counter(f"{time}-lost-{number}") for number in range(1, 2 + chance.randrange(6))]
        at += timedelta(minutes=5)
        with a_stage(directory, module, identity) as stage:
            assert isinstance(stage.protect("none"), LedgerNotRemembered)
        with books.a_book(directory, "operator") as journal:
            restore(journal, module, at)
            vouch(journal, at + timedelta(minutes=1))
            audit.verify(journal.ledger, AT)
    assert len(set(used)) == len(used)
    assert module.uses == len(used)
    assert max(used) > MARGIN
