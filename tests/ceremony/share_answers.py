"""What do people type where shares are given out, handed in, proven and destroyed? Everybody does what he should."""

from __future__ import annotations

from pathlib import Path

from tests.ceremony.scripted import Answer

MOST = 16


def share_answers(directory: Path, given: Path) -> dict[str, Answer | list[Answer]]:
    """``directory`` is the rehearsal's, ``given`` what this ceremony takes and gives, and holds ``asked-N``, the
    messages that are to be signed."""

    def medium(question: str) -> str:
        """A directory for each copy, new for each ceremony: "Directory for copy 1 of 3, site-a?"."""
        place = directory / "media" / given.name / question.split()[3]
        place.mkdir(parents=True, exist_ok=True)
        return str(place)

    def envelope(question: str) -> str:
        """The newest that this custodian was given in another ceremony: those of this one are at hand."""
        name = question.removeprefix("Envelope of ").removesuffix("?")
        found = [*directory.glob(f"*.here/*.generation-*.{name}.share")]
        return str(max((file for file in found if file.parent != given), key=lambda file: file.stat().st_mtime_ns))

    def more(_question: str) -> str:
        """As long as one is left that was not signed."""
        signed = len([*given.glob("*.use-*.signed")])
        return "message" if (given / f"asked-{signed + 1}").exists() else "done"

    def asked(question: str) -> str:
        """ "Message 1?": the next that is left."""
        return f"asked-{len([*given.glob('*.use-*.signed')]) + 1}"

    def retired(question: str) -> str:
        """ "Old blob, site-a (1): destroy, destroyed or missing?": what is gone was destroyed before."""
        number = question.partition("(")[2].partition(")")[0]
        old = [file for file in directory.glob(f"media/*/{number}/*.blob") if given.name not in file.parts]
        return "destroy" if old else "destroyed"

    return {
        "Directory for copy": medium,
        "Printer for": "none",
        "Who hands in": [f"custodian-{number}" for number in range(1, MOST + 1)],
        "envelope or words": "envelope",
        "Envelope of": envelope,
        "more or done": "more",
        "message or done": more,
        "Message ": asked,
        "prove or lost": "prove",
        "Old blob": retired,
        "Old share": "destroyed",
    }
