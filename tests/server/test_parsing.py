"""A message with too many items is never parsed whole, and whatever is left of it is refused."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import RequestMalformed
from keybroker.pb import signing_pb2 as pb
from keybroker.server.parsing import end_of_fields, parse_bounded
from keybroker.server.requests import check_items, check_no_unknown_field
from tests.server.callers import pre_command

MOST = 8
ITEM = pb.SignBatchRequest(items=[pb.SignItem(sign_pre_command=pre_command(octets=bytes(20_000)))]).SerializeToString()
EMPTY, UNKNOWN_VARINT, UNKNOWN_FIXED, UNKNOWN_GROUP = b"\x0a\x00", b"\x78\x05", b"\x7d1234", b"\x7b\x7c"


def check(message: pb.SignBatchRequest) -> None:
    check_items(message.items, MOST)
    check_no_unknown_field(message)


@pytest.mark.parametrize(
    "octets",
    [
        EMPTY * 2_000_000,
        UNKNOWN_VARINT * 2_000_000,
        UNKNOWN_FIXED * 800_000,
        UNKNOWN_GROUP * 2_000_000,
        ITEM * MOST + EMPTY * 1_000_000,
        ITEM * (MOST - 1) + (EMPTY + UNKNOWN_VARINT) * 1_000_000,
        UNKNOWN_GROUP * MOST + EMPTY * 1_000_000,
        ITEM * MOST + UNKNOWN_VARINT,
    ],
    ids=["items", "varints", "fixed", "groups", "items after good", "mixed", "items after groups", "one unknown"],
)
def test_refuses_too_many_fields_and_keeps_few_of_them(octets: bytes) -> None:
    try:
        message = parse_bounded(pb.SignBatchRequest, octets, MOST)
    except DecodeError:
        return
    assert len(message.items) <= MOST + 1
    with pytest.raises(RequestMalformed):
        check(message)


@given(st.binary(max_size=200), st.integers(0, 30))
def test_never_cuts_what_has_few_fields_and_fails_at_nothing(octets: bytes, most: int) -> None:
    end = end_of_fields(octets, most)
    assert end >= 0
    assert end_of_fields(octets, len(octets)) >= len(octets)


def test_reads_a_whole_batch_as_it_is() -> None:
    octets = ITEM * MOST
    message = parse_bounded(pb.SignBatchRequest, octets, MOST)
    check(message)
    assert message == pb.SignBatchRequest.FromString(octets)
