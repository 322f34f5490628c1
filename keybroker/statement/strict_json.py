"""Is this JSON of one reading? Stricter than the library's: it would take the last of two equal keys, and any depth."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from keybroker.statement.flaw import Flaw, StatementUnfit

DEEPEST = 8
"""Nesting of objects and arrays."""

LARGEST_INTEGER = 2**53

_OPENING = {0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}
_strings = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""One that has no end is a string too, up to the end: otherwise each of its quotes would be looked at as a beginning,
which takes a second for 12 KiB."""


def read_object(octets: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, every key once, no floats, integers within 2^53. Raises: StatementUnfit."""
    _check_depth(octets)
    try:
        text = octets.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_no_number, parse_constant=_no_number)
        _check_texts(value)
    except (ValueError, RecursionError) as error:
        raise StatementUnfit(Flaw.NOT_JSON, expected="JSON in UTF-8", found=type(error).__name__) from error
    if not isinstance(value, dict):
        raise StatementUnfit(Flaw.NOT_JSON, expected="a JSON object", found=type(value).__name__)
    return value


def _check_depth(octets: bytes) -> None:
    """Before anything is parsed: a parser that recurses is not given ten thousand brackets."""
    depth = 0
    for octet in _strings.sub(b"", octets):
        depth += _OPENING.get(octet, 0)
        if depth > DEEPEST:
            raise StatementUnfit(Flaw.TOO_DEEP, expected=f"at most {DEEPEST} levels", found="more")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in pairs:
        if key in read:
            raise StatementUnfit(Flaw.DUPLICATE_KEY, expected="each key once", found=f"{key[:64]!r} twice")
        read[key] = value
    return read


def _check_texts(value: Any) -> None:
    """Raises: ValueError for a lone surrogate, which two readers would write differently, or a number beyond 2^53."""
    match value:
        case str():
            value.encode("utf-8")
        case bool() | None:
            pass
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ValueError("an integer beyond 2^53")
        case list():
            for each in value:
                _check_texts(each)
        case dict():
            for key, each in value.items():
                key.encode("utf-8")
                _check_texts(each)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"no such number: {text[:16]}")
