"""What stands in the module, and does the register know each of it?

SEC G5.13(a), G5.24(a): the security of Secret Key Material through the whole of its life. ``list_objects`` tells what
one login sees of one token; ``reconcile`` is pure and names every difference, in words for people. Neither changes
anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from keybroker.clause import clause
from keybroker.hsm.anchor import LABEL as HEAD_LABEL
from keybroker.hsm.attributes import Attributes, TokenKeeping, expected, key_identifier, weaker
from keybroker.hsm.connection import ObjectFound, ObjectKind
from keybroker.hsm.held_keys import IN_NO_MODULE, authentication_label, for_session
from keybroker.hsm.token_module import Token
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose, KeyState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of the token. ``point`` (65 octets): of a public EC key alone; ``attributes``: of private and secret
    keys."""

    kind: ObjectKind
    label: str
    identifier: bytes
    point: bytes | None
    attributes: Attributes


class DiscrepancyKind(StrEnum):
    ORPHAN = "orphan"
    """An object whose key the register does not know."""
    STRANGER = "stranger"
    """Another key under a label that the register knows."""
    WEAKER = "weaker"
    """An attribute that is weaker than the key's purpose demands."""
    MISSING = "missing"
    """The register says that a key stands here, and nothing of it does."""
    HALF = "half"
    """One half of a pair without the other."""
    TWICE = "twice"
    """More than one object where one is due."""
    REMAINS = "remains"
    """An object of a key that, by the register, is in no module any more."""
    LEFTOVER = "leftover"
    """An object that a ceremony or a search made for itself and should have destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """``label`` is the object's, or the missing key's; ``expected`` and ``found`` are for people."""

    kind: DiscrepancyKind
    label: str
    object_kind: ObjectKind
    expected: str
    found: str


LEFTOVER_SUFFIXES = (".wrapping-key", ".wrapping-recipient", ".wrapping-pair", ".search-witness")
"""Labels that no key has, for no key's label has a dot: a wrap, a transfer and a search make them for a while."""

_MAY_BE_GONE = frozenset(
    {KeyState.RETIRED, KeyState.SUPERSEDED, KeyState.TRANSFERRED, KeyState.COMPROMISED, KeyState.TRANSFERRING}
)
"""States in which the key may stand here or be destroyed already."""


def list_objects(token: Token) -> tuple[StoredObject, ...]:
    """Every object that stands in the token, by label. Raises: ModuleFault."""
    with token.exclusively() as connection:
        found = tuple(_stored(each) for each in connection.list_objects())
    return tuple(sorted(found, key=lambda each: (each.label, each.kind.value, each.identifier)))


@clause("G5.13(a)", "G5.24(a)")
def reconcile(
    registered: Mapping[KeyLabel, RegisteredKey],
    policies: Mapping[KeyPurpose, Policy],
    objects: Sequence[StoredObject],
    keeping: TokenKeeping,
) -> tuple[Discrepancy, ...]:
    """Every difference between register and one module that is to hold all of its keys; empty where there is none.

    Pure. ``keeping`` is from the module's profile.
    """
    by_label: dict[str, list[StoredObject]] = defaultdict(list)
    for each in objects:
        by_label[each.label].append(each)
    found: list[Discrepancy] = []
    for label, key in registered.items():
        beside = by_label.pop(authentication_label(label), [])
        found += _of_key(key, policies.get(key.purpose), by_label.pop(label, []), keeping)
        found += _of_authentication(key, beside)
    for unknown, rest in by_label.items():
        found += (each for one in rest for each in _of_unknown(unknown, one))
    return tuple(sorted(found, key=lambda each: (each.label, each.kind.value, each.object_kind.value)))


def _stored(found: ObjectFound) -> StoredObject:
    return StoredObject(
        kind=found.kind,
        label=found.label,
        identifier=found.identifier,
        point=found.point,
        attributes=found.attributes,
    )


def _of_unknown(label: str, one: StoredObject) -> Iterator[Discrepancy]:
    if label == HEAD_LABEL and one.kind is ObjectKind.DATA:
        return
    if label.endswith(LEFTOVER_SUFFIXES):
        yield _named(DiscrepancyKind.LEFTOVER, one, "nothing after the ceremony or search that made it", _what(one))
    else:
        yield _named(DiscrepancyKind.ORPHAN, one, "a key that the register knows", _what(one))


def _of_key(
    key: RegisteredKey, policy: Policy | None, objects: Sequence[StoredObject], keeping: TokenKeeping
) -> Iterator[Discrepancy]:
    if key.state in IN_NO_MODULE:
        for each in objects:
            yield _named(DiscrepancyKind.REMAINS, each, f"nothing of a key that is {key.state}", _what(each))
        return
    symmetric = _is_symmetric(key, policy)
    kinds = (ObjectKind.SECRET_KEY,) if symmetric else (ObjectKind.PRIVATE_KEY, ObjectKind.PUBLIC_KEY)
    own = [each for each in objects if each.kind in kinds and _is_own(each, key, symmetric=symmetric)]
    for each in objects:
        if each not in own:
            yield _named(DiscrepancyKind.STRANGER, each, f"the registered key {_identity(key).hex()}", _what(each))
    yield from _of_number(key, own, kinds)
    for each in own:
        yield from _of_strength(key, policy, each, keeping)


def _of_number(key: RegisteredKey, own: Sequence[StoredObject], kinds: tuple[ObjectKind, ...]) -> Iterator[Discrepancy]:
    if not own and key.state in _MAY_BE_GONE:
        return
    for kind in kinds:
        number = sum(each.kind is kind for each in own)
        if number == 1:
            continue
        fewer = DiscrepancyKind.HALF if own else DiscrepancyKind.MISSING
        what = DiscrepancyKind.TWICE if number > 1 else fewer
        yield Discrepancy(
            kind=what,
            label=key.label,
            object_kind=kind,
            expected=f"one {kind} of the registered key",
            found=str(number),
        )


def _of_strength(
    key: RegisteredKey, policy: Policy | None, one: StoredObject, keeping: TokenKeeping
) -> Iterator[Discrepancy]:
    if one.kind is ObjectKind.PUBLIC_KEY:
        return
    if policy is None:
        yield _named(DiscrepancyKind.WEAKER, one, "a policy for its purpose", "none")
        return
    may_sign = key.state in (KeyState.GENERATED, KeyState.ENROLLING)
    policy = for_session(policy) if key.session is not None else policy
    demanded = expected(policy, key.provenance, keeping, may_sign=may_sign)
    for shortcoming in weaker(demanded, one.attributes):
        yield _named(DiscrepancyKind.WEAKER, one, f"the attributes that {key.purpose} demands", shortcoming)


def _of_authentication(key: RegisteredKey, beside: Sequence[StoredObject]) -> Iterator[Discrepancy]:
    """At most one data object, beside a symmetric key that stands here."""
    for each in beside:
        if key.state in IN_NO_MODULE:
            yield _named(DiscrepancyKind.REMAINS, each, f"nothing of a key that is {key.state}", _what(each))
        elif each.kind is not ObjectKind.DATA:
            yield _named(DiscrepancyKind.STRANGER, each, "a data object with its authentication key", _what(each))
    data = [each for each in beside if each.kind is ObjectKind.DATA]
    if len(data) > 1:
        yield _named(DiscrepancyKind.TWICE, data[0], "one authentication key", str(len(data)))


def _is_symmetric(key: RegisteredKey, policy: Policy | None) -> bool:
    return len(key.public_key) == 20 if policy is None else policy.algorithm is KeyAlgorithm.AES_GCM


def _identity(key: RegisteredKey) -> bytes:
    """As CKA_ID has it."""
    return key.public_key if len(key.public_key) == 20 else key_identifier(key.public_key)


def _is_own(one: StoredObject, key: RegisteredKey, *, symmetric: bool) -> bool:
    if one.kind is ObjectKind.PUBLIC_KEY and one.point != key.public_key:
        return False
    return one.identifier == (key.public_key if symmetric else _identity(key))


def _named(kind: DiscrepancyKind, one: StoredObject, expected: str, found: str) -> Discrepancy:
    return Discrepancy(kind=kind, label=one.label, object_kind=one.kind, expected=expected, found=found)


def _what(one: StoredObject) -> str:
    name = one.point.hex() if one.point is not None else one.identifier.hex() or "without CKA_ID"
    return f"a {one.kind} ({name})"
