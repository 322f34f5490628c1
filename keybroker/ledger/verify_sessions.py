"""Was every key for a TLS session (SEC G2.44A(d)) made on a handshake of its own, and used within its session? Pure.

From records alone; what is remembered grows with the sessions, not with every record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keybroker.errors import LedgerBroken
from keybroker.ledger import record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import RecordKind
from keybroker.terms import KeyPurpose, Operation

Body = Mapping[str, Json]

_BEGUN, _MADE, _ENDED, _DESTROYED = "begun", "made", "ended", "destroyed"
_STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "SessionKeyMade": ((_BEGUN,), _MADE),
    "RetireKey": ((_BEGUN, _MADE), _ENDED),
    "SessionKeyDestroyed": ((_ENDED,), _DESTROYED),
}
"""Per act: after which steps it comes, and which step it is."""


@dataclass(slots=True, kw_only=True)
class SessionActs:
    """``find`` gives the body of an earlier record (index of the asker, index asked for), empty where there is none."""

    find: Callable[[int, Json], Body]
    _steps: dict[str, str] = field(default_factory=dict)
    _handshakes: set[int] = field(default_factory=set)

    def administer(self, index: int, body: Body) -> None:
        """Raises: LedgerBroken."""
        act = body["body"]
        if not isinstance(act, dict):
            return
        label, name = str(act.get("key")), str(act.get("act"))
        if name == "BeginSession":
            self._begin(index, label, act, body)
        elif name in _STEPS and (label in self._steps or name != "RetireKey"):
            before, after = _STEPS[name]
            step = self._steps.get(label)
            if step not in before:
                raise LedgerBroken(f"record {index}: expected session key {label} {' or '.join(before)}; found {step}")
            self._steps[label] = after

    def use(self, index: int, body: Body) -> None:
        """An intent to use a key: one for a session, between its making and its end. Raises: LedgerBroken."""
        step = self._steps.get(str(body["key"]), _MADE)
        if step != _MADE:
            raise LedgerBroken(f"record {index}: expected a session key that is {_MADE}; found {body['key']} {step}")

    def _begin(self, index: int, label: str, act: Mapping[str, Json], body: Body) -> None:
        handshake = act.get("handshake")
        outcome = self.find(index, handshake)
        is_signed = outcome.get("kind") == RecordKind.OUTCOME and outcome.get("state") == record.SIGNED
        intent = self.find(index, outcome["intent"]) if is_signed else {}
        found = (intent.get("operation"), intent.get("purpose"), intent.get("party"))
        expected = (Operation.SIGN_TLS_HANDSHAKE.value, KeyPurpose.SMETS1_TLS.value, body["party"])
        if found != expected:
            raise LedgerBroken(f"record {index}: expected a handshake {expected} at record {handshake}; found {found}")
        if handshake in self._handshakes or label in self._steps:
            raise LedgerBroken(f"record {index}: expected a handshake of its own for {label}; found {handshake} again")
        self._handshakes.add(int(str(handshake)))
        self._steps[label] = _BEGUN
