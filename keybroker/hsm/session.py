"""What one session of a token does with a key besides signing: derive, seal and open with AES-GCM, digest with a key.

By ctypes as signing is (``function_list.py`` says why), with buffers large enough from the start: NSS's answer to a
size query omits the tag. Every structure and buffer that a call points at is a local of its method, so it lives as
long as the call. PKCS#11 v3.0 §2.3 (CKM_ECDH1_DERIVE), §2.11 (CKM_AES_GCM), §2.43 (CKM_CONCATENATE_…), §2.24
(CKM_SHA256_KEY_DERIVATION).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.connection import Derived, SignDigest
from keybroker.hsm.function_list import FunctionList, Mechanism

# Places in CK_FUNCTION_LIST, counted from C_Initialize.
_DESTROY_OBJECT, _ENCRYPT_INIT, _ENCRYPT, _DECRYPT_INIT, _DECRYPT = 22, 29, 30, 33, 34
_DIGEST_INIT, _DIGEST_UPDATE, _DIGEST_KEY, _DIGEST_FINAL, _GENERATE_KEY, _DERIVE_KEY = 37, 39, 40, 41, 58, 62

_CKM_SHA256, _CKM_ECDH1_DERIVE, _CKM_AES_KEY_GEN, _CKM_AES_GCM = 0x250, 0x1050, 0x1080, 0x1087
_CKM_CONCATENATE_BASE_AND_DATA, _CKM_CONCATENATE_DATA_AND_BASE, _CKM_SHA256_KEY_DERIVATION = 0x362, 0x363, 0x393
_LONGEST_TAG = 16

_Ulong = ctypes.c_ulong
_Pointer = ctypes.c_void_p


class _Attribute(ctypes.Structure):
    _fields_ = (("type", _Ulong), ("value", ctypes.c_char_p), ("length", _Ulong))


class _Ecdh1DeriveParameters(ctypes.Structure):
    _fields_ = (
        ("kdf", _Ulong),
        ("shared_length", _Ulong),
        ("shared", ctypes.c_char_p),
        ("public_length", _Ulong),
        ("public", ctypes.c_char_p),
    )


class _DerivationString(ctypes.Structure):
    _fields_ = (("octets", ctypes.c_char_p), ("length", _Ulong))


class _GcmParameters(ctypes.Structure):
    """CK_GCM_PARAMS of PKCS#11 v2.40 errata and v3.0, with ulIvBits: SoftHSM 2.6.1 and NSS 3.87 both take it."""

    _fields_ = (
        ("iv", _Pointer),
        ("iv_length", _Ulong),
        ("iv_bits", _Ulong),
        ("authenticated", ctypes.c_char_p),
        ("authenticated_length", _Ulong),
        ("tag_bits", _Ulong),
    )


def _template(attributes: Mapping[int, bool | int]) -> ctypes.Array[_Attribute]:
    octets = {
        number: bytes([value]) if isinstance(value, bool) else value.to_bytes(ctypes.sizeof(_Ulong), "little")
        for number, value in attributes.items()
    }
    return (_Attribute * len(octets))(*(_Attribute(number, value, len(value)) for number, value in octets.items()))


# CKA_CLASS = CKO_SECRET_KEY, CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE: it is a session object, and never
# leaves.
_NEVER_LEAVES: Mapping[int, bool | int] = {0x000: 4, 0x001: False, 0x002: True, 0x103: True, 0x162: False}
# CKA_KEY_TYPE, and CKA_DERIVE, or CKA_ENCRYPT, CKA_DECRYPT and CKA_VALUE_LEN.
_CHAINED = _template({**_NEVER_LEAVES, 0x100: 0x10, 0x10C: True})
_TEMPLATES = {
    Derived.SECRET: _template({**_NEVER_LEAVES, 0x100: 0x10, 0x10C: True, 0x161: 32}),
    Derived.AES_KEY: _template({**_NEVER_LEAVES, 0x100: 0x1F, 0x104: True, 0x105: True, 0x161: 16}),
}


class Pkcs11Session:
    """``Session`` by the function list. One thread at a time."""

    def __init__(self, functions: FunctionList, session: int) -> None:
        self.sign: SignDigest = functions.signer(session)
        self._session = session
        self._destroy_object = functions.checked("C_DestroyObject", _DESTROY_OBJECT, _Ulong, _Ulong)
        by_key = (_Ulong, _Pointer, _Ulong)
        data = (_Ulong, ctypes.c_char_p, _Ulong, _Pointer, _Pointer)
        self._encrypt_init = functions.checked("C_EncryptInit", _ENCRYPT_INIT, *by_key)
        self._encrypt = functions.checked("C_Encrypt", _ENCRYPT, *data)
        self._decrypt_init = functions.checked("C_DecryptInit", _DECRYPT_INIT, *by_key)
        self._decrypt = functions.checked("C_Decrypt", _DECRYPT, *data)
        self._digest_init = functions.checked("C_DigestInit", _DIGEST_INIT, _Ulong, _Pointer)
        self._digest_update = functions.checked("C_DigestUpdate", _DIGEST_UPDATE, _Ulong, ctypes.c_char_p, _Ulong)
        self._digest_key = functions.checked("C_DigestKey", _DIGEST_KEY, _Ulong, _Ulong)
        self._digest_final = functions.checked("C_DigestFinal", _DIGEST_FINAL, _Ulong, _Pointer, _Pointer)
        making = (_Pointer, _Ulong, _Pointer)
        self._generate_key = functions.checked("C_GenerateKey", _GENERATE_KEY, _Ulong, _Pointer, *making)
        self._derive_key = functions.checked("C_DeriveKey", _DERIVE_KEY, *by_key, *making)

    def agree(self, base_key: int, peer: bytes, *, kdf: int, shared: bytes, derived: Derived) -> int:
        parameters = _Ecdh1DeriveParameters(kdf, len(shared), shared or None, len(peer), peer)
        return self._derive(_CKM_ECDH1_DERIVE, parameters, base_key, _TEMPLATES[derived])

    def concatenate(self, base_key: int, octets: bytes, *, octets_first: bool) -> int:
        mechanism = _CKM_CONCATENATE_DATA_AND_BASE if octets_first else _CKM_CONCATENATE_BASE_AND_DATA
        return self._derive(mechanism, _DerivationString(octets, len(octets)), base_key, _CHAINED)

    def hash_to_aes_key(self, base_key: int) -> int:
        return self._derive(_CKM_SHA256_KEY_DERIVATION, None, base_key, _TEMPLATES[Derived.AES_KEY])

    def generate_aes_key(self) -> int:
        mechanism, handle = Mechanism(_CKM_AES_KEY_GEN, None, 0), _Ulong()
        template = _TEMPLATES[Derived.AES_KEY]
        self._generate_key(self._session, *map(ctypes.addressof, (mechanism, template)), len(template), _at(handle))
        return handle.value

    def destroy(self, handle: int) -> None:
        self._destroy_object(self._session, handle)

    def seal(self, key: int, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        return self._gcm(self._encrypt_init, self._encrypt, key, iv, authenticated, plaintext, tag_octets)

    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        return self._gcm(self._decrypt_init, self._decrypt, key, iv, authenticated, sealed, tag_octets)

    def digest_with_key(self, before: bytes, key: int, after: bytes) -> bytes:
        mechanism = Mechanism(_CKM_SHA256, None, 0)
        digest, length = ctypes.create_string_buffer(32), _Ulong(32)
        self._digest_init(self._session, _at(mechanism))
        self._digest_update(self._session, before, len(before))
        self._digest_key(self._session, key)
        self._digest_update(self._session, after, len(after))
        self._digest_final(self._session, _at(digest), _at(length))
        octets = digest.raw[: length.value]
        ctypes.memset(digest, 0, 32)
        return octets

    def _derive(self, number: int, parameters: Any, base_key: int, template: ctypes.Array[_Attribute]) -> int:
        handle = _Ulong()
        mechanism = _mechanism(number, parameters)
        self._derive_key(self._session, _at(mechanism), base_key, _at(template), len(template), _at(handle))
        return handle.value

    def _gcm(
        self, init: Any, call: Any, key: int, iv: bytes, authenticated: bytes, octets: bytes, tag_octets: int
    ) -> bytes:
        iv_given = ctypes.create_string_buffer(iv, len(iv))
        parameters = _GcmParameters(
            _at(iv_given), len(iv), len(iv) * 8, authenticated or None, len(authenticated), tag_octets * 8
        )
        mechanism = _mechanism(_CKM_AES_GCM, parameters)
        size = len(octets) + _LONGEST_TAG
        output, length = ctypes.create_string_buffer(size), _Ulong(size)
        init(self._session, _at(mechanism), key)
        call(self._session, octets, len(octets), _at(output), _at(length))
        if iv_given.raw != iv:
            # Some modules write there the initialisation vector that they chose themselves.
            raise ModuleDisagrees("the module chose another initialisation vector than it was given", used=True)
        return output.raw[: length.value]


def _mechanism(number: int, parameters: Any) -> Mechanism:
    if parameters is None:
        return Mechanism(number, None, 0)
    return Mechanism(number, _at(parameters), ctypes.sizeof(parameters))


def _at(structure: Any) -> int:
    return ctypes.addressof(structure)
