"""What is written down is canonical JSON: one body, one string of octets. Pure.

RFC 8785, made by the C encoder within the subset where the two agree: ASCII keys, integers within 2^53 and no floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

Json = str | int | bool | list["Json"] | dict[str, "Json"] | None
"""What a record's body may hold: keys are ASCII, integers stand within 2^53, and there are no floats."""

LARGEST_INTEGER = 2**53
"""Beyond it RFC 8785 writes what ECMAScript would, and so do we not write it at all."""

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def encode(body: Mapping[str, Json]) -> bytes:
    """Canonical JSON of a body known to lie within the subset: those that we make do.

    Raises: UnicodeEncodeError (a ValueError) for a lone surrogate.
    """
    return _encode(body).encode()


def text(value: Json) -> str:
    """A part of a body as it stands in the record."""
    return _encode(value)


def check_json(value: object, where: str = "body") -> None:
    """Raises: ValueError when a value lies outside the subset in which our encoder equals RFC 8785."""
    match value:
        case None | bool():
            pass
        case str():
            value.encode()
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{where}: an integer beyond 2^53 is written as a decimal string")
        case list():
            for item in value:
                check_json(item, where)
        case dict():
            for key, item in value.items():
                if not (isinstance(key, str) and key.isascii()):
                    raise ValueError(f"{where}: a key must be ASCII text")
                check_json(item, f"{where}.{key}")
        case _:
            raise ValueError(f"{where}: a record holds no {type(value).__name__}")


def decode(octets: bytes) -> dict[str, Json]:
    """The body of a record.

    Raises: ValueError when the octets are not one JSON object in canonical form within the subset.
    """
    try:
        body = json.loads(octets, parse_float=_no_float, parse_constant=_no_float)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("a record is a JSON object")  # noqa: TRY004 - one kind of error for whatever was read
    check_json(body)
    if encode(body) != octets:
        raise ValueError("the JSON is not canonical (RFC 8785)")
    return body


def _no_float(text: str) -> float:
    raise ValueError(f"a record holds no such number: {text}")
