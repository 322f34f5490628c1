"""Which targets are fuzzed, for how long, and what came of it? One line of JSON a target on standard output."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.context import files_of
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
SECONDS_OF_ONE_INPUT = 10
MEGABYTES = 1024
LONGEST_OCTETS = 8192
"""Longer inputs are slower and say little more, but where the corpus has one that is longer."""
_statistic = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_covered = re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """``found``: inputs that reached something new. ``failures``: files that libFuzzer wrote for what went wrong."""

    target: str
    seconds: int
    executions: int
    found: int
    covered: int
    peak_megabytes: int
    failures: tuple[str, ...]


def fuzz(name: str, seconds: int) -> Fuzzed:
    """In a process of its own, which ends by itself."""
    place = ROOT / "build" / "fuzz" / name
    (place / "corpus").mkdir(parents=True, exist_ok=True)
    before = {file.name for file in place.iterdir()}
    sizes = [file.stat().st_size for file in files_of(name)]
    command = [sys.executable, "-m", "scripts.fuzz_parts.one_target", name, str(place / "corpus")]
    command += [str(ROOT / "tests" / "fuzz" / "corpus" / name), f"-artifact_prefix={place}/"]
    command += [f"-max_total_time={seconds}", f"-timeout={SECONDS_OF_ONE_INPUT}", f"-rss_limit_mb={MEGABYTES}"]
    command += [f"-max_len={max(LONGEST_OCTETS, *sizes)}", "-print_final_stats=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    (place / "log").write_text(done.stdout + done.stderr)
    told = {key: int(number) for key, number in _statistic.findall(done.stderr)}
    failures = [file.name for file in place.iterdir() if "-" in file.name and file.name not in before]
    if done.returncode and not failures:
        failures = [f"status {done.returncode}: {place / 'log'}"]
    return Fuzzed(
        target=name,
        seconds=seconds,
        executions=told.get("number_of_executed_units", 0),
        found=told.get("new_units_added", 0),
        covered=max(map(int, _covered.findall(done.stderr)), default=0),
        peak_megabytes=told.get("peak_rss_mb", 0),
        failures=tuple(failures),
    )


def main(arguments: Sequence[str]) -> int:
    """Answers 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.targets) - set(TARGETS))
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; expected some of {', '.join(TARGETS)}")
    failed = False
    for name in asked.targets or TARGETS:
        fuzzed = fuzz(name, asked.seconds)
        print(json.dumps(asdict(fuzzed)), flush=True)
        failed |= bool(fuzzed.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
