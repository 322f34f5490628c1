"""How is text laid out for a console of 80 columns and 24 lines? Lines out of values; nothing is written here.

What is shown may come out of files and modules: whatever would steer a terminal, or is wider than one column, is shown
as its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from unicodedata import combining, east_asian_width

from keybroker.ceremony.digest_words import rows
from keybroker.cli.output import word_of

COLUMNS = 78
"""The most that a line has: the last column of a terminal wraps, and a margin is easier to read."""
LINES = 22
"""The most that a screen has between two answers, with the question."""

_NAMES = 26
"""Columns for names before their values; a longer name has a line of its own."""
_QUESTION = 66
_GROUP, _GROUPS = 8, 8
_BAR = 40


def cleaned(text: str) -> str:
    """One line in which every character has one column."""
    return "".join(
        each if each.isprintable() and not combining(each) and east_asian_width(each) not in "WF" else _numbered(each)
        for each in text.replace("\t", " ")
    )


def _numbered(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if ord(character) < 0x100 else f"\\u{ord(character):04x}"


def paragraphs(text: str, indent: int = 0, *, first: str = "") -> tuple[str, ...]:
    """Wrapped; ``first`` stands before the first line, in the place of its indent."""
    whole: list[str] = []
    for line in text.split("\n"):
        head = first.ljust(indent) if not whole else " " * indent
        whole += wrap(
            cleaned(line), COLUMNS, initial_indent=head, subsequent_indent=" " * indent, break_on_hyphens=False
        ) or [head.rstrip()]
    return tuple(whole)


def question_lines(question: str) -> list[str]:
    """Wrapped, so that there is room for an answer beside the last line."""
    return wrap(cleaned(question), _QUESTION, break_on_hyphens=False) or [""]


def heading(above: str, title: str) -> tuple[str, ...]:
    """Between two rules."""
    rule = "=" * COLUMNS
    return (rule, *paragraphs(above, 1), *paragraphs(title.upper(), 1), rule, "")


def labelled(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Names, one below the other, and what is said of each beside them, wrapped."""
    said = [(cleaned(name), value) for name, value in pairs]
    column = max((len(name) + 2 for name, _ in said if len(name) + 2 <= _NAMES), default=4)
    return tuple(line for name, value in said for line in _labelled(name, value, column))


def _labelled(name: str, value: str, column: int) -> tuple[str, ...]:
    # A digest stays in one piece as long as it fits in a line.
    longest = max((len(cleaned(each)) for each in value.split()), default=0)
    if len(name) + 2 > column or longest > COLUMNS - column:
        return (*paragraphs(name), *paragraphs(value, 4))
    return paragraphs(value, column, first=name)


def fact_lines(facts: Mapping[str, object]) -> tuple[str, ...]:
    return labelled((name.replace("_", " "), word_of(value)) for name, value in facts.items())


def digest_lines(what: str, digest: bytes) -> tuple[str, ...]:
    """Hexadecimal digits in groups of eight, eight in a line, then words, four in a line."""
    text = digest.hex()
    groups = [text[start : start + _GROUP] for start in range(0, len(text), _GROUP)]
    return (
        f"DIGEST: {cleaned(what).upper()}"[:COLUMNS],
        "One person reads it aloud. Everybody compares it.",
        "",
        *("  " + " ".join(groups[start : start + _GROUPS]) for start in range(0, len(groups), _GROUPS)),
        "",
        *("  " + row for row in rows(digest)),
        "",
    )


def bar(what: str, done: int, of: int) -> str:
    """``what [####----] 2 of 4``: one line, no control sequences."""
    filled = _BAR * done // max(of, 1)
    tail = f" [{'#' * filled}{'-' * (_BAR - filled)}] {done} of {of}"
    return f"{cleaned(what)[: COLUMNS - len(tail)]}{tail}"
