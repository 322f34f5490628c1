"""The one door to python-pkcs11: everything untyped, and every PKCS11Error, stops here.

Initialisation, login and signing go through ``function_list.py`` (see there why); finding, reading and making objects
go through python-pkcs11, but for templates that it would change (``wrapping_functions.py``). ``opening.open_token``
makes a ``Token`` of it, and is what the rest of keybroker calls.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import environ
from typing import Any

import pkcs11
from pkcs11 import _pkcs11
from pkcs11.attributes import AttributeMapper
from pkcs11.util.ec import encode_named_curve_parameters

from keybroker.errors import ConfigurationInvalid, ModuleUnavailable
from keybroker.hsm import making
from keybroker.hsm.attributes import Attributes, AttributeValue, KeyAttribute
from keybroker.hsm.connection import (
    DataFound,
    Mechanism,
    ObjectAttribute,
    ObjectFound,
    ObjectKind,
    PrivateKeyFound,
    PublicKeyFound,
    SecretKeyFound,
    Session,
    TokenDescription,
    Wrapping,
)
from keybroker.hsm.description import read_serial
from keybroker.hsm.device import check_device, library_parameters
from keybroker.hsm.function_list import FunctionList, keep_for_life
from keybroker.hsm.pin import Pin, PinWrong
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import WRONG_PIN, CallFailed, number_of, return_value
from keybroker.hsm.session import Pkcs11Session
from keybroker.hsm.wrapping_functions import Pkcs11Wrapping

_A = pkcs11.Attribute
_P256 = encode_named_curve_parameters("secp256r1")
_ULONG = struct.calcsize("L")
_APPLICATION = "keybroker"
_CKR_SESSION_HANDLE_INVALID = 0xB3


class _Library(_pkcs11.lib):
    """python-pkcs11's library, initialised by us with locking: its own way crashes SoftHSM under threads."""

    def initialize(self) -> None:
        """Done before this object is made; ``C_Initialize`` belongs to ``FunctionList``."""


class Pkcs11Connection:
    """``Connection`` by python-pkcs11 and the function list. Not thread-safe: ``Token`` holds its lock around every
    call."""

    def __init__(
        self, profile: Profile, *, library: str, label: str, serial: str, pin: Pin, officer: bool = False
    ) -> None:
        """``officer``: log in as the security officer, in a process that does nothing else (``security_officer``)."""
        self._profile, self._label, self._serial, self._pin, self._officer = profile, label, serial, pin, officer
        self._mapper = _mapper()
        self._signing: list[Any] = []
        self._session: Any = None
        self._token: Any = None
        self._told: TokenDescription  # from the first connect on
        try:
            self._functions = FunctionList(
                library, holds_gil=profile.sessions.in_process, corrections=profile.return_values
            )
            self._functions.initialize(library_parameters(self._profile, environ))
            with self._pkcs11("C_GetInfo"):
                self._library = _Library(library)
            keep_for_life(self._library)
        except OSError as error:
            raise ConfigurationInvalid("module.library: the PKCS#11 library cannot be loaded") from error

    # --- connecting

    @property
    def description(self) -> TokenDescription:
        return self._told

    def connect(self) -> None:
        with self._pkcs11("C_OpenSession"):
            self._token = self._find_token()
            self.check_token()
            check_device(self._profile, self.description)
            self._session = self._token.open(rw=True, attribute_mapper=self._mapper)
        at_the_pad = bool(self._token.flags & pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH)
        try:
            # The PIN lives for this one expression; Python cannot erase it.
            self._functions.login(
                self._session.handle, None if at_the_pad else self._pin().encode(), officer=self._officer
            )
        except CallFailed as failure:
            self.disconnect()
            if failure.value.name in WRONG_PIN:
                raise PinWrong("the module refuses the PIN; it is not tried again until an operator acts") from failure
            raise

    def _find_token(self) -> Any:
        found = [token for token in self._tokens() if self._is_ours(token)]
        if not found:
            raise ModuleUnavailable("no token with the configured label and serial is in any slot")
        if len(found) > 1:
            raise ConfigurationInvalid("module: more than one token has the configured label and serial")
        return found[0]

    def _is_ours(self, token: Any) -> bool:
        return bool(token.label == self._label and read_serial(bytes(token.serial)) == self._serial)

    def _tokens(self) -> Iterator[Any]:
        for slot in self._library.get_slots(token_present=True):
            # Another token's trouble is not ours; ours is missed when it is not found.
            with suppress(pkcs11.PKCS11Error):
                yield slot.get_token()

    def disconnect(self) -> None:
        self.close_sessions()
        session, self._session = self._session, None
        if session is not None:
            with suppress(CallFailed):
                self._functions.close_session(session.handle)

    def restart_library(self) -> None:
        self._signing, self._session = [], None
        self._functions.finalize()
        self._functions.initialize(library_parameters(self._profile, environ))

    def check_session(self) -> None:
        if self._session is None:
            raise CallFailed(return_value(_CKR_SESSION_HANDLE_INVALID), call="C_GetSessionInfo")
        self._functions.check_session(self._session.handle)

    def check_token(self) -> None:
        self._told = self._functions.told(self._token.slot.slot_id)

    def open_sessions(self, count: int) -> tuple[Session, ...]:
        with self._pkcs11("C_OpenSession"):
            for _ in range(count):
                self._signing.append(self._token.open(rw=self._profile.sessions.only_read_write))
        return tuple(Pkcs11Session(self._functions, session.handle) for session in self._signing)

    def close_sessions(self) -> None:
        sessions, self._signing = self._signing, []
        for session in sessions:
            with suppress(CallFailed):
                self._functions.close_session(session.handle)

    def login_session(self) -> Session:
        return Pkcs11Session(self._functions, self._session.handle)

    def wrapping(self) -> Wrapping:
        return Pkcs11Wrapping(self._functions, self._session.handle)

    # --- finding and reading

    def list_objects(self) -> Sequence[ObjectFound]:
        with self._pkcs11("C_FindObjects"):
            return tuple(_object(each) for each in self._session.get_objects({_A.TOKEN: True}))

    def find_private(self, label: str) -> Sequence[PrivateKeyFound]:
        with self._pkcs11("C_FindObjects"):
            return tuple(
                PrivateKeyFound(handle=key.handle, identifier=bytes(key[_A.ID]), attributes=_attributes(key))
                for key in self._objects(pkcs11.ObjectClass.PRIVATE_KEY, label)
            )

    def find_public(self, label: str) -> Sequence[PublicKeyFound]:
        with self._pkcs11("C_FindObjects"):
            return tuple(
                PublicKeyFound(handle=key.handle, identifier=bytes(key[_A.ID]), point=_point(key))
                for key in self._objects(pkcs11.ObjectClass.PUBLIC_KEY, label)
            )

    def find_secret(self, label: str) -> Sequence[SecretKeyFound]:
        with self._pkcs11("C_FindObjects"):
            return tuple(
                SecretKeyFound(handle=key.handle, identifier=bytes(key[_A.ID]), attributes=_attributes(key))
                for key in self._objects(pkcs11.ObjectClass.SECRET_KEY, label)
            )

    def find_data(self, label: str) -> Sequence[DataFound]:
        with self._pkcs11("C_FindObjects"):
            found = []
            for data in self._objects(pkcs11.ObjectClass.DATA, label):
                # Another worker may have replaced it between search and read.
                with suppress(pkcs11.ObjectHandleInvalid):
                    found.append(DataFound(handle=data.handle, octets=bytes(data[_A.VALUE])))
            return tuple(found)

    def _objects(self, object_class: Any, label: str) -> list[Any]:
        return list(self._session.get_objects({_A.CLASS: object_class, _A.LABEL: label}))

    def mechanisms(self) -> Sequence[Mechanism]:
        with self._pkcs11("C_GetMechanismList"):
            told = self._token.slot.get_mechanisms()
        return tuple(Mechanism(name=getattr(each, "name", f"0x{each:X}"), number=int(each)) for each in sorted(told))

    def random(self, octets: int) -> bytes:
        with self._pkcs11("C_GenerateRandom"):
            return bytes(self._session.generate_random(octets * 8))

    # --- making and destroying

    def generate_pair(
        self, label: str, private: Attributes, identify: Callable[[bytes], bytes], *, final: bool = True
    ) -> bytes:
        """By copy where the token can: the pair enters the token whole, named, identified and unmodifiable."""
        by_copy = self._profile.keys.final_by_copy
        made: list[Any] = []
        try:
            with self._pkcs11("C_GenerateKeyPair"):
                made += self._generate(label, private, token=not by_copy)
                point = _point(made[0])
                self._identify(made, identify(point), by_copy=by_copy, final=final)
        except CallFailed:
            _destroy(made)
            raise
        if by_copy:
            _destroy(made)
        return point

    def _identify(self, pair: Sequence[Any], identifier: bytes, *, by_copy: bool, final: bool) -> None:
        """Give both halves CKA_ID; ``by_copy``: as copies that stay in the token. ``pair``: public, private."""
        copies: list[Any] = []
        try:
            for half, modifiable in zip(pair, (False, not final), strict=True):
                if by_copy:
                    copies.append(half.copy({_A.TOKEN: True, _A.ID: identifier, _A.MODIFIABLE: modifiable}))
                else:
                    half[_A.ID] = identifier
        except pkcs11.PKCS11Error:
            _destroy(copies)
            raise

    def generate_session_pair(self, label: str, private: Attributes) -> tuple[int, bytes, Callable[[], None]]:
        with self._pkcs11("C_GenerateKeyPair"):
            pair = self._generate(label, private, token=False)
            return pair[1].handle, _point(pair[0]), lambda: _destroy(pair)

    def _generate(self, label: str, private: Attributes, *, token: bool) -> list[Any]:
        parameters = self._session.create_domain_parameters(pkcs11.KeyType.EC, {_A.EC_PARAMS: _P256}, local=True)
        return list(
            parameters.generate_keypair(
                label=label,
                store=token,
                capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
                private_template={**_numbered(private), _A.TOKEN: token},
            )
        )

    def generate_secret(self, label: str, secret: Attributes, identifier: bytes) -> None:
        making.generate_secret(self.wrapping(), self._profile.keys, label, secret, identifier=identifier)

    def destroy_secret(self, label: str, handle: int) -> None:
        with self._pkcs11("C_DestroyObject"), suppress(pkcs11.ObjectHandleInvalid):
            for key in self._objects(pkcs11.ObjectClass.SECRET_KEY, label):
                if key.handle == handle:
                    key.destroy()

    # --- the switch of a Key Agreement key

    def set_sign(self, label: str, handle: int, *, allowed: bool) -> None:
        with self._pkcs11("C_SetAttributeValue"):
            self._private(label, handle)[_A.SIGN] = allowed

    def copy_unmodifiable(self, label: str, handle: int) -> None:
        with self._pkcs11("C_CopyObject"):
            self._private(label, handle).copy({_A.MODIFIABLE: False})

    def destroy_private(self, label: str, handle: int) -> None:
        with self._pkcs11("C_DestroyObject"):
            self._private(label, handle).destroy()

    def destroy_key(self, label: str) -> None:
        wrapping = self.wrapping()
        for handle in wrapping.find({ObjectAttribute.LABEL: label.encode(), KeyAttribute.TOKEN: True}):
            wrapping.destroy(handle)

    def _private(self, label: str, handle: int) -> Any:
        for key in self._objects(pkcs11.ObjectClass.PRIVATE_KEY, label):
            if key.handle == handle:
                return key
        raise pkcs11.ObjectHandleInvalid

    def create_data(self, label: str, octets: bytes) -> None:
        with self._pkcs11("C_CreateObject"):
            self._session.create_object(
                {
                    _A.CLASS: pkcs11.ObjectClass.DATA,
                    _A.TOKEN: True,
                    _A.PRIVATE: True,
                    _A.MODIFIABLE: False,
                    _A.APPLICATION: _APPLICATION,
                    _A.LABEL: label,
                    _A.VALUE: octets,
                }
            )

    def destroy_data(self, handle: int) -> None:
        with self._pkcs11("C_DestroyObject"), suppress(pkcs11.ObjectHandleInvalid):
            for data in self._session.get_objects({_A.CLASS: pkcs11.ObjectClass.DATA, _A.APPLICATION: _APPLICATION}):
                if data.handle == handle:
                    data.destroy()

    @contextmanager
    def _pkcs11(self, call: str) -> Iterator[None]:
        """PKCS11Error stops here."""
        try:
            yield
        except pkcs11.PKCS11Error as error:
            number = re.search(r"0x[0-9a-fA-F]+", str(error))
            value = int(number[0], 16) if number else number_of(type(error).__name__)
            raise CallFailed(return_value(value, corrections=self._profile.return_values), call=call) from error


def _mapper() -> AttributeMapper:
    """One mapper of ours: python-pkcs11 knows neither CKA_ALLOWED_MECHANISMS nor vendors' attributes until told."""
    mapper = AttributeMapper()
    mapper.register_handler(
        _A.ALLOWED_MECHANISMS,
        lambda mechanisms: b"".join(struct.pack("L", each) for each in sorted(mechanisms)),
        lambda octets: frozenset(struct.unpack(f"{len(octets) // _ULONG}L", octets)),
    )
    # As a number, so that a token's own value stays readable.
    mapper.register_handler(_A.KEY_TYPE, lambda value: struct.pack("L", value), _number)
    return mapper


def _number(octets: bytes) -> int:
    return int(struct.unpack("L", octets)[0])


def _numbered(attributes: Attributes) -> dict[Any, Any]:
    return {getattr(_A, attribute.value): value for attribute, value in attributes.items()}


def _attributes(key: Any) -> Attributes:
    """Every attribute that the token shows; what it does not have, or will not tell, is absent."""
    found: dict[KeyAttribute, AttributeValue] = {}
    for attribute in KeyAttribute:
        with suppress(pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, pkcs11.AttributeValueInvalid):
            found[attribute] = key[getattr(_A, attribute.value)]
    return found


_KINDS = {
    pkcs11.ObjectClass.PRIVATE_KEY: ObjectKind.PRIVATE_KEY,
    pkcs11.ObjectClass.PUBLIC_KEY: ObjectKind.PUBLIC_KEY,
    pkcs11.ObjectClass.SECRET_KEY: ObjectKind.SECRET_KEY,
    pkcs11.ObjectClass.DATA: ObjectKind.DATA,
    pkcs11.ObjectClass.CERTIFICATE: ObjectKind.CERTIFICATE,
}


def _object(found: Any) -> ObjectFound:
    kind = _KINDS.get(_told(found, _A.CLASS), ObjectKind.OTHER)
    point = None
    with suppress(pkcs11.AttributeTypeInvalid, pkcs11.AttributeValueInvalid, pkcs11.AttributeSensitive):
        point = _point(found) if kind is ObjectKind.PUBLIC_KEY else None
    return ObjectFound(
        handle=found.handle,
        kind=kind,
        label=str(_told(found, _A.LABEL) or ""),
        identifier=bytes(_told(found, _A.ID) or b""),
        point=point or None,
        attributes=_attributes(found) if kind in (ObjectKind.PRIVATE_KEY, ObjectKind.SECRET_KEY) else {},
    )


def _told(found: Any, attribute: Any) -> Any:
    with suppress(pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, pkcs11.AttributeValueInvalid):
        return found[attribute]
    return None


def _point(public: Any) -> bytes:
    """CKA_EC_POINT without the DER OCTET STRING (04 41) that PKCS#11 v2.40 §2.3.3 wants and some tokens leave out."""
    octets = bytes(public[_A.EC_POINT])
    return octets[2:] if len(octets) == 67 and octets.startswith(b"\x04\x41") else octets


def _destroy(objects: Sequence[Any]) -> None:
    """Destroy what was made on the way; what cannot be destroyed now is a session object, or found at the next
    start."""
    for each in objects:
        with suppress(pkcs11.PKCS11Error):
            each.destroy()
