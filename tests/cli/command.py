"""Runs ``keybroker``: in a process of its own, as people do, or in this one, which is faster."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keybroker.cli.dev.deployment import Deployment, DevKey
from keybroker.cli.main import answer
from keybroker.terms import KeyPurpose, RemotePartyRole
from tests import messages
from tests.deployments import create_deployment
from tests.lives import live

Done = subprocess.CompletedProcess[str]


def run(*arguments: object, env: Mapping[str, str] | None = None) -> Done:
    """``keybroker ARGUMENTS`` in a process of its own, with no KEYBROKER_ variables but those of ``env``."""
    return live("keybroker.cli.main", [str(each) for each in arguments], environment=_environment(env), seconds=60)


def run_here(*arguments: object, env: Mapping[str, str] | None = None) -> Done:
    """The same in this process: for commands that load no token's library and become no other program."""
    out, err, before = io.StringIO(), io.StringIO(), dict(os.environ)
    given = [str(argument) for argument in arguments]
    status: Any = 0
    try:
        os.environ.clear()
        os.environ.update(_environment(env))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            answer(given)
    except SystemExit as end:
        status = end.code or 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    return subprocess.CompletedProcess(given, status, out.getvalue(), err.getvalue())


def run_json(
    *arguments: object, env: Mapping[str, str] | None = None, expect: int = 0, how: Callable[..., Done] = run
) -> Any:
    """The one JSON object that it prints, with ``--json``."""
    done = how(*arguments, "--json", env=env)
    assert done.returncode == expect, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYBROKER_")}
    return {**clean, **(env or {})}


def ordering(deployment: Deployment, name: str = "administrator-a") -> dict[str, str]:
    """What a command reads to sign an order as that person."""
    evidence = deployment.directory / "evidence"
    return {
        "KEYBROKER_PERSON": str(evidence / f"{name}.pem"),
        "KEYBROKER_PERSON_KEY": str(evidence / f"{name}.key"),
    }


def a_deployment(directory: Path) -> Deployment:
    """One whose broker never runs: a supplier with its Pre-Command key."""
    key = DevKey(
        label="supplier-a",
        purpose=KeyPurpose.SUPPLIER_PRE_COMMAND,
        party="supplier-a",
        eui=messages.SUPPLIER,
        role=RemotePartyRole.SUPPLIER,
    )
    return create_deployment(directory, keys=(key,))
