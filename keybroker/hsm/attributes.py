"""Which PKCS#11 attributes does a key's purpose demand, and what about a key found is weaker than that?

SEC G2.22G (export), G2.44-G2.56 (what each key is for); PKCS#11 v3.0 §4.9, §4.10 (private and secret keys). Pure:
attributes are named here and numbered behind the door. Attributes are defence in depth (a token's user can often switch
them); policy is the control.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from keybroker.clause import clause
from keybroker.content.public_key import public_key_identifier
from keybroker.policy.model import Policy
from keybroker.terms import Export, KeyAlgorithm, Provenance

CKM_ECDSA = 0x1041
CKM_ECDH1_DERIVE = 0x1050
CKM_AES_GCM = 0x1087
CKK_EC = 0x03
CKK_AES = 0x1F
AES_OCTETS = 16
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
    VALUE_LEN = "VALUE_LEN"
    SIGN = "SIGN"
    SIGN_RECOVER = "SIGN_RECOVER"
    ENCRYPT = "ENCRYPT"
    DECRYPT = "DECRYPT"
    WRAP = "WRAP"
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
    ``sign_can_be_cleared``: a key made with CKA_SIGN can lose it later (PKCS#11 v3.0 §4.9: modifiable).
    """

    allowed_mechanisms: bool
    final: bool
    sign_can_be_cleared: bool
    untold: frozenset[KeyAttribute]

    @property
    def wraps_with_trusted(self) -> bool:
        return KeyAttribute.WRAP_WITH_TRUSTED not in self.untold


Attributes = Mapping[KeyAttribute, AttributeValue]


@clause("G2.44", "G2.44(f)")
def template(policy: Policy, keeping: TokenKeeping, *, signs_request: bool = True) -> Attributes:
    """What a new key of this purpose is made with: the private half of a pair, or the secret key.

    A token that cannot demand a trusted wrapping key makes none extractable. ``signs_request``: of a Key Agreement key,
    whether it is to sign the request for its certificate; it is made with CKA_SIGN for that alone.
    """
    extractable = policy.export is Export.WRAPPED and keeping.wraps_with_trusted
    made: dict[KeyAttribute, AttributeValue] = {
        KeyAttribute.TOKEN: True,
        KeyAttribute.PRIVATE: True,
        KeyAttribute.SENSITIVE: True,
        KeyAttribute.EXTRACTABLE: extractable,
        **_uses(policy.algorithm, signs_request=signs_request),
    }
    if keeping.wraps_with_trusted:
        made[KeyAttribute.WRAP_WITH_TRUSTED] = extractable
    if keeping.allowed_mechanisms:
        made[KeyAttribute.ALLOWED_MECHANISMS] = _mechanisms(policy.algorithm, signs_request=signs_request)
    return {attribute: value for attribute, value in made.items() if attribute not in keeping.untold}


def _uses(algorithm: KeyAlgorithm, *, signs_request: bool) -> Attributes:
    enciphers, agrees = algorithm is KeyAlgorithm.AES_GCM, algorithm is KeyAlgorithm.ECDH
    uses: dict[KeyAttribute, AttributeValue] = {
        KeyAttribute.SIGN: algorithm is KeyAlgorithm.ECDSA or (agrees and signs_request),
        KeyAttribute.DECRYPT: enciphers,
        KeyAttribute.UNWRAP: False,
        KeyAttribute.DERIVE: agrees,
    }
    if enciphers:
        return {**uses, KeyAttribute.ENCRYPT: True, KeyAttribute.WRAP: False}
    return {**uses, KeyAttribute.SIGN_RECOVER: False}


def _mechanisms(algorithm: KeyAlgorithm, *, signs_request: bool) -> frozenset[int]:
    match algorithm:
        case KeyAlgorithm.ECDSA:
            return frozenset({CKM_ECDSA})
        case KeyAlgorithm.ECDH:
            return frozenset({CKM_ECDH1_DERIVE, CKM_ECDSA} if signs_request else {CKM_ECDH1_DERIVE})
        case KeyAlgorithm.AES_GCM:
            return frozenset({CKM_AES_GCM})
        case _:
            assert_never(algorithm)


def stays_modifiable(policy: Policy, keeping: TokenKeeping, *, signs_request: bool) -> bool:
    """Must a new key be modifiable, so that CKA_SIGN can be cleared once it has signed its request?"""
    return policy.algorithm is KeyAlgorithm.ECDH and signs_request and keeping.sign_can_be_cleared


def expected(policy: Policy, provenance: Provenance, keeping: TokenKeeping, *, may_sign: bool = False) -> Attributes:
    """What a key of this purpose and provenance must show when read back, at generation and at every start.

    After an unwrap or an import ALWAYS_SENSITIVE, NEVER_EXTRACTABLE and LOCAL are false and say nothing: not demanded.
    ``may_sign``: of a Key Agreement key, that its request may still have to be signed, so that CKA_SIGN and what
    clears it are not looked at. Where the token cannot clear CKA_SIGN they never are: policy alone forbids then.
    """
    agrees = policy.algorithm is KeyAlgorithm.ECDH
    # The mechanisms are the widest that the key may allow: SoftHSM does not let them be narrowed later.
    demanded: dict[KeyAttribute, AttributeValue] = {
        **template(policy, keeping),
        **_kind(policy.algorithm),
    }
    if keeping.final:
        demanded[KeyAttribute.MODIFIABLE] = False
    if agrees:
        demanded[KeyAttribute.SIGN] = False
        unseen = {KeyAttribute.SIGN, KeyAttribute.MODIFIABLE} if may_sign else {KeyAttribute.SIGN}
        if may_sign or not keeping.sign_can_be_cleared:
            demanded = {attribute: value for attribute, value in demanded.items() if attribute not in unseen}
    if provenance is Provenance.UNWRAPPED:
        # Nobody tells the token how long the key is that it unwraps, and SoftHSM shows 0 then; ``unwrapping`` proves
        # that it is the very key by its use.
        demanded.pop(KeyAttribute.VALUE_LEN, None)
    if provenance is Provenance.GENERATED:
        demanded[KeyAttribute.LOCAL] = True
        demanded[KeyAttribute.ALWAYS_SENSITIVE] = True
        if demanded.get(KeyAttribute.EXTRACTABLE) is False:
            demanded[KeyAttribute.NEVER_EXTRACTABLE] = True
    return {attribute: value for attribute, value in demanded.items() if attribute not in keeping.untold}


def _kind(algorithm: KeyAlgorithm) -> Attributes:
    if algorithm is KeyAlgorithm.AES_GCM:
        return {KeyAttribute.KEY_TYPE: CKK_AES, KeyAttribute.VALUE_LEN: AES_OCTETS}
    return {KeyAttribute.KEY_TYPE: CKK_EC, KeyAttribute.EC_PARAMS: P256_PARAMETERS}


@clause("G2.44", "G2.44(f)")
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
        case KeyAttribute.ALLOWED_MECHANISMS:
            # An empty list allows every mechanism on some tokens.
            return (
                isinstance(value, frozenset) and isinstance(demanded, frozenset) and bool(value) and value <= demanded
            )
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
    """The CKA_ID of both halves of a pair: the certificate's Subject Key Identifier in the Smart Metering PKI, 8
    octets. ``public_point`` is uncompressed, 65 octets.
    """
    return public_key_identifier(public_point)
