"""How is a plan written down? As TOML, in the order in which people read it: whatever ``read_plan`` reads. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum

from keybroker.ceremony.plan import Plan

_TABLES = ("keys", "modules", "people", "approvals", "conditions")


def plan_text(plan: Plan) -> str:
    """TOML that reads back as this very plan."""
    said = plan.model_dump(exclude_none=True)
    whole = {name: value for name, value in said.items() if not isinstance(value, dict) and name not in _TABLES}
    lines = [f"{name} = {_value(value)}" for name, value in whole.items()]
    for name, value in said.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *_lines(value)]
    for name in _TABLES:
        for each in said.get(name, ()):
            lines += ["", f"[[{name}]]", *_lines(each)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, object]) -> Iterator[str]:
    return (f"{name} = {_value(value)}" for name, value in table.items())


def _value(value: object) -> str:
    match value:
        case Enum():
            return _value(value.value)
        case bool():
            return "true" if value else "false"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case tuple() | list():
            return f"[{', '.join(map(_value, value))}]"
        case int():
            return str(value)
        case _:
            # A TOML basic string; JSON's escapes are TOML's.
            return json.dumps(str(value), ensure_ascii=False)
