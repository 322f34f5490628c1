"""What is asked? Protocol buffers to an Ask for the line, or to a Refused that is written down all the same.

Field by field and strictly: an unknown field is refused, never dropped. The identity of a request is SHA-256 over its
deterministic serialisation, the same whether it came alone, in a batch or on a stream.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sized
from typing import Any

from google.protobuf.message import Message

from keybroker.errors import RequestMalformed
from keybroker.ledger.model import Refused, RequestIdentity
from keybroker.pb import signing_pb2 as pb
from keybroker.server.forms import FORMS, Form
from keybroker.signing import Ask
from keybroker.terms import Caller, KeyLabel, Operation, RequestId

_is_request_id = re.compile(r"[!-~]{1,128}").fullmatch
_is_key = re.compile(r"[a-z0-9-]{1,63}").fullmatch

NO_ID, NO_KEY = RequestId(""), KeyLabel("")
"""In the record of a request whose own were of the wrong form."""


def read_request(request: Message, caller: Caller, longest: int, *, inside: pb.SignItem | None = None) -> Ask | Refused:
    """A request of the line. ``longest`` is the longest message in octets; ``inside``: the item that it came in."""
    form = FORMS[type(request)]
    asked: Any = request
    request_id, key = asked.request_id, asked.key
    well_formed = _is_request_id(request_id) and _is_key(key)
    identity = RequestIdentity(
        caller=caller,
        operation=form.operation,
        key=KeyLabel(key) if well_formed else NO_KEY,
        request_id=RequestId(request_id) if well_formed else NO_ID,
        sha256=_sha256(request),
    )
    whole = inside or request
    try:
        octets, statements = form.octets(asked), form.statements(asked)
    except RequestMalformed as refusal:
        return _refused(asked, whole, form, identity, refusal, longest)
    if well_formed and 0 < len(octets) <= longest and not holds_unknown_fields(whole):
        accompanying = form.accompanying(asked)
        if not accompanying or sum(len(each.octets) for each in accompanying) <= longest:
            return Ask(
                identity=identity, kind=form.kind, octets=octets, accompanying=accompanying, statements=statements
            )
    return _refused(asked, whole, form, identity, octets, longest)


def read_item(item: pb.SignItem, caller: Caller, longest: int) -> Ask | Refused:
    """One item of a batch or stream; ``longest`` is the longest message in octets."""
    which = item.WhichOneof("request")
    if which is not None:
        return read_request(getattr(item, which), caller, longest, inside=item)
    identity = RequestIdentity(
        caller=caller, operation=Operation.SIGN_COMMAND, key=NO_KEY, request_id=NO_ID, sha256=_sha256(item)
    )
    error = RequestMalformed("an item names no request of a kind known here", field="request")
    return Refused(identity=identity, error=error, findings=(), octets_sha256=hashlib.sha256().digest())


def request_id_of(item: pb.SignItem) -> str:
    """What the item calls itself, for its outcome; the caller gets back what it sent, well-formed or not."""
    which = item.WhichOneof("request")
    return "" if which is None else str(getattr(item, which).request_id)


def check_request_id(request_id: str) -> RequestId:
    """Raises: RequestMalformed."""
    if not _is_request_id(request_id):
        raise RequestMalformed("expected 1 to 128 printable ASCII characters without space", field="request_id")
    return RequestId(request_id)


def check_key(key: str, *, field: str = "key") -> KeyLabel:
    """Raises: RequestMalformed."""
    if not _is_key(key):
        raise RequestMalformed("expected a key's label: 1 to 63 of a-z, 0-9 and hyphen", field=field)
    return KeyLabel(key)


def check_items(items: Sized, most: int) -> None:
    """Raises: RequestMalformed."""
    if not 0 < len(items) <= most:
        raise RequestMalformed(f"expected 1 to {most} items, found {len(items)}", field="items")


def holds_unknown_fields(request: Message) -> bool:
    """At any depth. Counting them would cost half a microsecond each, and millions fit into a request."""
    known = type(request)()
    known.CopyFrom(request)
    known.DiscardUnknownFields()
    return known.ByteSize() != request.ByteSize()


def check_no_unknown_field(request: Message) -> None:
    """Raises: RequestMalformed. What we do not understand we do not serve.

    Looks at the request itself: what is inside an item is the item's own matter, and its refusal.
    """
    alone = type(request)()
    alone.CopyFrom(request)
    for field in request.DESCRIPTOR.fields:
        if field.message_type is not None:
            alone.ClearField(field.name)
    _check_known(alone)


def _check_known(request: Message) -> None:
    if holds_unknown_fields(request):
        raise RequestMalformed("the request holds fields that are unknown to this broker", field="")


def _refused(
    request: Any, whole: Message, form: Form, identity: RequestIdentity, found: bytes | RequestMalformed, longest: int
) -> Refused:
    """``found``: its octets, or why there are none."""
    octets = b"" if isinstance(found, RequestMalformed) else found
    try:
        check_request_id(request.request_id)
        check_key(request.key)
        _check_known(whole)
        error = found if isinstance(found, RequestMalformed) else _misfit(request, form, found, longest)
    except RequestMalformed as refusal:
        error = refusal
    return Refused(identity=identity, error=error, findings=(), octets_sha256=hashlib.sha256(octets).digest())


def _misfit(request: Any, form: Form, octets: bytes, longest: int) -> RequestMalformed:
    if not 0 < len(octets) <= longest:
        return RequestMalformed(f"expected 1 to {longest} octets, found {len(octets)}", field=form.named)
    beside = sum(len(each.octets) for each in form.accompanying(request))
    fields = " and ".join(form.beside)
    return RequestMalformed(f"expected at most {longest} octets altogether, found {beside}", field=fields)


def _sha256(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
