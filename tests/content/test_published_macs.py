"""Every published Command MAC, Response MAC, Alert MAC and encrypted item, by ``use_of`` and the published test keys.

The other side of ``scripts/replay_rtds``, without a broker or a module: the decoders alone say what is to be computed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.content.assembly import assemble_outputs
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.model import Accompanying
from keybroker.content.prepayment import PrepaymentTopUp
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.uses import use_of
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier
from scripts.replay_parts.slicing import slice_message
from tests.content.published import (
    Message,
    compute,
    directory,
    read_certificates,
    read_messages,
    read_private_keys,
)
from tests.content.test_rtds import without_mac

pytestmark = pytest.mark.rtds

ACB = "90b3d51f30000002"
HAN_ONLY = (0x0090, 0x009B)
"""PCS01 and PCS02 go from Device to Device: no party's key is in them."""


@pytest.fixture(scope="module")
def rtds() -> Path:
    return directory()


def beside(where: Path, device: bytes, originator: bytes = b"") -> tuple[Accompanying, ...]:
    certificates = read_certificates(where)
    found = [Accompanying(kind=AccompanyingKind.DEVICE_CERTIFICATE, octets=certificates[f"{device.hex()}-ka"])]
    if originator:
        chain = certificates[f"{originator.hex()}-ds"]
        found.append(Accompanying(kind=AccompanyingKind.ORIGINATOR_CERTIFICATE, octets=chain))
    return tuple(found)


def wrapped(where: Path, *kinds: str) -> list[tuple[Message, bytes]]:
    """Messages in a MAC wrapper, with what is inside, but for those between Devices."""
    found = [(each, without_mac(each.octets)) for each in read_messages(where) if each.kind in kinds]
    return [
        (each, inner)
        for each, inner in found
        if each.octets[0] == 0xDD and int.from_bytes(inner[31:33], "big") not in HAN_ONLY
    ]


def test_every_published_command_is_made_of_its_inner_part_octet_for_octet(rtds: Path) -> None:
    acb = read_private_keys(rtds)[f"{ACB}-ka"]
    commands = wrapped(rtds, "COMMAND")
    for message, inner in commands:
        accompanying = beside(rtds, inner[21:29], inner[12:20] if slice_message(inner).signature else b"")
        content = decode(ContentKind.COMMAND_BEFORE_MAC, inner, accompanying)
        assert assemble_outputs(content, compute(acb, use_of(content, None, None))) == (message.octets,), message.name
    assert commands


def test_every_published_response_and_alert_mac_is_right(rtds: Path) -> None:
    answers = wrapped(rtds, "RESPONSE", "ALERT")
    keys = read_private_keys(rtds)
    for message, inner in answers:
        content = decode(ContentKind.PROTECTED_RESPONSE, message.octets, beside(rtds, inner[12:20]))
        assert isinstance(content, ProtectedResponse)
        assert compute(keys[f"{content.party.octets.hex()}-ka"], use_of(content, None, None)) == (), message.name
    assert answers


def _encrypted(where: Path) -> list[tuple[Message, Content]]:
    found: list[tuple[Message, Content]] = []
    for message in read_messages(where):
        inner = without_mac(message.octets)
        if message.kind not in ("RESPONSE", "ALERT") or int.from_bytes(inner[31:33], "big") in HAN_ONLY:
            continue
        try:
            found.append((message, decode(ContentKind.ENCRYPTED_RESPONSE, message.octets, beside(where, inner[12:20]))))
        except ContentMalformed:
            assert bytes.fromhex("3100000000") not in inner, message.name
    return found


def test_every_encrypted_item_is_found_and_deciphers(rtds: Path) -> None:
    keys = read_private_keys(rtds)
    found = _encrypted(rtds)
    for message, content in found:
        assert isinstance(content, EncryptedResponse)
        assert len(content.items) == without_mac(message.octets).count(bytes.fromhex("3100000000"))
        plaintexts = compute(keys[f"{content.party.octets.hex()}-ka"], use_of(content, None, None))
        assert all(plaintexts)
    assert found


@pytest.mark.parametrize(
    ("counter", "amount_class", "value", "pptd"),
    [
        (0x1_0000_0000, 1, 100, 7_394_333_345_718_904_331),
        (0x4_0000_0000, 0, 1234, 7_394_725_241_674_520_163),
        (0x1_0000_0000, 1, 8191, 7_394_368_095_646_343_255),
    ],
)
def test_known_prepayment_tokens_are_made(rtds: Path, counter: int, amount_class: int, value: int, pptd: int) -> None:
    supplier = EntityIdentifier.from_text("90B3D51F30010000")
    device = EntityIdentifier.from_text("00DB1234567890A0")
    octets = supplier.octets + device.octets + counter.to_bytes(8, "big")
    octets += bytes([amount_class]) + value.to_bytes(2, "big")
    content = decode(ContentKind.PREPAYMENT_TOP_UP, octets, beside(rtds, device.octets))
    assert isinstance(content, PrepaymentTopUp)
    key = read_private_keys(rtds)[f"{supplier.octets.hex()}-pp-ka"]
    (ptut,) = assemble_outputs(content, compute(key, use_of(content, None, None)))
    assert int.from_bytes(ptut, "big") + 7_394_156_990_786_306_048 == pptd
