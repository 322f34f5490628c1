"""What stands beside a request, many times over: refused before anybody looks at it."""

from __future__ import annotations

import time

import pytest
from google.protobuf.message import Message

from keybroker.errors import RequestMalformed
from keybroker.ledger.model import Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.server.forms import FORMS
from keybroker.server.requests import read_item, read_request
from tests.policy.agreement import USER, a_caller_of

LONGEST = 65_536
MANY = 1_500_000
LONGEST_TOLD = 600
"""Characters of a refusal's sentence."""

FIELDS = [(kind, name) for kind, form in FORMS.items() for name in form.beside if name.endswith("certificates")]


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind.DESCRIPTOR.name} {name}" for kind, name in FIELDS])
def test_more_certificates_than_any_chain_has_are_refused(kind: type[Message], name: str) -> None:
    request = kind()
    request.request_id, request.key = "a", "a-key"  # type: ignore[attr-defined]
    getattr(request, name).extend([b""] * 17)
    refused = read_request(request, a_caller_of(USER), LONGEST)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, RequestMalformed)
    assert "at most 16 certificates, found 17" in refused.error.sentence or "amount" in refused.error.sentence


def test_a_million_empty_certificates_cost_nothing() -> None:
    """They fit into what the transport takes, at two octets each; each would have become an object here."""
    item = pb.SignItem()
    asked = item.check_response_mac
    asked.request_id, asked.key, asked.message = "a", "a-key", b"\xdd"
    asked.device_certificates.extend([b""] * MANY)
    began = time.process_time()
    refused = read_item(item, a_caller_of(USER), LONGEST)
    assert time.process_time() - began < 0.5
    assert isinstance(refused, Refused)
    assert "at most 16 certificates" in refused.error.sentence
