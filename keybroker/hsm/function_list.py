"""The other door to the module: the PKCS#11 function list by ctypes, for what python-pkcs11 cannot do.

It cannot initialise with locking (it calls ``C_Initialize(NULL)`` and then releases the GIL: SoftHSM turns its mutexes
off and crashes), pass a library parameter string, ask for session or token state, or log in without keeping a broken
session when the PIN is wrong. And it gives up the GIL three times a signature, which beside one busy Python thread
costs a switch interval each time. So the functions below stand here, those of other uses than signing in
``session.py``, and nothing else (PKCS#11 v3.0 §3.6, §5).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

from keybroker.hsm.connection import TokenDescription
from keybroker.hsm.description import read_description
from keybroker.hsm.return_values import CallFailed, Meaning, return_value

# Places in CK_FUNCTION_LIST, counted from C_Initialize (PKCS#11 v2.40, pkcs11f.h: the order never changes).
_INITIALIZE, _FINALIZE, _GET_INFO, _GET_TOKEN_INFO = 0, 1, 2, 6
_CLOSE_SESSION, _GET_SESSION_INFO, _LOGIN = 13, 15, 18
_SIGN_INIT, _SIGN = 42, 43

_CKF_OS_LOCKING_OK = 0x2
_CKU_SO, _CKU_USER = 0, 1
_CKM_ECDSA = 0x1041
_CKR_FUNCTION_NOT_SUPPORTED = 0x54
_CKR_CRYPTOKI_NOT_INITIALIZED = 0x190
_CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191
_CKR_USER_ALREADY_LOGGED_IN = 0x100
_CKR_USER_NOT_LOGGED_IN = 0x101
# CK_STATE: read-only and read-write user functions.
_USER_STATES = frozenset({1, 3})
_P256_SIGNATURE = 64
# CK_INFO has 88 octets and CK_TOKEN_INFO 208 where CK_ULONG has eight.
_INFO_ROOM = 256

_Ulong = ctypes.c_ulong
_Pointer = ctypes.c_void_p


class _InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS; NSS puts its parameter string where the standard has pReserved, and one more pointer
    after it."""

    _fields_ = (
        ("create_mutex", _Pointer),
        ("destroy_mutex", _Pointer),
        ("lock_mutex", _Pointer),
        ("unlock_mutex", _Pointer),
        ("flags", _Ulong),
        ("parameters", ctypes.c_char_p),
        ("reserved", _Pointer),
    )


class _SessionInfo(ctypes.Structure):
    _fields_ = (("slot", _Ulong), ("state", _Ulong), ("flags", _Ulong), ("device_error", _Ulong))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM; who makes one keeps its parameter alive."""

    _fields_ = (("mechanism", _Ulong), ("parameter", _Pointer), ("parameter_length", _Ulong))


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE; who makes one keeps its value alive."""

    _fields_ = (("type", _Ulong), ("value", _Pointer), ("length", _Ulong))


class OaepParameters(ctypes.Structure):
    """CK_RSA_PKCS_OAEP_PARAMS."""

    _fields_ = (
        ("hash", _Ulong),
        ("mgf", _Ulong),
        ("source", _Ulong),
        ("source_data", _Pointer),
        ("source_length", _Ulong),
    )


class FunctionList:
    """The function list of one PKCS#11 library, loaded once a process.

    ``holds_gil``: calls on the way of a request keep the GIL. Right for a token that computes in this process (tens
    of microseconds); never for one across a wire.
    """

    def __init__(self, library: str, *, holds_gil: bool, corrections: Mapping[str, Meaning]) -> None:
        """Raises: OSError when the library cannot be loaded; CallFailed."""
        self._corrections = corrections
        self._prototype = ctypes.PYFUNCTYPE if holds_gil else ctypes.CFUNCTYPE
        # Kept for life: the function pointers point into it.
        self._library = ctypes.CDLL(library)
        self._list = ctypes.POINTER(_Pointer)()
        self._check("C_GetFunctionList", self._library.C_GetFunctionList(ctypes.byref(self._list)))
        self._session_info = self._prototype(_Ulong, _Ulong, _Pointer)(self._address(_GET_SESSION_INFO))
        self._token_info = self._prototype(_Ulong, _Ulong, _Pointer)(self._address(_GET_TOKEN_INFO))
        self._info = self._prototype(_Ulong, _Pointer)(self._address(_GET_INFO))

    def initialize(self, parameters: bytes | None) -> None:
        """C_Initialize with OS locking. "Already initialised" counts as done: the library is the process's. Raises:
        CallFailed."""
        arguments = _InitializeArguments(flags=_CKF_OS_LOCKING_OK, parameters=parameters)
        value = self._function(_INITIALIZE, _Pointer)(ctypes.addressof(arguments))
        if value != _CKR_CRYPTOKI_ALREADY_INITIALIZED:
            self._check("C_Initialize", value)

    def finalize(self) -> None:
        """C_Finalize; "not initialised" counts as done. Raises: CallFailed."""
        value = self._function(_FINALIZE, _Pointer)(None)
        if value != _CKR_CRYPTOKI_NOT_INITIALIZED:
            self._check("C_Finalize", value)

    def login(self, session: int, pin: bytes | None, *, officer: bool = False) -> None:
        """C_Login as the user, or the security ``officer``; None asks at the token's own pad. "Already logged in"
        counts as done. Raises: CallFailed."""
        call = self._function(_LOGIN, _Ulong, _Ulong, ctypes.c_char_p, _Ulong)
        value = call(session, _CKU_SO if officer else _CKU_USER, pin, len(pin or b""))
        if value != _CKR_USER_ALREADY_LOGGED_IN:
            self._check("C_Login", value)

    def close_session(self, session: int) -> None:
        """C_CloseSession without C_Logout: the login is the process's, not the session's. Raises: CallFailed."""
        self._check("C_CloseSession", self._function(_CLOSE_SESSION, _Ulong)(session))

    def check_session(self, session: int) -> None:
        """Is the session alive and logged in? 0.7 us where the token computes in this process. Raises: CallFailed."""
        info = _SessionInfo()
        self._check("C_GetSessionInfo", self._session_info(session, ctypes.addressof(info)))
        if info.state not in _USER_STATES:
            raise CallFailed(return_value(_CKR_USER_NOT_LOGGED_IN), call="C_GetSessionInfo")

    def told(self, slot: int) -> TokenDescription:
        """What library and token say of themselves now (C_GetInfo, C_GetTokenInfo); 43 us on SoftHSM.

        Raises: CallFailed, where no token is in the slot.
        """
        info, token_info = (ctypes.create_string_buffer(_INFO_ROOM) for _ in range(2))
        self._check("C_GetInfo", self._info(ctypes.addressof(info)))
        self._check("C_GetTokenInfo", self._token_info(slot, ctypes.addressof(token_info)))
        return read_description(info.raw, token_info.raw)

    def signer(self, session: int) -> Callable[[int, bytes], bytes]:
        """A function of key handle and digest (32 octets) that gives r || s (64 octets) by CKM_ECDSA in this one
        session.

        The buffers are made once; one thread at a time may call it. It raises CallFailed, whose ``call`` says how far
        it came.
        """
        sign_init = self._prototype(_Ulong, _Ulong, _Pointer, _Ulong)(self._address(_SIGN_INIT))
        sign = self._prototype(_Ulong, _Ulong, ctypes.c_char_p, _Ulong, _Pointer, _Pointer)(self._address(_SIGN))
        mechanism = Mechanism(_CKM_ECDSA, None, 0)
        signature = ctypes.create_string_buffer(_P256_SIGNATURE)
        length = _Ulong(_P256_SIGNATURE)
        # The closure keeps the three alive; calls take their addresses, which costs less than byref each time.
        mechanism_at, signature_at, length_at = map(ctypes.addressof, (mechanism, signature, length))
        check, kept = self._check, (mechanism, signature, length)

        def sign_digest(key: int, digest: bytes) -> bytes:
            value = sign_init(session, mechanism_at, key)
            if value:
                check("C_SignInit", value)
            kept[2].value = _P256_SIGNATURE
            value = sign(session, digest, 32, signature_at, length_at)
            if value:
                check("C_Sign", value)
            return signature.raw[: length.value]

        return sign_digest

    def checked(self, call: str, place: int, *arguments: Any) -> Callable[..., None]:
        """A function of the list on the way of a request; it raises CallFailed, also where the library left it out."""
        address, check = self._list[place + 1], self._check
        function = self._prototype(_Ulong, *arguments)(address) if address is not None else None

        def checked_call(*given: Any) -> None:
            value = function(*given) if function is not None else _CKR_FUNCTION_NOT_SUPPORTED
            if value:
                check(call, value)

        return checked_call

    def _address(self, place: int) -> int:
        # The list begins with its version, padded to one pointer.
        address = self._list[place + 1]
        if address is None:
            raise CallFailed(return_value(_CKR_FUNCTION_NOT_SUPPORTED), call="C_GetFunctionList")
        return int(address)

    def _function(self, place: int, *arguments: Any) -> Callable[..., int]:
        return ctypes.CFUNCTYPE(_Ulong, *arguments)(self._address(place))

    def _check(self, call: str, value: int) -> None:
        if value:
            raise CallFailed(return_value(value, corrections=self._corrections), call=call)


def keep_for_life(library: object) -> None:
    """Keep an object until the process ends: python-pkcs11's library looks up its own method when it is destroyed, and
    at the end of the process a subclass has none left (an "Exception ignored" on standard error)."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))
