"""Bodies of records as the ledger writes them, as little of each as reports and detectors look at; by the dozen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import moment

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""A working hour."""
CALLER = "uri:urn:keybroker:supplier-a:head-end"
Body = dict[str, Json]


def an_intent(at: datetime = MONDAY, **changes: Json) -> Body:
    return {
        "at": moment(at),
        "caller": {"identity": CALLER, "kind": "user-system", "system": "head-end"},
        "key": "supplier-a",
        "kind": "intent",
        "operation": "SignPreCommand",
        "party": "supplier-a",
        "purpose": "supplier-pre-command",
        "worker": "worker-0.aa",
        **changes,
    }


def an_outcome(intent: int, at: datetime = MONDAY, **changes: Json) -> Body:
    return {"at": moment(at), "intent": intent, "kind": "outcome", "party": "supplier-a", "state": "signed", **changes}


def a_closed(intent: int, died: str = "worker-0.aa", at: datetime = MONDAY) -> Body:
    told: Body = {"at": moment(at), "died": died, "intent": intent, "kind": "closed", "party": "supplier-a"}
    return {**told, "state": "unknown"}


def a_refusal(at: datetime = MONDAY, **changes: Json) -> Body:
    failed: Json = {"clause": "G3.29", "expected": "a", "found": "b", "rule": "message-code-for-purpose"}
    told: Body = {"findings": [["policy-in-force", "G3.29"], failed], "kind": "refusal", "reason": "NOT_PERMITTED"}
    return {**an_intent(at), **told, "sentence": "no", **changes}


def an_act(act: str, at: datetime = MONDAY, /, **told: Json) -> Body:
    actor: Json = {"identity": "local:ann", "kind": "operator", "party": "supplier-a"}
    return {
        "at": moment(at),
        "body": {"act": act, "actor": actor, **told},
        "kind": "administrative",
        "party": "supplier-a",
    }


PURPOSES = (
    "supplier-pre-command",
    "access-control-broker-command",
    "dsp-xml",
    "issuing-oca",
    "recovery-command",
    "tls",
    "audit-checkpoint",
    "ecos-command",
    "ecos-xml",
    "dco-smets1",
)
REASONS = ("NOT_PERMITTED", "CONTENT_MALFORMED", "THRESHOLD_EXCEEDED", "CALLER_UNKNOWN", "GATE_SHUT")


def a_year(days: int = 60, uses: int = 40) -> Iterator[Body]:
    """What a busy deployment writes: uses of ten purposes, refusals, two ceremonies, an event."""
    index = 0
    for day in range(days):
        at = MONDAY + timedelta(days=day)
        for use in range(uses + 17 * (day % 7)):
            place = (use * 7 + day) % 23
            purpose = PURPOSES[min(place // 2, len(PURPOSES) - 1)]
            yield an_intent(at + timedelta(seconds=use), purpose=purpose, key=f"key-{purpose}")
            state = "failed" if use % 41 == 40 else "signed"
            yield an_outcome(index, at + timedelta(seconds=use), state=state)
            index += 2
        for number in range(day % 5):
            caller: Json = {
                "identity": f"uri:urn:keybroker:party-{number}:gateway",
                "kind": "user-system",
                "system": "g",
            }
            yield a_refusal(at, reason=REASONS[(day + number) % 5], caller=caller)
            index += 1
    for begun, name, kind in ((3, "split-2026", "split"), (30, "renew-oca-2026", "renew")):
        at = MONDAY + timedelta(days=begun)
        told: Body = {"ceremony": name, "ceremony_kind": kind, "side": "here", "keys": [f"key-{kind}"]}
        yield an_act("BeginCeremony", at, **told)
        for number in range(1, 4):
            signed: Json = {"ada": "x", "ben": "x", "witness": "x"}
            later = at + timedelta(hours=20 * number)
            yield an_act("ConcludeCeremonyStep", later, ceremony=name, number=number, signatures=signed)
        if kind == "split":
            yield an_act("EndCeremony", at + timedelta(days=4), ceremony=name)
        index += 5 if kind == "split" else 4
    event: Body = {"detector": "new-pair", "expected": "a caller who used this key", "found": "its first use"}
    yield an_act("AnomalousEvent", MONDAY, **event, record=0, subject=f"{CALLER} supplier-a", clause="G2.29")
