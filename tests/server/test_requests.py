"""Protocol buffers to an Ask, or to a Refused that can be written down."""

from __future__ import annotations

import hashlib
import time

import pytest

from keybroker.errors import RequestMalformed
from keybroker.ledger.model import Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.server.requests import check_no_unknown_field, read_item, read_request, request_id_of
from keybroker.signing import Ask
from keybroker.terms import ContentKind, Operation
from tests.server.callers import OCTETS, caller, pre_command

LONGEST = 64


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pre_command(request_id=""), "request_id"),
        (pre_command(request_id="a b"), "request_id"),
        (pre_command(request_id="é"), "request_id"),
        (pre_command(request_id="x\n"), "request_id"),
        (pre_command(request_id="x" * 129), "request_id"),
        (pre_command(key=""), "key"),
        (pre_command(key="Supplier"), "key"),
        (pre_command(key="supplier-a\n"), "key"),
        (pre_command(key="x" * 64), "key"),
        (pre_command(octets=b""), "pre_command"),
        (pre_command(octets=bytes(LONGEST + 1)), "pre_command"),
    ],
)
def test_refuses_a_field_of_the_wrong_form_and_keeps_what_can_be_recorded(
    request_: pb.SignPreCommandRequest, field: str
) -> None:
    read = read_request(request_, caller(), LONGEST)
    assert isinstance(read, Refused)
    assert isinstance(read.error, RequestMalformed)
    assert read.error.field == field
    assert read.octets_sha256 == hashlib.sha256(request_.pre_command).digest()
    if field in ("request_id", "key"):
        assert (read.identity.request_id, read.identity.key) == ("", "")


def test_refuses_a_field_that_is_unknown() -> None:
    request = pre_command()
    request.MergeFromString(b"\x9a\x06\x01x")
    assert isinstance(read_request(request, caller(), LONGEST), Refused)


def test_refuses_an_item_with_a_field_that_is_unknown_beside_its_request() -> None:
    item = pb.SignItem.FromString(pb.SignItem(sign_pre_command=pre_command()).SerializeToString() + b"\x78\x05")
    read = read_item(item, caller(), LONGEST)
    assert isinstance(read, Refused)
    assert read.error.reason == "REQUEST_MALFORMED"
    assert read.identity.request_id == "r-1"


def test_millions_of_unknown_fields_are_found_in_no_time() -> None:
    request = pb.SignPreCommandRequest.FromString(pre_command().SerializeToString() + b"\x78\x05" * 2_000_000)
    started = time.process_time()
    with pytest.raises(RequestMalformed):
        check_no_unknown_field(request)
    assert isinstance(read_request(request, caller(), LONGEST), Refused)
    assert time.process_time() - started < 0.3


def test_what_is_unknown_in_an_item_is_no_matter_of_the_whole_request() -> None:
    item = pb.SignItem.FromString(b"\x78\x05")
    check_no_unknown_field(pb.SignBatchRequest(items=[item]))
    with pytest.raises(RequestMalformed):
        check_no_unknown_field(pb.SignBatchRequest.FromString(b"\x78\x05"))


def test_refuses_an_item_that_names_no_request() -> None:
    read = read_item(pb.SignItem(), caller(), LONGEST)
    assert isinstance(read, Refused)
    assert read.error.reason == "REQUEST_MALFORMED"


def test_the_same_request_alone_and_in_an_item_is_the_same_and_another_is_another() -> None:
    request = pre_command()
    alone = read_request(request, caller(), LONGEST)
    inside = read_item(pb.SignItem(sign_pre_command=request), caller(), LONGEST)
    assert alone == inside
    others = [pre_command(key="b"), pre_command(octets=OCTETS[1:]), pre_command(request_id="r-2")]
    assert alone.identity.sha256 not in {read_request(o, caller(), LONGEST).identity.sha256 for o in others}


def test_the_rpc_says_what_the_octets_are_declared_to_be() -> None:
    command = pb.SignCommandRequest(request_id="r", key="k", command=OCTETS)
    read = read_request(command, caller(), LONGEST)
    assert isinstance(read, Ask)
    assert (read.kind, read.identity.operation) == (ContentKind.COMMAND, Operation.SIGN_COMMAND)
    item = pb.SignItem(sign_command=command)
    assert read_item(item, caller(), LONGEST) == read
    assert request_id_of(item) == "r"
