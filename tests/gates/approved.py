"""What the gates of approvals and quorums look at: good approvals and a good quorum, to be spoilt by one argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from keybroker.gates.approvals import fingerprint_of
from keybroker.gates.model import QuorumStand
from keybroker.statement.approval import Approval
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import Statement
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, Provenance
from tests import evidence, messages
from tests.gates.looks import DAY, stated
from tests.situations import AT, LABELS, a_message, a_point

RECOVERY = KeyPurpose.RECOVERY_COMMAND
KEY, ANOTHER_KEY = fingerprint_of(a_point()), fingerprint_of(a_point(2))
PLAN, ANOTHER_PLAN = sha256(b"plan").hexdigest(), sha256(b"another plan").hexdigest()
MESSAGE = a_message(RECOVERY)
TO_DEVICE: dict[str, Any] = {"code": "0x0108", "devices": [str(messages.DEVICE)]}
CLAUSE = "SMKI Recovery Procedure"
_MOVED = {"source": "dsp-1", "destination": "dsp-2", "mechanism": "pkcs11-wrap"}
SAID: Mapping[str, dict[str, Any]] = {
    "combine": {"committee": "smki-pma", "messages": [TO_DEVICE], "uses": 3},
    "transfer": {"committee": "smki-pma", "views": "SSC-2026-14", **_MOVED},
    "mechanism": {"committee": "smki-pma", "views": "SSC-2026-14", **_MOVED},
    "views": {"committee": "security-sub-committee", "reference": "SSC-2026-14", **_MOVED},
    "split-of-appendix-l": {"committee": "smki-pma"},
}


def said(about: str = "combine", *, ago: timedelta = DAY, last: timedelta | None = None, **changes: Any) -> Approval:
    """Of the key and plan of these tests; what is None is left out."""
    common = evidence.in_common(StatementKind.APPROVAL, at=AT - ago, last=last)
    good = {"about": about, "reference": f"PMA-{about}", "plan_sha256": PLAN, "keys": [KEY], "conditions": []}
    given = common | good | SAID[about] | changes
    return Approval.model_validate({name: value for name, value in given.items() if value is not None})


def an_approval(about: str = "combine", **changes: Any) -> Statement:
    return stated(said(about, **changes))


def a_transfer(**changes: dict[str, Any]) -> tuple[Statement, ...]:
    """Both approvals and the views; ``changes`` to each by what it is about."""
    return tuple(an_approval(about, **changes.get(about, {})) for about in ("transfer", "mechanism", "views"))


def a_quorum(**changes: Any) -> QuorumStand:
    good = QuorumStand(
        key=KeyLabel(LABELS[RECOVERY]),
        ceremony="combine-2026-1",
        set_sha256=sha256(b"set").hexdigest(),
        threshold=2,
        present=frozenset({"ada", "grace"}),
        plan_sha256=PLAN,
        until=AT + timedelta(hours=1),
    )
    return replace(good, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """What is held of approvals, and how the key and its quorum stand: for ``reason`` the gate is shut."""

    reason: str
    clause: str
    held: tuple[Statement, ...] = ()
    state: KeyState = KeyState.ACTIVE
    provenance: Provenance = Provenance.GENERATED
    quorum: QuorumStand | None = None


def _undecided(reason: str, *held: Statement, **changes: Any) -> Spoilt:
    return Spoilt(reason=reason, clause=CLAUSE, held=held, **changes)


def _moved(reason: str, clause: str, *held: Statement) -> Spoilt:
    return Spoilt(reason=reason, clause=clause, held=(an_approval(), *held), provenance=Provenance.UNWRAPPED)


def _parted(reason: str, quorum: QuorumStand | None, *held: Statement) -> Spoilt:
    held = held or (an_approval(),)
    return Spoilt(reason=reason, clause="G2.44B(a)", held=held, state=KeyState.COMBINED, quorum=quorum)


_OTHER, _ANOTHER_WAY = "APPROVAL_OF_OTHER_MESSAGES", {"mechanism": "nshield-world"}
_OF_TRANSFER, _OF_MECHANISM = ("TRANSFER_NOT_APPROVED", "G2.22I(a)(i)"), ("MECHANISM_NOT_APPROVED", "G2.22I(a)(ii)")
_OF_VIEWS = ("VIEWS_NOT_ON_RECORD", "G2.22I(a)")

UNAPPROVED: Mapping[str, Spoilt] = {
    "nothing approved": _undecided("APPROVAL_MISSING"),
    "another key": _undecided("APPROVAL_MISSING", an_approval(keys=[ANOTHER_KEY])),
    "its split alone": _undecided("APPROVAL_MISSING", an_approval("split-of-appendix-l")),
    "its transfer alone": _undecided("APPROVAL_MISSING", *a_transfer()),
    "an approval that ended": _undecided("APPROVAL_LAPSED", an_approval(last=DAY)),
    "another Message Code": _undecided(_OTHER, an_approval(messages=[TO_DEVICE | {"code": "0x0109"}])),
    "another Device": _undecided(_OTHER, an_approval(messages=[TO_DEVICE | {"devices": [str(messages.RECOVERY)]}])),
    "other octets": _undecided(_OTHER, an_approval(messages=[{"octets_sha256": sha256(MESSAGE[:-1]).hexdigest()}])),
    "two decisions, one on its code and one on its Device": _undecided(
        _OTHER,
        an_approval(messages=[TO_DEVICE | {"code": "0x0109"}]),
        an_approval(messages=[TO_DEVICE | {"devices": [str(messages.RECOVERY)]}]),
    ),
    "another plan than the quorum's": _undecided(
        "APPROVAL_OF_ANOTHER_PLAN",
        an_approval(plan_sha256=ANOTHER_PLAN),
        state=KeyState.COMBINED,
        quorum=a_quorum(),
    ),
    "no plan, where the quorum has one": _undecided(
        "APPROVAL_OF_ANOTHER_PLAN", an_approval(plan_sha256=None), state=KeyState.COMBINED, quorum=a_quorum()
    ),
    "moved, and nothing approved": _moved(*_OF_TRANSFER),
    "moved, approved for another key": _moved(
        *_OF_TRANSFER, *a_transfer(**{each: {"keys": [ANOTHER_KEY]} for each in ("transfer", "mechanism", "views")})
    ),
    "moved, and no mechanism approved": _moved(*_OF_MECHANISM, an_approval("transfer"), an_approval("views")),
    "moved, by another mechanism": _moved(*_OF_MECHANISM, *a_transfer(mechanism=_ANOTHER_WAY)),
    "moved, by a mechanism for another destination": _moved(
        *_OF_MECHANISM, *a_transfer(mechanism={"destination": "dsp-3"})
    ),
    "moved, by a mechanism of another plan": _moved(
        *_OF_MECHANISM, *a_transfer(mechanism={"plan_sha256": ANOTHER_PLAN})
    ),
    "moved, without views": _moved(*_OF_VIEWS, an_approval("transfer"), an_approval("mechanism")),
    "moved, after other views": _moved(*_OF_VIEWS, *a_transfer(views={"reference": "SSC-2025-1"})),
    "moved, after views on another transfer": _moved(*_OF_VIEWS, *a_transfer(views={"source": "dsp-3"})),
    "moved, the mechanism after other views": _moved(*_OF_VIEWS, *a_transfer(mechanism={"views": "SSC-2025-1"})),
}
"""How the gate ``pma-approval`` is shut."""

WITHOUT_QUORUM: Mapping[str, Spoilt] = {
    "nobody there": _parted("QUORUM_NOT_PRESENT", None),
    "the quorum of another key": _parted("QUORUM_OF_ANOTHER_KEY", a_quorum(key=KeyLabel("contingency"))),
    "one too few": _parted("QUORUM_TOO_SMALL", a_quorum(threshold=3)),
    "one person, of whom one is enough": _parted("QUORUM_TOO_SMALL", a_quorum(threshold=1, present=frozenset({"ada"}))),
    "two, of whom one is enough": _parted("QUORUM_TOO_SMALL", a_quorum(threshold=1)),
    "nobody, and none needed": _parted("QUORUM_TOO_SMALL", a_quorum(threshold=0, present=frozenset())),
    "one whose time is over": _parted("QUORUM_LAPSED", a_quorum(until=AT)),
    "one for a plan that nobody approved": _parted(
        "QUORUM_PLAN_NOT_APPROVED", a_quorum(), an_approval(plan_sha256=ANOTHER_PLAN)
    ),
    "one for a plan whose approval ended": _parted("QUORUM_PLAN_NOT_APPROVED", a_quorum(), an_approval(last=DAY)),
    "one for a plan that was approved for another key": _parted(
        "QUORUM_PLAN_NOT_APPROVED", a_quorum(), an_approval(keys=[ANOTHER_KEY])
    ),
}
"""How the gate ``split-key`` is shut."""
