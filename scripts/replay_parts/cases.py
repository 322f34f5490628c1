"""What is sent: every message as it is, and every Command also without its MAC wrapper and without its signature."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scripts.replay_parts.expectation import SIGNED, Expectation, expect
from scripts.replay_parts.held_keys import HeldKey
from scripts.replay_parts.slicing import NotSliced, Sliced, slice_message


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of the file."""

    use_case: str
    name: str
    kind: str
    octets: bytes


class Asked(NamedTuple):
    """A signed Service Request, and the certificates behind its signature (DER, end entity first)."""

    service_request: bytes
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Octets sent for a key, and what must come of it. ``form`` says what was done to the published message first;
    ``asked`` and ``checks`` are what comes beside it, by the way in which it is sent.
    """

    number: int
    message: Message
    form: str
    octets: bytes
    sliced: Sliced
    key: HeldKey
    expectation: Expectation
    asked: Mapping[str, Asked] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message.name} ({self.message.kind}, {self.form}) for {self.key.label}"


def read_messages(path: Path) -> list[Message]:
    """One JSON object a line: use_case, name, kind, hex."""
    rows = (json.loads(line) for line in path.read_text().splitlines() if line.strip())
    return [
        Message(use_case=row["use_case"], name=row["name"], kind=row["kind"], octets=bytes.fromhex(row["hex"]))
        for row in rows
    ]


def make_cases(messages: Iterable[Message], keys: Sequence[HeldKey]) -> list[Case]:
    """Every form of every message that is sent, with the key it is sent for and what is expected."""
    made: list[Case] = []
    for message in messages:
        for form, octets, key in _forms(message, keys):
            sliced = slice_message(octets)
            made.append(
                Case(
                    number=len(made),
                    message=message,
                    form=form,
                    octets=octets,
                    sliced=sliced,
                    key=key,
                    expectation=expect(octets, sliced, key),
                )
            )
    return made


def _forms(message: Message, keys: Sequence[HeldKey]) -> Iterator[tuple[str, bytes, HeldKey]]:
    try:
        sliced = slice_message(message.octets)
    except NotSliced as error:
        raise SystemExit(f"{message.name}: {error}: the file is not one of GBCS messages") from error
    key = _key_for(sliced, keys)
    yield "as it is", message.octets, key
    if sliced.mac_wrapped:
        yield "without its MAC", sliced.inner, key
    if sliced.signature:
        yield "without MAC and signature", sliced.unsigned, key
    if expect(sliced.unsigned, slice_message(sliced.unsigned), key) != SIGNED:
        return
    yield "with a null signature", sliced.unsigned + b"\0", key
    other = next((other for other in keys if other.eui != key.eui), None)
    if other is not None:
        yield "for another's key", sliced.unsigned, other


def _key_for(message: Sliced, keys: Sequence[HeldKey]) -> HeldKey:
    """The originator's key where it is held, else the recipient's, else any: a refusal is expected then."""
    by_eui = {key.eui: key for key in keys}
    return by_eui.get(message.originator) or by_eui.get(message.recipient) or keys[0]
