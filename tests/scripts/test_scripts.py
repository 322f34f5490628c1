"""The scripts as people call them: from another directory, twice, with a pipe for a terminal."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import broker
from keybroker.cli.dev.deployment import open_deployment
from scripts.bench_parts.__main__ import build_loop, ratios
from scripts.bench_parts.measure import Bench
from scripts.bench_parts.prepared import Prepared, prepare
from scripts.broker_parts.running import running_broker
from scripts.quickstart_parts.checking import is_leaf, is_signed_pre_command
from tests.architecture.sources import ROOT
from tests.deployments import create_deployment

pytestmark = pytest.mark.hsm


def _run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_quickstart_signs_verifies_and_leaves_nothing_running_and_does_so_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for _ in range(2):
        run = _run("quickstart", str(kept), cwd=tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr
        told = json.loads(run.stdout.splitlines()[-1])
        assert told["signed"] is told["verified"] is told["record_verified"] is told["refused"] is True
        assert told["signed_when_checked"] is True
        assert "\033[" not in run.stdout
        assert "Task was destroyed" not in run.stderr
        assert broker.find_running(open_deployment(kept)) is None


def test_a_client_without_our_files_signs_by_reflection(tmp_path: Path) -> None:
    keybroker = [str(ROOT / ".venv/bin/keybroker"), "dev"]
    subprocess.run([*keybroker, "up", "dev", "--json"], cwd=tmp_path, check=True, capture_output=True)
    try:
        run = _run("reflect", "--directory", "dev", cwd=tmp_path)
    finally:
        subprocess.run([*keybroker, "down", "dev"], cwd=tmp_path, check=True, capture_output=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert "keybroker.v1.SigningService" in told["services"]
    assert told["answer"]["signed"]["signature"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    directory = tmp_path_factory.mktemp("bench")
    deployment = create_deployment(
        directory / "dev", checkpoints={"key": "audit-checkpoint", "every_records": 500, "every_seconds": 1}
    )
    return Bench(deployment=deployment, sign_loop=build_loop(directory), seconds=1)


@pytest.mark.parametrize("verify", [False, True])
def test_the_c_loop_signs_in_two_processes(bench: Bench, *, verify: bool) -> None:
    assert bench.loop(processes=2, verify=verify) > 0


def test_the_bare_server_signs(bench: Bench) -> None:
    with bench.bare_server() as target:
        assert bench.load(target=target, mode="unary", width=4, processes=1) > 0


def test_the_load_generator_gets_signatures_in_every_mode(bench: Bench) -> None:
    with running_broker(bench.deployment, workers=1):
        for mode in ("unary", "concurrent", "verifying", "batch"):
            assert bench.load(target=bench.deployment.target, mode=mode, width=16, processes=1) > 0, mode
        for mode, checked in itertools.product(("unary", "batch"), (False, True)):
            assert bench.prepared(mode=mode, width=16, checked=checked, about=500) > 0, (mode, checked)


def test_requests_are_prepared_with_a_statement_of_each_or_with_none_and_given_once(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "prepared"
    for checked in (False, True):
        prepare(bench.deployment, "supplier-a", file, 3, checked=checked)
        source = Prepared(file)
        requests = [source.next_request() for _ in range(3)]
        assert [len(request.supply_sensitive_checks) for request in requests] == [int(checked)] * 3
        assert len({request.pre_command for request in requests}) == 3
        with pytest.raises(SystemExit, match="did not last"):
            source.next_request()


def test_every_promised_ratio_is_among_those_of_the_bench() -> None:
    names = [
        f"{name}_x{n}" for n in (1, 2) for name in ("c_loop", "verified_loop", "concurrent", "batch64", "batch256")
    ]
    names += [f"{kind}_{form}" for kind in ("checked", "unchecked") for form in ("unary16", "batch256")]
    names += [
        f"{kind}_{form}" for kind in ("checkpointed", "plain") for form in ("unary16", "batch256", "concurrent256")
    ]
    names += ["checkpointed_verifying256"]
    names += [f"{kind}{width}{end}" for kind, end in (("bare_unary", ""), ("unary", "_x1")) for width in (1, 16, 64)]
    found = ratios(dict.fromkeys(names, 2.0))
    promised = (
        "batch256_x2_over_c_loop_x2",
        "batch256_x2_over_verified_loop_x2",
        "unary16_over_bare",
        "concurrent_over_unary",
        "checked_over_unchecked_unary16",
        "checked_over_unchecked_batch256",
        "checkpointed_over_plain_unary16",
        "checkpointed_over_plain_batch256",
        "checkpointed_over_plain_concurrent256",
        "verifying_over_plain_concurrent256",
    )
    assert [found[name] for name in promised] == [1.0] * len(promised)


def test_setup_has_nothing_to_do_a_second_time(tmp_path: Path) -> None:
    made = (ROOT / ".venv/.requirements-sha256").stat().st_mtime_ns
    run = _run("setup", cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert (ROOT / ".venv/.requirements-sha256").stat().st_mtime_ns == made


def test_the_quickstarts_checks_say_no_to_what_is_not_right() -> None:
    public_key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    assert not is_signed_pre_command(b"\xdf\x09\x40" + bytes([1] * 64), b"\xdf\x09", public_key)
    assert not is_signed_pre_command(b"\xdf\x09" + bytes(65), b"\xdf\x09", public_key)
    assert not is_leaf(b"{}", bytes(32))
