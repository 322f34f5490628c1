"""Are the plan's keys those that the register knows, and fit for what is to be done? SEC G2.22G, G2.44B, G5.13."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybroker.ceremony.plan import CeremonyKind, Plan, PlannedKey, Side
from keybroker.ceremony.scene import Scene, passed, refused
from keybroker.clause import clause
from keybroker.terms import Export, Finding, KeyPurpose, KeyState

SPLITTABLE = frozenset({KeyPurpose.RECOVERY_COMMAND, KeyPurpose.CONTINGENCY_COMMAND, KeyPurpose.CONTINGENCY_SYMMETRIC})
"""SEC G2.44B names the Recovery Private Key and the Contingency Private Key; the Symmetric Key goes with the latter."""

_WHOLE = frozenset({KeyState.ACTIVE, KeyState.SUSPENDED})
_SPLIT_KINDS = frozenset({CeremonyKind.SPLIT, CeremonyKind.COMBINE, CeremonyKind.RESHARE, CeremonyKind.VERIFY_SHARES})
_MAKES = frozenset({CeremonyKind.GENERATE})

FROM: Mapping[CeremonyKind, frozenset[KeyState]] = {
    CeremonyKind.GENERATE: frozenset(),
    CeremonyKind.RENEW: frozenset({KeyState.ACTIVE}),
    CeremonyKind.TRANSFER: _WHOLE | {KeyState.TRANSFERRING},
    CeremonyKind.SPLIT: _WHOLE,
    CeremonyKind.COMBINE: frozenset({KeyState.SPLIT, KeyState.COMBINED}),
    CeremonyKind.RESHARE: frozenset({KeyState.SPLIT}),
    CeremonyKind.VERIFY_SHARES: frozenset({KeyState.SPLIT}),
    CeremonyKind.DESTROY: frozenset(KeyState)
    - {KeyState.ORDERED, KeyState.ACTIVE, KeyState.TRANSFERRING, KeyState.COMBINED, KeyState.DESTROYED}
    - {KeyState.RENOUNCED},
}
"""The states in which a key may be when its ceremony begins."""


def judge_keys(plan: Plan, scene: Scene) -> Iterator[Finding]:
    """One finding a key for each thing that is demanded of it."""
    labels = [key.label for key in plan.keys] + [key.successor for key in plan.keys if key.successor is not None]
    if not plan.keys or len(set(labels)) != len(labels):
        yield refused(
            "plan-keys", "G5.13(b)", "one key or more, each once", ", ".join(labels) or "none", "KEYS_UNCLEAR"
        )
    if plan.kind in (CeremonyKind.GENERATE, CeremonyKind.RENEW) and len(plan.keys) > 1:
        yield refused("plan-keys", "G5.13(b)", "one key", str(len(plan.keys)), "KEYS_TOO_MANY")
    for key in plan.keys:
        yield _busy(key, plan, scene)
        yield _fit(key, plan, scene)
        yield _makes(key, plan, scene) if _is_made_here(plan, scene) else _known(key, plan, scene)
        if plan.kind is CeremonyKind.RENEW:
            yield _successor(key, scene)


def _is_made_here(plan: Plan, scene: Scene) -> bool:
    """Does the key enter this register by the ceremony?"""
    return plan.kind in _MAKES or (plan.kind is CeremonyKind.TRANSFER and scene.side is Side.DESTINATION)


def _busy(key: PlannedKey, plan: Plan, scene: Scene) -> Finding:
    other = scene.busy.get(key.label, plan.name)
    if other != plan.name:
        return refused("key-in-one-ceremony", "G5.13(a)", "no other ceremony on the key", other, "KEY_IN_A_CEREMONY")
    return passed("key-in-one-ceremony", "G5.13(a)", key.label)


@clause("G2.22G")
def _fit(key: PlannedKey, plan: Plan, scene: Scene) -> Finding:
    """May a key of this purpose be split, or leave its module?"""
    policy = scene.policies.get(key.purpose)
    if policy is None:
        return refused("key-fit", "G2.56", f"a policy for {key.purpose}", "none", "PURPOSE_WITHOUT_POLICY")
    if plan.kind in _SPLIT_KINDS and key.purpose not in SPLITTABLE:
        return refused("key-fit", "G2.44B", "a Recovery or Contingency key", key.purpose, "KEY_NOT_SPLITTABLE")
    if plan.kind in _SPLIT_KINDS | {CeremonyKind.TRANSFER} and policy.export is not Export.WRAPPED:
        expected = "a key of the DCC, which may leave its module wrapped"
        return refused("key-fit", "G2.22G", expected, key.purpose, "KEY_NEVER_LEAVES")
    return passed("key-fit", "G2.22G, G2.44B", key.purpose)


@clause("G5.13(b)", "G5.24(b)")
def _makes(key: PlannedKey, plan: Plan, scene: Scene) -> Finding:
    if key.label in scene.keys and not _goes_on(key, plan, scene) and not _comes_again(key, plan, scene):
        return refused("key-is-new", "G5.13(b)", "a label that was never used", key.label, "LABEL_USED")
    if (plan.kind is CeremonyKind.TRANSFER) is (key.public_key_sha256 is None):
        expected = "its public_key_sha256" if plan.kind is CeremonyKind.TRANSFER else "no public_key_sha256"
        return refused("key-is-new", "G5.13(b)", expected, key.public_key_sha256 or "none", "FINGERPRINT_UNCLEAR")
    # It was destroyed here, or is, or was given away: by another label it comes back as little.
    known = (held for held in scene.keys.values() if held.label != key.label)
    if other := next((held for held in known if key.public_key_sha256 == held.fingerprint), None):
        found = f"{other.label}, {other.state}"
        return refused("key-is-new", "G5.13(c)", "a key that was never here", found, "KEY_WAS_HERE")
    return passed("key-is-new", "G5.13(b)", key.label)


def _goes_on(key: PlannedKey, plan: Plan, scene: Scene) -> bool:
    """This very ceremony brought it in already, and goes on."""
    return scene.busy.get(key.label) == plan.name


def _comes_again(key: PlannedKey, plan: Plan, scene: Scene) -> bool:
    """This very key came here before and was renounced, so that it was never used here."""
    held = scene.keys[key.label]
    same = (held.purpose, held.party, held.fingerprint) == (key.purpose, key.party, key.public_key_sha256)
    return plan.kind is CeremonyKind.TRANSFER and held.state is KeyState.RENOUNCED and same


def _known(key: PlannedKey, plan: Plan, scene: Scene) -> Finding:
    held, clause = scene.keys.get(key.label), "G5.13(a), G5.24(a)"
    if held is None:
        return refused("key-known", clause, key.label, "no such key in the register", "KEY_UNKNOWN")
    if (held.purpose, held.party) != (key.purpose, key.party):
        return refused(
            "key-known", clause, f"{key.purpose} of {key.party}", f"{held.purpose} of {held.party}", "ANOTHER_KEY"
        )
    if key.public_key_sha256 is None or held.fingerprint != key.public_key_sha256:
        return refused(
            "key-known", clause, held.fingerprint or "no key yet", key.public_key_sha256 or "none", "ANOTHER_KEY"
        )
    if held.state not in FROM[plan.kind] and not _goes_on(key, plan, scene):
        expected = " or ".join(sorted(FROM[plan.kind]))
        return refused("key-known", clause, expected, held.state, "KEY_STATE_UNFIT")
    return passed("key-known", clause, f"{key.label}, {held.state}")


@clause("G5.13(b)", "G5.24(b)")
def _successor(key: PlannedKey, scene: Scene) -> Finding:
    busy = key.successor is not None and scene.busy.get(key.label) is not None
    if key.successor is None or (key.successor in scene.keys and not busy):
        return refused(
            "key-successor", "G5.13(b)", "a label that was never used", key.successor or "none", "LABEL_USED"
        )
    return passed("key-successor", "G5.13(b)", key.successor)
