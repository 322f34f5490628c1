"""Was each first use of a key by a caller told of, as far as the ledger was looked through? SEC G2.29, G3.15. Pure.

Alone among what the detectors find it follows from records without the configuration's figures. What was there before
anybody watched counts as known, and no record says where that ended: so held is what came after the first that was
told. Where uses were aged out, nobody knows whether a later one was the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybroker.errors import LedgerBroken
from keybroker.ledger.anomaly_form import Anomaly, Detector
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import RecordKind

Body = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class FirstUses:
    """As ``anomalies.Detecting`` finds them: a key for a session is its parent's. It grows with callers and keys."""

    _first: dict[str, int] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _since: int | None = None
    _aged: int | None = None

    def use(self, index: int, body: Body) -> None:
        """An intent."""
        key, caller = str(body["key"]), body["caller"]
        identity = str(caller.get("identity")) if isinstance(caller, dict) else ""
        self._first.setdefault(f"{identity} {self._parents.get(key, key)}", index)

    def administer(self, act: Body) -> None:
        """The beginning and the end of a session."""
        match act.get("act"):
            case "BeginSession":
                self._parents[str(act.get("key"))] = str(act.get("parent"))
            case "SessionKeyDestroyed":
                self._parents.pop(str(act.get("key")), None)

    def tell(self, event: Anomaly) -> None:
        """A record tells of it."""
        if event.detector is Detector.NEW_PAIR:
            self._told.add(event.subject)
            self._since = event.record if self._since is None else min(self._since, event.record)

    def pass_over(self, index: int, kind: str) -> None:
        """A record that was aged out."""
        if kind == RecordKind.INTENT and self._aged is None:
            self._aged = index

    def check(self, looked_to: int) -> None:
        """Records before this leaf index were looked at. Raises: LedgerBroken."""
        if self._since is None:
            return
        known = looked_to if self._aged is None else min(looked_to, self._aged)
        for subject, index in self._first.items():
            if self._since < index < known and subject not in self._told:
                raise LedgerBroken(
                    f"record {index}: expected an Anomalous Event that tells of {subject} (first use), for the table"
                    f" anomaly_watch says that the ledger was looked at up to {looked_to}; found none"
                )
