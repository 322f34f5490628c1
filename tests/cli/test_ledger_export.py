"""``keybroker ledger export``: the package comes whole or not at all, and that it was made is a record."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from keybroker.cli.dev.deployment import Deployment
from tests.cli.command import a_deployment, run_here, run_json
from tests.ledger import exported
from tests.ledger.exported import verify


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """One whose broker never ran: it has a key with a certificate, and people."""
    return a_deployment(tmp_path_factory.mktemp("export") / "dev")


def export(deployment: Deployment, target: Path, *arguments: str) -> Any:
    return run_json("ledger", "export", "-c", deployment.config_path, "-o", target, *arguments, how=run_here)


# ---- refusals


def test_refuses_a_target_where_something_stands_and_records_nothing(deployment: Deployment, tmp_path: Path) -> None:
    before = run_json("ledger", "tail", "-c", deployment.config_path, how=run_here)["tree_size"]
    (tmp_path / "package").write_text("mine")
    done = run_here("ledger", "export", "-c", deployment.config_path, "-o", tmp_path / "package")
    assert done.returncode == 2
    assert (tmp_path / "package").read_text() == "mine"
    assert run_json("ledger", "tail", "-c", deployment.config_path, how=run_here)["tree_size"] == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("--key", "supplier-a", "--party", "supplier-a"),
        ("--key", "no-such-key"),
        ("--from", "yesterday"),
        ("--from", "2026-03-01", "--until", "2026-02-01"),
    ],
    ids=" ".join,
)
def test_refuses_what_cannot_be_selected(deployment: Deployment, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_here("ledger", "export", "-c", deployment.config_path, "-o", tmp_path / "package", *arguments)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


# ---- ledger verify PACKAGE


def test_refuses_a_package_without_what_it_needs_and_what_only_a_package_takes(
    deployment: Deployment, tmp_path: Path
) -> None:
    for arguments in (
        (),
        ("--receipt", "0:00", "-c", deployment.config_path),
        (tmp_path, "--with-token"),
        (tmp_path, "--checkpoint-key", "no key"),
        (tmp_path / "nowhere",),
    ):
        assert run_here("ledger", "verify", *arguments).returncode == 2, arguments
    assert "manifest.json" in run_here("ledger", "verify", tmp_path).stdout
    assert run_here("ledger", "verify", tmp_path).returncode == 3


@pytest.mark.parametrize("name", ["package", "package.tar"])
def test_verifies_a_package_and_judges_its_uses_again(deployment: Deployment, tmp_path: Path, name: str) -> None:
    made = export(deployment, tmp_path / name)
    held = ("--manifest-sha256", made["manifest_sha256"])
    told = run_json("ledger", "verify", tmp_path / name, *held, how=run_here)
    assert (told["whole"], told["wrong"], told["manifest_from_elsewhere"]) == (True, [], True)
    here = run_json("ledger", "verify", "--rejudge", "-c", deployment.config_path, how=run_here)["rejudged"]
    assert (told["rejudged"]["judged"], told["rejudged"]["refused"]) == (here["judged"], [])
    text = run_here("ledger", "verify", tmp_path / name).stdout
    assert "WHOLE" in text
    assert "nothing that today's rules refuse" in text
    assert run_json("ledger", "verify", tmp_path / name, "--manifest-sha256", "ab" * 32, how=run_here, expect=3)[
        "wrong"
    ]


@pytest.mark.parametrize("name", ["package", "package.tar"])
def test_says_what_is_wrong_with_a_package_that_was_tampered_with(
    deployment: Deployment, tmp_path: Path, name: str
) -> None:
    export(deployment, tmp_path / name)
    spoilt = tmp_path / name / "records.ndjson" if name == "package" else tmp_path / name
    spoilt.write_bytes(spoilt.read_bytes().replace(b"supplier-a", b"supplier-b", 1))
    assert run_json("ledger", "verify", tmp_path / name, how=run_here, expect=3)["wrong"]
    assert "NOT WHOLE" in run_here("ledger", "verify", tmp_path / name).stdout


@pytest.mark.parametrize("member", ["../beside", "/beside", "link"])
def test_unpacks_no_archive_that_could_write_elsewhere(deployment: Deployment, tmp_path: Path, member: str) -> None:
    export(deployment, tmp_path / "package.tar")
    info = tarfile.TarInfo(member)
    if member == "link":
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(tmp_path / "package.tar", "a:") as archive:
        archive.addfile(info)
    assert run_here("ledger", "verify", tmp_path / "package.tar").returncode == 3
    places = (tmp_path, tmp_path.parent, Path(tempfile.gettempdir()), Path("/"))
    assert [each / "beside" for each in places if (each / "beside").exists()] == []


def test_lists_the_uses_in_a_package_that_today_would_be_refused(tmp_path: Path) -> None:
    """Whole, and of keys of which no record tells."""
    (tmp_path / "ledger").mkdir()
    exported.fill(tmp_path / "ledger")
    exported.package(tmp_path / "ledger", tmp_path / "package")
    told = run_json("ledger", "verify", tmp_path / "package", how=run_here, expect=1)
    assert told["whole"]
    assert told["rejudged"]["refused"]


# ---- what it makes


@pytest.mark.parametrize("name", ["package", "package.tar"])
def test_a_stranger_verifies_what_was_exported(deployment: Deployment, tmp_path: Path, name: str) -> None:
    told = export(deployment, tmp_path / name)
    assert verify(tmp_path / name, "--manifest-sha256", told["manifest_sha256"], expect=0)["records"] == told["records"]
    assert told["without_text"] == []
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_that_it_was_made_is_on_record_with_the_digest_of_its_manifest(deployment: Deployment, tmp_path: Path) -> None:
    told = export(deployment, tmp_path / "package", "--key", "supplier-a")
    index = str(told["receipt"]["leaf_index"])
    record = run_json("ledger", "show", index, "-c", deployment.config_path, how=run_here)["record"]
    body = record["body"]
    assert (record["kind"], body["operation"], body["actor"]["identity"][:6]) == ("read", "ExportLedger", "local:")
    assert body["looked_at"]["manifest_sha256"] == told["manifest_sha256"]
    assert body["looked_at"]["selection"] == {"key": "supplier-a", "party": None, "since": None, "until": None}
    run_json("ledger", "verify", "-c", deployment.config_path, how=run_here)


def test_the_text_says_what_to_give_to_whoever_verifies(deployment: Deployment, tmp_path: Path) -> None:
    done = run_here("ledger", "export", "-c", deployment.config_path, "-o", tmp_path / "p", "--party", "supplier-a")
    assert done.returncode == 0
    assert "manifest_sha256" in done.stdout


def test_texts_in_force_are_kept_from_their_first_use(deployment: Deployment) -> None:
    kept = {path.name for path in (deployment.config_path.parent / "data" / "in-force").iterdir()}
    assert len(kept) > 20
