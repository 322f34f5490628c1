"""Did every key go from state to state as it may, by whose word it must, and do the tables say the same? Pure.

SEC G5.13, G5.24. What is recomputed from the records of the acts alone: the register's row of each key, its history and
its copies; that no act led from a state from which it does not lead; that two people ordered what two must, a ceremony
did what only one does; and that no key was destroyed while a copy of it was left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.life_form import BEGINS_USE, IN_A_CEREMONY, LIFE, RENEW, SUCCESSOR, TWO_PEOPLE
from keybroker.ledger.verify_form import expect, moment_of
from keybroker.ledger.verify_life_rows import CopyRow, KeyRow, LifeRows, TransitionRow
from keybroker.ledger.verify_rows import check_rows
from keybroker.terms import CopyKind, KeyPurpose, KeyState, Provenance

Body = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Lives:
    """What is remembered between records: the rows of which they tell."""

    _keys: dict[str, KeyRow] = field(default_factory=dict)
    _transitions: dict[tuple[int, str], TransitionRow] = field(default_factory=dict)
    _copies: dict[int, CopyRow] = field(default_factory=dict)

    def administer(self, index: int, body: Body) -> None:
        """Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict) or act.get("act") not in LIFE:
            return
        name, label = str(act["act"]), str(act.get("key"))
        people = _people(index, name, act)
        self._move(index, body, label, (act.get("from"), act.get("to")), LIFE[name], people)
        self._keep(index, name, act)
        if name == RENEW:
            other = (act.get("successor_from"), act.get("successor_to"))
            successor = str(act.get("successor"))
            self._move(index, body, successor, other, SUCCESSOR, people)
            self._keys[successor] = replace(self._keys[successor], renews=label)
        self._copy(index, name, label, act)

    def key(self, label: str) -> KeyRow | None:
        """The register's row of a key as the records so far tell it, None where they tell of no such key."""
        return self._keys.get(label)

    def check_tables(self, rows: LifeRows | None) -> None:
        """The tables say what the records do. Raises: LedgerBroken."""
        if rows is None:
            return
        check_rows("key", self._keys, rows.keys, lambda row: row.label)
        check_rows("key_transition", self._transitions, rows.transitions, lambda row: (row.leaf_index, row.label))
        check_rows("key_copy", self._copies, rows.copies, lambda row: row.added_index)

    def _move(
        self,
        index: int,
        body: Body,
        label: str,
        told: tuple[Json, Json],
        leads: Mapping[KeyState | None, KeyState],
        people: str,
    ) -> None:
        """One key from one state to another, as its history and its row will say."""
        act = _act(body)
        row = self._keys.get(label)
        before = None if row is None else KeyState(row.state)
        after = leads.get(before)
        expected = (before and before.value, after and after.value)
        if after is None or told != expected:
            raise LedgerBroken(
                f"record {index}: expected {act['act']} to lead {label} from a state from which it may, and to tell"
                f" {expected}; found {told}"
            )
        at, began = moment_of(index, body), None if row is None else row.activated_at
        if after in BEGINS_USE and began is None:
            began = int(at.timestamp())
        row = KeyRow(label=label) if row is None else row
        self._keys[label] = replace(row, state=after.value, activated_at=began)
        self._transitions[index, label] = TransitionRow(
            leaf_index=index,
            label=label,
            act=str(act["act"]),
            before=before and before.value,
            after=after.value,
            at=str(body["at"]),
            actor=str(_part(act, "actor").get("identity")),
            people=people,
            ceremony=None if "ceremony" not in act else str(_part(act, "ceremony").get("name")),
        )

    def _keep(self, index: int, name: str, act: Mapping[str, Json]) -> None:
        """What the register says of a key beside its state."""
        label = str(act.get("key"))
        row = self._keys[label]
        try:
            changes = self._changes(name, act)
        except (ValueError, KeyError) as error:
            raise LedgerBroken(f"record {index}: expected what {name} says of a key, found {act}") from error
        self._keys[label] = replace(row, **changes)

    def _changes(self, name: str, act: Mapping[str, Json]) -> Mapping[str, Any]:
        match name:
            case "OrderKey":
                named = {each: act[each] for each in ("purpose", "eui")}
                return {**named, "party": act["party"], "renews": act.get("renews")}
            case "BeginSession":
                parent = self._keys[str(act["parent"])]
                return {
                    "purpose": KeyPurpose.S1SP_SMETS1.value,
                    "party": parent.party,
                    "eui": parent.eui,
                    "public_key": act["public_key"],
                    "provenance": Provenance.GENERATED.value,
                }
            case "KeyGenerated":
                return {"public_key": act["public_key"], "provenance": act["provenance"]}
            case "KeyImported":
                at = act["activated_at"]
                return {
                    "public_key": act["public_key"],
                    "provenance": Provenance.UNWRAPPED.value,
                    "uses_before": act["uses"],
                    "activated_at": None if at is None else _seconds(at),
                }
            case "EnrolCertificate":
                return {"revoked_at": None}
            case "RevokeCertificate":
                return {"revoked_at": _seconds(act["revoked_at"])}
            case _:
                return {}

    def _copy(self, index: int, name: str, label: str, act: Mapping[str, Json]) -> None:
        """Which copy is there since, or is there no more."""
        match name:
            case "AddCopy":
                told = _part(act, "copy")
                self._add(index, label, tuple(str(told.get(each)) for each in ("kind", "place", "sha256")))
            case "InstallKey" | "KeyImported":
                where = (CopyKind.MODULE.value, str(act.get("module")), "")
                if self._there(label, where) is None:
                    self._add(index, label, where)
            case "ConfirmCopyDestroyed":
                self._confirm(index, label, act)
            case "DestroyKey" | "RenounceKey":
                own = [row for row in self._copies.values() if row.label == label]
                left = [row.place for row in own if row.destroyed_index is None]
                expect(bool(own) and not left, index, f"every copy of {label} accounted for", ", ".join(left) or "none")

    def _add(self, index: int, label: str, where: tuple[str, ...]) -> None:
        expect(self._there(label, where) is None, index, f"a copy of {label} that was not known", str(where))
        kind, place, sha256 = where
        self._copies[index] = CopyRow(added_index=index, label=label, kind=kind, place=place, sha256=sha256)

    def _there(self, label: str, where: tuple[str, ...]) -> CopyRow | None:
        rows = (row for row in self._copies.values() if row.label == label and row.destroyed_index is None)
        return next((row for row in rows if (row.kind, row.place, row.sha256) == where), None)

    def _confirm(self, index: int, label: str, act: Mapping[str, Json]) -> None:
        told = _part(act, "copy")
        where = tuple(str(told.get(each)) for each in ("kind", "place", "sha256"))
        row = self._there(label, where)
        if row is None:
            raise LedgerBroken(f"record {index}: expected a copy of {label} that is there; found {where}")
        self._copies[row.added_index] = replace(
            row, destroyed_index=index, how=str(act.get("how")), searched=int(act.get("searched") is True)
        )


def _people(index: int, name: str, act: Mapping[str, Json]) -> str:
    """Those who ordered the act, by the record, joined by spaces. Raises: LedgerBroken where they are too few."""
    orders = [_part(act, each) for each in ("order", "second_order") if each in act]
    people = [str(order.get("attester")) for order in orders]
    ceremony = _part(act, "ceremony")
    by_ceremony = bool(ceremony.get("name")) and len(str(ceremony.get("entry"))) == 64
    expect(by_ceremony or name not in IN_A_CEREMONY, index, f"a ceremony that did {name}", "none")
    enough = by_ceremony or name not in TWO_PEOPLE or len(people) == 2
    expect(enough, index, f"two people who ordered {name}, or a ceremony", ", ".join(people) or "none")
    expect(len(set(people)) == len(people), index, "different people", ", ".join(people))
    return " ".join(people)


def _seconds(moment: Json) -> int:
    """Of a moment as records write it. Raises: ValueError."""
    return int(datetime.fromisoformat(str(moment)).timestamp())


def _act(body: Body) -> Mapping[str, Json]:
    return _part(body, "body")


def _part(whole: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
