"""Which messages is a deployment asked to sign? A few of each: supply sensitive, not, and the DCC's own."""

from __future__ import annotations

from hashlib import sha256

from keybroker.content.model import GbcsCommand
from keybroker.terms import KeyPurpose
from tests import messages, situations
from tests.gates.facts import Message

SUPPLIER, ACB = KeyPurpose.SUPPLIER_PRE_COMMAND, KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND


def a_message(code: int, number: int, *variants: str, key: KeyPurpose = SUPPLIER, sensitive: bool = False) -> Message:
    counter = 1_000 + number
    content = situations.a_content(key, code=code, counter=counter)
    assert isinstance(content, GbcsCommand)
    return Message(
        key=situations.LABELS[key],
        octets=content.octets,
        sha256=sha256(content.octets).hexdigest(),
        request=f"{content.originator}:{content.recipient}:{counter}",
        user=str(content.originator),
        variants=variants,
        sensitive=sensitive,
    )


MESSAGES = {
    **{f"disable {n}": a_message(messages.OPEN_LOAD_SWITCH, n, "7.2", sensitive=True) for n in range(3)},
    **{f"set clock {n}": a_message(messages.SET_CLOCK, n, "6.11", "8.1.1") for n in range(2)},
    **{f"handover {n}": a_message(messages.SUPPLIER_BY_SUPPLIER, n, "6.15.1", "6.21", key=ACB) for n in range(2)},
}
DISABLE, SET_CLOCK, HANDOVER = (tuple(n for n in MESSAGES if n.startswith(w)) for w in ("disable", "set", "handover"))
