"""What the rest of ``hsm`` sees of a token: typed calls, implemented by ``token.py`` behind the one import of pkcs11.

Every call raises ``CallFailed`` when the module returns anything but CKR_OK. Handles are numbers of this connection
only: they live until ``disconnect`` or ``restart_library`` and never leave ``hsm``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol

from keybroker.hsm.attributes import Attributes, AttributeValue, KeyAttribute
from keybroker.hsm.wrap_mechanism import WrapMechanism

SignDigest = Callable[[int, bytes], bytes]
"""Key handle and digest (32 octets) to r || s (64 octets), by CKM_ECDSA in one session."""


class Derived(Enum):
    """What a key agreement gives: Z as a generic secret (32 octets), or an AES-128 key at once."""

    SECRET = "secret"  # noqa: S105 - a kind of key
    AES_KEY = "aes-key"


class Session(Protocol):
    """One session of the token, for one thread at a time. What it makes are session objects that never leave."""

    @property
    def sign(self) -> SignDigest: ...

    def agree(self, base_key: int, peer: bytes, *, kdf: int, shared: bytes, derived: Derived) -> int:
        """CKM_ECDH1_DERIVE with ``peer`` (65 octets), ``kdf`` (CKD_…) and its shared data; gives a handle."""
        ...

    def concatenate(self, base_key: int, octets: bytes, *, octets_first: bool) -> int:
        """CKM_CONCATENATE_DATA_AND_BASE or CKM_CONCATENATE_BASE_AND_DATA; gives a handle."""
        ...

    def hash_to_aes_key(self, base_key: int) -> int:
        """CKM_SHA256_KEY_DERIVATION, leftmost 16 octets; gives a handle."""
        ...

    def generate_aes_key(self) -> int: ...

    def destroy(self, handle: int) -> None: ...

    def seal(self, key: int, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        """CKM_AES_GCM: ciphertext || tag. Raises: ModuleDisagrees when the module chose its own ``iv``."""
        ...

    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        """The reverse: the plaintext. A wrong tag is a CallFailed like any other."""
        ...

    def digest_with_key(self, before: bytes, key: int, after: bytes) -> bytes:
        """SHA-256(before || key || after) by C_DigestKey."""
        ...


class ObjectAttribute(StrEnum):
    """What a whole template has besides ``KeyAttribute``; each value is the PKCS#11 name without CKA_."""

    CLASS = "CLASS"
    LABEL = "LABEL"
    ID = "ID"
    VALUE = "VALUE"
    TRUSTED = "TRUSTED"
    VERIFY = "VERIFY"
    VERIFY_RECOVER = "VERIFY_RECOVER"
    MODULUS = "MODULUS"
    MODULUS_BITS = "MODULUS_BITS"
    PUBLIC_EXPONENT = "PUBLIC_EXPONENT"
    EC_POINT = "EC_POINT"
    NSS_DB = "NSS_DB"


Template = Mapping[KeyAttribute | ObjectAttribute, AttributeValue]
"""Every attribute that an object is made with or looked for by; nothing is added to it."""


class Wrapping(Protocol):
    """Moving keys in the login session. Handles are of this connection, as everywhere."""

    def create(self, template: Template) -> int:
        """C_CreateObject."""
        ...

    def generate_aes(self, template: Template) -> int: ...

    def generate_rsa(self, public: Template, private: Template) -> tuple[int, int]:
        """Handles of the public and the private half."""
        ...

    def wrap(self, mechanism: WrapMechanism, wrapping: int, key: int) -> bytes:
        """C_WrapKey: ``key`` enciphered under ``wrapping``."""
        ...

    def unwrap(self, mechanism: WrapMechanism, unwrapping: int, wrapped: bytes, template: Template) -> int:
        """C_UnwrapKey; gives the handle of what was made."""
        ...

    def copy(self, handle: int, changes: Template) -> int:
        """C_CopyObject."""
        ...

    def find(self, template: Template) -> tuple[int, ...]:
        """At most 64."""
        ...

    def read(self, handle: int, attribute: KeyAttribute | ObjectAttribute | int) -> bytes:
        """One attribute's octets as the token has them; a vendor's by its number."""
        ...

    def change(self, handle: int, changes: Template) -> None:
        """C_SetAttributeValue."""
        ...

    def destroy(self, handle: int) -> None: ...


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
    hardware_version: str


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
class SecretKeyFound:
    handle: int
    identifier: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFound:
    handle: int
    octets: bytes


class ObjectKind(StrEnum):
    """CKA_CLASS, so far as we tell classes apart."""

    PRIVATE_KEY = "private-key"
    PUBLIC_KEY = "public-key"
    SECRET_KEY = "secret-key"  # noqa: S105 - a class of objects
    DATA = "data"
    CERTIFICATE = "certificate"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFound:
    """Any object of the token. ``point``: of a public EC key alone; ``attributes``: of private and secret keys."""

    handle: int
    kind: ObjectKind
    label: str
    identifier: bytes
    point: bytes | None
    attributes: Attributes


class Connection(Protocol):
    """One logged-in connection of this process to one token."""

    @property
    def description(self) -> TokenDescription:
        """As library and token told at ``connect``, or at the last ``check_token`` since."""
        ...

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
        """Is the token in its slot? What it says of itself now is ``description`` from then on."""
        ...

    def open_sessions(self, count: int) -> tuple[Session, ...]:
        """Further sessions, in which keys are used."""
        ...

    def close_sessions(self) -> None: ...

    def login_session(self) -> Session:
        """The login session, which sees the session objects made there."""
        ...

    def wrapping(self) -> Wrapping:
        """Moving keys, in the login session."""
        ...

    def list_objects(self) -> Sequence[ObjectFound]:
        """Every object that stands in the token and that this login sees; session objects are none of it."""
        ...

    def find_private(self, label: str) -> Sequence[PrivateKeyFound]: ...

    def find_public(self, label: str) -> Sequence[PublicKeyFound]: ...

    def find_secret(self, label: str) -> Sequence[SecretKeyFound]: ...

    def generate_pair(
        self, label: str, private: Attributes, identify: Callable[[bytes], bytes], *, final: bool = True
    ) -> bytes:
        """Make a P-256 pair in the token, CKA_ID ``identify(point)`` on both halves; gives the point (65 octets).

        ``final``: the private half cannot be modified from the start, where the token makes such keys.
        """
        ...

    def generate_secret(self, label: str, secret: Attributes, identifier: bytes) -> None:
        """Make an AES key of 16 octets in the token; unmodifiable where the token makes such keys."""
        ...

    def set_sign(self, label: str, handle: int, *, allowed: bool) -> None:
        """CKA_SIGN of a private key (C_SetAttributeValue)."""
        ...

    def copy_unmodifiable(self, label: str, handle: int) -> None:
        """A second private key in the token, the same but that nothing of it can be modified (C_CopyObject)."""
        ...

    def destroy_private(self, label: str, handle: int) -> None:
        """Destroy one private key; its public half stays."""
        ...

    def destroy_secret(self, label: str, handle: int) -> None:
        """Destroy one secret key; one that another process destroyed meanwhile is destroyed."""
        ...

    def destroy_key(self, label: str) -> None:
        """Destroy every object of the token with this label."""
        ...

    def generate_session_pair(self, label: str, private: Attributes) -> tuple[int, bytes, Callable[[], None]]:
        """A pair that dies with the session: handle of the private key, its point, and what destroys both."""
        ...

    def find_data(self, label: str) -> Sequence[DataFound]: ...

    def create_data(self, label: str, octets: bytes) -> None:
        """A private data object of the token that cannot be modified."""
        ...

    def destroy_data(self, handle: int) -> None:
        """Destroy one; one that another process destroyed meanwhile is destroyed."""
        ...

    def mechanisms(self) -> Sequence[Mechanism]: ...

    def random(self, octets: int) -> bytes: ...
