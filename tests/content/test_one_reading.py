"""Octets have one reading or none: properties and mutations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.content.decoding import decode
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import AuditCheckpoint, GbcsCommand, PayloadFamily
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind, EntityIdentifier
from tests import messages
from tests.content.recompose import recompose
from tests.messages import SUPPLIER, compose_command

COUNTERS = st.integers(0, 2**64 - 1)
EUIS = st.binary(min_size=8, max_size=8).map(EntityIdentifier)
SIMPLE = [
    code.value
    for code in MESSAGE_CODES.values()
    if code.is_command and code.payload <= {PayloadFamily.DLMS, PayloadFamily.GBZ}
]


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    counter = draw(COUNTERS)
    code = draw(st.sampled_from(messages.CRITICAL_CODES) | st.sampled_from(SIMPLE))
    if MESSAGE_CODES[code].payload == {PayloadFamily.DLMS}:
        content = messages.dlms_content(counter, draw(st.binary(max_size=400)))
    elif MESSAGE_CODES[code].payload == {PayloadFamily.GBZ}:
        content = messages.gbz_content(draw(st.binary(min_size=1, max_size=400)))
    else:
        content = messages.content_for(code, counter)
    return compose_command(code, draw(EUIS), draw(EUIS), counter, content=content, null_signature=draw(st.booleans()))


@given(commands())
@settings(max_examples=300)
def test_what_is_composed_is_decoded_and_recomposed(octets: bytes) -> None:
    content = decode(ContentKind.PRE_COMMAND, octets)
    assert isinstance(content, GbcsCommand)
    assert content.octets == octets
    assert recompose(content) == octets


@given(st.sampled_from(list(ContentKind)), st.binary(max_size=200))
@settings(max_examples=500)
def test_random_octets_raise_nothing_but_content_malformed(kind: ContentKind, octets: bytes) -> None:
    with pytest.raises(ContentMalformed):
        decode(kind, octets)


@given(st.data())
@settings(max_examples=500)
def test_random_octets_behind_a_valid_header_have_one_reading_or_none(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from([0x0062, 0x0081, 0x000A, 0x0012, 0x0102, 0x0125]))
    prefix = data.draw(
        st.sampled_from([b"", b"\x30", b"\x30\x10\x30", b"\xd9\x20\x00\x03\xe8", b"\x01\x09", b"\x05\x00"])
    )
    octets = compose_command(code, content=prefix + data.draw(st.binary(max_size=60)))
    octets += data.draw(st.binary(max_size=2))
    try:
        content = decode(ContentKind.PRE_COMMAND, octets)
    except ContentMalformed:
        return
    assert isinstance(content, GbcsCommand)
    assert recompose(content) == octets


def _mutations(octets: bytes) -> list[bytes]:
    """Every octet by every other value, taken out, and doubled."""
    mutated = []
    for offset in range(len(octets)):
        before, after = octets[:offset], octets[offset + 1 :]
        mutated += [before + bytes([value]) + after for value in range(256) if value != octets[offset]]
        mutated += [before + after, before + octets[offset : offset + 1] * 2 + after]
    return mutated


MUTATED = {
    "DLMS": compose_command(messages.SET_CLOCK),
    "DLMS, null signature": compose_command(messages.OPEN_LOAD_SWITCH, null_signature=True),
    "GBZ": compose_command(messages.CLOSE_VALVE),
    "CS06": compose_command(
        messages.ACTIVATE_FIRMWARE, content=messages.cs06_content(1_000, execute_at="20300101000000Z")
    ),
    "CS04, unknown remote party": compose_command(messages.UNJOIN, supplementary=(SUPPLIER, 7)),
    "CS02b": compose_command(messages.SUPPLIER_BY_SUPPLIER),
    "CS02g": compose_command(messages.LOAD_CONTROLLER_BY_SUPPLIER, null_signature=True),
    "signed": compose_command(messages.SET_CLOCK, signature=bytes(64)),
}


@pytest.mark.parametrize("octets", MUTATED.values(), ids=MUTATED)
def test_no_mutation_is_read_as_anything_but_what_it_says(octets: bytes) -> None:
    for mutated in _mutations(octets):
        try:
            content = decode(ContentKind.PRE_COMMAND, mutated)
        except ContentMalformed:
            continue
        assert isinstance(content, GbcsCommand)
        assert recompose(content) == mutated


def test_no_mutation_of_a_checkpoint_is_read_as_anything_but_what_it_says() -> None:
    for mutated in _mutations(encode_checkpoint("keybroker.example/dev", 1_024, bytes(range(32)))):
        try:
            content = decode(ContentKind.AUDIT_CHECKPOINT, mutated)
        except ContentMalformed:
            continue
        assert isinstance(content, AuditCheckpoint)
        assert encode_checkpoint(content.origin, content.tree_size, content.root_hash) == mutated
