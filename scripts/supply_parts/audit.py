"""Are the dependencies as they should be, and is a vulnerability of one known?

What this machine can say first; then pip-audit asks a database of vulnerabilities about the very versions of
requirements/runtime.txt. Where that cannot be reached nothing is known, and that is said: status 75, never 0.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.supply_parts.checks import find_wrong
from scripts.supply_parts.locked import ROOT

CLEAN, FOUND, NOT_AUDITED = 0, 1, 75
_SECONDS = 300


def main(arguments: Sequence[str]) -> int:
    """Answers CLEAN, FOUND, or NOT_AUDITED (EX_TEMPFAIL)."""
    parser = argparse.ArgumentParser(prog="scripts/audit_dependencies")
    parser.add_argument("--offline", action="store_true", help="what this machine can say alone; no database is asked")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help=f"for the database (default {_SECONDS})")
    asked = parser.parse_args(arguments)
    try:
        wrong = find_wrong()
    except ValueError as error:
        wrong = [str(error)]
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    if wrong:
        return FOUND
    print("the locks are what pyproject.toml asks for, by hash; every licence is on the list")
    return CLEAN if asked.offline else vulnerabilities(asked.seconds)


def vulnerabilities(seconds: float) -> int:
    """Ask about every locked version, for so long. Nothing is installed."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "requirements" / "runtime.txt")]
    command += ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return not_audited(f"no answer within {seconds:g} s")
    try:
        answered: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return not_audited(done.stderr.strip()[-200:])
    # pip-audit says "no known vulnerabilities", with status 0, of what its database did not answer for.
    if skipped := [each["skip_reason"] for each in answered if "skip_reason" in each]:
        return not_audited(f"{len(skipped)} of {len(answered)} not answered for, first: {skipped[0]}")
    return tell({each["name"]: each["vulns"] for each in answered if each["vulns"]}, len(answered))


def tell(vulnerable: Mapping[str, Sequence[Mapping[str, Any]]], asked: int) -> int:
    for name, known in vulnerable.items():
        for each in known:
            print(f"WRONG: {name}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no version'}")
    if vulnerable:
        return FOUND
    print(f"no vulnerability is known of the {asked} distributions that are locked")
    return CLEAN


def not_audited(why: str) -> int:
    print(
        f"NOT AUDITED: the database of vulnerabilities cannot be reached, so nothing is known: {why}", file=sys.stderr
    )
    return NOT_AUDITED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
