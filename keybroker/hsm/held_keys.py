"""Does the module hold this registered key, the same one, as strong as its purpose demands?

SEC G2.44 to G2.56, G3.22: a key is in a module, and for its purpose alone. The answer is a Finding, which the gates
take; a key whose answer is no is not served. Looked up once per register version and session generation, never per
signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.hsm.attributes import expected, key_identifier, weaker
from keybroker.hsm.connection import Connection, PrivateKeyFound
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.profile import Profile
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.terms import DeploymentKind, Export, Finding, KeyLabel, KeyPurpose, Provenance, RuleName

RULE = RuleName("key-served")
_CLAUSE = "G2.44"
"""For a key whose purpose has no policy; every policy names its own clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A key that may be used in this session generation: its handle, and what checks its signatures."""

    handle: int
    verifier: Verifier


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


def find_held_keys(connection: Connection, register: KeyRegister, demands: Demands) -> HeldKeys:
    """Look up every registered key. Raises: CallFailed when the module cannot be asked."""
    keys: dict[KeyLabel, HeldKey] = {}
    findings: dict[KeyLabel, Finding] = {}
    for label, key in register.keys.items():
        policy = demands.policies.get(key.purpose)
        clause = policy.module.clause if policy is not None else _CLAUSE
        try:
            keys[label] = find_held_key(connection, key, demands)
            findings[label] = Finding(rule=RULE, clause=clause, passed=True)
        except KeyUnfit as unfit:
            findings[label] = Finding(
                rule=RULE, clause=clause, passed=False, expected=unfit.expected, found=unfit.found
            )
    return HeldKeys(register=register, keys=keys, findings=findings)


def find_held_key(connection: Connection, key: RegisteredKey, demands: Demands) -> HeldKey:
    """Find exactly one key of this label, and hold it against register, purpose and provenance.

    Raises: KeyUnfit; CallFailed.
    """
    # 1. What the key is for, and whether this module may hold it.
    policy = demands.policies.get(key.purpose)
    if policy is None:
        raise KeyUnfit(expected="a policy for its purpose", found="none")
    shortfall = module_shortfall(policy, demands.profile, demands.deployment)
    if shortfall is not None:
        raise KeyUnfit(expected=shortfall.expected, found=shortfall.found)
    if key.provenance is Provenance.IMPORTED_TEST_KEY and demands.deployment is not DeploymentKind.TEST:
        raise KeyUnfit(expected="a key made in a module", found="an imported test key in a live deployment")
    if key.provenance is Provenance.UNWRAPPED and policy.export is Export.NEVER:
        raise KeyUnfit(expected="a key made in this module, which its purpose never leaves", found="one unwrapped here")
    try:
        verifier = Verifier(key.public_key)
    except ValueError as error:
        raise KeyUnfit(expected="a registered public key on P-256", found="none") from error
    # 2. Exactly one private and one public half; the same key as the register's.
    private = _find_private(connection, key)
    _check_public(connection, key)
    # 3. As strong as purpose and provenance demand.
    shortcomings = weaker(expected(policy, key.provenance, demands.profile.keeping), private.attributes)
    if shortcomings:
        raise KeyUnfit(expected="the attributes of its purpose", found="; ".join(shortcomings))
    return HeldKey(handle=private.handle, verifier=verifier)


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
