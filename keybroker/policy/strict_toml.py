"""Is this TOML, of a size and depth that a person wrote? ``tomllib`` alone leaves through RecursionError too.

For every file of ours that somebody writes: policies, profiles, plans, keybroker.toml. What stands in them is their
readers' question.
"""

from __future__ import annotations

import tomllib
from typing import Any

DEEPEST = 16
"""Tables and lists within one another; the deepest of ours has five."""


def read_toml(octets: bytes) -> dict[str, Any]:
    """Raises: ValueError, and nothing else, for what is no TOML in UTF-8, or is nested more than ``DEEPEST`` deep."""
    try:
        read = tomllib.loads(octets.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _is_deeper(read, DEEPEST):
        raise ValueError(f"nested too deeply: expected {DEEPEST} tables and lists within one another at most")
    return read


def _is_deeper(value: object, deepest: int) -> bool:
    """Level by level, so that depth costs no stack."""
    level: list[object] = [value]
    for _ in range(deepest + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: object) -> list[object]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return []
