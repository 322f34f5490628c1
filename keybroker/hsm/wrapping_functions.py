"""What moves a key between modules: make, wrap, unwrap and find with whole templates of ours, by the function list.

By ctypes as in ``session.py``: python-pkcs11 completes templates with what an EC key cannot have, and asks for sizes,
which NSS answers wrongly or with an error. So every template is written out here and every buffer is large enough from
the start. PKCS#11 v3.0 §5.7 (objects), §5.14 (C_WrapKey, C_UnwrapKey), §2.1.8 (CKM_RSA_PKCS_OAEP), §2.14 (AES key
wrap).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from keybroker.hsm.attributes import AttributeValue, KeyAttribute
from keybroker.hsm.connection import ObjectAttribute, Template
from keybroker.hsm.function_list import Attribute, FunctionList, Mechanism, OaepParameters
from keybroker.hsm.wrap_mechanism import WrapMechanism

# Places in CK_FUNCTION_LIST, counted from C_Initialize.
_CREATE_OBJECT, _COPY_OBJECT, _DESTROY_OBJECT, _GET_ATTRIBUTE_VALUE, _SET_ATTRIBUTE_VALUE = 20, 21, 22, 24, 25
_FIND_OBJECTS_INIT, _FIND_OBJECTS, _FIND_OBJECTS_FINAL = 26, 27, 28
_GENERATE_KEY, _GENERATE_KEY_PAIR, _WRAP_KEY, _UNWRAP_KEY = 58, 59, 60, 61

_CKM_RSA_PKCS_KEY_PAIR_GEN, _CKM_RSA_PKCS_OAEP, _CKM_AES_KEY_GEN = 0x0, 0x9, 0x1080
_CKM_AES_KEY_WRAP_PAD, _CKM_AES_KEY_WRAP_KWP = 0x210A, 0x210B
_CKZ_DATA_SPECIFIED = 1
_MOST_FOUND = 64
_ROOM = 4096
"""More octets than any wrapped key or attribute here has; RSA-3072 gives 384."""

# CKM_… of the hash and CKG_MGF1_… with the same hash.
_HASHES: Mapping[WrapMechanism, tuple[int, int]] = {
    WrapMechanism.RSA_OAEP_SHA1: (0x220, 1),
    WrapMechanism.RSA_OAEP_SHA256: (0x250, 2),
}

_NUMBERS: Mapping[KeyAttribute | ObjectAttribute, int] = {
    ObjectAttribute.CLASS: 0x000,
    ObjectAttribute.LABEL: 0x003,
    ObjectAttribute.VALUE: 0x011,
    ObjectAttribute.TRUSTED: 0x086,
    ObjectAttribute.ID: 0x102,
    ObjectAttribute.VERIFY: 0x10A,
    ObjectAttribute.VERIFY_RECOVER: 0x10B,
    ObjectAttribute.MODULUS: 0x120,
    ObjectAttribute.MODULUS_BITS: 0x121,
    ObjectAttribute.PUBLIC_EXPONENT: 0x122,
    ObjectAttribute.EC_POINT: 0x181,
    ObjectAttribute.NSS_DB: 0xD5A0DB00,
    KeyAttribute.KEY_TYPE: 0x100,
    KeyAttribute.EC_PARAMS: 0x180,
    KeyAttribute.TOKEN: 0x001,
    KeyAttribute.PRIVATE: 0x002,
    KeyAttribute.SENSITIVE: 0x103,
    KeyAttribute.EXTRACTABLE: 0x162,
    KeyAttribute.WRAP_WITH_TRUSTED: 0x210,
    KeyAttribute.VALUE_LEN: 0x161,
    KeyAttribute.SIGN: 0x108,
    KeyAttribute.SIGN_RECOVER: 0x109,
    KeyAttribute.ENCRYPT: 0x104,
    KeyAttribute.DECRYPT: 0x105,
    KeyAttribute.WRAP: 0x106,
    KeyAttribute.UNWRAP: 0x107,
    KeyAttribute.DERIVE: 0x10C,
    KeyAttribute.ALLOWED_MECHANISMS: 0x40000600,
    KeyAttribute.MODIFIABLE: 0x170,
    KeyAttribute.ALWAYS_SENSITIVE: 0x165,
    KeyAttribute.NEVER_EXTRACTABLE: 0x164,
    KeyAttribute.LOCAL: 0x163,
}

_Ulong = ctypes.c_ulong
_Pointer = ctypes.c_void_p


class _WrittenTemplate:
    """CK_ATTRIBUTE[] with the octets that it points at."""

    def __init__(self, template: Template) -> None:
        self._octets = [ctypes.create_string_buffer(each, len(each)) for each in map(_octets, template.values())]
        self.array = (Attribute * len(template))(
            *(
                Attribute(_NUMBERS[name], ctypes.addressof(octets), len(octets))
                for name, octets in zip(template, self._octets, strict=True)
            )
        )

    @property
    def given(self) -> tuple[int, int]:
        return ctypes.addressof(self.array), len(self.array)


def _octets(value: AttributeValue) -> bytes:
    match value:
        case bool():
            return bytes([value])
        case int():
            return value.to_bytes(ctypes.sizeof(_Ulong), "little")
        case bytes():
            return value
        case frozenset():
            return b"".join(_octets(each) for each in sorted(value))


class Pkcs11Wrapping:
    """``Wrapping`` by the function list, in one session. One thread at a time."""

    def __init__(self, functions: FunctionList, session: int) -> None:
        self._session = session
        template = (_Pointer, _Ulong)
        checked = functions.checked
        self._create = checked("C_CreateObject", _CREATE_OBJECT, _Ulong, *template, _Pointer)
        self._copy = checked("C_CopyObject", _COPY_OBJECT, _Ulong, _Ulong, *template, _Pointer)
        self._destroy = checked("C_DestroyObject", _DESTROY_OBJECT, _Ulong, _Ulong)
        self._get = checked("C_GetAttributeValue", _GET_ATTRIBUTE_VALUE, _Ulong, _Ulong, *template)
        self._set = checked("C_SetAttributeValue", _SET_ATTRIBUTE_VALUE, _Ulong, _Ulong, *template)
        self._find_init = checked("C_FindObjectsInit", _FIND_OBJECTS_INIT, _Ulong, *template)
        self._find = checked("C_FindObjects", _FIND_OBJECTS, _Ulong, _Pointer, _Ulong, _Pointer)
        self._find_final = checked("C_FindObjectsFinal", _FIND_OBJECTS_FINAL, _Ulong)
        self._generate = checked("C_GenerateKey", _GENERATE_KEY, _Ulong, _Pointer, *template, _Pointer)
        self._generate_pair = checked(
            "C_GenerateKeyPair", _GENERATE_KEY_PAIR, _Ulong, _Pointer, *template, *template, _Pointer, _Pointer
        )
        self._wrap = checked("C_WrapKey", _WRAP_KEY, _Ulong, _Pointer, _Ulong, _Ulong, _Pointer, _Pointer)
        self._unwrap = checked(
            "C_UnwrapKey", _UNWRAP_KEY, _Ulong, _Pointer, _Ulong, ctypes.c_char_p, _Ulong, *template, _Pointer
        )

    def create(self, template: Template) -> int:
        written, handle = _WrittenTemplate(template), _Ulong()
        self._create(self._session, *written.given, ctypes.addressof(handle))
        return handle.value

    def generate_aes(self, template: Template) -> int:
        written, handle, mechanism = _WrittenTemplate(template), _Ulong(), Mechanism(_CKM_AES_KEY_GEN, None, 0)
        self._generate(self._session, ctypes.addressof(mechanism), *written.given, ctypes.addressof(handle))
        return handle.value

    def generate_rsa(self, public: Template, private: Template) -> tuple[int, int]:
        halves, handles = (_WrittenTemplate(public), _WrittenTemplate(private)), (_Ulong(), _Ulong())
        mechanism = Mechanism(_CKM_RSA_PKCS_KEY_PAIR_GEN, None, 0)
        given = (argument for half in halves for argument in half.given)
        self._generate_pair(self._session, ctypes.addressof(mechanism), *given, *map(ctypes.addressof, handles))
        return handles[0].value, handles[1].value

    def wrap(self, mechanism: WrapMechanism, wrapping: int, key: int) -> bytes:
        parameters, length = _parameters(mechanism), _Ulong(_ROOM)
        written, room = _mechanism(mechanism, parameters), ctypes.create_string_buffer(_ROOM)
        at = ctypes.addressof
        self._wrap(self._session, at(written), wrapping, key, at(room), at(length))
        return room.raw[: length.value]

    def unwrap(self, mechanism: WrapMechanism, unwrapping: int, wrapped: bytes, template: Template) -> int:
        parameters, handle, given = _parameters(mechanism), _Ulong(), _WrittenTemplate(template)
        written = _mechanism(mechanism, parameters)
        at = ctypes.addressof
        self._unwrap(self._session, at(written), unwrapping, wrapped, len(wrapped), *given.given, at(handle))
        return handle.value

    def copy(self, handle: int, changes: Template) -> int:
        written, copied = _WrittenTemplate(changes), _Ulong()
        self._copy(self._session, handle, *written.given, ctypes.addressof(copied))
        return copied.value

    def find(self, template: Template) -> tuple[int, ...]:
        written, found, count = _WrittenTemplate(template), (_Ulong * _MOST_FOUND)(), _Ulong()
        self._find_init(self._session, *written.given)
        try:
            self._find(self._session, ctypes.addressof(found), _MOST_FOUND, ctypes.addressof(count))
        finally:
            self._find_final(self._session)
        return tuple(found[: count.value])

    def read(self, handle: int, attribute: KeyAttribute | ObjectAttribute | int) -> bytes:
        room = ctypes.create_string_buffer(_ROOM)
        number = attribute if isinstance(attribute, int) else _NUMBERS[attribute]
        asked = Attribute(number, ctypes.addressof(room), _ROOM)
        self._get(self._session, handle, ctypes.addressof(asked), 1)
        return room.raw[: asked.length]

    def change(self, handle: int, changes: Template) -> None:
        written = _WrittenTemplate(changes)
        self._set(self._session, handle, *written.given)

    def destroy(self, handle: int) -> None:
        self._destroy(self._session, handle)


def _parameters(mechanism: WrapMechanism) -> OaepParameters | None:
    if mechanism not in _HASHES:
        return None
    return OaepParameters(*_HASHES[mechanism], _CKZ_DATA_SPECIFIED, None, 0)


def _mechanism(mechanism: WrapMechanism, parameters: Any) -> Mechanism:
    match mechanism:
        case WrapMechanism.AES_KEY_WRAP_PAD:
            return Mechanism(_CKM_AES_KEY_WRAP_PAD, None, 0)
        case WrapMechanism.AES_KEY_WRAP_KWP:
            return Mechanism(_CKM_AES_KEY_WRAP_KWP, None, 0)
        case WrapMechanism.RSA_OAEP_SHA1 | WrapMechanism.RSA_OAEP_SHA256:
            return Mechanism(_CKM_RSA_PKCS_OAEP, ctypes.addressof(parameters), ctypes.sizeof(parameters))
