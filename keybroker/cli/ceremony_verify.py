"""``keybroker ceremony verify``: is a transcript true? Offline, from nothing but itself; with a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.ceremony.transcript_page import make_page
from keybroker.ceremony.transcript_verifying import TranscriptUnfit, verify_transcript
from keybroker.ceremony.witness_commands import extracted, witness_commands
from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.options import Json
from keybroker.cli.output import console, show_facts, show_json


def verify(
    transcript: Annotated[Path, typer.Argument(help="NAME.transcript.json", exists=True, dir_okay=False)],
    page: Annotated[Path | None, typer.Option("--page", help="Write it as a page for people, HTML.")] = None,
    extract: Annotated[
        Path | None,
        typer.Option("--extract", help="Write plan, entries, signatures and certificates here.", file_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every entry, signature, record and approval; print how a witness checks it without us."""
    octets = transcript.read_bytes()
    try:
        verified = verify_transcript(octets)
    except TranscriptUnfit as unfit:
        _refuse(str(unfit), as_json=as_json)
        raise typer.Exit(ExitStatus.REFUSED) from unfit
    if extract is not None:
        extract.mkdir(parents=True, exist_ok=True)
        for name, content in extracted(octets).items():
            (extract / name).write_bytes(content)
    if page is not None:
        page.write_text(make_page(octets), encoding="utf-8")
    facts = {
        "ceremony": verified.plan.name,
        "kind": verified.plan.kind.value,
        "state": verified.state,
        "plan_sha256": verified.plan_sha256,
        "steps": [entry.step for entry in verified.entries],
        "complete": verified.complete,
    }
    if as_json:
        show_json({**facts, "verified": True, "commands": witness_commands(octets)})
        return
    show_facts(facts)
    for command in witness_commands(octets):
        print(command)


def _refuse(why: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"verified": False, "because": why})
    else:
        console(stderr=True).print(f"this transcript does not hold: {why}", markup=False)
