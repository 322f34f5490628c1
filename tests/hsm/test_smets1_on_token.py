"""SMETS1 instructions protected and responses opened by the whole line in a SoftHSM token; the Device plays on the
host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from keybroker.content.assembly import assemble_outputs
from keybroker.content.length import write_length
from keybroker.errors import EvidenceSpent, NotPermitted, ProtectionInvalid
from keybroker.hsm.generate import import_test_key
from keybroker.hsm.token_module import Token
from keybroker.ledger.audit import verify
from keybroker.ledger.model import Concluded, GivenAgain
from keybroker.signing import Outcome
from keybroker.terms import ContentKind, EntityIdentifier, KeyLabel, KeyPurpose, Provenance
from tests.content.test_smets1 import ADD_CREDIT, DEVICE, GET, SET
from tests.dcc_uses import SMETS1_EUI, a_dcc_key
from tests.ledger import books
from tests.situations import AT, a_policy
from tests.token_line import TokenLine, a_token_line

pytestmark = pytest.mark.hsm
SECRET, AUTHENTICATION = bytes(range(16)), bytes(range(0xD0, 0xE0))
DCO, S1SP = KeyLabel("dco-smets1"), KeyLabel("s1sp-smets1")
WITHOUT = KeyLabel("s1sp-without-authentication-key")
ANSWER = bytes.fromhex("c401c1000600000007")
_names, _counters = count(1), count(100)


@dataclass(frozen=True, slots=True)
class Device:
    """A SMETS1 Device: DLMS/COSEM security suite 0 by code that shares nothing with ours."""

    title: EntityIdentifier = DEVICE
    secret: bytes = SECRET
    authentication: bytes = AUTHENTICATION

    def reads(self, protected: bytes, *, sender: EntityIdentifier = SMETS1_EUI) -> tuple[int, bytes]:
        """The invocation counter and plain APDU of a glo-request. Raises: InvalidTag."""
        length = write_length(len(protected) - 2) if protected[1] < 0x80 else protected[1:3]
        content = protected[1 + len(length) :]
        assert content[:1] == b"\x30"
        counter, ciphertext, tag = content[1:5], content[5:-12], content[-12:]
        opening = Cipher(AES(self.secret), GCM(sender.octets + counter, tag, min_tag_length=12)).decryptor()
        opening.authenticate_additional_data(b"\x30" + self.authentication)
        return int.from_bytes(counter, "big"), opening.update(ciphertext) + opening.finalize()

    def answers(self, counter: int, plain: bytes = ANSWER, *, general: bool = False) -> bytes:
        sealing = Cipher(AES(self.secret), GCM(self.title.octets + counter.to_bytes(4, "big"))).encryptor()
        sealing.authenticate_additional_data(b"\x30" + self.authentication)
        ciphertext = sealing.update(plain) + sealing.finalize()
        content = b"\x30" + counter.to_bytes(4, "big") + ciphertext + sealing.tag[:12]
        frame = b"\xdb\x08" + self.title.octets if general else b"\xcc"
        return frame + write_length(len(content)) + content


@pytest.fixture(scope="module")
def line(softhsm: Token, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenLine]:
    purposes = {DCO: KeyPurpose.DCO_SMETS1, S1SP: KeyPurpose.S1SP_SMETS1, WITHOUT: KeyPurpose.S1SP_SMETS1}
    keys = []
    for label, purpose in purposes.items():
        authentication = None if label == WITHOUT else AUTHENTICATION
        identity = import_test_key(softhsm, label, a_policy(purpose), SECRET, authentication=authentication)
        key = a_dcc_key(purpose, label=label, public_key=identity, provenance=Provenance.IMPORTED_TEST_KEY)
        keys.append(key)
    with books.a_book(tmp_path_factory.mktemp("smets1")) as journal:
        yield a_token_line(softhsm, journal, *keys)


def name() -> str:
    return f"r-{next(_names)}"


def protect(line: TokenLine, apdu: bytes, request_id: str = "", *, key: KeyLabel = S1SP) -> Outcome:
    return line.asked(key, ContentKind.SMETS1_INSTRUCTION, DEVICE.octets + apdu, request_id or name())


def open_(line: TokenLine, apdu: bytes, request_id: str = "", *, device: EntityIdentifier = DEVICE) -> Outcome:
    return line.asked(S1SP, ContentKind.SMETS1_RESPONSE, device.octets + apdu, request_id or name())


def given(outcome: Outcome) -> bytes:
    """The one output, as the caller gets it."""
    assert isinstance(outcome, Concluded), outcome
    (output,) = assemble_outputs(outcome.intent.permit.decision.content, outcome.outputs)
    return output


def test_refuses_a_response_whose_tag_is_wrong(line: TokenLine) -> None:
    good = Device().answers(next(_counters))
    for at in (7, 8, len(good) - 1):
        spoilt = bytearray(good)
        spoilt[at] ^= 1
        assert isinstance(open_(line, bytes(spoilt)), ProtectionInvalid)
    assert isinstance(open_(line, replace(Device(), secret=bytes(16)).answers(next(_counters))), ProtectionInvalid)
    assert given(open_(line, good)) == ANSWER


def test_a_forged_response_with_the_largest_counter_does_not_silence_the_device(line: TokenLine) -> None:
    forged = replace(Device(), secret=bytes(16)).answers(2**32 - 1)
    for _ in range(2):
        assert isinstance(open_(line, forged), ProtectionInvalid)
    good = Device().answers(next(_counters))
    assert given(open_(line, good)) == ANSWER
    assert isinstance(open_(line, forged), ProtectionInvalid)
    assert isinstance(open_(line, good), EvidenceSpent)


def test_refuses_what_comes_under_another_devices_name(line: TokenLine) -> None:
    other = EntityIdentifier(bytes(8))
    assert isinstance(open_(line, Device().answers(next(_counters)), device=other), ProtectionInvalid)


def test_refuses_our_own_system_title(line: TokenLine) -> None:
    ours = replace(Device(), title=SMETS1_EUI)
    for general in (False, True):
        outcome = open_(line, ours.answers(next(_counters), general=general), device=SMETS1_EUI)
        assert isinstance(outcome, NotPermitted)
        assert "smets1-not-our-system-title" in outcome.sentence


def test_refuses_counters_that_do_not_increase(line: TokenLine) -> None:
    newest = next(_counters)
    first = Device().answers(newest)
    assert given(open_(line, first)) == ANSWER
    for older in (newest, newest - 1, 0):
        for general in (False, True):
            outcome = open_(line, Device().answers(older, b"another answer", general=general))
            assert isinstance(outcome, EvidenceSpent)
            assert "smets1-device-counter-increases" in outcome.sentence
    assert isinstance(open_(line, first), EvidenceSpent)


def test_the_very_same_request_opens_the_same_response_again(line: TokenLine) -> None:
    counter, request = next(_counters), name()
    response = Device().answers(counter)
    for _ in range(3):
        assert given(open_(line, response, request)) == ANSWER
    assert isinstance(open_(line, response), EvidenceSpent)
    assert given(open_(line, Device().answers(next(_counters)))) == ANSWER
    assert isinstance(open_(line, response, request), EvidenceSpent)


def test_of_two_at_one_instant_one_is_first(line: TokenLine) -> None:
    octets = DEVICE.octets + Device().answers(next(_counters))
    asked = [(S1SP, ContentKind.SMETS1_RESPONSE, octets, name()) for _ in range(2)]
    first, second = line.asked_all(*asked)
    assert given(first) == ANSWER
    assert isinstance(second, EvidenceSpent)


@pytest.mark.parametrize("general", [False, True])
def test_opens_a_response_and_keeps_its_length_alone(line: TokenLine, general: bool) -> None:
    assert given(open_(line, Device().answers(next(_counters), general=general))) == ANSWER
    outcome = line.records()[-1]
    assert outcome["state"] == "done"
    assert ANSWER.hex() not in str(line.records())


@pytest.mark.parametrize("key", [DCO, S1SP])
@pytest.mark.parametrize("apdu", [GET, SET, ADD_CREDIT, SET[:13] + b"\x09\x81\xc8" + bytes(200)])
def test_the_device_reads_what_was_protected(line: TokenLine, key: KeyLabel, apdu: bytes) -> None:
    _, plain = Device().reads(given(protect(line, apdu, key=key)))
    assert plain == apdu
    with pytest.raises(InvalidTag):
        replace(Device(), authentication=bytes(16)).reads(given(protect(line, apdu, key=key)))


def test_a_key_without_an_authentication_key_authenticates_the_security_control_alone(line: TokenLine) -> None:
    counter, plain = replace(Device(), authentication=b"").reads(given(protect(line, GET, key=WITHOUT)))
    assert (counter, plain) == (1, GET)


def test_the_counter_only_grows_and_each_key_has_its_own(line: TokenLine) -> None:
    begin, _ = Device().reads(given(protect(line, GET)))
    asked = [(S1SP, ContentKind.SMETS1_INSTRUCTION, DEVICE.octets + GET, name()) for _ in range(5)]
    protected = [given(outcome) for outcome in line.asked_all(*asked)]
    assert [Device().reads(each)[0] for each in protected] == [begin + each for each in range(1, 6)]
    assert len(set(protected)) == 5
    before, _ = Device().reads(given(protect(line, GET, key=DCO)))
    protect(line, GET)
    assert Device().reads(given(protect(line, GET, key=DCO)))[0] == before + 1


def test_the_same_request_is_given_again_and_takes_no_counter(line: TokenLine) -> None:
    request = name()
    first = given(protect(line, GET, request))
    again = protect(line, GET, request)
    assert isinstance(again, GivenAgain)
    number, _ = Device().reads(first)
    assert again.outputs[0][:4] == number.to_bytes(4, "big")
    assert Device().reads(given(protect(line, GET)))[0] == number + 1


def test_the_record_says_which_counter_was_taken_and_on_which_circumstance_it_rests(line: TokenLine) -> None:
    number, _ = Device().reads(given(protect(line, ADD_CREDIT)))
    intent = line.records()[-2]
    assert intent["use"] == "protection"
    (taken,) = intent["taken"]
    assert (taken["scope"], int(taken["value"], 16)) == ("invocation-counter", number)
    rests = {finding[0]: finding[2] for finding in intent["findings"] if len(finding) == 3}
    assert rests["smets1-module-demand"] == "G2.44A(a): add credit, 115/0.0.19.40.0.255/1"
    assert rests["validated-module"].startswith("not demanded by G2.44(e)")
    assert intent["content"]["target"] == "115/0.0.19.40.0.255/1"


def test_an_auditor_finds_every_counter_taken_once(line: TokenLine) -> None:
    """Of all that this module did to the ledger."""
    verify(line.journal.ledger, AT)
