"""What are we asked to sign? Octets to typed, immutable Content, or a refusal. Pure.

Octets are decoded as what they were declared to be, strictly and whole: one reading or none. What was parsed is what is
signed, so a Content keeps the very octets it was read from. Whether it *may* be signed is policy's question.
"""

from __future__ import annotations

from typing import assert_never

from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.grouping_header import decode_command
from keybroker.content.model import Content
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind


def decode(kind: ContentKind, octets: bytes) -> Content:
    """Read ``octets`` as the declared ``kind``: a GbcsCommand (Pre-Command, Command) or an AuditCheckpoint.

    Raises: ContentMalformed or one of its subclasses, nothing else.
    """
    match kind:
        case ContentKind.PRE_COMMAND | ContentKind.COMMAND:
            return decode_command(kind, octets)
        case ContentKind.AUDIT_CHECKPOINT:
            return decode_checkpoint(octets)
        case ContentKind.CERTIFICATE_SIGNING_REQUEST:
            raise ContentMalformed(
                offset=0,
                expected="a Pre-Command, a Command or an audit checkpoint",
                found="a Certificate Signing Request, which is not decoded in this version",
                source="keybroker",
            )
        case _:
            assert_never(kind)
