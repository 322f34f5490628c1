"""What do people do at a real terminal, from plan to transcript? ``keybroker ceremony`` as it is typed, at 80 by 24.

A rehearsal is made in ``place`` below a test's directory; what each side takes and gives stands there in NAME.SIDE.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from keybroker.ceremony.file_key import read_file_key
from keybroker.ceremony.plan import PlanFile, Side
from keybroker.ceremony.share import Share, read_share
from keybroker.cli.dev.deployment import Deployment, open_deployment
from tests.ceremony.carried import OTHER
from tests.ceremony.share_answers import MOST
from tests.ceremony.terminal import Answer, Conductor, Secret

KEYBROKER = Path(sys.executable).with_name("keybroker")
PAUSED = 75
LONGEST = 90
"""Seconds until the next question: nothing that a step does takes longer."""

Look = Callable[[Conductor], None]
"""Goes with a command as far as it likes, and looks."""


def rehearse(
    directory: Path,
    plan_file: PlanFile,
    answers: Mapping[str, Answer],
    *,
    side: Side = Side.HERE,
    look: Look = lambda _: None,
) -> tuple[int, str]:
    """One life at a terminal: exit status, and what was on the screen, which holds nothing secret."""
    plan = directory / f"{plan_file.plan.name}.toml"
    plan.write_bytes(plan_file.octets)
    place = directory / "place"
    command = (KEYBROKER, "ceremony", "rehearse", plan, "--directory", place, "--side", side.value)
    return at_terminal(command, {**answers, **officers_pin(place, side)}, place / side.value, look=look)


def at_terminal(
    command: tuple[str | Path, ...],
    answers: Mapping[str, Answer],
    deployment: Path,
    env: Mapping[str, str] | None = None,
    look: Look = lambda _: None,
) -> tuple[int, str]:
    """The same of any command: nothing is shown that opens the deployment's token."""
    with Conductor(command, answers, timeout=LONGEST, env=env) as conductor:
        look(conductor)
        status, screen = conductor.run(), conductor.screen
    opened = open_deployment(deployment)
    assert opened.pin not in screen
    assert opened.so_pin not in screen
    return status, screen


def officers_pin(place: Path, side: Side) -> Mapping[str, Answer]:
    return {"Security officer's PIN": lambda _question: Secret(deployment(place, side).so_pin)}


def deployment(place: Path, side: Side = Side.HERE) -> Deployment:
    return open_deployment(place / side.value)


def outputs(directory: Path, plan_file: PlanFile, side: Side = Side.HERE) -> Path:
    return directory / "place" / f"{plan_file.plan.name}.{side}"


def verified(directory: Path, plan_file: PlanFile, side: Side = Side.HERE) -> Mapping[str, object]:
    """What the command says of the whole transcript; then the commands that it prints are run, by openssl alone."""
    transcript = outputs(directory, plan_file, side) / f"{plan_file.plan.name}.transcript.json"
    told = verify(transcript, directory / f"parts-{plan_file.plan.name}-{side}")
    assert (told["complete"], told["state"]) == (True, "done")
    return told


def verify(transcript: Path, parts: Path) -> Mapping[str, object]:
    """``parts``: a directory for what stands in the transcript, and its page."""
    done = subprocess.run(
        [KEYBROKER, "ceremony", "verify", transcript, "--extract", parts, "--page", parts / "page.html", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(told["commands"])], cwd=parts, check=True)
    assert (parts / "page.html").stat().st_size > 1_000
    return dict(told)


def certify(directory: Path, plan_file: PlanFile, label: str) -> str:
    """By the stand-in of the authority; the file's name."""
    given = outputs(directory, plan_file)
    request, chain = given / f"{label}.csr.pem", given / "chain.pem"
    subprocess.run([KEYBROKER, "dev", "certify", directory / "place" / "here", request, "-o", chain], check=True)
    return "chain.pem"


def brought(directory: Path, plan_file: PlanFile, side: Side) -> Mapping[str, Answer]:
    """The files of the other side of a transfer, by whoever carries them; he stops where one is not there yet."""
    name, there = plan_file.plan.name, outputs(directory, plan_file, OTHER[side])

    def file(named: str) -> Answer:
        return lambda _question: str(there / named) if (there / named).exists() else "stop"

    documents = {rf"The {what}\?": file(f"{name}.{what}.json") for what in ("offer", "package", "proof")}
    keys = {rf"wrapped key {key.label}\?": file(f"{name}.{key.label}.wrapped.json") for key in plan_file.plan.keys}
    return {**documents, **keys}


def shares(directory: Path, plan_file: PlanFile) -> Mapping[str, Answer]:
    """What everybody types who gives shares out and hands them in; ``custodian-1`` types the words of his."""
    place, given = directory / "place", outputs(directory, plan_file)

    def medium(question: str) -> str:
        """ "Directory for copy 1 of 3, site-a?": new for each ceremony."""
        made = place / "media" / given.name / question.split()[3]
        made.mkdir(parents=True, exist_ok=True)
        return str(made)

    def envelope(question: str) -> str:
        return str(newest_envelope(place, question.removeprefix("Envelope of ").removesuffix("?")))

    lines = _halves(place, "custodian-1")
    return {
        "Directory for copy": medium,
        "Printer for": "none",
        "Who hands in": [f"custodian-{number}" for number in range(1, MOST + 1)],
        "custodian-1: envelope or words": "words",
        "envelope or words": "envelope",
        "Envelope of": envelope,
        r"Word \d+ of": lambda _question: next(lines),
        "prove or lost": "prove",
    }


def newest_envelope(place: Path, custodian: str) -> Path:
    """That this custodian was given, in any ceremony of the place."""
    found = place.glob(f"*.here/*.generation-*.{custodian}.share")
    return max(found, key=lambda file: file.stat().st_mtime_ns)


def share_of(place: Path, custodian: str) -> Share:
    """What is in his newest envelope."""
    key = read_file_key(place / "people" / custodian, custodian, now=lambda: datetime.now(UTC))
    return read_share(key.open(newest_envelope(place, custodian).read_bytes()))


def words_of(place: Path, custodian: str) -> list[str]:
    """What would stand on his paper."""
    return list(share_of(place, custodian).words)


def _halves(place: Path, custodian: str) -> Iterator[Secret]:
    """Typed in two lines, each time anew; the share is looked for when it is asked for."""
    while True:
        words = words_of(place, custodian)
        yield Secret(" ".join(words[:17]))
        yield Secret(" ".join(words[17:]))
