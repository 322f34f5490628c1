"""Which clause does a function hold that is no rule and no gate? (Rules carry theirs, gates have it from policies.)

``scripts/make_assurance`` reads the decorator in the source, for docs/assurance.md; nothing asks for it at work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

NUMBER = re.compile(r"G\d+\.\d+[A-Z]?(\([a-z]\)(\([ivx]+\))?)?")
"""A clause of SEC Section G or a lettered part of one: ``G2.44A``, ``G2.60(a)``, ``G3.23(a)(iii)``."""


def clause(*numbers: str) -> Callable[[_Function], _Function]:
    """Say which clauses of SEC Section G the function beneath holds: ``@clause("G2.60(a)", "G2.61(a)")``.

    The function itself is given back, so that a call costs what it cost before; its ``__clauses__`` are the numbers.

    Raises: ValueError when no clause is named, or something that is no number of one.
    """
    wrong = [number for number in numbers if not NUMBER.fullmatch(number)]
    if wrong or not numbers:
        raise ValueError(f"clause() takes numbers of SEC Section G such as 'G2.60(a)', found {wrong or 'none'}")

    def mark(function: _Function) -> _Function:
        vars(function)["__clauses__"] = numbers
        return function

    return mark
