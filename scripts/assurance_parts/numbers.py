"""Which clauses of SEC Section G does a text name?

``G2.44(a)+(f)``, ``G2.44(a) to (f)`` and ``G3.25(a)-(c)`` name several parts of one clause, as policies write them.
"""

from __future__ import annotations

import re

_named = re.compile(r"(G\d+\.\d+[A-Z]?)(\([a-z]\)(?:\([ivx]+\))?(?:(?:\+|-| to )\([a-z]\))*)?")
_part = re.compile(r"(\+|-| to |)\(([a-z])\)(\([ivx]+\))?")
_placed = re.compile(r"G(\d+)\.(\d+)([A-Z]?)(.*)").fullmatch


def numbers_in(text: str) -> tuple[str, ...]:
    """The clauses that the text names, each once, in its order."""
    found = [number for clause, parts in _named.findall(text) for number in _spread(clause, parts)]
    return tuple(dict.fromkeys(found))


def clause_of(number: str) -> str:
    """The clause that a part belongs to: G2.60 of G2.60(a)."""
    return number.partition("(")[0]


def part_of(number: str) -> str:
    """The letter of the part, empty for a whole clause: b of G2.22I(b)(ii)."""
    return number.partition("(")[2][:1]


def placed(number: str) -> tuple[int, int, str, str]:
    """Sorts as Section G does: G2.9, G2.22, G2.22A, G2.22A(a), G2.23.

    Raises: ValueError when it is no number of a clause.
    """
    found = _placed(number)
    if found is None:
        raise ValueError(f"{number!r} is no number of a clause of Section G")
    return int(found[1]), int(found[2]), found[3], found[4]


def _spread(clause: str, parts: str) -> list[str]:
    if not parts:
        return [clause]
    letters: list[str] = []
    for joined, letter, below in _part.findall(parts):
        if joined in ("-", " to "):
            letters += [f"({chr(code)})" for code in range(ord(letters[-1][1]) + 1, ord(letter) + 1)]
        else:
            letters.append(f"({letter}){below}")
    return [clause + letter for letter in letters]
