"""Which objects does a security officer make for one wrap, and are those in the token the very same?

An AES-256 key that wraps the key to be moved, and the recipient's RSA public key that wraps the AES key: both
CKA_TRUSTED, both for wrapping alone. A key with WRAP_WITH_TRUSTED leaves under no other (PKCS#11 v3.0 §4.9, §4.10).
CKA_TRUSTED is the officer's to set, on objects that are not private. Both are destroyed after the wrap.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.attributes import CKK_AES, AttributeValue, KeyAttribute, TokenKeeping
from keybroker.hsm.connection import ObjectAttribute, Template, Wrapping
from keybroker.hsm.return_values import CallFailed

CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY = 2, 3, 4
CKK_RSA = 0
_CKM_RSA_PKCS_OAEP, _CKM_AES_KEY_WRAP_PAD, _CKM_AES_KEY_WRAP_KWP = 0x9, 0x210A, 0x210B
WRAPPING_KEY_OCTETS = 32
RSA_BITS = 3072
RSA_EXPONENT = 65537

_O, _K = ObjectAttribute, KeyAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An RSA-3072 public key with exponent 65537; ``modulus`` 384 octets."""

    modulus: bytes

    @property
    def exponent(self) -> bytes:
        return RSA_EXPONENT.to_bytes(3, "big")


def read_recipient(spki: bytes) -> Recipient:
    """DER SubjectPublicKeyInfo of an RSA-3072 key and nothing else. Raises: ContentMalformed."""
    try:
        key = load_der_public_key(spki)
        again = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _malformed("octets that cannot be read") from error
    if not isinstance(key, rsa.RSAPublicKey) or again != spki:
        raise _malformed("another key, or another encoding than DER")
    numbers = key.public_numbers()
    if key.key_size != RSA_BITS or numbers.e != RSA_EXPONENT:
        raise _malformed(f"one of {key.key_size} bits with exponent {numbers.e}")
    return Recipient(modulus=numbers.n.to_bytes(RSA_BITS // 8, "big"))


def spki_of(modulus: bytes, exponent: bytes) -> bytes:
    """DER SubjectPublicKeyInfo of an RSA key as a module shows it."""
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def wrapping_label(name: str) -> str:
    """Of the AES key. No key's label has a dot."""
    return f"{name}.wrapping-key"


def recipient_label(name: str) -> str:
    """Of the recipient's public key."""
    return f"{name}.wrapping-recipient"


def make_trusted(
    wrapping: Wrapping, name: str, recipient: Recipient, identifier: bytes, *, keeping: TokenKeeping
) -> None:
    """The officer's part. ``identifier`` is the CKA_ID of both. Raises: ModuleDisagrees where one of the labels stands
    already; CallFailed, and then neither is left."""
    if any(wrapping.find({_O.LABEL: label.encode()}) for label in (wrapping_label(name), recipient_label(name))):
        raise ModuleDisagrees("a wrapping key of this name stands in the module already; nothing was made")
    made = wrapping.generate_aes(_named(aes_template(keeping), wrapping_label(name), identifier))
    try:
        public: Template = {_O.MODULUS: recipient.modulus, _O.PUBLIC_EXPONENT: recipient.exponent}
        wrapping.create({**_named(rsa_template(keeping), recipient_label(name), identifier), **public})
    except CallFailed:
        wrapping.destroy(made)
        raise


def find_trusted(
    wrapping: Wrapping, name: str, recipient: Recipient, identifier: bytes, *, keeping: TokenKeeping
) -> tuple[int, int]:
    """Handles of the AES key and of the recipient's, each exactly one and exactly as it was to be made.

    Raises: ModuleDisagrees; CallFailed.
    """
    aes, aes_demanded = _only(wrapping, wrapping_label(name), identifier), aes_template(keeping)
    rsa_key, rsa_demanded = _only(wrapping, recipient_label(name), identifier), rsa_template(keeping)
    for handle, demanded in ((aes, {**aes_demanded, _K.LOCAL: True}), (rsa_key, rsa_demanded)):
        for attribute, value in demanded.items():
            if wrapping.read(handle, attribute) != _written(value):
                raise ModuleDisagrees(f"the module's wrapping key has another {attribute.value} than the officer gave")
    if wrapping.read(rsa_key, _O.MODULUS).lstrip(b"\x00") != recipient.modulus.lstrip(b"\x00"):
        raise ModuleDisagrees("the module's trusted public key is not the recipient's; nothing was wrapped")
    if int.from_bytes(wrapping.read(rsa_key, _O.PUBLIC_EXPONENT), "big") != RSA_EXPONENT:
        raise ModuleDisagrees("the module's trusted public key is not the recipient's; nothing was wrapped")
    return aes, rsa_key


def clear_trusted(wrapping: Wrapping, name: str) -> None:
    """Destroy what ``make_trusted`` made, wherever it was left; may be called again. Raises: ModuleDisagrees where one
    is still shown; CallFailed."""
    labels: list[Template] = [{_O.LABEL: label.encode()} for label in (wrapping_label(name), recipient_label(name))]
    for label in labels:
        for handle in wrapping.find(label):
            wrapping.destroy(handle)
    if any(wrapping.find(label) for label in labels):
        raise ModuleDisagrees("the module still shows a wrapping key that it was told to destroy")


def aes_template(keeping: TokenKeeping) -> Template:
    """It may leave, under the recipient's key and no other that is not trusted: that is how it reaches the
    destination."""
    return {
        _O.CLASS: CKO_SECRET_KEY,
        _K.KEY_TYPE: CKK_AES,
        _K.VALUE_LEN: WRAPPING_KEY_OCTETS,
        **_wrap_only(keeping, frozenset({_CKM_AES_KEY_WRAP_PAD, _CKM_AES_KEY_WRAP_KWP})),
        _K.SENSITIVE: True,
        _K.EXTRACTABLE: True,
        _K.WRAP_WITH_TRUSTED: True,
        _K.UNWRAP: False,
        _K.DECRYPT: False,
        _K.SIGN: False,
        _K.DERIVE: False,
    }


def rsa_template(keeping: TokenKeeping) -> Template:
    return {
        _O.CLASS: CKO_PUBLIC_KEY,
        _K.KEY_TYPE: CKK_RSA,
        **_wrap_only(keeping, frozenset({_CKM_RSA_PKCS_OAEP})),
        _O.VERIFY_RECOVER: False,
    }


def _wrap_only(keeping: TokenKeeping, mechanisms: frozenset[int]) -> Template:
    only: dict[KeyAttribute | ObjectAttribute, AttributeValue] = {
        _K.TOKEN: True,
        _K.PRIVATE: False,
        _O.TRUSTED: True,
        _K.WRAP: True,
        _K.ENCRYPT: False,
        _O.VERIFY: False,
    }
    return {**only, _K.ALLOWED_MECHANISMS: mechanisms} if keeping.allowed_mechanisms else only


def _named(template: Template, label: str, identifier: bytes) -> Template:
    return {**template, _O.LABEL: label.encode(), _O.ID: identifier}


def _only(wrapping: Wrapping, label: str, identifier: bytes) -> int:
    found = wrapping.find({_O.LABEL: label.encode()})
    if len(found) != 1 or wrapping.read(found[0], _O.ID) != identifier:
        raise ModuleDisagrees("the module does not show exactly the wrapping key that the officer made")
    return found[0]


def _written(value: AttributeValue) -> bytes:
    match value:
        case bool():
            return bytes([value])
        case int():
            return value.to_bytes(8, "little")
        case bytes():
            return value
        case frozenset():
            return b"".join(each.to_bytes(8, "little") for each in sorted(value))


def _malformed(found: str) -> ContentMalformed:
    return ContentMalformed(
        offset=0, expected="the SubjectPublicKeyInfo of an RSA-3072 key", found=found, source="RFC 8017 A.1"
    )
