"""What is asked? Protocol buffers to an Ask for the line, or to a Refused that is written down all the same.

Field by field and strictly: an unknown field is refused, never dropped. The identity of a request is SHA-256 over its
deterministic serialisation, the same whether it came alone, in a batch or on a stream.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sized

from google.protobuf.message import Message

from keybroker.errors import RequestMalformed
from keybroker.ledger.model import Refused, RequestIdentity
from keybroker.pb import signing_pb2 as pb
from keybroker.signing import Ask
from keybroker.terms import Caller, ContentKind, KeyLabel, Operation, RequestId

_is_request_id = re.compile(r"[!-~]{1,128}").fullmatch
_is_key = re.compile(r"[a-z0-9-]{1,63}").fullmatch

NO_ID, NO_KEY = RequestId(""), KeyLabel("")
"""In the record of a request whose own were of the wrong form."""


def read_pre_command(
    request: pb.SignPreCommandRequest, caller: Caller, longest: int, *, inside: pb.SignItem | None = None
) -> Ask | Refused:
    """``longest`` is the longest message in octets; ``inside``: the item of a batch or stream that it came in."""
    whole = inside or request
    operation = Operation.SIGN_PRE_COMMAND
    return _read(request, whole, request.pre_command, operation, ContentKind.PRE_COMMAND, caller, longest)


def read_command(
    request: pb.SignCommandRequest, caller: Caller, longest: int, *, inside: pb.SignItem | None = None
) -> Ask | Refused:
    """As ``read_pre_command``."""
    whole = inside or request
    return _read(request, whole, request.command, Operation.SIGN_COMMAND, ContentKind.COMMAND, caller, longest)


def read_item(item: pb.SignItem, caller: Caller, longest: int) -> Ask | Refused:
    """One item of a batch or stream; ``longest`` is the longest message in octets."""
    which = item.WhichOneof("request")
    if which == "sign_pre_command":
        return read_pre_command(item.sign_pre_command, caller, longest, inside=item)
    if which == "sign_command":
        return read_command(item.sign_command, caller, longest, inside=item)
    identity = RequestIdentity(
        caller=caller, operation=Operation.SIGN_COMMAND, key=NO_KEY, request_id=NO_ID, sha256=_sha256(item)
    )
    error = RequestMalformed("an item names no request of a kind known here", field="request")
    return Refused(identity=identity, error=error, findings=(), octets_sha256=hashlib.sha256().digest())


def request_id_of(item: pb.SignItem) -> str:
    """What the item calls itself, for its outcome; the caller gets back what it sent, well-formed or not."""
    if item.WhichOneof("request") == "sign_command":
        return item.sign_command.request_id
    return item.sign_pre_command.request_id


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


def _read(
    request: pb.SignPreCommandRequest | pb.SignCommandRequest,
    whole: Message,
    octets: bytes,
    operation: Operation,
    kind: ContentKind,
    caller: Caller,
    longest: int,
) -> Ask | Refused:
    request_id, key = request.request_id, request.key
    well_formed = _is_request_id(request_id) and _is_key(key)
    identity = RequestIdentity(
        caller=caller,
        operation=operation,
        key=KeyLabel(key) if well_formed else NO_KEY,
        request_id=RequestId(request_id) if well_formed else NO_ID,
        sha256=_sha256(request),
    )
    if well_formed and 0 < len(octets) <= longest and not holds_unknown_fields(whole):
        return Ask(identity=identity, kind=kind, octets=octets)
    return _refused(request, whole, identity, octets, longest)


def _refused(
    request: pb.SignPreCommandRequest | pb.SignCommandRequest,
    whole: Message,
    identity: RequestIdentity,
    octets: bytes,
    longest: int,
) -> Refused:
    sha256 = hashlib.sha256(octets).digest()
    try:
        check_request_id(request.request_id)
        check_key(request.key)
        _check_known(whole)
        field = "command" if identity.operation is Operation.SIGN_COMMAND else "pre_command"
        error = RequestMalformed(f"expected 1 to {longest} octets, found {len(octets)}", field=field)
    except RequestMalformed as refusal:
        error = refusal
    return Refused(identity=identity, error=error, findings=(), octets_sha256=sha256)


def _sha256(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
