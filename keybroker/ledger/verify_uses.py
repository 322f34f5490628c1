"""What may a signature over an intent's octets cover? What an auditor can tell without a decoder. Pure."""

from __future__ import annotations

from hashlib import sha256

from keybroker.ledger.canonical_json import Json
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
