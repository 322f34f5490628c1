"""What do the tables of keys, their history and their copies hold? For an auditor: one frozen type a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """``public_key`` in hex, ``eui`` as DUIS writes it; moments are in seconds."""

    label: str
    purpose: str = ""
    party: str = ""
    state: str = ""
    provenance: str | None = None
    public_key: str | None = None
    eui: str | None = None
    revoked_at: int | None = None
    renews: str | None = None
    activated_at: int | None = None
    uses_before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow:
    """One act, of one key that it moved; ``at`` as the record writes it."""

    leaf_index: int
    label: str
    act: str
    before: str | None
    after: str
    at: str
    actor: str
    people: str
    ceremony: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """``sha256`` in hex, empty where there is none."""

    added_index: int
    label: str
    kind: str
    place: str
    sha256: str
    destroyed_index: int | None = None
    how: str | None = None
    searched: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeRows:
    """All three tables, as they are now."""

    keys: Iterable[KeyRow]
    transitions: Iterable[TransitionRow]
    copies: Iterable[CopyRow]
