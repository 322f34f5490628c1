"""How does what one side gave come to the other? In files that people carry; each is read again whenever it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from keybroker.ceremony.package import PackageUnfit
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.room import Answered
from keybroker.ceremony.transcript import make_transcript

T = TypeVar("T")

OFFER, PACKAGE, PROOF, RENUNCIATION = "offer", "package", "proof", "renunciation"
"""What is carried: the transcript of the side that gives it, as far as it is."""


def carried_name(stage: Stage, what: str) -> str:
    return f"{stage.plan.name}.{what}.json"


def wrapped_name(stage: Stage, label: str) -> str:
    """Of the file with a wrapped key."""
    return f"{stage.plan.name}.{label}.wrapped.json"


def give(stage: Stage, what: str) -> str:
    """Write this side's transcript for the other side to read; gives the file's name. Raises: LedgerFault."""
    hall, name = stage.hall, carried_name(stage, what)
    hall.write(name, make_transcript(hall.book, stage.held, hall.scene(hall.now())))
    return name


def take(stage: Stage, name: str, question: str, told: str, read: Callable[[bytes], T]) -> T:
    """What the file of this name says: the one that was brought before, where it still does, else one that is asked
    for and kept. ``read`` raises PackageUnfit for what does not do, and it is asked again. Raises: Paused; LedgerFault.
    """
    found = brought_before(stage, name, read)
    if found is not None:
        return found

    def check(octets: bytes) -> tuple[bytes, T]:
        try:
            return octets, read(octets)
        except PackageUnfit as unfit:
            stage.refuse(name, "whoever brought it", unfit.flaw, unfit.sentence)
            raise Answered(unfit.sentence) from unfit

    octets, fit = stage.room.ask_file(question, told, check)
    stage.hall.write(name, octets)
    return fit


def brought_before(stage: Stage, name: str, read: Callable[[bytes], T]) -> T | None:
    """None where nothing was kept, or what was kept does not do."""
    try:
        return read((stage.hall.directory / name).read_bytes())
    except (OSError, PackageUnfit):
        return None
