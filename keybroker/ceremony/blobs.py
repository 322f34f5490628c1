"""Where does a split key stand while it stands in no module? In files that hold it wrapped, alike, at several sites.

SEC G2.44B. A blob is a ``WrappedKey`` without its wrapping key: in the place of that stand zeros, so that a file alone
is of no use to whoever breaks an RSA key one day. Its SHA-256 stands in the share set, in every share, and in the
ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.trusted_keys import RSA_BITS
from keybroker.hsm.wrapped_key import WrappedKey, encode_wrapped_key, read_wrapped_key
from keybroker.ledger.durable import write_durably

LONGEST = 64 * 1024
"""Octets of a blob, and more than any has."""
_NOBODYS = bytes(RSA_BITS // 8)
"""Wrapped to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobCopy:
    """One of the files. ``path`` is absolute, as it was when the file was written there."""

    site: str
    path: str

    @property
    def place(self) -> str:
        """As the register of copies names it."""
        return f"{self.site}: {self.path}"


def blob_octets(wrapped: WrappedKey) -> bytes:
    """What is written; nothing of the wrapping key is in it."""
    return encode_wrapped_key(wrapped.for_another(_NOBODYS, wrapped.oaep))


def read_blob(octets: bytes, digest: str) -> WrappedKey:
    """``digest``: SHA-256 in hexadecimal. Raises: ModuleDisagrees for another blob; ContentMalformed."""
    if len(octets) > LONGEST or sha256(octets).hexdigest() != digest:
        raise ModuleDisagrees(f"expected the blob of SHA-256 {digest[:16]}, found another, or one that was changed")
    wrapped = read_wrapped_key(octets)
    if wrapped.wrapped_wrapping_key != _NOBODYS:
        raise ContentMalformed(
            offset=0, expected="a blob wrapped to nobody", found="a wrapping key beside it", source="docs/ceremonies"
        )
    return wrapped


def copy_name(label: str, generation: int, number: int) -> str:
    return f"{label}.generation-{generation}.copy-{number}.blob"


def write_copy(copy: BlobCopy, octets: bytes) -> None:
    """For its owner alone. Raises: LedgerUnavailable where it cannot be written."""
    write_durably(Path(copy.path), octets, private=True)


def is_copy(copy: BlobCopy, digest: str) -> bool:
    """Does the blob of this SHA-256 (hexadecimal) stand there?"""
    octets = read_copy(copy)
    return octets is not None and sha256(octets).hexdigest() == digest


def read_copy(copy: BlobCopy) -> bytes | None:
    """None where there is no such file, or it cannot be read."""
    try:
        with Path(copy.path).open("rb") as stream:
            return stream.read(LONGEST + 1)
    except OSError:
        return None
