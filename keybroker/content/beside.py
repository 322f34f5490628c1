"""What came beside the octets? Of each kind what is wanted, and nothing that nobody would look at."""

from __future__ import annotations

from collections.abc import Sequence

from keybroker.content.model import Accompanying
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind


def check_beside(accompanying: Sequence[Accompanying], *allowed: AccompanyingKind) -> None:
    """Nothing of another kind came beside the octets. Raises: ContentMalformed."""
    for each in accompanying:
        if each.kind not in allowed:
            expected = (" or ".join(allowed) or "nothing") + " beside it"
            raise ContentMalformed(offset=0, expected=expected, found=each.kind, source="keybroker")


def chain_beside(accompanying: Sequence[Accompanying], kind: AccompanyingKind) -> tuple[bytes, ...]:
    """The certificates of one kind, in the order in which they came."""
    return tuple(each.octets for each in accompanying if each.kind is kind)


def device_chain_beside(accompanying: Sequence[Accompanying]) -> tuple[bytes, ...]:
    """The Device's certificate, then its issuers. Raises: ContentMalformed where there is none."""
    chain = chain_beside(accompanying, AccompanyingKind.DEVICE_CERTIFICATE)
    if not chain:
        raise ContentMalformed(
            offset=0,
            expected="the Device's certificate beside it",
            found="none",
            source="GBCS key agreement, handbook 1.8",
        )
    return chain
