"""Which PKCS#11 attributes does a key's purpose demand, and what about a key found is weaker than that?

SEC G2.22G (export), G2.44-G2.56 (what each key is for); PKCS#11 v3.0 §4.9 (private key attributes). Pure: attributes
are named here and numbered behind the door. Attributes are defence in depth (a token's user can often switch them);
policy is the control.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from keybroker.policy.model import Policy
from keybroker.terms import Export, Provenance

CKM_ECDSA = 0x1041
CKK_EC = 0x03
P256_PARAMETERS = bytes.fromhex("06082A8648CE3D030107")
"""The DER OBJECT IDENTIFIER of prime256v1 (1.2.840.10045.3.1.7)."""

AttributeValue = bool | int | bytes | frozenset[int]


class KeyAttribute(StrEnum):
    """The attributes that are set or compared; each value is the PKCS#11 name without CKA_."""

    KEY_TYPE = "KEY_TYPE"
    EC_PARAMS = "EC_PARAMS"
    TOKEN = "TOKEN"  # noqa: S105 - an attribute's name
    PRIVATE = "PRIVATE"
    SENSITIVE = "SENSITIVE"
    EXTRACTABLE = "EXTRACTABLE"
    WRAP_WITH_TRUSTED = "WRAP_WITH_TRUSTED"
    SIGN = "SIGN"
    SIGN_RECOVER = "SIGN_RECOVER"
    DECRYPT = "DECRYPT"
    UNWRAP = "UNWRAP"
    DERIVE = "DERIVE"
    ALLOWED_MECHANISMS = "ALLOWED_MECHANISMS"
    MODIFIABLE = "MODIFIABLE"
    ALWAYS_SENSITIVE = "ALWAYS_SENSITIVE"
    NEVER_EXTRACTABLE = "NEVER_EXTRACTABLE"
    LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKeeping:
    """What a token keeps of a key's attributes (from its profile).

    ``untold``: attributes that it does not have or does not tell truly. ``final``: its keys can be made unmodifiable.
    """

    allowed_mechanisms: bool
    final: bool
    untold: frozenset[KeyAttribute]

    @property
    def wraps_with_trusted(self) -> bool:
        return KeyAttribute.WRAP_WITH_TRUSTED not in self.untold


Attributes = Mapping[KeyAttribute, AttributeValue]


def template(policy: Policy, keeping: TokenKeeping) -> Attributes:
    """What a new private key of this purpose is made with. A token that cannot demand a trusted wrapping key makes
    none extractable."""
    extractable = policy.export is Export.WRAPPED and keeping.wraps_with_trusted
    made: dict[KeyAttribute, AttributeValue] = {
        KeyAttribute.TOKEN: True,
        KeyAttribute.PRIVATE: True,
        KeyAttribute.SENSITIVE: True,
        KeyAttribute.EXTRACTABLE: extractable,
        KeyAttribute.SIGN: True,
        KeyAttribute.SIGN_RECOVER: False,
        KeyAttribute.DECRYPT: False,
        KeyAttribute.UNWRAP: False,
        KeyAttribute.DERIVE: False,
    }
    if keeping.wraps_with_trusted:
        made[KeyAttribute.WRAP_WITH_TRUSTED] = extractable
    if keeping.allowed_mechanisms:
        made[KeyAttribute.ALLOWED_MECHANISMS] = frozenset({CKM_ECDSA})
    return {attribute: value for attribute, value in made.items() if attribute not in keeping.untold}


def expected(policy: Policy, provenance: Provenance, keeping: TokenKeeping) -> Attributes:
    """What a key of this purpose and provenance must show when read back, at generation and at every start.

    After an unwrap or an import ALWAYS_SENSITIVE, NEVER_EXTRACTABLE and LOCAL are false and say nothing: not demanded.
    """
    demanded: dict[KeyAttribute, AttributeValue] = {
        **template(policy, keeping),
        KeyAttribute.KEY_TYPE: CKK_EC,
        KeyAttribute.EC_PARAMS: P256_PARAMETERS,
    }
    if keeping.final:
        demanded[KeyAttribute.MODIFIABLE] = False
    if provenance is Provenance.GENERATED:
        demanded[KeyAttribute.LOCAL] = True
        demanded[KeyAttribute.ALWAYS_SENSITIVE] = True
        if demanded.get(KeyAttribute.EXTRACTABLE) is False:
            demanded[KeyAttribute.NEVER_EXTRACTABLE] = True
    return {attribute: value for attribute, value in demanded.items() if attribute not in keeping.untold}


def weaker(demanded: Attributes, found: Attributes) -> tuple[str, ...]:
    """What about a key is weaker than demanded, one phrase each; empty for a key as strong as demanded or stronger.

    An attribute that the token does not show counts as weaker: a fact of the device belongs in its profile.
    """
    return tuple(
        f"{attribute.value} {_words(value)} demanded, found {_words(found.get(attribute))}"
        for attribute, value in demanded.items()
        if not _as_strong(attribute, value, found)
    )


def _as_strong(attribute: KeyAttribute, demanded: AttributeValue, found: Attributes) -> bool:
    value = found.get(attribute)
    never_leaves = found.get(KeyAttribute.EXTRACTABLE) is False
    match attribute:
        case KeyAttribute.EXTRACTABLE:
            return value is False or value == demanded
        case KeyAttribute.WRAP_WITH_TRUSTED:
            return value is True or never_leaves
        case KeyAttribute.MODIFIABLE:
            return value is False
        case _:
            return value == demanded and type(value) is type(demanded)


def _words(value: AttributeValue | None) -> str:
    match value:
        case None:
            return "nothing"
        case bytes():
            return value.hex()
        case frozenset():
            return "{" + ", ".join(f"0x{mechanism:X}" for mechanism in sorted(value)) + "}"
        case bool() | int():
            return str(value).lower()


def key_identifier(public_point: bytes) -> bytes:
    """RFC 5280 §4.2.1.2 method (2) of an uncompressed point (65 octets): 0100 and the low 60 bits of its SHA-1; 8
    octets.

    It is the certificate's Subject Key Identifier in the Smart Metering PKI and the CKA_ID of both halves of the pair.
    """
    low = bytearray(hashlib.sha1(public_point, usedforsecurity=False).digest()[-8:])
    low[0] = 0x40 | (low[0] & 0x0F)
    return bytes(low)
