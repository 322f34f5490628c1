"""What an auditor is told of session keys (SEC G2.44A(d)) that were not made, used or destroyed as they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from keybroker.errors import LedgerBroken
from keybroker.ledger.verify_sessions import SessionActs

PARTY = "dcc"
HANDSHAKE: dict[str, Any] = {
    "kind": "intent", "operation": "SignTlsHandshake", "purpose": "smets1-tls", "party": PARTY, "key": "tls",
}  # fmt: skip
SIGNED: dict[str, Any] = {"kind": "outcome", "state": "signed", "intent": 1, "party": PARTY}
USE: dict[str, Any] = {"kind": "intent", "key": "a"}


def act(name: str, key: str = "a", **more: Any) -> dict[str, Any]:
    return {"kind": "administrative", "party": PARTY, "body": {"act": name, "key": key, **more}}


BEGIN, MADE, END, DESTROYED = (
    act("BeginSession", handshake=2),
    act("SessionKeyMade"),
    act("RetireKey"),
    act("SessionKeyDestroyed"),
)
LIFE = (HANDSHAKE, SIGNED, BEGIN, MADE, USE, END, DESTROYED)


def read(*bodies: Mapping[str, Any]) -> None:
    """The records from 1 on."""
    sessions = SessionActs(find=lambda index, at: bodies[at - 1] if isinstance(at, int) and 0 < at < index else {})
    for index, body in enumerate(bodies, 1):
        if body["kind"] == "administrative":
            sessions.administer(index, body)
        elif body["kind"] == "intent":
            sessions.use(index, body)


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ((BEGIN,), "record 1: expected a handshake"),
        ((HANDSHAKE, SIGNED, act("BeginSession", handshake=1)), "record 3: expected a handshake"),
        ((HANDSHAKE, SIGNED | {"state": "failed"}, BEGIN), "record 3: expected a handshake"),
        ((HANDSHAKE | {"purpose": "cos-party-tls"}, SIGNED, BEGIN), "record 3: expected a handshake"),
        ((HANDSHAKE | {"operation": "SignCommand"}, SIGNED, BEGIN), "record 3: expected a handshake"),
        ((HANDSHAKE | {"party": "another"}, SIGNED, BEGIN), "record 3: expected a handshake"),
        ((*LIFE, act("BeginSession", "b", handshake=2)), "record 8: expected a handshake of its own"),
        ((HANDSHAKE, SIGNED, MADE), "record 3: expected session key a begun; found None"),
        ((HANDSHAKE, SIGNED, BEGIN, USE), "record 4: expected a session key that is made; found a begun"),
        ((HANDSHAKE, SIGNED, BEGIN, MADE, END, USE), "record 6: expected a session key that is made; found a ended"),
        ((*LIFE, USE), "record 8: expected a session key that is made; found a destroyed"),
        ((HANDSHAKE, SIGNED, BEGIN, MADE, DESTROYED), "record 5: expected session key a ended; found made"),
        ((*LIFE, MADE), "record 8: expected session key a begun; found destroyed"),
        ((*LIFE, DESTROYED), "record 8: expected session key a ended; found destroyed"),
    ],
)
def test_names_the_first_thing_wrong(bodies: tuple[dict[str, Any], ...], said: str) -> None:
    with pytest.raises(LedgerBroken) as caught:
        read(*bodies)
    assert said in caught.value.sentence


def test_a_sessions_life_and_other_keys_are_read_without_a_word() -> None:
    read(*LIFE, act("RetireKey", "another"), act("OrderKey", "more"), USE | {"key": "another"})
