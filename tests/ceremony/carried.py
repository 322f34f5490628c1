"""Who carries the files of a transfer? Somebody who goes to the other side, and rests where nothing is there yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from keybroker.ceremony.plan import PlanFile, Side
from keybroker.ceremony.room import Paused

OTHER: Mapping[Side, Side] = {Side.SOURCE: Side.DESTINATION, Side.DESTINATION: Side.SOURCE}


def carried(directory: Path, plan_file: PlanFile, side: Side) -> Mapping[str, Callable[[str], str]]:
    """By a word of the question, for one side of a transfer; nothing for any other ceremony."""
    if side is Side.HERE:
        return {}
    name, there = plan_file.plan.name, directory / f"{plan_file.plan.name}.{OTHER[side]}"

    given: set[str] = set()

    def brought(file: str) -> Callable[[str], str]:
        def answer(_question: str) -> str:
            # What did not do is not brought a second time.
            if not (there / file).exists() or file in given:
                raise Paused(f"{file} is not there yet")
            given.add(file)
            return str(there / file)

        return answer

    documents = {f"The {what}?": brought(f"{name}.{what}.json") for what in ("offer", "package", "proof")}
    keys = {f"The wrapped key {key.label}?": brought(f"{name}.{key.label}.wrapped.json") for key in plan_file.plan.keys}
    return {**documents, **keys}


def searched(directory: Path) -> Mapping[str, Callable[[str], str]]:
    """Of each copy that is a file one directory is searched; what stands elsewhere was erased by its maker's erase."""
    asked: set[str] = set()

    def where(question: str) -> str:
        again = question in asked
        asked.symmetric_difference_update({question})
        return "done" if again else str(directory / "vault")

    return {"Where to search for": where, "How was": lambda _question: "hsm factoryreset of member 2, by otto"}
