"""Deployments and rehearsals of tests, as the product makes them; but what need not be made for each is made once.

The process that makes the keys in a token begins as a fork (``lives``), and people keep their RSA keys from one
rehearsal to the next.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from keybroker.ceremony.plan import PlanFile
from keybroker.cli import ceremony_rehearse
from keybroker.cli.dev import deployment
from keybroker.statement.approval import ApprovedMessage
from tests.lives import live


def as_a_fork(words: Sequence[str], given: bytes, environment: Mapping[str, str]) -> deployment.Ended:
    module, *arguments = words
    done = live(module, arguments, given=given, environment=environment, seconds=120)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.encode(), done.stderr.encode())


create_deployment = partial(deployment.create_deployment, child=as_a_fork)


def prepare_rehearsal(
    plan_file: PlanFile,
    directory: Path,
    messages: tuple[ApprovedMessage, ...] = (),
    uses: int = ceremony_rehearse.FEW_USES,
) -> ceremony_rehearse.Rehearsal:
    people, kept = directory / "people", _people()
    for name in [person.name for person in plan_file.plan.people]:
        if (kept / name).exists() and not (people / name).exists():
            shutil.copytree(kept / name, people / name)
    place = ceremony_rehearse.prepare_rehearsal(plan_file, directory, messages, uses, child=as_a_fork)
    for person in people.iterdir():
        if not (kept / person.name).exists():
            shutil.copytree(person, kept / person.name)
    return place


@cache
def _people() -> Path:
    directory = tempfile.mkdtemp(prefix="keybroker-people-")
    atexit.register(shutil.rmtree, directory)
    return Path(directory)
