"""Does the module hold this registered key, the same one, as strong as its purpose demands?

SEC G2.44 to G2.56, G3.22: a key is in a module, and for its purpose alone. The answer is a Finding, which the gates
take; a key whose answer is no is not served. Looked up once per register version and session generation, never per
signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import assert_never

from keybroker.gates.key_served import RULE, served
from keybroker.hsm.attributes import AES_OCTETS, KeyAttribute, expected, key_identifier, weaker
from keybroker.hsm.connection import Connection, PrivateKeyFound, SecretKeyFound
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.mac_strategy import aes_gcm_shortfall, mac_shortfall, probe_aes_gcm, probe_mac
from keybroker.hsm.module_requirement import Shortfall, module_shortfall
from keybroker.hsm.profile import Profile
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.terms import (
    DeploymentKind,
    Export,
    Finding,
    KeyAlgorithm,
    KeyLabel,
    KeyPurpose,
    KeyState,
    Provenance,
)

_CLAUSE = "G2.44"
"""For a key whose purpose has no policy; every policy names its own clause."""
IN_NO_MODULE = frozenset({KeyState.ORDERED, KeyState.SPLIT, KeyState.COMBINED, KeyState.DESTROYED, KeyState.RENOUNCED})
"""States in which no object of the token may stand; a combined key is a session's object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKeys:
    """The keys of one register version in one session generation, with the finding for each registered key."""

    register: KeyRegister
    keys: Mapping[KeyLabel, HeldKey]
    findings: Mapping[KeyLabel, Finding]


class KeyUnfit(Exception):
    """The key is not served. Never leaves ``hsm``: it becomes a Finding."""

    def __init__(self, *, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a registered key is held against."""

    profile: Profile
    policies: Mapping[KeyPurpose, Policy]
    deployment: DeploymentKind
    in_session: frozenset[KeyLabel] = frozenset()
    """Keys that were unwrapped into the login session alone (``unwrapping``), and end with it."""
    brought_in: frozenset[KeyLabel] = frozenset()
    """Keys that stand in the token for a while, by the maker's quorum (``quorum_held``)."""


def find_held_keys(connection: Connection, register: KeyRegister, demands: Demands) -> HeldKeys:
    """Look up every registered key. Raises: CallFailed when the module cannot be asked."""
    find = partial(find_held_key, connection, demands=demands, ways=Ways(connection, demands))
    keys: dict[KeyLabel, HeldKey] = {}
    findings: dict[KeyLabel, Finding] = {}
    for label, key in register.keys.items():
        policy = demands.policies.get(key.purpose)
        clause = policy.module.clause if policy is not None else _CLAUSE
        try:
            keys[label] = find(key)
            findings[label] = served(clause)
        except KeyUnfit as unfit:
            findings[label] = Finding(
                rule=RULE, clause=clause, passed=False, expected=unfit.expected, found=unfit.found
            )
    return HeldKeys(register=register, keys=keys, findings=findings)


class Ways:
    """Does the token do with keys of each algorithm what their purposes ask of it? Probed once, when first asked."""

    def __init__(self, connection: Connection, demands: Demands) -> None:
        self._connection, self._profile, self._deployment = connection, demands.profile, demands.deployment

    def shortfall(self, algorithm: KeyAlgorithm) -> Shortfall | None:
        """Why a key of this algorithm is not served; None where it may be. Raises: CallFailed."""
        match algorithm:
            case KeyAlgorithm.ECDSA:
                return None
            case KeyAlgorithm.ECDH:
                return self._agreement
            case KeyAlgorithm.AES_GCM:
                return self._galois
            case _:
                assert_never(algorithm)

    @cached_property
    def _agreement(self) -> Shortfall | None:
        return mac_shortfall(self._profile, self._deployment, probe_mac(self._connection, self._profile))

    @cached_property
    def _galois(self) -> Shortfall | None:
        return aes_gcm_shortfall(self._profile, probe_aes_gcm(self._connection, self._profile))


def find_held_key(connection: Connection, key: RegisteredKey, demands: Demands, ways: Ways | None = None) -> HeldKey:
    """Find exactly one key of this label, and hold it against register, purpose and provenance.

    Raises: KeyUnfit; CallFailed.
    """
    # 1. What the key is for, and whether this module may hold it.
    policy = demands.policies.get(key.purpose)
    if policy is None:
        raise KeyUnfit(expected="a policy for its purpose", found="none")
    ways = ways or Ways(connection, demands)
    shortfall = module_shortfall(policy, demands.profile, demands.deployment) or ways.shortfall(policy.algorithm)
    if shortfall is not None:
        raise KeyUnfit(expected=shortfall.expected, found=shortfall.found)
    if key.provenance is Provenance.IMPORTED_TEST_KEY and demands.deployment is not DeploymentKind.TEST:
        raise KeyUnfit(expected="a key made in a module", found="an imported test key in a live deployment")
    in_session = key.label in demands.in_session
    if in_session or key.label in demands.brought_in:
        # However it came about once, this object was unwrapped.
        key = replace(key, provenance=Provenance.UNWRAPPED)
    if key.provenance is Provenance.UNWRAPPED and policy.export is Export.NEVER:
        raise KeyUnfit(expected="a key made in this module, which its purpose never leaves", found="one unwrapped here")
    if key.session is not None or in_session:
        policy = for_session(policy)
    # 2. Exactly one of it; the same key as the register's. 3. As strong as purpose, provenance and state demand.
    if policy.algorithm is KeyAlgorithm.AES_GCM:
        return _held_secret(connection, key, policy, demands)
    return _held_pair(connection, key, policy, demands)


def for_session(policy: Policy) -> Policy:
    """What a key of this purpose must be that is made for one session: it never leaves, whatever others may."""
    return replace(policy, export=Export.NEVER)


def authentication_label(label: str) -> str:
    """The data object of the DLMS authentication key that stands beside a symmetric key. No key's label has a dot."""
    return f"{label}.authentication"


def _held_pair(connection: Connection, key: RegisteredKey, policy: Policy, demands: Demands) -> HeldKey:
    try:
        verifier = Verifier(key.public_key)
    except ValueError as error:
        raise KeyUnfit(expected="a registered public key on P-256", found="none") from error
    private = _find_private(connection, key)
    _check_public(connection, key)
    _check_strong(private, key, policy, demands)
    return HeldKey(handle=private.handle, identity=key.public_key, verifier=verifier)


def _held_secret(connection: Connection, key: RegisteredKey, policy: Policy, demands: Demands) -> HeldKey:
    found = connection.find_secret(key.label)
    if len(found) != 1:
        raise KeyUnfit(expected="exactly one secret key of this label in the module", found=str(len(found)))
    if found[0].identifier != key.public_key:
        raise KeyUnfit(expected="the registered CKA_ID", found=found[0].identifier.hex() or "none")
    _check_strong(found[0], key, policy, demands)
    data = connection.find_data(authentication_label(key.label)) if demands.profile.objects.data else ()
    if len(data) > 1 or any(len(each.octets) != AES_OCTETS for each in data):
        raise KeyUnfit(expected="one authentication key of 16 octets, or none", found=f"{len(data)} that are not")
    return HeldKey(handle=found[0].handle, identity=key.public_key, authentication=data[0].octets if data else None)


_BEFORE_ITS_CERTIFICATE = frozenset({KeyState.GENERATED, KeyState.ENROLLING})
"""A Key Agreement key that has yet to sign its request may show CKA_SIGN; later none may."""


def _check_strong(
    found: PrivateKeyFound | SecretKeyFound, key: RegisteredKey, policy: Policy, demands: Demands
) -> None:
    may_sign = key.state in _BEFORE_ITS_CERTIFICATE
    demanded = expected(policy, key.provenance, demands.profile.keeping, may_sign=may_sign)
    if key.label in demands.in_session:
        demanded = {**demanded, KeyAttribute.TOKEN: False}
    shortcomings = weaker(demanded, found.attributes)
    if shortcomings:
        raise KeyUnfit(expected="the attributes of its purpose", found="; ".join(shortcomings))


def _find_private(connection: Connection, key: RegisteredKey) -> PrivateKeyFound:
    # By label first and identifier after, so that a second key of the same label is seen, whatever its identifier.
    found = connection.find_private(key.label)
    if len(found) != 1:
        raise KeyUnfit(expected="exactly one private key of this label in the module", found=str(len(found)))
    if found[0].identifier != key_identifier(key.public_key):
        raise KeyUnfit(expected="CKA_ID of the registered public key", found=found[0].identifier.hex() or "none")
    return found[0]


def _check_public(connection: Connection, key: RegisteredKey) -> None:
    found = connection.find_public(key.label)
    if len(found) != 1:
        raise KeyUnfit(expected="exactly one public key of this label in the module", found=str(len(found)))
    if found[0].point != key.public_key:
        raise KeyUnfit(expected="the registered public key", found="another public key")
