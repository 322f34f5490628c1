"""Which PKCS#11 functions does a person's own token need? Finding, making, signing and decrypting, by ctypes.

A person's token is any token: it has no profile, no serial in a configuration, and often another library than the
broker's module, which is why it is used in a process of its own (``keybroker.ceremony.person_token``). What is called
here stands in PKCS#11 v2.40 §4 and §5; ``person_token.py`` beside this file says what is done with it.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from keybroker.hsm.function_list import Attribute, FunctionList, Mechanism, OaepParameters

# Places in CK_FUNCTION_LIST, counted from C_Initialize.
_GET_SLOT_LIST, _GET_TOKEN_INFO, _GET_MECHANISM_LIST, _OPEN_SESSION = 4, 6, 7, 12
_CREATE_OBJECT, _DESTROY_OBJECT, _GET_ATTRIBUTE_VALUE = 20, 22, 24
_FIND_OBJECTS_INIT, _FIND_OBJECTS, _FIND_OBJECTS_FINAL, _DECRYPT_INIT, _DECRYPT, _GENERATE_KEY_PAIR = (
    *(26, 27, 28),
    *(33, 34, 59),
)
_CKF_SERIAL_SESSION, _CKF_RW_SESSION = 0x4, 0x2
_FLAGS_AT = 96
"""Octets of CK_TOKEN_INFO before its flags: label, manufacturer, model, serial number."""
_MOST_FOUND = 64
_MOST_OCTETS = 16 * 1024
"""Of one attribute: certificates are the longest."""
_UNAVAILABLE: Final = ctypes.c_ulong(-1).value

_Ulong = ctypes.c_ulong
_Pointer = ctypes.c_void_p

Template = Mapping[int, bool | int | bytes]
"""CKA_… to its value; a number is a CK_ULONG."""


class PersonFunctions:
    """Every method raises CallFailed."""

    def __init__(self, functions: FunctionList) -> None:
        self._list = functions

    def slots(self) -> Sequence[int]:
        """Those with a token."""
        call = self._list.checked("C_GetSlotList", _GET_SLOT_LIST, ctypes.c_ubyte, _Pointer, _Pointer)
        count = _Ulong()
        call(1, None, ctypes.addressof(count))
        slots = (_Ulong * count.value)()
        call(1, ctypes.addressof(slots), ctypes.addressof(count))
        return tuple(slots[: count.value])

    def flags(self, slot: int) -> int:
        """CK_TOKEN_INFO's flags."""
        info = ctypes.create_string_buffer(256)
        self._list.checked("C_GetTokenInfo", _GET_TOKEN_INFO, _Ulong, _Pointer)(slot, ctypes.addressof(info))
        return int(struct.unpack_from("@L", info.raw, _FLAGS_AT)[0])

    def mechanisms(self, slot: int) -> frozenset[int]:
        call = self._list.checked("C_GetMechanismList", _GET_MECHANISM_LIST, _Ulong, _Pointer, _Pointer)
        count = _Ulong()
        call(slot, None, ctypes.addressof(count))
        found = (_Ulong * count.value)()
        call(slot, ctypes.addressof(found), ctypes.addressof(count))
        return frozenset(found[: count.value])

    def open_session(self, slot: int, *, writes: bool) -> int:
        session = _Ulong()
        call = self._list.checked("C_OpenSession", _OPEN_SESSION, _Ulong, _Ulong, _Pointer, _Pointer, _Pointer)
        flags = _CKF_SERIAL_SESSION | (_CKF_RW_SESSION if writes else 0)
        call(slot, flags, None, None, ctypes.addressof(session))
        return session.value

    def find(self, session: int, template: Template) -> Sequence[int]:
        """Handles of at most 64 objects."""
        attributes, kept = _attributes(template)
        found, count = (_Ulong * _MOST_FOUND)(), _Ulong()
        self._list.checked("C_FindObjectsInit", _FIND_OBJECTS_INIT, _Ulong, _Pointer, _Ulong)(
            session, ctypes.addressof(attributes), len(kept)
        )
        self._list.checked("C_FindObjects", _FIND_OBJECTS, _Ulong, _Pointer, _Ulong, _Pointer)(
            session, ctypes.addressof(found), _MOST_FOUND, ctypes.addressof(count)
        )
        self._list.checked("C_FindObjectsFinal", _FIND_OBJECTS_FINAL, _Ulong)(session)
        return tuple(found[: count.value])

    def value(self, session: int, handle: int, attribute: int) -> bytes:
        """One attribute's octets; none for one that the token will not tell."""
        buffer = ctypes.create_string_buffer(_MOST_OCTETS)
        asked = Attribute(attribute, ctypes.addressof(buffer), _MOST_OCTETS)
        self._list.checked("C_GetAttributeValue", _GET_ATTRIBUTE_VALUE, _Ulong, _Ulong, _Pointer, _Ulong)(
            session, handle, ctypes.addressof(asked), 1
        )
        return b"" if asked.length == _UNAVAILABLE else buffer.raw[: asked.length]

    def create(self, session: int, template: Template) -> int:
        attributes, kept = _attributes(template)
        handle = _Ulong()
        self._list.checked("C_CreateObject", _CREATE_OBJECT, _Ulong, _Pointer, _Ulong, _Pointer)(
            session, ctypes.addressof(attributes), len(kept), ctypes.addressof(handle)
        )
        return handle.value

    def destroy(self, session: int, handle: int) -> None:
        self._list.checked("C_DestroyObject", _DESTROY_OBJECT, _Ulong, _Ulong)(session, handle)

    def generate_pair(self, session: int, mechanism: int, public: Template, private: Template) -> tuple[int, int]:
        """Handles of the public and the private half."""
        call = self._list.checked(
            "C_GenerateKeyPair",
            _GENERATE_KEY_PAIR,
            *(_Ulong, _Pointer, _Pointer, _Ulong, _Pointer, _Ulong, _Pointer, _Pointer),
        )
        how = Mechanism(mechanism, None, 0)
        (of_public, kept_public), (of_private, kept_private) = _attributes(public), _attributes(private)
        handles = _Ulong(), _Ulong()
        call(
            session,
            ctypes.addressof(how),
            *(ctypes.addressof(of_public), len(kept_public), ctypes.addressof(of_private), len(kept_private)),
            *map(ctypes.addressof, handles),
        )
        return handles[0].value, handles[1].value

    def decrypt(
        self, session: int, mechanism: int, key: int, ciphertext: bytes, *, oaep: OaepParameters | None
    ) -> bytes:
        """RSA decryption; the plaintext's buffer here is cleared afterwards."""
        parameter = None if oaep is None else ctypes.addressof(oaep)
        how = Mechanism(mechanism, parameter, 0 if oaep is None else ctypes.sizeof(oaep))
        self._list.checked("C_DecryptInit", _DECRYPT_INIT, _Ulong, _Pointer, _Ulong)(
            session, ctypes.addressof(how), key
        )
        plaintext, length = ctypes.create_string_buffer(len(ciphertext)), _Ulong(len(ciphertext))
        call = self._list.checked("C_Decrypt", _DECRYPT, _Ulong, ctypes.c_char_p, _Ulong, _Pointer, _Pointer)
        try:
            call(session, ciphertext, len(ciphertext), ctypes.addressof(plaintext), ctypes.addressof(length))
            return plaintext.raw[: length.value]
        finally:
            ctypes.memset(plaintext, 0, len(ciphertext))


def _attributes(template: Template) -> tuple[ctypes.Array[Attribute], list[ctypes.Array[ctypes.c_char]]]:
    """CK_ATTRIBUTE[] and the values that it points at, to be kept as long."""
    kept = [ctypes.create_string_buffer(octets, len(octets)) for octets in map(_octets, template.values())]
    rows = [Attribute(kind, ctypes.addressof(value), len(value)) for kind, value in zip(template, kept, strict=True)]
    return (Attribute * len(rows))(*rows), kept


def _octets(value: bool | int | bytes) -> bytes:
    match value:
        case bool():
            return bytes([value])
        case int():
            return struct.pack("@L", value)
        case bytes():
            return value
