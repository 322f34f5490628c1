"""What does an intent say that its octets, and the table of counters, are held against? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from keybroker.errors import LedgerBroken
from keybroker.ledger.model import Json
from keybroker.terms import ContentKind

_WHOLE = frozenset(
    {
        ContentKind.AUDIT_CHECKPOINT,
        ContentKind.CERTIFICATE,
        ContentKind.ROOT_CERTIFICATE,
        ContentKind.CERTIFICATE_REVOCATION_LIST,
        ContentKind.CERTIFICATE_SIGNING_REQUEST,
    }
)
"""The kinds whose signature covers the octets as they came."""

_WITHOUT_RELATION = frozenset(ContentKind) - {ContentKind.PRE_COMMAND, ContentKind.COMMAND}
"""The kinds of which a counter is a fact among others (``record.relation``)."""


def digests_of(message: bytes, content: Json) -> tuple[str, ...]:
    """What a signature over these octets may cover: a GBCS message from its second octet, without a null signature.

    Empty where it takes the decoder to say (XML, TLS) and where the use is no signature.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind in _WHOLE:
        return (sha256(message).hexdigest(),)
    if kind not in (ContentKind.PRE_COMMAND, ContentKind.COMMAND):
        return ()
    whole = sha256(message[1:]).hexdigest()
    return (whole, sha256(message[1:-1]).hexdigest()) if message.endswith(b"\x00") else (whole,)


def use_weight(index: int, body: Mapping[str, Json]) -> int:
    """A number for this use of a counter; sums of them agree when the uses do (see ``_check_counters``)."""
    content, reused = body["content"], body["reused"]
    if not isinstance(content, dict) or not isinstance(reused, int):
        raise LedgerBroken(f"record {index}: expected content facts and a number of earlier uses, found neither")
    if "counter" not in content or content.get("kind") in _WITHOUT_RELATION:
        return 0
    try:
        relation = bytes.fromhex(f"{content['originator']}{content['recipient']}".replace("-", ""))
        relation += int(str(content["counter"])).to_bytes(8, "big")
    except (KeyError, ValueError, OverflowError) as error:
        raise LedgerBroken(f"record {index}: expected originator, recipient and counter, found {content}") from error
    return weight(relation, reused)


def weight(relation: bytes, reused: int) -> int:
    return int.from_bytes(sha256(relation + reused.to_bytes(8, "big", signed=True)).digest(), "big")
