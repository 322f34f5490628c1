"""What do people want to see of a package at a glance? Counts of what its records say, as text and as a page. Pure.

Whoever relies on a number counts the records: the verifier does, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.export_choosing import act_of
from keybroker.ledger.model import RecordKind

Row = tuple[str, ...]
Table = tuple[str, Row, Sequence[Row]]
"""A heading, the names of the columns, the rows."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sees every record that the package holds."""

    first: str = ""
    last: str = ""
    kinds: Counter[str] = field(default_factory=Counter)
    uses: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    acts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _key_of: dict[int, tuple[str, str]] = field(default_factory=dict)

    def see(self, index: int, body: Mapping[str, Json]) -> None:
        at, kind = str(body["at"]), str(body["kind"])
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        self.kinds[kind] += 1
        match kind:
            case RecordKind.INTENT:
                self._key_of[index] = (str(body["key"]), str(body["purpose"]))
                self.uses.setdefault(self._key_of[index], Counter())["intents"] += 1
            case RecordKind.OUTCOME | RecordKind.CLOSED:
                key = self._key_of.pop(int(str(body["intent"])), ("", ""))
                self.uses.setdefault(key, Counter())[str(body["state"])] += 1
            case RecordKind.REFUSAL:
                caller = body.get("caller")
                told = caller.get("identity") if isinstance(caller, dict) else None
                self.refusals[str(body.get("reason") or act_of(body).get("reason")), str(told or "-")] += 1
            case RecordKind.ADMINISTRATIVE:
                actor = act_of(body).get("actor")
                told = actor.get("identity") if isinstance(actor, dict) else actor
                self.acts[str(act_of(body).get("act")), str(told or "-")] += 1

    def tables(self) -> Iterator[Table]:
        """Everything that was counted, always in the same order."""
        yield "Records", ("kind", "number"), [(kind, str(number)) for kind, number in sorted(self.kinds.items())]
        states = ("intents", "signed", "made", "done", "failed", "unknown")
        yield (
            "Use of keys",
            ("key", "purpose", *states),
            [(*key, *(str(ends[state]) for state in states)) for key, ends in sorted(self.uses.items())],
        )
        yield "Refusals", ("reason", "caller", "number"), _counted(self.refusals)
        yield "Administrative acts", ("act", "actor", "number"), _counted(self.acts)


def as_text(title: str, facts: Mapping[str, str], tables: Sequence[Table]) -> str:
    """For a terminal or a printer."""
    width = max(map(len, facts))
    lines = [title, "=" * len(title), "", *(f"{name.ljust(width)}  {value}" for name, value in facts.items())]
    for heading, columns, rows in tables:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        lines += ["", heading, "-" * len(heading)]
        lines += [
            "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
            for row in (columns, *rows)
        ]
    return "\n".join(lines) + "\n"


def as_page(title: str, facts: Mapping[str, str], tables: Sequence[Table]) -> str:
    """One file of HTML that loads nothing."""
    shown = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    parts = [f"<h1>{escape(title)}</h1><table>{shown}</table>"]
    for heading, columns, rows in tables:
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<h2>{escape(heading)}</h2><table><tr>{head}</tr>{body}</table>")
    style = "body{font:15px sans-serif;margin:2em}th,td{text-align:left;padding:2px 12px;border-bottom:1px solid #ccc}"
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _counted(counter: Counter[tuple[str, str]]) -> list[Row]:
    return [(*names, str(number)) for names, number in sorted(counter.items())]
