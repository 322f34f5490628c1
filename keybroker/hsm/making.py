"""How does a key come into a token by one template? A secret key by C_GenerateKey, a test key by C_CreateObject.

PKCS#11 v3.0 §4.8 to §4.10. Whether a key that existed outside may come in is ``generate.import_test_key``'s to say.
"""

from __future__ import annotations

from contextlib import suppress

from keybroker.hsm.attributes import (
    AES_OCTETS,
    CKK_AES,
    CKK_EC,
    P256_PARAMETERS,
    Attributes,
    KeyAttribute,
)
from keybroker.hsm.connection import ObjectAttribute, Template, Wrapping
from keybroker.hsm.profile_sections import Keys
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.trusted_keys import CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY

_K, _O = KeyAttribute, ObjectAttribute
_POINT_HEADER = b"\x04\x41"
"""CKA_EC_POINT is a DER OCTET STRING of the 65 octets (PKCS#11 v2.40 §2.3.3)."""


def import_pair(
    wrapping: Wrapping, keys: Keys, label: str, private: Attributes, *, scalar: bytes, point: bytes, identifier: bytes
) -> None:
    """Both halves of a P-256 pair, or neither. ``scalar``: 32 octets, ``point``: 65. Raises: CallFailed."""
    wrapped = _POINT_HEADER + point
    both: Template = {
        _K.KEY_TYPE: CKK_EC,
        _K.EC_PARAMS: P256_PARAMETERS,
        _O.LABEL: label.encode(),
        _O.ID: identifier,
        **_final(keys),
    }
    needed: Template = {_O.NSS_DB: wrapped} if keys.import_needs_point else {}
    secret: Template = {**both, **_widened(private), _O.CLASS: CKO_PRIVATE_KEY, _O.VALUE: scalar, **needed}
    public: Template = {**both, _O.CLASS: CKO_PUBLIC_KEY, _K.TOKEN: True, _O.VERIFY: True, _O.EC_POINT: wrapped}
    made = wrapping.create(secret)
    try:
        wrapping.create(public)
    except CallFailed:
        with suppress(CallFailed):
            wrapping.destroy(made)
        raise


def import_secret(
    wrapping: Wrapping, keys: Keys, label: str, secret: Attributes, *, value: bytes, identifier: bytes
) -> None:
    """An AES key of 16 octets. Raises: CallFailed."""
    wrapping.create({**_secret(keys, label, secret, identifier), _O.VALUE: value})


def generate_secret(wrapping: Wrapping, keys: Keys, label: str, secret: Attributes, *, identifier: bytes) -> None:
    """An AES key of 16 octets, made in the token. Raises: CallFailed."""
    wrapping.generate_aes({**_secret(keys, label, secret, identifier), _K.VALUE_LEN: AES_OCTETS})


def _secret(keys: Keys, label: str, secret: Attributes, identifier: bytes) -> Template:
    kind: Template = {_O.CLASS: CKO_SECRET_KEY, _K.KEY_TYPE: CKK_AES}
    named: Template = {_O.LABEL: label.encode(), _O.ID: identifier, _O.VERIFY: False}
    return {**kind, **named, **_widened(secret), **_final(keys)}


def _final(keys: Keys) -> Template:
    return {KeyAttribute.MODIFIABLE: False} if keys.final_by_copy else {}


def _widened(attributes: Attributes) -> Template:
    return {attribute: value for attribute, value in attributes.items()}  # noqa: C416 - another type of key
