"""The DCC's published messages, found by KEYBROKER_RTDS (a directory with ``rtds.jsonl`` and ``expected.csv``)."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from keybroker.content.decoding import decode
from keybroker.content.model import Criticality, GbcsCommand
from keybroker.errors import (
    ContentAlreadySigned,
    ContentIsAlert,
    ContentIsResponse,
    ContentMacWrapped,
    ContentMalformed,
)
from keybroker.terms import ContentKind
from tests.content.recompose import recompose

pytestmark = pytest.mark.rtds

SIGNATURE = 65
MAC = 12


class Published(NamedTuple):
    kind: str
    octets: bytes
    facts: dict[str, str]


@pytest.fixture(scope="module")
def published() -> list[Published]:
    directory = os.environ.get("KEYBROKER_RTDS")
    if not directory:
        pytest.skip("KEYBROKER_RTDS is unset: the DCC's published messages are NOT tested")
    with (Path(directory) / "expected.csv").open(encoding="utf-8", newline="") as file:
        facts = {row["name"]: row for row in csv.DictReader(file)}
    with (Path(directory) / "rtds.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Published(row["kind"], bytes.fromhex(row["hex"]), facts[row["name"]]) for row in rows]


def without_mac(octets: bytes) -> bytes:
    """The message inside a MAC wrapper: DD, six zero octets, length, five octets of security header, inner, MAC."""
    if octets[0] != 0xDD:
        return octets
    after_length = 8 if octets[7] < 0x80 else 8 + (octets[7] & 0x7F)
    return octets[after_length + 5 : -MAC]


def refusal_of(octets: bytes) -> type[ContentMalformed]:
    with pytest.raises(ContentMalformed) as caught:
        decode(ContentKind.COMMAND, octets)
    return type(caught.value)


def signable(published: list[Published]) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Every Pre-Command, and the inner part of every signed Command without its signature."""
    for message in published:
        if message.kind == "PRECOMMAND":
            yield message.octets, message.facts
        elif message.kind == "COMMAND" and message.facts["signature_octets"] == "64":
            yield without_mac(message.octets)[:-SIGNATURE], message.facts


def test_responses_alerts_and_what_is_mac_wrapped_are_refused_each_with_its_own_reason(
    published: list[Published],
) -> None:
    for message in published:
        if message.facts["outer_tag"] == "DD":
            assert refusal_of(message.octets) is ContentMacWrapped
        inner = without_mac(message.octets)
        match message.kind:
            case "RESPONSE":
                assert refusal_of(inner) is ContentIsResponse
            case "ALERT":
                assert refusal_of(inner) is ContentIsAlert
            case "COMMAND" if message.facts["signature_octets"] == "64":
                assert refusal_of(inner) is ContentAlreadySigned


def test_everything_signable_is_read_as_an_independent_reader_read_it(published: list[Published]) -> None:
    count = 0
    for octets, facts in signable(published):
        command = decode(ContentKind.PRE_COMMAND, octets)
        assert isinstance(command, GbcsCommand)
        assert f"{command.message_code.value:04X}" == facts["message_code"]
        assert command.originator.octets.hex() == facts["originator"]
        assert command.recipient.octets.hex() == facts["recipient"]
        assert f"{command.originator_counter:016x}" == facts["originator_counter"]
        party = command.supplementary_party
        assert (party.octets.hex() if party else "") == facts["supplementary_party"]
        assert len(command.message) - command.content_offset == int(facts["content_octets"])
        assert command.message_code.criticality in (Criticality.CRITICAL, Criticality.VARIANT)
        assert command.message_code.signers
        assert recompose(command) == octets
        count += 1
    assert count


def test_mac_only_commands_are_read_but_for_those_that_carry_a_certificate(published: list[Published]) -> None:
    for message in published:
        if message.kind == "COMMAND" and message.facts["signature_octets"] == "0":
            inner = without_mac(message.octets)
            if int(message.facts["other_information_octets"]) > 18:
                assert refusal_of(inner) is ContentMalformed
                continue
            command = decode(ContentKind.COMMAND, inner)
            assert isinstance(command, GbcsCommand)
            assert command.null_signature
            assert command.message_code.criticality in (Criticality.NON_CRITICAL, Criticality.VARIANT)


def test_published_pre_commands_are_refused_when_cut_at_any_length(published: list[Published]) -> None:
    for octets, _ in signable(published):
        step = 1 + len(octets) // 200
        for length in range(0, len(octets), step):
            assert refusal_of(octets[:length]) is ContentMalformed
