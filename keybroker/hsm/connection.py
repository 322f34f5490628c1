"""What the rest of ``hsm`` sees of a token: typed calls, implemented by ``token.py`` behind the one import of pkcs11.

Every call raises ``CallFailed`` when the module returns anything but CKR_OK. Handles are numbers of this connection
only: they live until ``disconnect`` or ``restart_library`` and never leave ``hsm``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from keybroker.hsm.attributes import Attributes

SignDigest = Callable[[int, bytes], bytes]
"""Key handle and digest (32 octets) to r || s (64 octets), by CKM_ECDSA in one session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDescription:
    """What C_GetInfo and C_GetTokenInfo say; evidence, not trust."""

    library_manufacturer: str
    library_description: str
    library_version: str
    cryptoki_version: str
    manufacturer: str
    model: str
    serial: str
    label: str
    firmware_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """``name`` as PKCS#11 has it without CKM_, or its number in hex."""

    name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyFound:
    handle: int
    identifier: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyFound:
    """``point``: the uncompressed point, without the OCTET STRING that most tokens wrap it in."""

    handle: int
    identifier: bytes
    point: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFound:
    handle: int
    octets: bytes


class Connection(Protocol):
    """One logged-in connection of this process to one token."""

    @property
    def description(self) -> TokenDescription: ...

    def connect(self) -> None:
        """Find the token by label and serial, exactly one; open the login session; log in.

        Raises: CallFailed; ModuleUnavailable (no such token); PinWrong; ConfigurationInvalid (two such tokens,
        another device).
        """
        ...

    def disconnect(self) -> None:
        """Close every session of ours, the login session last. What was lost already is closed already."""
        ...

    def restart_library(self) -> None:
        """C_Finalize and C_Initialize: every session and handle of the process is gone."""
        ...

    def check_session(self) -> None:
        """Is the login session alive and logged in? Cheap enough for every batch."""
        ...

    def check_token(self) -> None:
        """Is the token in its slot?"""
        ...

    def open_signers(self, count: int) -> tuple[SignDigest, ...]:
        """Further sessions, one signer each."""
        ...

    def close_signers(self) -> None: ...

    def login_signer(self) -> SignDigest:
        """A signer in the login session, which sees the session objects made there."""
        ...

    def find_private(self, label: str) -> Sequence[PrivateKeyFound]: ...

    def find_public(self, label: str) -> Sequence[PublicKeyFound]: ...

    def generate_pair(self, label: str, private: Attributes, identify: Callable[[bytes], bytes]) -> bytes:
        """Make a P-256 pair in the token, CKA_ID ``identify(point)`` on both halves; gives the point (65 octets)."""
        ...

    def generate_session_pair(self, label: str, private: Attributes) -> tuple[int, bytes, Callable[[], None]]:
        """A pair that dies with the session: handle of the private key, its point, and what destroys both."""
        ...

    def import_pair(
        self, label: str, private: Attributes, *, scalar: bytes, point: bytes, identifier: bytes
    ) -> None: ...

    def find_data(self, label: str) -> Sequence[DataFound]: ...

    def create_data(self, label: str, octets: bytes) -> None:
        """A private data object of the token that cannot be modified."""
        ...

    def destroy_data(self, handle: int) -> None:
        """Destroy one; one that another process destroyed meanwhile is destroyed."""
        ...

    def mechanisms(self) -> Sequence[Mechanism]: ...

    def random(self, octets: int) -> bytes: ...
