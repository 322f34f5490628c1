"""What a witness types runs in a shell with openssl and nothing of ours, and fails where one octet differs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.transcript_verifying import TranscriptUnfit
from keybroker.ceremony.witness_commands import extracted, witness_commands
from tests.ceremony.made import a_plan, a_transcript

TRANSCRIPTS = {
    "split": a_transcript(a_plan(CeremonyKind.SPLIT)),
    "transfer": a_transcript(a_plan(CeremonyKind.TRANSFER), side=Side.DESTINATION),
    "under-way": a_transcript(a_plan(CeremonyKind.COMBINE), steps=2),
}
SHORT = TRANSCRIPTS["under-way"]
FILES = extracted(SHORT)


def run(commands: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    script = "\n".join(commands)
    return subprocess.run(["sh", "-e", "-c", script], cwd=directory, capture_output=True, text=True, check=False)


def write(octets: bytes, directory: Path) -> None:
    for name, content in extracted(octets).items():
        (directory / name).write_bytes(content)


@pytest.mark.parametrize("make", [extracted, witness_commands])
def test_refuses_a_transcript_that_does_not_verify(make: type) -> None:
    with pytest.raises(TranscriptUnfit):
        make(SHORT + b"\n")


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="acceptance")
@pytest.mark.parametrize("octets", TRANSCRIPTS.values(), ids=TRANSCRIPTS)
def test_the_commands_run_as_they_are_printed_and_accept(octets: bytes, tmp_path: Path) -> None:
    write(octets, tmp_path)
    done = run(witness_commands(octets), tmp_path)
    assert done.returncode == 0, done.stderr
    signatures = sum(name.endswith(".p7s") for name in extracted(octets))
    assert done.stderr.count("CMS Verification successful") == signatures > 0
    assert done.stdout.count("Verified OK") == sum(name.endswith(".sig") for name in extracted(octets)) > 0


@pytest.mark.parametrize("name", FILES)
def test_one_octet_changed_in_any_file_makes_them_fail(name: str, tmp_path: Path) -> None:
    write(SHORT, tmp_path)
    spoilt = bytearray(FILES[name])
    spoilt[len(spoilt) // 2] ^= 1
    (tmp_path / name).write_bytes(spoilt)
    looking = [command for command in witness_commands(SHORT) if name in command]
    assert looking, f"no command reads {name}"
    # What they read besides is made by others of them.
    made = [command for command in witness_commands(SHORT) if command.endswith(".pub")]
    assert run([*made, *looking], tmp_path).returncode != 0


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".p7s")][:2])
def test_what_somebody_else_signed_makes_them_fail(name: str, tmp_path: Path) -> None:
    write(SHORT, tmp_path)
    other = next(each for each in FILES if each.endswith(".p7s") and each[:2] == name[:2] and each != name)
    (tmp_path / name).write_bytes(FILES[other])
    assert run([command for command in witness_commands(SHORT) if name in command], tmp_path).returncode != 0


@pytest.mark.parametrize("octets", TRANSCRIPTS.values(), ids=TRANSCRIPTS)
def test_each_command_is_one_line_and_reads_files_that_are_there(octets: bytes) -> None:
    commands, files = witness_commands(octets), extracted(octets)
    assert all("\n" not in command for command in commands)
    assert [name for name in files if not any(name in command for command in commands)] == []
    assert all("/" not in name for name in files)


def test_each_certificate_is_compared_before_anything_is_verified_with_it() -> None:
    commands = witness_commands(SHORT)
    first = next(number for number, command in enumerate(commands) if "cms -verify" in command)
    people = [name for name in FILES if name.endswith(".pem") and "_" not in name]
    assert all(any(f"-in {name} " in command for command in commands[:first]) for name in people)
