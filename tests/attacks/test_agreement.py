"""One agreed key and initialisation vector, two messages: whoever gets both tags makes a third (GBCS; SP 800-38D)."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.content.decoding import decode
from keybroker.content.inner_command import InnerCommand
from keybroker.content.use import MacCheckUse, MacUse
from keybroker.content.uses import use_of
from keybroker.ledger import audit
from keybroker.policy.rules import claims
from keybroker.terms import ContentKind, EntityIdentifier, Operation
from tests import agreed, messages
from tests.content.test_prepayment import top_up
from tests.ledger import books
from tests.ledger.claims import Asked, asking, spent, succeed, taken
from tests.policy.agreement import ACB_MAC, a_key_agreement_key, a_situation_for
from tests.policy.test_command_mac_rules import inner, signed, unsigned
from tests.situations import AT

KEY = a_key_agreement_key(ACB_MAC)
LIVE = a_situation_for(Operation.APPLY_COMMAND_MAC, live=True)
COUNTER = 1 << 32


def macs(request_id: str, content: InnerCommand) -> Asked:
    """A request that takes what its MAC takes in a live deployment."""
    return asking(request_id, *claims(content, KEY, LIVE))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (unsigned(), unsigned(content=messages.dlms_content(1_000, b"another"))),
        (unsigned(), signed()),
        (signed(), signed(content=messages.dlms_content(1_000, b"another"))),
    ],
    ids=["another content", "another Message Code", "both signed"],
)
def test_another_command_gets_no_mac_under_a_counter_that_has_one(
    tmp_path: Path, first: InnerCommand, second: InnerCommand
) -> None:
    one, other = use_of(first, None, None), use_of(second, None, None)
    assert isinstance(one, MacUse)
    assert isinstance(other, MacUse)
    assert (one.agreement, one.initialisation_vector) == (other.agreement, other.initialisation_vector)
    assert one.authenticated != other.authenticated
    with books.a_book(tmp_path) as journal:
        (intent,) = taken(journal, macs("a", first))
        assert "Originator Counter 1000" in spent(journal, macs("b", second)).sentence
        succeed(journal, intent)
        assert "what it was bound to before" in spent(journal, macs("b", second)).sentence
        taken(journal, macs("the very same again", first))
        audit.verify(journal.ledger, AT)


def test_another_counter_device_or_originator_is_another_key(tmp_path: Path) -> None:
    others = (
        unsigned(counter=1_001),
        unsigned(originator=messages.NETWORK_OPERATOR),
        unsigned(recipient=agreed.ANOTHER_DEVICE),
        inner(unsigned().octets, agreed.device_certificate(scalar=agreed.ANOTHER_DEVICE_KEY)),
    )
    keys = {str(use_of(each, None, None).agreement) for each in (unsigned(), *others)}  # type: ignore[union-attr]
    assert len(keys) == 5
    with books.a_book(tmp_path) as journal:
        taken(journal, *(macs(str(number), each) for number, each in enumerate((unsigned(), *others))))


def test_no_other_use_of_a_key_makes_or_checks_a_commands_mac() -> None:
    """Were one key pair used for all of them: a Device's answer, and a top-up, are under other keys or other octets."""
    device = EntityIdentifier(b"\xdf\x09\x01" + bytes(5))
    command = unsigned(originator=device, counter=COUNTER)
    made = use_of(command, None, None)
    assert isinstance(made, MacUse)
    for cra, code in ((2, messages.SEND_MESSAGE), (3, messages.ALERT_CODE)):
        answer = messages.compose_answer(code, counter=COUNTER, originator=device, cra=cra)
        answer = messages.wrap_in_mac(messages.compose_inner(answer), bytes(12))
        checked = use_of(decode(ContentKind.PROTECTED_RESPONSE, answer, agreed.beside()), None, None)
        assert isinstance(checked, MacCheckUse)
        assert checked.agreement.other_information != made.agreement.other_information
    # The top-up begins as a Command does, and is under the same key; it is as long as a Grouping Header's first half.
    octets = device.octets + top_up(COUNTER)[8:]
    token = use_of(decode(ContentKind.PREPAYMENT_TOP_UP, octets, agreed.beside()), None, None)
    assert isinstance(token, MacUse)
    assert token.agreement == made.agreement
    assert len(token.authenticated) < len(made.authenticated)
