"""A witness in a process of its own: it answers as C2SP says, remembers, shouts, and keeps what speaks against one."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path

import pytest

from keybroker.cli.dev.pki import certificate_pem, new_private_key, private_key_pem
from keybroker.cli.dev.tls_pki import create_tls_authority, tls_server_certificate
from keybroker.ledger.note import read_note, write_note
from keybroker.ledger.note_keys import CosignatureKey, read_vkey, write_vkey
from keybroker.witness.__main__ import main
from keybroker.witness.asking import WitnessPlace, ask_cosignature, ask_last
from tests import faults
from tests.cli.command import Done, run_here
from tests.server.broker import wait_until
from tests.witness.scene import (
    LEDGER_KEY,
    ORIGIN,
    History,
    RunningWitness,
    cosigned,
    init,
    metrics,
    running,
    try_init,
)

HONEST, OTHER = History(), History(turn=4)


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningWitness, CosignatureKey]]:
    """One that cosigned six records."""
    directory = tmp_path_factory.mktemp("met") / "witness"
    key = init(directory)
    with running(directory) as witness:
        assert witness.ask(HONEST.request(0, 6))[0] == 200
        yield witness, key


@pytest.fixture(scope="module")
def cosigned_six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one that did, and was stopped."""
    directory = tmp_path_factory.mktemp("stopped") / "w"
    init(directory)
    with running(directory, by_command=True) as witness:
        assert witness.ask(HONEST.request(0, 6))[0] == 200
        assert witness.stop() == 0
    return directory


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", "/add-checkpoint", HONEST.request(6, 9, note=HONEST.note(9, origin="another")), 404, b"alone"),
        ("POST", "/add-checkpoint", HONEST.request(0, 5).replace(b"old 0", b"old 6"), 400, b"expected no less"),
        ("POST", "/add-checkpoint", b"nonsense", 400, b"expected"),
        ("POST", "/add-checkpoint", HONEST.request(3, 9), 409, b"6\n"),
        ("POST", "/add-checkpoint", HONEST.request(6, 9, proof=[]), 422, b"longer proof"),
        ("POST", "/add-checkpoint", b"x" * (256 * 1024 + 1), 413, b"at most"),
        ("POST", "/add-checkpoints", b"", 404, b"expected POST"),
        ("PUT", "/add-checkpoint", b"", 501, b""),
        ("GET", "/add-checkpoint", b"", 404, b"expected GET"),
        ("GET", "/../key.pem", b"", 404, b"expected GET"),
        ("GET", f"/{'0' * 64}/checkpoint", b"", 404, b"no checkpoint"),
    ],
)
def test_answers_as_the_specification_says(
    method: str, path: str, body: bytes, status: int, answer: bytes, met: tuple[RunningWitness, CosignatureKey]
) -> None:
    witness, _ = met
    found, octets = witness.ask(body, method=method, path=path)
    assert (found, answer in octets) == (status, True), octets


def test_refuses_what_the_ledger_did_not_sign(met: tuple[RunningWitness, CosignatureKey]) -> None:
    witness, _ = met
    octets = HONEST.request(6, 9)
    line = octets.rpartition(b" ")[2]
    assert witness.ask(octets.replace(line, b"AAAA" + line[4:]))[0] == 403


def test_a_connection_is_kept(met: tuple[RunningWitness, CosignatureKey]) -> None:
    witness, _ = met
    path, sockets = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint", []
    with closing(http.client.HTTPConnection("127.0.0.1", witness.port, timeout=15)) as connection:
        for _ in range(2):
            connection.request("GET", path)
            with connection.getresponse() as answer:
                assert (answer.status, bool(answer.read())) == (200, True)
            sockets.append(connection.sock)
    assert sockets[0] is not None
    assert sockets[0] is sockets[1]


def test_cosigns_what_extends_the_last_and_shows_it_with_both_signatures(tmp_path: Path) -> None:
    key = init(tmp_path / "w")
    with running(tmp_path / "w") as witness:
        assert witness.last()[0] == 404
        for old, size in ((0, 0), (0, 1), (1, 6), (6, 6), (6, 300)):
            status, answer = witness.ask(HONEST.request(old, size))
            assert status == 200
            cosigned(key, HONEST.note(size), answer)
        _, octets = witness.last()
    note = read_note(octets)
    assert abs(key.cosigned_at(note) - datetime.now(UTC).timestamp()) < 10
    assert [line.name for line in note.signatures] == [LEDGER_KEY.name, key.name]
    lines = (tmp_path / "w" / "cosigned.jsonl").read_text().splitlines()
    assert [json.loads(line)["size"] for line in lines] == [0, 1, 6, 300]


def test_remembers_after_a_stop_and_names_the_size_in_the_specifications_type(
    cosigned_six: Path, tmp_path: Path
) -> None:
    shutil.copytree(cosigned_six, tmp_path / "w")
    with running(tmp_path / "w") as witness:
        assert witness.ask(HONEST.request(0, 9)) == (409, b"6\n")
        connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=10)
        connection.request("POST", "/add-checkpoint", HONEST.request(0, 9))
        assert connection.getresponse().headers["Content-Type"] == "text/x.tlog.size"
        connection.close()


def test_keeps_both_checkpoints_of_a_fork_and_shouts_once_for_each(tmp_path: Path) -> None:
    port = _free_port()
    init(tmp_path / "w", metrics=f"127.0.0.1:{port}")
    with running(tmp_path / "w") as witness:
        witness.ask(HONEST.request(0, 6))
        for _ in range(3):
            assert witness.ask(OTHER.request(6, 9))[0] == 422
        assert witness.ask(OTHER.request(0, 6))[0] == 409
        assert witness.ask(HONEST.request(6, 9, proof=[]))[0] == 422
        assert len(witness.events("LEDGER FORKED")) == 4
        assert witness.events("LEDGER FORKED")[0]["level"] == "error"
        shown = metrics(port)
        assert witness.ask(HONEST.request(6, 7))[0] == 200, "the history that it saw is cosigned still"
    assert shown['keybroker_witness_against{shown="fork"}'] == 2
    assert shown['keybroker_witness_against{shown="unproven"}'] == 1
    kept = json.loads((tmp_path / "w" / "fork-1.json").read_text())
    assert read_note(kept["checkpoint"].encode()) == OTHER.note(9) or kept["checkpoint"].startswith(ORIGIN)
    assert read_note(kept["last_cosigned"].encode()).body == HONEST.note(6).body
    assert (kept["size"], kept["cosigned_root"]) == (6, HONEST.root(6).hex())
    assert kept["shown_root"] == OTHER.root(6).hex()
    done = _show(tmp_path / "w")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["forked"], facts["tree_size"]) == (1, True, 7)
    assert facts["against"] == ["fork-1.json", "fork-2.json", "fork-3.json"]


def test_shouts_when_the_ledger_is_silent_and_when_it_speaks_again(tmp_path: Path) -> None:
    port = _free_port()
    init(tmp_path / "w", **{"silence-seconds": 1, "metrics": f"127.0.0.1:{port}"})
    with running(tmp_path / "w") as witness:
        witness.wait_for("LEDGER SILENT")
        wait_until(lambda: metrics(port)["keybroker_witness_silent"] == 1, seconds=5)
        witness.ask(HONEST.request(0, 6))
        witness.wait_for("ledger speaks again")
        witness.ask(HONEST.request(6, 6))
        assert witness.events("LEDGER SILENT")[0]["level"] == "error"


@pytest.mark.parametrize("hours", [-1, 1])
def test_shouts_when_the_askers_clock_is_out_of_line(hours: int, tmp_path: Path) -> None:
    init(tmp_path / "w")
    with running(tmp_path / "w") as witness:
        witness.ask(HONEST.request(0, 6), Date=_date(0))
        assert witness.events("clock out of line") == []
        status, _ = witness.ask(HONEST.request(6, 7), Date=_date(hours))
        assert status == 200
        assert len(witness.events("clock out of line")) == 1
        witness.ask(HONEST.request(7, 8), Date="no date")
        witness.ask(HONEST.request(8, 9), Date=_date(0))
        witness.wait_for("clock in line again")


def test_never_states_an_earlier_time_than_before(tmp_path: Path) -> None:
    key = init(tmp_path / "w")
    control = tmp_path / "control"
    with running(tmp_path / "w", environment=faults.environment(control)) as witness:
        _, first = witness.ask(HONEST.request(0, 6))
        faults.set_fault(control, "clock", "-3600")
        _, second = witness.ask(HONEST.request(6, 9))
    times = [cosigned(key, HONEST.note(size), line).signature[:8] for size, line in ((6, first), (9, second))]
    assert times[0] <= times[1]


@pytest.mark.parametrize("fault", ["fsync", "write"])
def test_gives_no_cosignature_that_it_could_not_keep(fault: faults.Fault, tmp_path: Path) -> None:
    init(tmp_path / "w")
    control = tmp_path / "control"
    with running(tmp_path / "w", environment=faults.environment(control)) as witness:
        witness.ask(HONEST.request(0, 6))
        for concerned in (".checkpoint.", "cosigned.jsonl"):
            faults.set_fault(control, fault, concerned)
            status, answer = witness.ask(HONEST.request(6, 9))
            assert (status, b"cannot be written" in answer) == (503, True)
            faults.clear_fault(control, fault)
        status, _ = witness.ask(HONEST.request(6, 9))
        assert status == 409, "the second time it was kept, and its log was not"
        assert witness.ask(HONEST.request(9, 12))[0] == 200
    lines = (tmp_path / "w" / "cosigned.jsonl").read_text().splitlines()
    assert [json.loads(line)["size"] for line in lines] == [6, 9, 12]


def test_answers_over_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    directory = tmp_path / "w"
    authority, private = create_tls_authority(not_before=datetime.now(UTC)), new_private_key()
    certificate = tls_server_certificate(authority, private.public_key(), not_before=datetime.now(UTC))
    key = init(directory, certificate="tls.pem", **{"private-key": "tls.key"})
    (directory / "tls.pem").write_bytes(certificate_pem(certificate))
    (directory / "tls.key").write_bytes(private_key_pem(private))
    context = ssl.create_default_context(cadata=certificate_pem(authority.certificate).decode())
    with running(directory) as witness:
        place = WitnessPlace(url=f"https://127.0.0.1:{witness.port}", key=key, timeout_seconds=5, context=context)
        note, at = HONEST.note(6), datetime.now(UTC)
        given = ask_cosignature(place, old_size=0, proof=[], note=note, octets=write_note(note), at=at)
        assert abs(given.at - at.timestamp()) < 5
        last = ask_last(place, ORIGIN, [LEDGER_KEY], at)
        assert last is not None
        assert last.body == note.body


# What it does not start with.


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("checkpoint", lambda octets: octets.replace(b"\n6\n", b"\n7\n")),
        ("checkpoint", lambda octets: octets[:-9]),
        ("checkpoint", lambda _: None),
        ("cosigned.jsonl", lambda octets: octets + b"nonsense\n"),
        ("cosigned.jsonl", lambda octets: octets.replace(b'"size": 6', b'"size": 60')),
        ("key.pem", lambda octets: octets[:-40]),
        ("key.pem", lambda _: None),
        ("witness.toml", lambda octets: octets + b"more = 1\n"),
        ("witness.toml", lambda octets: octets.replace(b"silence_seconds = 30.0", b"")),
        ("witness.toml", lambda octets: octets.replace(b'name = "witness.example/w1"', b'name = "another"')),
    ],
)
def test_does_not_start_on_what_it_did_not_write(
    file: str, spoil: object, cosigned_six: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "w"
    shutil.copytree(cosigned_six, directory)
    assert callable(spoil)
    spoilt = spoil((directory / file).read_bytes())
    (directory / file).unlink()
    if spoilt is not None:
        (directory / file).touch(0o600)
        (directory / file).write_bytes(spoilt)
    assert main([str(directory)]) == 78
    assert "CONFIGURATION_INVALID" in capsys.readouterr().err


def test_does_not_start_with_a_key_that_others_may_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(tmp_path / "w")
    assert (tmp_path / "w" / "key.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "w" / "key.pem").chmod(0o640)
    assert main([str(tmp_path / "w")]) == 78
    assert "0640" in capsys.readouterr().err


def test_does_not_start_where_another_runs(
    met: tuple[RunningWitness, CosignatureKey], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(met[0].directory)]) == 78
    assert "another witness runs here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "two words"),
        ("name", ORIGIN),
        ("listen", "nowhere"),
        ("silence-seconds", "0"),
        ("clock-seconds", "-1"),
        ("ledger-key", "no key"),
        ("ledger-key", "w+00000000+BA=="),
    ],
)
def test_makes_no_witness_of_what_is_wrong(option: str, value: str, tmp_path: Path) -> None:
    done = try_init(tmp_path / "w", **{option: value})
    assert done.returncode == 78
    assert json.loads(done.stdout)["error"]["reason"] == "CONFIGURATION_INVALID"
    assert not (tmp_path / "w").exists()


def test_makes_no_witness_where_one_is(tmp_path: Path) -> None:
    init(tmp_path / "w")
    before = (tmp_path / "w" / "key.pem").read_bytes()
    assert try_init(tmp_path / "w").returncode == 78
    assert (tmp_path / "w" / "key.pem").read_bytes() == before


def test_shows_what_it_is_before_it_saw_anything(tmp_path: Path) -> None:
    key = init(tmp_path / "w")
    facts = json.loads(_show(tmp_path / "w").stdout)
    assert (facts["tree_size"], facts["forked"], facts["against"]) == (None, False, [])
    assert read_vkey(facts["vkey"]) == key


def test_says_the_same_in_plain_text(cosigned_six: Path, tmp_path: Path) -> None:
    options = {"name": "w", "origin": ORIGIN, "ledger-key": write_vkey(LEDGER_KEY), "listen": "127.0.0.1:0"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    times = ("--silence-seconds", 9, "--clock-seconds", 1)
    made = run_here("witness", "init", "--directory", tmp_path / "w", *words, *times)
    assert made.returncode == 0, made.stderr
    assert "w+" in made.stdout
    assert "PRIVATE" not in made.stdout
    shown = run_here("witness", "show", "--directory", cosigned_six)
    assert (shown.returncode, ORIGIN in shown.stdout, HONEST.root(6).hex() in shown.stdout) == (0, True, True)
    refused = run_here("witness", "show", "--directory", tmp_path)
    assert (refused.returncode, "keybroker witness init" in refused.stderr) == (78, True)


def _show(directory: Path) -> Done:
    return run_here("witness", "show", "--json", "--directory", directory)


def _date(hours: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
