"""How the broker's own process takes what witnesses answer: kept where it verifies, told once, asked again in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from keybroker.config.checkpoints_table import WitnessesTable
from keybroker.errors import LedgerBroken
from keybroker.ledger.checkpoints import newest_checkpoint
from keybroker.ledger.cosignatures import check_cosignatures, keep_cosignature, newest_cosigned
from keybroker.ledger.journal import Journal
from keybroker.ledger.note import read_note, read_signature_lines
from keybroker.ledger.note_keys import CosignatureKey, EcdsaNoteKey, cosigned_message, write_vkey
from keybroker.ledger.tree import Tree, leaves_of
from keybroker.server.witnessing import Asked
from keybroker.terms import KeyPurpose
from keybroker.witness.asking import WitnessPlace
from tests import situations
from tests.ledger import books
from tests.situations import ORIGIN
from tests.witness import scene
from tests.witness.test_asking import KEY, PRIVATE, STRANGER, STRANGERS, answer, witness_that

LEDGER_KEY = EcdsaNoteKey(name=ORIGIN, point=situations.a_key(KeyPurpose.AUDIT_CHECKPOINT).public_key)


@dataclass(slots=True)
class Said:
    """What the operator is told."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def bind(self, **_: object) -> Any:
        return self

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    error = info

    def why(self) -> list[str]:
        return [fields["why"] for event, fields in self.events if event == "witness gives no cosignature"]


@dataclass(slots=True)
class Stage:
    """A ledger with one checkpoint."""

    journal: Journal
    said: Said = field(default_factory=Said)

    @property
    def size(self) -> int:
        newest = newest_checkpoint(self.journal.ledger)
        assert newest is not None
        return newest.tree_size

    def checkpoint(self, name: str) -> None:
        books.sign(self.journal, books.a_request(f"other-{name}"))
        books.sign(self.journal, books.a_request(name, books.a_checkpoint(self.journal)))

    def asked(self, place: WitnessPlace) -> Asked:
        table = WitnessesTable.model_validate(
            {
                "demanded": 1,
                "at_most_behind_seconds": 4.0,
                "at_most_behind_records": 100,
                "clock_seconds": 1.0,
                "timeout_seconds": 1.0,
                "witness": [{"url": place.url.rstrip("/"), "vkey": write_vkey(place.key)}],
            }
        )
        return Asked(place, table, self.said)  # type: ignore[arg-type]  # it says no more than Said hears

    def look(self, asked: Asked, until: Callable[[], object], *, seconds: float = 15) -> None:
        """As the process does, until something is so."""
        tree, last = Tree(leaves_of(self.journal.ledger)), time.monotonic() + seconds
        with ThreadPoolExecutor(1) as pool:
            while not until():
                assert time.monotonic() < last, self.said.events
                asked.look(self.journal.ledger, tree, newest_checkpoint(self.journal.ledger), pool)
                time.sleep(0.02)

    def cosigned(self, name: str = KEY.name) -> list[int]:
        return [each.tree_size for each in newest_cosigned(self.journal.ledger, [name], since=0)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with books.a_book(tmp_path) as journal:
        made = Stage(journal)
        made.checkpoint("first")
        yield made


def line_at(stage: Stage, at: float, key: CosignatureKey = KEY, private: Any = PRIVATE) -> bytes:
    newest = newest_checkpoint(stage.journal.ledger)
    assert newest is not None
    body = read_note(newest.note).body
    return key.signature(int(at), private.sign(cosigned_message(body, int(at)))).line


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda stage: answer(line_at(stage, time.time() + 3600)), "out of line"),
        (lambda stage: answer(line_at(stage, time.time() - 3600)), "out of line"),
        (lambda stage: answer(line_at(stage, time.time(), STRANGER, STRANGERS)), "no cosignature of its key"),
        (lambda stage: answer(line_at(stage, time.time(), KEY, STRANGERS)), "no cosignature of its key"),
        (lambda _: answer(b"does not extend\n", "422 Unprocessable Entity"), "422: does not extend"),
        (lambda stage: answer(b"%d\n" % (stage.size + 1), "409 Conflict"), "is this an earlier ledger"),
    ],
    ids=["a clock ahead", "a clock behind", "a stranger", "a false signature", "no", "more records than there are"],
)
def test_keeps_nothing_from_a_witness_with(says: Callable[[Stage], bytes], why: str, stage: Stage) -> None:
    with witness_that(says(stage)) as place:
        stage.look(stage.asked(place), lambda: stage.said.why())
    assert why in stage.said.why()[0]
    assert stage.cosigned() == []


def test_an_audit_finds_a_cosignature_that_its_witness_did_not_make(stage: Stage) -> None:
    """Of another text, and of another moment; of a key that nobody here knows it says nothing."""
    ledger, good = stage.journal.ledger, line_at(stage, 1_700_000_000)
    body = scene.History().note(stage.size).body
    another = KEY.signature(5, PRIVATE.sign(cosigned_message(body, 5)))
    later = replace(read_signature_lines(good)[0], signature=bytes(8) + read_signature_lines(good)[0].signature[8:])
    keep_cosignature(ledger, tree_size=stage.size, line=read_signature_lines(good)[0], at=1)
    assert check_cosignatures(ledger, [KEY]) == 1
    for line in (another, later):
        keep_cosignature(ledger, tree_size=stage.size, line=line, at=1)
        with pytest.raises(LedgerBroken, match="does not verify"):
            check_cosignatures(ledger, [KEY])
        assert check_cosignatures(ledger, [STRANGER]) == check_cosignatures(ledger, []) == 0


def test_tells_of_a_witness_that_forgot_and_shows_it_all_again(stage: Stage, tmp_path: Path) -> None:
    options = {"origin": ORIGIN, "ledger-key": write_vkey(LEDGER_KEY), "name": KEY.name}
    key = scene.init(tmp_path / "w", **options)
    with scene.running(tmp_path / "w") as witness:
        port = witness.port
        asked = stage.asked(WitnessPlace(url=witness.url, key=key, timeout_seconds=5.0))
        stage.look(asked, lambda: stage.cosigned() == [stage.size])
    for name in ("checkpoint", "cosigned.jsonl"):
        (tmp_path / "w" / name).unlink()
    settings = tmp_path / "w" / "witness.toml"
    settings.write_text(settings.read_text().replace(":0", f":{port}"))
    stage.checkpoint("second")
    with scene.running(tmp_path / "w"):
        stage.look(asked, lambda: stage.cosigned() == [stage.size])
    assert [event for event, _ in stage.said.events if event == "WITNESS FORGOT"] == ["WITNESS FORGOT"]


def test_asks_a_witness_that_is_away_again_and_tells_it_once(stage: Stage) -> None:
    place = WitnessPlace(url="http://127.0.0.1:1", key=KEY, timeout_seconds=1.0)
    asked, until = stage.asked(place), time.monotonic() + 1.5
    stage.look(asked, lambda: time.monotonic() > until)
    assert len(stage.said.why()) == 1


def test_keeps_the_cosignature_of_each_checkpoint_and_shows_the_last_again(stage: Stage, tmp_path: Path) -> None:
    key = scene.init(
        tmp_path / "w", **{"origin": ORIGIN, "ledger-key": write_vkey(LEDGER_KEY), "name": "witness.example/w2"}
    )
    name, ledger = "witness.example/w2", stage.journal.ledger
    with scene.running(tmp_path / "w") as witness:
        place = WitnessPlace(url=witness.url, key=key, timeout_seconds=5.0)
        asked = stage.asked(place)
        for more in ("second", "third"):
            stage.look(asked, lambda: stage.cosigned(name) == [stage.size])
            stage.checkpoint(more)
        stage.look(asked, lambda: stage.cosigned(name) == [stage.size])
        (before,) = newest_cosigned(ledger, [name], since=0)
        stage.look(asked, lambda: newest_cosigned(ledger, [name], since=before.at + 1))
        # Another process, which knows nothing of what the witness remembers.
        stage.checkpoint("fourth")
        stage.look(stage.asked(place), lambda: stage.cosigned(name) == [stage.size])
        newest = newest_checkpoint(ledger)
    assert newest is not None
    assert abs(key.cosigned_at(read_note(newest.note)) - datetime.now(UTC).timestamp()) < timedelta(minutes=1).seconds
    assert stage.said.why() == []
