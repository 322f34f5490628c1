"""What is committed: layers, a policy for every purpose, protos without foreign imports, no trace of a machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from keybroker.terms import KeyPurpose
from tests.architecture.sources import ROOT, committed_files

# Put together here, so that this file does not hold what it looks for.
_NOT_OURS = [
    r"/(?:work|root|home/\w+)/" + r"\w",
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "artifact" + r"(?:ory|registry)",
    "index" + "-url",
    "find" + "-links",
    r"registry\." + "npmjs",
]
_TEXT = {".py", ".pyi", ".toml", ".txt", ".md", ".yaml", ".proto", ".csv", ".c", ".ini", ".cfg", ".json", ""}


def test_imports_run_against_the_request() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_key_purpose_has_a_policy_file_of_its_name_and_no_file_is_without_a_purpose() -> None:
    files = {path.stem: path for path in (ROOT / "policies").glob("*.toml")}
    assert set(files) == {purpose.value for purpose in KeyPurpose}
    assert {name: tomllib.loads(path.read_text())["purpose"] for name, path in files.items()} == {n: n for n in files}


@pytest.mark.parametrize(
    "name",
    [
        "softhsm2",
        "nss-softokn",
        "thales-luna-7",
        "entrust-nshield",
        "utimaco-securityserver",
        "aws-cloudhsm",
        "yubihsm2",
    ],
)
def test_every_promised_device_has_a_profile(name: str) -> None:
    assert (ROOT / "hsm_profiles" / f"{name}.toml").is_file()


def test_protos_import_nothing_but_google_protobuf_and_their_own() -> None:
    imports = [
        line
        for path in (ROOT / "protos").rglob("*.proto")
        for line in path.read_text().splitlines()
        if line.startswith("import")
    ]
    assert imports
    assert [line for line in imports if not re.match(r'import "(google/protobuf|keybroker/v1)/', line)] == []


def test_no_committed_file_names_a_machine_or_a_package_registry() -> None:
    strayed = re.compile("|".join(_NOT_OURS), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in committed_files()
        if path.suffix in _TEXT and (match := strayed.search(path.read_text(errors="replace")))
    ]
    assert found == []


def test_no_committed_file_holds_a_private_key() -> None:
    marker = b"-----BEGIN " + b"PRIVATE KEY-----"
    assert [str(path) for path in committed_files() if marker in path.read_bytes()] == []


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_every_locked_requirement_has_one_version_and_hashes(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    requirements = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE))
    wrong = [
        r.splitlines()[0] for r in requirements if r.strip() and not re.match(r"\S+==\S+ [\s\S]*--hash=sha256:", r)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "name", ["test", "quickstart", "replay_rtds", "bench", "setup", "lock", "generate_pb", "make_assurance"]
)
def test_scripts_can_be_run(name: str) -> None:
    assert (ROOT / "scripts" / name).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "module", ["keybroker.ledger.verify", "keybroker.ceremony.custody_process"], ids=["verifying", "a key in memory"]
)
def test_where_records_are_verified_or_a_key_is_in_memory_no_database_pkcs11_or_grpc_is_loaded(module: str) -> None:
    loaded = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "keybroker" in run.stdout.split()
    assert not {"sqlalchemy", "pkcs11", "grpc"} & set(run.stdout.split())


def test_where_a_key_is_in_memory_no_request_can_be_read() -> None:
    loaded = "import sys, keybroker.ceremony.custody_process; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"lxml", "keybroker.content.decoding", "keybroker.policy", "keybroker.gates"} & set(run.stdout.split())
