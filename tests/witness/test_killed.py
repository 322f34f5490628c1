"""A witness is killed at any instant: what it cosigned it remembers, and it never cosigns two histories."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from pathlib import Path

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.ledger.note import read_note
from keybroker.witness.request import read_size
from tests.witness.scene import History, RunningWitness, cosigned, init

HONEST = History()
KILLS = 8
_MOMENTS = random.Random(20260115)  # noqa: S311 - which instant does not matter, that it can be found again does


def test_remembers_what_it_cosigned_whenever_it_is_killed(tmp_path: Path) -> None:
    """``keybroker witness`` is killed (-9) while checkpoints come without pause, again and again."""
    directory = tmp_path / "w"
    key = init(directory)
    cosigned_last = 0
    for _ in range(KILLS):
        witness = RunningWitness(directory)
        port = witness.port
        threading.Thread(target=_kill_soon, args=[witness]).start()
        sizes = _ask_until_it_dies(port, lambda size, line: cosigned(key, HONEST.note(size), line))
        witness.process.wait()
        cosigned_last = max([cosigned_last, *sizes])
        file = directory / "checkpoint"
        kept = decode_checkpoint(read_note(file.read_bytes()).body).tree_size if file.exists() else 0
        assert kept >= cosigned_last
    witness = RunningWitness(directory)
    status, answer = witness.ask(History(turn=0).request(0, 1))
    assert status == 409
    assert read_size(answer) >= cosigned_last
    assert witness.stop() == 0
    logged = [json.loads(line) for line in (directory / "cosigned.jsonl").read_text().splitlines()]
    assert all(entry["root"] == HONEST.root(entry["size"]).hex() for entry in logged)
    assert sorted(entry["size"] for entry in logged) == [entry["size"] for entry in logged]
    assert logged[-1]["size"] == read_size(answer)


def _ask_until_it_dies(port: int, check: object) -> list[int]:
    """The sizes for which a cosignature came that verifies."""
    assert callable(check)
    came: list[int] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    old = 0
    try:
        for _ in itertools.count():
            size = old + 1
            connection.request("POST", "/add-checkpoint", HONEST.request(old, size))
            answer = connection.getresponse()
            octets = answer.read()
            if answer.status == 409:
                old = read_size(octets)
                continue
            assert answer.status == 200, octets
            check(size, octets)
            came.append(size)
            old = size
    except (OSError, http.client.HTTPException):
        return came
    finally:
        connection.close()
    return came


def _kill_soon(witness: RunningWitness) -> None:
    time.sleep(_MOMENTS.uniform(0.02, 0.25))
    witness.process.kill()
