"""Is this a Signed Pre-Command: a Pre-Command, 0x40 and its signature r || s, and no more? (Handbook 1.6.)"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.content.model import GbcsCommand
from keybroker.content.unsigned_command import decode_command
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind

_SIGNATURE_LENGTH = b"\x40"
_SIGNATURE_OCTETS = 64
_SOURCE = "GBCS Signed Pre-Command, handbook 1.6"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPreCommand:
    """``signature`` is the originator's, r || s, over ``command.to_be_signed``; nothing is verified here."""

    command: GbcsCommand
    signature: bytes


def decode_signed_pre_command(octets: bytes) -> SignedPreCommand:
    """By the decoder of the Pre-Command, which finds the end by the content's length. Raises: ContentMalformed."""
    end = max(len(octets) - _SIGNATURE_OCTETS - 1, 0)
    command = decode_command(ContentKind.PRE_COMMAND, octets[:end])
    if octets[end : end + 1] != _SIGNATURE_LENGTH or command.null_signature:
        raise ContentMalformed(
            offset=len(command.message),
            expected="0x40 and a signature of 64 octets after the content",
            found=f"0x{octets[len(command.message)]:02X}",
            source=_SOURCE,
        )
    return SignedPreCommand(command=command, signature=octets[end + 1 :])
