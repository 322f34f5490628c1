"""A registered key that the module holds, found fit, for one session generation."""

from __future__ import annotations

from dataclasses import dataclass, field

from keybroker.hsm.verify import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A key that may be used in this session generation.

    ``identity`` is the register's ``public_key`` (the point, or a symmetric key's CKA_ID); ``verifier`` checks its
    signatures, None for a symmetric key; ``authentication`` is the DLMS authentication key (16 octets) that stands
    beside a symmetric key in the token, None where none does.
    """

    handle: int
    identity: bytes
    verifier: Verifier | None = None
    authentication: bytes | None = field(default=None, repr=False)
