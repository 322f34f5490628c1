"""What must not stand in a ledger: keys in octets that are kept, plaintexts, and digests that tell them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.errors import ContentMalformed
from keybroker.ledger import audit, tables
from keybroker.ledger.model import Concluded
from keybroker.ledger.record import may_keep
from keybroker.policy.model import KeyRegister
from keybroker.signing import Line
from keybroker.terms import ContentKind, DeploymentKind, KeyPurpose
from tests import duis, messages
from tests.attacks.test_requests_beside import LONGEST_TOLD
from tests.content import handshakes
from tests.content.test_smets1 import DEVICE, GET, SET, instruction
from tests.dcc_uses import a_dcc_key
from tests.evidence import FixedSurroundings
from tests.fakes import FakeModule
from tests.ledger import books
from tests.situations import AT, ORIGIN, packaged_policies
from tests.token_line import FixedRegister, TokenLine

SECRET = b"the secret itself"
ASSOCIATION = bytes([0, 15, 0, 0, 40, 0, 1, 255])
READING = bytes.fromhex("c401c1000600000007")
KEY = bytes(range(16))


def sets(service: int, member: int, *presence: int, of: bytes = ASSOCIATION) -> bytes:
    return bytes([service, 1, 0xC1]) + of + bytes([member, *presence, 0x09, len(SECRET)]) + SECRET


SETS_A_SECRET = [sets(0xC1, 7, 0), sets(0xC3, 2, 1)]


def cs02g(control_tag: int) -> bytes:
    control = (
        messages.der_integer(0)
        + messages.der(control_tag, messages.der(0x04, bytes(32)))
        + messages.der_integer(1_000, 0x83)
    )
    content = messages.der(0x30, messages.der(0x30, control), messages.der(0x30), messages.der(0x30))
    return messages.compose_command(messages.LOAD_CONTROLLER_BY_SUPPLIER, content=content)


@pytest.mark.parametrize("tag", [0x80, 0xA0, 0xC0])
def test_no_symmetric_key_comes_in_a_load_controllers_credentials(tag: int) -> None:
    """It would be kept: only the octets of anyByContingency are not."""
    for kind in (ContentKind.PRE_COMMAND, ContentKind.COMMAND):
        with pytest.raises(ContentMalformed, match="plaintextSymmetricKey"):
            decode(kind, cs02g(tag))


def test_a_symmetric_key_inside_a_duis_message_is_not_kept() -> None:
    command = messages.compose_command(messages.ANY_BY_CONTINGENCY, originator=messages.CONTINGENCY)
    octets = duis.a_signed_pre_command(messages.sign_message(command, bytes(63) + b"\x01"))
    assert not may_keep(decode(ContentKind.SERVICE_REQUEST, octets))
    command = messages.compose_command(messages.SET_CLOCK)
    octets = duis.a_signed_pre_command(messages.sign_message(command, bytes(63) + b"\x01"))
    assert may_keep(decode(ContentKind.SERVICE_REQUEST, octets))


@pytest.mark.parametrize("apdu", SETS_A_SECRET, ids=["attribute 7", "method 2"])
def test_no_fact_tells_the_secret_of_an_association(apdu: bytes) -> None:
    content = instruction(apdu)
    assert not may_keep(content)
    assert SECRET.hex() not in str(facts_of(content))
    assert facts_of(content)["target"].startswith("15/")


@pytest.mark.parametrize("apdu", [GET, SET, sets(0xC1, 6, 0), sets(0xC3, 7, 1), sets(0xC1, 7, 0, of=bytes(8))])
def test_other_instructions_are_kept_and_told(apdu: bytes) -> None:
    content = instruction(apdu)
    assert may_keep(content)
    assert ("value" in facts_of(content)) is (apdu != GET)


@pytest.mark.parametrize("text", [b"\x0a\x11" + SECRET[:-1] + b"\x01", b"\x0c\x11" + SECRET[:-1] + b"\xff"])
def test_a_refusal_tells_one_octet_of_a_string(text: bytes) -> None:
    with pytest.raises(ContentMalformed) as caught:
        instruction(SET[:13] + text)
    assert SECRET[:4].hex() not in caught.value.sentence.replace(" ", "").lower()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x04" + handshakes.message(2) * 10_000,
        b"\x04" + handshakes.client_handshake(request=handshakes.certificate_request(algorithms=bytes(60_000))),
    ],
    ids=["many messages", "many algorithms"],
)
def test_a_refusal_is_short_however_long_what_was_found(octets: bytes) -> None:
    with pytest.raises(ContentMalformed) as caught:
        decode(ContentKind.TLS_HANDSHAKE, octets)
    assert len(caught.value.sentence) < LONGEST_TOLD


@pytest.fixture
def line(tmp_path: Path) -> Iterator[TokenLine]:
    module = FakeModule()
    key = a_dcc_key(KeyPurpose.S1SP_SMETS1, public_key=module.add_secret("s1sp-smets1", KEY))
    with books.a_book(tmp_path) as journal:
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=packaged_policies(),
            register=FixedRegister(KeyRegister(version=0, keys={key.label: key})),
            journal=journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )
        yield TokenLine(line, journal)


def stored(line: TokenLine) -> str:
    """All that the ledger holds, in hex where it is octets."""
    found: list[Any] = list(line.records())
    with line.journal.ledger.read() as connection:
        found += [row.octets.hex() for row in connection.execute(select(tables.octets))]
    return str(found)


def test_nothing_that_is_stored_tells_a_reading_that_was_opened(line: TokenLine) -> None:
    """A reading has few values: whoever has its SHA-256 has it."""
    (label,) = line.line.register.current().keys
    sealed = AESGCM(KEY).encrypt(DEVICE.octets + bytes([0, 0, 0, 9]), READING, b"\x30")[:-4]
    content = b"\x30" + bytes([0, 0, 0, 9]) + sealed
    octets = DEVICE.octets + b"\xcc" + bytes([len(content)]) + content
    outcome = line.asked(label, ContentKind.SMETS1_RESPONSE, octets, "a")
    assert isinstance(outcome, Concluded)
    assert outcome.outputs == (READING,)
    assert line.records()[-1]["result_octets"] == [len(READING)]
    for told in (READING.hex(), sha256(READING).hexdigest()):
        assert told not in stored(line)
    audit.verify(line.journal.ledger, AT)


@pytest.mark.parametrize("apdu", SETS_A_SECRET, ids=["attribute 7", "method 2"])
def test_nothing_that_is_stored_tells_a_secret_that_was_set(line: TokenLine, apdu: bytes) -> None:
    (label,) = line.line.register.current().keys
    assert isinstance(line.asked(label, ContentKind.SMETS1_INSTRUCTION, DEVICE.octets + apdu, "a"), Concluded)
    assert SECRET.hex() not in stored(line)
    audit.verify(line.journal.ledger, AT)
