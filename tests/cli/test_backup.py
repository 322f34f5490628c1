"""A back-up on the command line: for its recipients alone, opened with one's own key, listed, and late in time."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from keybroker.ceremony.enveloped_data import openssl_decrypt
from keybroker.cli.dev.deployment import Deployment
from keybroker.ledger.backup_form import read_header
from tests.cli.command import Done, a_deployment, run_here, run_json

Command = Callable[..., Done]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return a_deployment(tmp_path_factory.mktemp("backup") / "deployment")


def on(deployment: Deployment) -> tuple[str, Path]:
    return "--config", deployment.config_path


def test_refuses_a_back_up_that_nobody_could_open(deployment: Deployment, tmp_path: Path) -> None:
    done = run_here("ledger", "backup", "-o", tmp_path / "back-up", *on(deployment))
    assert done.returncode == 78
    assert "SEC G2.16" in done.stderr
    # A certificate of a key that signs receives nothing.
    pem = deployment.directory / "pki" / "supplier-a.pem"
    done = run_here("ledger", "backup", "-o", tmp_path / "back-up", "--to", pem, *on(deployment))
    assert done.returncode == 1
    assert "a receiving certificate" in done.stderr
    assert not (tmp_path / "back-up").exists()


def test_its_recipient_opens_it_and_nobody_else(deployment: Deployment, enrolled: Path, tmp_path: Path) -> None:
    back_up, mine, (own,) = tmp_path / "back-up", enrolled / "receiving.pem", enrolled.glob("receiving*.key")
    told = run_json("ledger", "backup", "-o", back_up, "--to", mine, *on(deployment), how=run_here)
    assert told["octets"] == back_up.stat().st_size
    assert "SQLite format 3" not in back_up.read_bytes().decode("latin-1")
    # 1. Another's key is refused in a sentence, and leaves nothing.
    other = tmp_path / "other.key"
    subprocess.run(["openssl", "genrsa", "-out", other, "3072"], check=True, capture_output=True)
    other.chmod(0o600)
    options = ("--certificate", mine, "--key", other, "-o", tmp_path / "opened")
    assert run_here("ledger", "open-backup", back_up, *options).returncode == 78
    # 2. His own opens it, on whatever machine: no configuration is read.
    options = ("--certificate", mine, "--key", own, "-o", tmp_path / "opened")
    opened = run_json("ledger", "open-backup", back_up, *options, how=run_here)
    assert (opened["tree_size"], opened["root_hash"]) == (told["tree_size"], told["root_hash"])
    assert (tmp_path / "opened").stat().st_mode & 0o077 == 0
    # 3. Without us: OpenSSL opens the envelope to the key of the chunks.
    with back_up.open("rb") as file:
        ((_, envelope),) = read_header(file).recipients
    (tmp_path / "envelope").write_bytes(envelope)
    command = openssl_decrypt(*map(str, (tmp_path / "envelope", mine, own, tmp_path / "key")))
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - quoted by what we test
    assert len((tmp_path / "key").read_bytes()) == 32


def test_configured_recipients_receive_it_and_a_late_one_is_told(enrolled: Path, tmp_path: Path) -> None:
    deployment = a_deployment(tmp_path / "deployment")
    shutil.copyfile(enrolled / "receiving.pem", deployment.config_path.parent / "ada.pem")
    with deployment.config_path.open("a") as file:
        file.write('\n[backup]\nrecipients = ["ada.pem"]\nwarn_after_days = 2\n')
    assert run_json("ledger", "backups", *on(deployment), how=run_here) == {"late": True, "backups": []}
    assert "older than [backup] allows" in run_here("ledger", "backups", *on(deployment)).stderr
    made = run_json("ledger", "backup", "-o", tmp_path / "back-up", *on(deployment), how=run_here)
    listed = run_json("ledger", "backups", *on(deployment), how=run_here)
    assert listed["late"] is False
    assert [(each["record"], each["sha256"]) for each in listed["backups"]] == [(made["record"], made["sha256"])]
    assert made["sha256"] in run_here("ledger", "backups", *on(deployment), env={"COLUMNS": "250"}).stdout
    assert run_json("ledger", "verify", *on(deployment), how=run_here)["whole"] is True


def test_verify_judges_again_and_says_so(deployment: Deployment) -> None:
    told = run_json("ledger", "verify", "--rejudge", *on(deployment), how=run_here)
    assert told["rejudged"]["refused"] == []
    assert "nothing that today's rules refuse" in run_here("ledger", "verify", "--rejudge", *on(deployment)).stdout
    assert json.dumps(told["rejudged"]["policies_missing"]) == "{}"
