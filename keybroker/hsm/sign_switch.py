"""Can a Key Agreement key still sign? It signs the one request for its certificate; then CKA_SIGN is cleared for good.

SEC G2.56(b), G3.29(b); PKCS#11 v3.0 §4.9 (CKA_SIGN may be modified). Where a token makes unmodifiable copies, the key
is replaced by one. A crash on the way leaves two keys of one label, neither of which signs: they are found at the start
and not served (``held_keys``). Their request was never given out, so such a key is retired and another one made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import KeyAttribute
from keybroker.hsm.connection import Connection, PrivateKeyFound
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import CallFailed, Rung
from keybroker.ledger.model import Failure, Result, Signature
from keybroker.terms import KeyAlgorithm

_LABEL = "keybroker sign-switch test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSwitch:
    """What the token did with a throw-away key: CKA_SIGN read back false; it could not be switched on again."""

    can_be_cleared: bool
    stays_cleared: bool


def is_last_signature(result: Result | Failure) -> bool:
    """Has a Key Agreement key just signed? Policy lets it sign the request for its certificate, and that alone."""
    return isinstance(result, Signature) and result.intent.permit.decision.policy.algorithm is KeyAlgorithm.ECDH


@clause("G2.56(b)", "G2.60(b)", "G2.61(b)", "G3.29(b)")
def clear_sign(connection: Connection, label: str, identifier: bytes, profile: Profile) -> None:
    """Take CKA_SIGN from the Key Agreement key of this label and CKA_ID, and read it back. May be called again.

    Does nothing where the profile says that the token cannot; policy alone forbids there. Raises: ModuleDisagrees when
    the key can still sign or is not exactly one afterwards; CallFailed.
    """
    if not profile.keys.sign_can_be_cleared:
        return
    for key in _own(connection, label, identifier):
        if key.attributes.get(KeyAttribute.SIGN) is not False:
            _switch_off(connection, label, key)
    if profile.keys.final_by_copy:
        _make_final(connection, label, identifier)
    left = _own(connection, label, identifier)
    if len(left) != 1 or not _is_cleared(left[0], final=profile.keys.final_by_copy):
        raise ModuleDisagrees("CKA_SIGN of a Key Agreement key could not be cleared for good; an operator must look")


def probe(connection: Connection, profile: Profile) -> SignSwitch:
    """Try it with a session key pair that is destroyed again. Raises: CallFailed when no such key can be made."""
    private = {
        KeyAttribute.PRIVATE: True,
        KeyAttribute.SENSITIVE: True,
        KeyAttribute.EXTRACTABLE: False,
        KeyAttribute.SIGN: True,
        KeyAttribute.DERIVE: True,
    }
    _, _, destroy = connection.generate_session_pair(_LABEL, private)
    try:
        switched = _switches(connection, profile)
        return SignSwitch(can_be_cleared=switched, stays_cleared=switched and not _comes_back(connection))
    finally:
        # Copies were made of the private half; the rest of the pair goes with it.
        for key in connection.find_private(_LABEL):
            connection.destroy_private(_LABEL, key.handle)
        destroy()


def _switches(connection: Connection, profile: Profile) -> bool:
    try:
        for key in connection.find_private(_LABEL):
            _switch_off(connection, _LABEL, key)
            if profile.keys.final_by_copy:
                connection.copy_unmodifiable(_LABEL, key.handle)
                connection.destroy_private(_LABEL, key.handle)
    except (ModuleDisagrees, CallFailed) as error:
        return _refused(error)
    return all(key.attributes.get(KeyAttribute.SIGN) is False for key in connection.find_private(_LABEL))


def _comes_back(connection: Connection) -> bool:
    for key in connection.find_private(_LABEL):
        try:
            connection.set_sign(_LABEL, key.handle, allowed=True)
        except CallFailed as error:
            _refused(error)
    return any(key.attributes.get(KeyAttribute.SIGN) is not False for key in connection.find_private(_LABEL))


def _refused(error: ModuleDisagrees | CallFailed) -> bool:
    """A refusal is an answer; a token that went away gave none."""
    if isinstance(error, CallFailed) and error.value.rung is not Rung.NONE:
        raise error
    return False


def _switch_off(connection: Connection, label: str, key: PrivateKeyFound) -> None:
    try:
        connection.set_sign(label, key.handle, allowed=False)
    except CallFailed as error:
        _refused(error)
        raise ModuleDisagrees("the token refuses to clear CKA_SIGN of a Key Agreement key") from error


def _make_final(connection: Connection, label: str, identifier: bytes) -> None:
    """One unmodifiable copy, then the original's end: in that order, or a crash would leave no key at all."""
    found = _own(connection, label, identifier)
    if not any(_is_cleared(key, final=True) for key in found):
        connection.copy_unmodifiable(label, found[0].handle)
    kept = 0
    for key in _own(connection, label, identifier):
        if _is_cleared(key, final=True) and not kept:
            kept += 1
        else:
            connection.destroy_private(label, key.handle)


def _is_cleared(key: PrivateKeyFound, *, final: bool) -> bool:
    unmodifiable = key.attributes.get(KeyAttribute.MODIFIABLE) is False
    return key.attributes.get(KeyAttribute.SIGN) is False and (unmodifiable or not final)


def _own(connection: Connection, label: str, identifier: bytes) -> Sequence[PrivateKeyFound]:
    """The key, and what a crash left beside it; another's key of that label is nobody's to change."""
    found = connection.find_private(label)
    if not found or len(found) > 2 or any(key.identifier != identifier for key in found):
        raise ModuleDisagrees(f"expected the key {label} once in the module, found {len(found)} of that label")
    return found
