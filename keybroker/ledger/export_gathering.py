"""What do the records of a package say that is told once more in files of its own? Seen one by one, in order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.ceremony_form import ABORT, ABORTED, BEGIN, BEGIN_STEP, CONCLUDE_STEP, DONE, END, OPEN
from keybroker.ledger.export_choosing import act_of
from keybroker.ledger.export_summary import Tally

_KINDS = ("configuration", "policy", "profile")


@dataclass(slots=True, kw_only=True)
class InForce:
    """A digest that records name: of what, and the first and the last record that does."""

    kind: str
    first: int
    last: int
    purposes: set[str] = field(default_factory=set)

    def told(self) -> dict[str, Json]:
        return {"first": self.first, "kind": self.kind, "last": self.last, "purposes": [*sorted(self.purposes)]}


@dataclass(slots=True, kw_only=True)
class Gathered:
    """``in_force`` by digest, in hexadecimal; ``ceremonies`` by name."""

    in_force: dict[str, InForce] = field(default_factory=dict)
    ceremonies: dict[str, dict[str, Json]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    _steps: dict[tuple[str, int], dict[str, Json]] = field(default_factory=dict)

    def see(self, index: int, body: Mapping[str, Json]) -> None:
        self.tally.see(index, body)
        told = body.get("in_force")
        if isinstance(told, dict):
            self._see_in_force(index, told, str(body.get("purpose")))
        if body["kind"] == "administrative":
            self._see_ceremony(index, act_of(body))

    def _see_in_force(self, index: int, told: Mapping[str, Json], purpose: str) -> None:
        for kind in _KINDS:
            if kind in told:
                used = self._used(index, kind, str(told[kind]))
                used.purposes |= {purpose} if kind == "policy" else set()
        policies = told.get("policies")
        for of, digest in policies.items() if isinstance(policies, dict) else ():
            self._used(index, "policy", str(digest)).purposes.add(of)

    def _used(self, index: int, kind: str, digest: str) -> InForce:
        used = self.in_force.setdefault(digest, InForce(kind=kind, first=index, last=index))
        used.last = index
        return used

    def _see_ceremony(self, index: int, act: Mapping[str, Json]) -> None:
        name = str(act.get("ceremony"))
        match act.get("act"):
            case what if what == BEGIN:
                self.ceremonies[name] = _begun(index, act)
            case what if what == BEGIN_STEP and name in self.ceremonies:
                self._begin_step(index, name, act)
            case what if what == CONCLUDE_STEP:
                step = self._steps.get((name, int(str(act.get("number")))), {})
                step |= {"concluded": index, "entry": act.get("entry"), "signatures": act.get("signatures")}
            case what if what in (END, ABORT) and name in self.ceremonies:
                self.ceremonies[name] |= {"ended": index, "state": DONE if what == END else ABORTED}

    def _begin_step(self, index: int, name: str, act: Mapping[str, Json]) -> None:
        step = {"begun": index, **{each: act.get(each) for each in ("given", "number", "step")}}
        self._steps[name, int(str(act.get("number")))] = step
        steps = self.ceremonies[name]["steps"]
        if isinstance(steps, list):
            steps.append(step)


def _begun(index: int, act: Mapping[str, Json]) -> dict[str, Json]:
    told = {each: act.get(each) for each in ("ceremony", "ceremony_kind", "side", "plan", "plan_sha256", "keys")}
    return {**told, "begun": index, "ended": None, "state": OPEN, "steps": []}
