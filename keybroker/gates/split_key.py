"""Is the quorum in the room that put this split key together, and for the plan that was approved? SEC G2.44B.

A broker has no quorum: the key in parts is used in the process of the ceremony that combined it, and nowhere else. A
key that its module holds whole was never unusable, so that G2.44 stands and ``validated-module`` judges the module.
"""

from __future__ import annotations

from collections.abc import Iterator

from keybroker.clause import clause
from keybroker.gates.approvals import ever, find_approval, fingerprint_of, was_given
from keybroker.gates.look import Look
from keybroker.gates.model import Looked, QuorumStand
from keybroker.gates.shortfall import Shortfall
from keybroker.policy.model import RegisteredKey
from keybroker.statement.standing import Standing
from keybroker.terms import KeyState

LEAST = 2
"""Fewer people are no quorum, whatever a plan says."""

_REQUIRED = "a key that is held whole, or the quorum in the room that holds it combined, for an approved plan"
IN_PARTS = frozenset({KeyState.SPLIT, KeyState.COMBINED})
_HOLD = "hold the ceremony that combines the key and uses it: keybroker ceremony run PLAN"


def split_key(look: Look) -> Looked:
    """Open where the key is in no parts, or where its quorum stands."""
    key = look.use.key
    if key.state not in IN_PARTS:
        return Looked(finding=look.passed(expected=_REQUIRED, found="held whole in its module: G2.44 stands"))
    quorum = look.evidence.quorum
    if quorum is None:
        return Looked(finding=no_quorum(key).shuts(look))
    short = next(_shortfalls(look, quorum), None)
    if short is not None:
        return Looked(finding=short.shuts(look))
    present = ", ".join(sorted(quorum.present))
    found = f"{quorum.threshold} it takes, present {present}; ceremony {quorum.ceremony}, set {quorum.set_sha256[:16]}"
    return Looked(finding=look.passed(expected=_REQUIRED, found=f"{found}; {obligation_of(key, look.standing)}"))


def no_quorum(key: RegisteredKey) -> Shortfall:
    return Shortfall(
        expected=f"a quorum in the room that holds {key.label} combined",
        found="none: this process holds no combined key",
        reason="QUORUM_NOT_PRESENT",
        remedy=_HOLD,
    )


# SEC G2.44B: "there is a period of time during which that Recovery Private Key is unusable for the purposes set out in
# G2.44 because of it being split into multiple parts as described in Appendix L (SMKI Recovery Procedure)". Whether a
# split is that one, the SMKI PMA says; nobody infers it. While the key is combined it is used, and used in a module.
@clause("G2.44B(a)", "G2.44B(b)")
def obligation_of(key: RegisteredKey, standing: Standing) -> str:
    """Under which clause the key is kept in parts, and whose word that rests on."""
    held = ever(standing, "split-of-appendix-l", (fingerprint_of(key.public_key),))
    given = next((each for each in held if was_given(standing, each)), None)
    if given is None:
        return "wrapped, quorum-held; nobody stated that the split is that of Appendix L, so G2.44 stands"
    return f"split as Appendix L describes (G2.44B): {given[1].reference}"


def _shortfalls(look: Look, quorum: QuorumStand) -> Iterator[Shortfall]:
    key, least = look.use.key, max(quorum.threshold, LEAST)
    if quorum.key != key.label:
        yield _short(f"the quorum of {key.label}", f"that of {quorum.key}", "QUORUM_OF_ANOTHER_KEY")
    if len(quorum.present) < least or quorum.threshold < LEAST:
        found = f"{len(quorum.present)} present, where {quorum.threshold} would do"
        yield _short(f"{least} different custodians", found, "QUORUM_TOO_SMALL")
    if look.at >= quorum.until:
        yield _short(f"a quorum that stands at {look.at.isoformat()}", quorum.until.isoformat(), "QUORUM_LAPSED")
    approved = find_approval(
        look.standing,
        "combine",
        keys=(fingerprint_of(key.public_key),),
        plan_sha256=quorum.plan_sha256,
        at=look.at,
    )
    if isinstance(approved, Shortfall):
        told = f"{approved.found} ({approved.reason})"
        yield _short(f"plan {quorum.plan_sha256[:16]} approved by the SMKI PMA", told, "QUORUM_PLAN_NOT_APPROVED")


def _short(expected: str, found: str, reason: str) -> Shortfall:
    return Shortfall(expected=expected, found=found, reason=reason, remedy=_HOLD)
