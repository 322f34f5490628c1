"""What a Command says when it is read: every field, and the very octets."""

from __future__ import annotations

import hashlib

import pytest

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.content.decoding import decode
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import Criticality, GbcsCommand, PayloadFamily
from keybroker.terms import ContentKind, EntityIdentifier
from tests import messages
from tests.content.recompose import recompose
from tests.messages import DEVICE, SUPPLIER, compose_command, dlms_content

COUNTER = 0x0000_0182_AC7B_58DF


def decoded(octets: bytes, kind: ContentKind = ContentKind.PRE_COMMAND) -> GbcsCommand:
    content = decode(kind, octets)
    assert isinstance(content, GbcsCommand)
    return content


@pytest.mark.parametrize("kind", [ContentKind.PRE_COMMAND, ContentKind.COMMAND])
def test_every_field_is_read(kind: ContentKind) -> None:
    octets = compose_command(messages.CLOSE_LOAD_SWITCH, counter=COUNTER)
    command = decoded(octets, kind)
    assert command.kind is kind
    assert command.octets is octets
    assert command.message == octets
    assert command.to_be_signed == octets[1:]
    assert command.sha256 == hashlib.sha256(octets[1:]).digest()
    assert command.originator_counter == COUNTER
    assert command.originator == SUPPLIER
    assert command.recipient == DEVICE
    assert str(command.message_code) == "0x004F"
    assert octets[command.message_code_offset :].startswith(b"\x00\x4f")
    assert octets[command.content_offset :].startswith(b"\xd9\x20\x7b\x58\xdf\x00")
    assert (command.supplementary_party, command.supplementary_counter) == (None, None)
    assert command.payload_family is PayloadFamily.DLMS
    assert not command.null_signature


@pytest.mark.parametrize("code", [code for code, row in MESSAGE_CODES.items() if row.is_command], ids=hex)
def test_every_command_of_the_table_is_recognised_and_round_trips(code: int) -> None:
    octets = compose_command(code, counter=2**64 - 1)
    command = decoded(octets)
    assert not command.message_code.payload or command.payload_family in command.message_code.payload
    assert command.message_code.value == code
    assert recompose(command) == octets


@pytest.mark.parametrize("code", messages.CRITICAL_CODES, ids=hex)
def test_a_null_signature_is_left_out_of_what_is_signed(code: int) -> None:
    plain, with_null = compose_command(code), compose_command(code, null_signature=True)
    command = decoded(with_null)
    assert command.octets == with_null
    assert command.null_signature
    assert (command.message, command.sha256) == (plain, decoded(plain).sha256)


def test_a_content_that_ends_in_zero_is_not_taken_for_a_null_signature() -> None:
    octets = compose_command(content=dlms_content(1_000, b"\x00\x00"))
    assert decoded(octets).message == octets
    assert not decoded(octets).null_signature
    assert decoded(octets + b"\x00").message == octets


@pytest.mark.parametrize("code", [messages.UNJOIN, 0x00AB, 0x00AF, 0x0102, 0x0103, messages.SEND_MESSAGE])
def test_the_access_control_broker_may_act_for_an_unknown_remote_party(code: int) -> None:
    octets = compose_command(code, messages.ACCESS_CONTROL_BROKER, supplementary=(SUPPLIER, COUNTER))
    command = decoded(octets)
    assert (command.supplementary_party, command.supplementary_counter) == (SUPPLIER, COUNTER)
    assert recompose(command) == octets


def test_a_mac_only_command_is_read_so_that_policy_can_say_why_it_is_not_signed() -> None:
    command = decoded(compose_command(messages.SEND_MESSAGE))
    assert command.message_code.criticality is Criticality.NON_CRITICAL
    assert command.message_code.signers == frozenset()


@pytest.mark.parametrize("content", [dlms_content(1_000), messages.gbz_content(), b"\x05\x00", b"\x02\x01\x00"])
def test_a_code_of_unknown_criticality_is_read_with_any_family(content: bytes) -> None:
    command = decoded(compose_command(0x0116, content=content))
    assert command.message_code.criticality is Criticality.UNKNOWN


def test_activate_firmware_may_be_future_dated() -> None:
    content = messages.cs06_content(1_000, execute_at="20300115090000Z")
    assert decoded(compose_command(messages.ACTIVATE_FIRMWARE, content=content)).payload_family is PayloadFamily.ASN1


@pytest.mark.parametrize("counter", [0, 0x7F, 0x80, 0xFFFF, 2**24, 2**63, 2**64 - 1])
@pytest.mark.parametrize("code", [messages.SET_CLOCK, messages.ACTIVATE_FIRMWARE, 0x0102, 0x0126], ids=hex)
def test_the_counter_is_the_payloads_at_every_size(code: int, counter: int) -> None:
    assert decoded(compose_command(code, counter=counter)).originator_counter == counter


def test_der_is_walked_without_recursion() -> None:
    nested = b""
    while len(nested) < 60_000:
        nested = messages.der(0x30, nested)
        if len(nested) > 65_000:
            break
    assert decoded(compose_command(0x000A, content=nested)).payload_family is PayloadFamily.ASN1


@pytest.mark.parametrize("code", [0x0062, 0x004F, 0x0050])
def test_the_sample_of_the_development_command_line_is_a_pre_command(code: int) -> None:
    eui = EntityIdentifier.from_text("90-b3-d5-1f-30-01-00-00")
    command = decoded(sample_pre_command(eui, DEVICE, COUNTER, code))
    assert (command.originator, command.recipient, command.originator_counter) == (eui, DEVICE, COUNTER)
    assert command.message_code.criticality is Criticality.CRITICAL
    assert not command.null_signature
