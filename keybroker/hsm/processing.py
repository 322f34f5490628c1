"""Use a key otherwise than by signing: a MAC made or checked, data deciphered, an instruction protected or opened.

``process`` is the one seam: what is to be done comes from Content alone (``content.uses``), how the agreed key comes
about from the profile (``agreement.py``). What is made is checked in the module, or on the host where the key stands
there, before it leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from keybroker.content.use import (
    DecryptionUse,
    MacCheckUse,
    MacUse,
    OpeningUse,
    ProtectionUse,
    Use,
)
from keybroker.errors import ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.agreed_secrets import AgreedSecrets
from keybroker.hsm.agreement import agreed_key
from keybroker.hsm.connection import Session, SignDigest
from keybroker.hsm.galois import Galois, ModuleGalois, TagWrong, is_same
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.profile import Profile

_TAG_OCTETS = 12
_INVOCATION_COUNTER = slice(8, 12)
"""Where it stands in the initialisation vector, behind the system title (IEC 62056-5-3)."""

Process = Callable[[Use, HeldKey], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUses:
    """What one session does with keys: signatures, which are most of it, and everything else."""

    sign: SignDigest
    process: Process


def key_uses(session: Session, profile: Profile) -> KeyUses:
    """For one session of one generation, one thread at a time."""
    return KeyUses(sign=session.sign, process=Processing(session, profile).process)


class Processing:
    """Every use but a signature, in one session, as the profile has it."""

    def __init__(self, session: Session, profile: Profile) -> None:
        self._session, self._strategy = session, profile.mac.strategy
        self._also_tag_wrong = frozenset(profile.aes_gcm.also_tag_wrong)
        self._secrets = AgreedSecrets(
            session, most=profile.mac.agreed_secrets, seconds=profile.mac.agreed_secret_seconds
        )

    def process(self, use: Use, held: HeldKey) -> tuple[bytes, ...]:
        """The outputs, as ``Product`` has them.

        Raises: ProtectionInvalid for a MAC or tag that is not right; ModuleDisagrees; CallFailed.
        """
        wrong = self._also_tag_wrong
        match use:
            case MacUse() | MacCheckUse() | DecryptionUse():
                with agreed_key(self._strategy, self._secrets, held, use.agreement, also_tag_wrong=wrong) as agreed:
                    return _with_agreed_key(use, agreed)
            case ProtectionUse() | OpeningUse():
                symmetric = ModuleGalois(session=self._session, key=held.handle, also_tag_wrong=wrong)
                return _with_symmetric_key(use, symmetric, held.authentication or b"")
            case never:
                assert_never(never)


def _with_agreed_key(use: MacUse | MacCheckUse | DecryptionUse, galois: Galois) -> tuple[bytes, ...]:
    match use:
        case MacUse():
            return (_sealed(galois, use.initialisation_vector, use.authenticated, b"", use.tag_octets),)
        case MacCheckUse():
            _check_mac(use, galois)
            return ()
        case DecryptionUse():
            return tuple(
                _opened(galois, use.initialisation_vector, item.authenticated, item.ciphertext, item.tag)
                for item in use.items
            )
        case never:
            assert_never(never)


def _check_mac(use: MacCheckUse, galois: Galois) -> None:
    # Made again and compared: no device's answer to a wrong tag has to be understood.
    tag = galois.seal(use.initialisation_vector, use.authenticated, b"", len(use.tag))
    if not is_same(tag, use.tag):
        raise ProtectionInvalid("the Message Authentication Code is not that of this message under the agreed key")


def _with_symmetric_key(use: ProtectionUse | OpeningUse, galois: Galois, authentication: bytes) -> tuple[bytes, ...]:
    iv, authenticated = use.initialisation_vector, use.authenticated + authentication
    match use:
        case ProtectionUse():
            return (iv[_INVOCATION_COUNTER] + _sealed(galois, iv, authenticated, use.plaintext, _TAG_OCTETS),)
        case OpeningUse():
            return (_opened(galois, iv, authenticated, use.ciphertext, use.tag),)
        case never:
            assert_never(never)


def _sealed(galois: Galois, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
    """Sealed, and opened again before it leaves (invariant 4)."""
    sealed = galois.seal(iv, authenticated, plaintext, tag_octets)
    if len(sealed) != len(plaintext) + tag_octets:
        raise ModuleDisagrees("the module's tag or ciphertext has another length than asked; it is withheld", used=True)
    try:
        opened = galois.open(iv, authenticated, sealed, tag_octets)
    except TagWrong as error:
        raise ModuleDisagrees("the module does not open what it has just sealed; it is withheld", used=True) from error
    if not is_same(opened, plaintext):
        raise ModuleDisagrees("the module opens what it has just sealed to something else; it is withheld", used=True)
    return sealed


def _opened(galois: Galois, iv: bytes, authenticated: bytes, ciphertext: bytes, tag: bytes) -> bytes:
    try:
        return galois.open(iv, authenticated, ciphertext + tag, len(tag))
    except TagWrong as error:
        raise ProtectionInvalid("the tag is not that of this data under the key; nothing was deciphered") from error
