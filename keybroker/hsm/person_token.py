"""What does a person's own token do? Sign with a P-256 key, open with an RSA-3072 key, and make both.

The keys of one person are found by label and CKA_ID, exactly one, and only beside the certificate that is expected.
Private keys never leave the token. Not a Cryptographic Module in the sense of SEC G2.42, so no profile describes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.function_list import FunctionList, OaepParameters
from keybroker.hsm.oaep import remove_oaep
from keybroker.hsm.person_functions import PersonFunctions, Template
from keybroker.hsm.return_values import WRONG_PIN, CallFailed, fault

_CKO_CERTIFICATE, _CKO_PUBLIC_KEY, _CKO_PRIVATE_KEY = 1, 2, 3
_CKA_CLASS, _CKA_TOKEN, _CKA_PRIVATE, _CKA_LABEL, _CKA_VALUE, _CKA_CERTIFICATE_TYPE = 0, 1, 2, 3, 0x11, 0x80
_CKA_ISSUER, _CKA_SERIAL_NUMBER, _CKA_KEY_TYPE, _CKA_SUBJECT, _CKA_ID = 0x81, 0x82, 0x100, 0x101, 0x102
_CKA_SENSITIVE, _CKA_ENCRYPT, _CKA_DECRYPT, _CKA_WRAP, _CKA_UNWRAP = 0x103, 0x104, 0x105, 0x106, 0x107
_CKA_SIGN, _CKA_VERIFY, _CKA_DERIVE = 0x108, 0x10A, 0x10C
_CKA_MODULUS, _CKA_MODULUS_BITS, _CKA_PUBLIC_EXPONENT, _CKA_EXTRACTABLE = 0x120, 0x121, 0x122, 0x162
_CKA_EC_PARAMS, _CKA_EC_POINT = 0x180, 0x181
_CKK_RSA, _CKK_EC = 0, 3
_CKM_RSA_PKCS_KEY_PAIR_GEN, _CKM_RSA_X_509, _CKM_RSA_PKCS_OAEP, _CKM_SHA256, _CKM_EC_KEY_PAIR_GEN = (
    *(0x0, 0x3, 0x9),
    *(0x250, 0x1040),
)
_CKG_MGF1_SHA256, _CKZ_DATA_SPECIFIED = 2, 1
_COUNT_LOW, _FINAL_TRY, _LOCKED, _PAD = 0x10000, 0x20000, 0x40000, 0x100
_P256 = bytes.fromhex("06082a8648ce3d030107")
_AES_OCTETS = 32


class Tries(StrEnum):
    """What the token says of the tries that are left before it locks the PIN (CK_TOKEN_INFO, PKCS#11 v2.40 §3.2)."""

    ENOUGH = "enough"
    """Or the token does not say."""
    LOW = "low"
    FINAL = "final"
    LOCKED = "locked"


class Unwrapped(StrEnum):
    """Where RSAES-OAEP was undone."""

    IN_TOKEN = "in-token"  # noqa: S105 - a place
    PADDING_ON_HOST = "padding-on-host"
    """The token has no OAEP with SHA-256: see ``oaep.py``."""


class WrongPin(Exception):
    """``tries``: what the token says afterwards."""

    def __init__(self, tries: Tries) -> None:
        super().__init__("the token refuses the PIN")
        self.tries = tries


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAt:
    """Where a key and its certificate stand in the token: CKA_LABEL and CKA_ID of both."""

    label: str
    identifier: bytes

    def of(self, object_class: int) -> Template:
        return {_CKA_CLASS: object_class, _CKA_LABEL: self.label.encode(), _CKA_ID: self.identifier}


class PersonToken:
    """One token of this process. Raises, everywhere: ModuleUnavailable, ModuleDisagrees, ConfigurationInvalid."""

    def __init__(self, functions: FunctionList, called: PersonFunctions, slot: int) -> None:
        self._functions, self._called, self._slot = functions, called, slot
        self._session = 0

    @classmethod
    def find(cls, *, library: str, parameters: str, label: str, serial: str) -> Self:
        """Load the library and find the token by label and serial, exactly one."""
        try:
            functions = FunctionList(library, holds_gil=False, corrections={})
        except OSError as error:
            raise ConfigurationInvalid("the token's PKCS#11 library cannot be loaded") from error
        called = PersonFunctions(functions)
        with _faults():
            functions.initialize(parameters.encode() or None)
            slots = [slot for slot in called.slots() if _is(functions, slot, label, serial)]
        if len(slots) != 1:
            raise ModuleUnavailable(f"expected exactly one token of this label and serial, found {len(slots)}")
        return cls(functions, called, slots[0])

    @property
    def tries(self) -> Tries:
        with _faults():
            flags = self._called.flags(self._slot)
        for flag, tries in ((_LOCKED, Tries.LOCKED), (_FINAL_TRY, Tries.FINAL), (_COUNT_LOW, Tries.LOW)):
            if flags & flag:
                return tries
        return Tries.ENOUGH

    @property
    def has_pad(self) -> bool:
        """Is the PIN typed at the token itself?"""
        with _faults():
            return bool(self._called.flags(self._slot) & _PAD)

    def login(self, pin: bytes | None, *, writes: bool) -> None:
        """Log in, once; None: at the token's own pad. Raises: WrongPin, also where the PIN is locked already."""
        if self.tries is Tries.LOCKED:
            raise WrongPin(Tries.LOCKED)
        with _faults():
            self._session = self._called.open_session(self._slot, writes=writes)
            try:
                self._functions.login(self._session, pin)
            except CallFailed as failure:
                if failure.value.name in WRONG_PIN:
                    locked = failure.value.name == "CKR_PIN_LOCKED"
                    raise WrongPin(Tries.LOCKED if locked else self.tries) from failure
                raise

    def sign_digest(self, at: KeyAt, certificate: bytes, digest: bytes) -> bytes:
        """r || s by CKM_ECDSA of the key beside exactly this certificate."""
        with _faults():
            return self._functions.signer(self._session)(self._beside(at, certificate), digest)

    def unwrap(self, at: KeyAt, certificate: bytes, wrapped: bytes) -> tuple[bytes, Unwrapped]:
        """RSAES-OAEP with SHA-256, in the token where it can. Raises: ValueError where it does not open."""
        with _faults():
            key = self._beside(at, certificate)
            for_oaep = OaepParameters(_CKM_SHA256, _CKG_MGF1_SHA256, _CKZ_DATA_SPECIFIED, None, 0)
            with suppress(CallFailed):
                opened = self._called.decrypt(self._session, _CKM_RSA_PKCS_OAEP, key, wrapped, oaep=for_oaep)
                return opened, Unwrapped.IN_TOKEN
            if _CKM_RSA_X_509 not in self._called.mechanisms(self._slot):
                raise ValueError("the token opens no such message")
            padded = self._called.decrypt(self._session, _CKM_RSA_X_509, key, wrapped, oaep=None)
            return remove_oaep(padded.rjust(len(wrapped), b"\x00"), _AES_OCTETS), Unwrapped.PADDING_ON_HOST

    def _beside(self, at: KeyAt, certificate: bytes) -> int:
        """The private key, whose certificate in the token is exactly this one."""
        found = self._called.find(self._session, at.of(_CKO_CERTIFICATE))
        if [self._called.value(self._session, each, _CKA_VALUE) for each in found] != [certificate]:
            raise ModuleDisagrees(
                f"expected the person's certificate once in the token under {at.label}, found another"
            )
        keys = self._called.find(self._session, at.of(_CKO_PRIVATE_KEY))
        if len(keys) != 1:
            raise ModuleDisagrees(f"expected exactly one private key {at.label} in the token, found {len(keys)}")
        return keys[0]

    def make_signing_pair(self, at: KeyAt) -> bytes:
        """A P-256 pair that only signs; gives its public point (65 octets)."""
        public = {**_shared(at), _CKA_EC_PARAMS: _P256, _CKA_VERIFY: True}
        private = {**_shared(at), **_KEPT, _CKA_SIGN: True}
        handle = self._make(at, _CKM_EC_KEY_PAIR_GEN, public, private)
        with _faults():
            point = self._called.value(self._session, handle, _CKA_EC_POINT)
        return point.removeprefix(b"\x04\x41") if len(point) == 67 else point

    def make_receiving_pair(self, at: KeyAt, bits: int) -> tuple[int, int]:
        """An RSA pair that only decrypts; gives modulus and public exponent."""
        exponent = (65537).to_bytes(3, "big")
        public = {**_shared(at), _CKA_MODULUS_BITS: bits, _CKA_PUBLIC_EXPONENT: exponent, _CKA_ENCRYPT: True}
        private = {**_shared(at), **_KEPT, _CKA_DECRYPT: True}
        handle = self._make(at, _CKM_RSA_PKCS_KEY_PAIR_GEN, public, private)
        with _faults():
            numbers = [self._called.value(self._session, handle, each) for each in (_CKA_MODULUS, _CKA_PUBLIC_EXPONENT)]
        return int.from_bytes(numbers[0], "big"), int.from_bytes(numbers[1], "big")

    def _make(self, at: KeyAt, mechanism: int, public: Template, private: Template) -> int:
        """The public half's handle. Raises: ModuleDisagrees where the label is taken."""
        with _faults():
            if self._called.find(self._session, {_CKA_LABEL: at.label.encode()}):
                raise ModuleDisagrees(f"something of the label {at.label} stands in the token already")
            return self._called.generate_pair(self._session, mechanism, public, private)[0]

    def sign_digest_uncertified(self, at: KeyAt, digest: bytes) -> bytes:
        """By a key that was made in this very session and has no certificate yet: to make its certificate."""
        with _faults():
            (key,) = self._called.find(self._session, at.of(_CKO_PRIVATE_KEY))
            return self._functions.signer(self._session)(key, digest)

    def store_certificate(self, at: KeyAt, der: bytes, *, subject: bytes, issuer: bytes, serial: bytes) -> None:
        """Beside its key; the three in DER, as the certificate has them."""
        certificate = {
            **at.of(_CKO_CERTIFICATE),
            _CKA_TOKEN: True,
            _CKA_PRIVATE: False,
            _CKA_CERTIFICATE_TYPE: 0,
            _CKA_SUBJECT: subject,
            _CKA_ISSUER: issuer,
            _CKA_SERIAL_NUMBER: serial,
            _CKA_VALUE: der,
        }
        with _faults():
            self._called.create(self._session, certificate)

    def destroy(self, label: str) -> int:
        """Every object of this label; gives how many there were."""
        with _faults():
            found = self._called.find(self._session, {_CKA_LABEL: label.encode()})
            for each in found:
                self._called.destroy(self._session, each)
            return len(found)


_KEPT: Template = {_CKA_PRIVATE: True, _CKA_SENSITIVE: True, _CKA_EXTRACTABLE: False}


def _shared(at: KeyAt) -> Template:
    return {_CKA_TOKEN: True, _CKA_LABEL: at.label.encode(), _CKA_ID: at.identifier}


def _is(functions: FunctionList, slot: int, label: str, serial: str) -> bool:
    with suppress(CallFailed):
        told = functions.told(slot)
        return (told.label, told.serial) == (label, serial)
    return False


@contextmanager
def _faults() -> Iterator[None]:
    """CallFailed stops here."""
    try:
        yield
    except CallFailed as failure:
        raise fault(failure, used=failure.used) from failure
