"""Which act leads a key from which state to which, and whose word does it need? One table for register and auditor.

SEC G5.13 and G5.24: "(b) the manner in which that Secret Key Material will be registered, ordered, generated, labelled,
distributed, installed, superseded and renewed; and (c) the verifiable destruction of that Secret Key Material." By the
names that acts have in records. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.terms import KeyState

_ORDERED, _GENERATED, _ENROLLING = KeyState.ORDERED, KeyState.GENERATED, KeyState.ENROLLING
_ACTIVE, _SUSPENDED, _RETIRED = KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.RETIRED
_SUPERSEDED, _SPLIT, _COMBINED = KeyState.SUPERSEDED, KeyState.SPLIT, KeyState.COMBINED
_TRANSFERRING, _INSTALLED, _TRANSFERRED = KeyState.TRANSFERRING, KeyState.INSTALLED, KeyState.TRANSFERRED
_DESTROYED, _COMPROMISED, _RENOUNCED = KeyState.DESTROYED, KeyState.COMPROMISED, KeyState.RENOUNCED


def _stays(*states: KeyState) -> Mapping[KeyState | None, KeyState]:
    """A fact that is recorded of a key, and changes nothing about what may be done with it."""
    return {state: state for state in states}


def _to(after: KeyState, *before: KeyState) -> Mapping[KeyState | None, KeyState]:
    return dict.fromkeys(before, after)


_HELD = tuple(state for state in KeyState if state not in (_ORDERED, _DESTROYED, _RENOUNCED))
"""The states of a key that was made and is not gone."""
_AFTER_ORDER = (*_HELD, _DESTROYED, _RENOUNCED)

LIFE: Mapping[str, Mapping[KeyState | None, KeyState]] = {
    # Registered and ordered by one act; None: the register does not know it.
    "OrderKey": {None: _ORDERED},
    "BeginSession": {None: _ORDERED},
    "KeyGenerated": {_ORDERED: _GENERATED},
    "LabelKey": _stays(*_HELD),
    "DistributeKey": _stays(*_HELD),
    "InstallKey": _stays(*_HELD),
    "BeginEnrolment": {_GENERATED: _ENROLLING},
    "EnrolCertificate": {
        _GENERATED: _ENROLLING,
        **_stays(_ENROLLING, _ACTIVE, _SUSPENDED, _SPLIT, _INSTALLED),
    },
    "ActivateKey": {_ENROLLING: _ACTIVE, _GENERATED: _ACTIVE},
    "SuspendKey": {_ACTIVE: _SUSPENDED},
    "ResumeKey": {_SUSPENDED: _ACTIVE},
    "SupersedeKey": _to(_SUPERSEDED, _ACTIVE, _SUSPENDED),
    # The successor becomes active by the same act, as by ActivateKey.
    "RenewKey": _to(_SUPERSEDED, _ACTIVE, _SUSPENDED),
    "RetireKey": _to(_RETIRED, _ORDERED, _GENERATED, _ENROLLING, _ACTIVE, _SUSPENDED, _SUPERSEDED, _INSTALLED),
    # That its certificate was revoked is a fact about the certificate, and follows above all when it is compromised.
    "RevokeCertificate": _stays(
        *(_ENROLLING, _ACTIVE, _SUSPENDED, _SUPERSEDED, _SPLIT, _COMBINED, _TRANSFERRING, _INSTALLED, _COMPROMISED)
    ),
    "SplitKey": _to(_SPLIT, _GENERATED, _ENROLLING, _ACTIVE, _SUSPENDED),
    "CombineKey": {_SPLIT: _COMBINED},
    "RejoinKey": {_COMBINED: _SPLIT},
    # Irrevocable: no act leads back, so that no two systems can use it.
    "BeginTransfer": _to(_TRANSFERRING, _ACTIVE, _SUSPENDED),
    "KeyTransferred": {_TRANSFERRING: _TRANSFERRED},
    # One that was renounced may come again: it was never used here.
    "KeyImported": _to(_INSTALLED, _ORDERED, _RENOUNCED),
    "RenounceKey": {_INSTALLED: _RENOUNCED},
    "ActivateTransferred": {_INSTALLED: _ACTIVE},
    "CompromiseKey": _to(_COMPROMISED, *(state for state in _HELD if state is not _COMPROMISED)),
    # Not while the destination has yet to prove that it holds it, nor while a quorum has it in a session.
    "DestroyKey": _to(
        _DESTROYED,
        *(_GENERATED, _ENROLLING, _SUSPENDED, _INSTALLED, _RETIRED, _SUPERSEDED, _SPLIT, _TRANSFERRED, _COMPROMISED),
    ),
    # One that is found after the destruction is as much a fact as any other.
    "AddCopy": _stays(*_AFTER_ORDER),
    "ConfirmCopyDestroyed": _stays(*_AFTER_ORDER),
    "SessionKeyMade": {_ORDERED: _ACTIVE},
    "SessionKeyDestroyed": {_RETIRED: _RETIRED},
}
"""Per act: from which state to which. What is not here is refused."""

RENEW = "RenewKey"
SUCCESSOR: Mapping[KeyState | None, KeyState] = LIFE["ActivateKey"]
"""What ``RenewKey`` does to the successor."""

IN_A_CEREMONY = frozenset(
    {
        "SplitKey",
        "CombineKey",
        "RejoinKey",
        "BeginTransfer",
        "KeyImported",
        "RenounceKey",
        "ActivateTransferred",
        "KeyTransferred",
        "DestroyKey",
    }
)
"""Acts that only a ceremony does: no order, and no two of them, stands in its place."""

TWO_PEOPLE = frozenset({"CompromiseKey", "ConfirmCopyDestroyed"})
"""Acts that two people order, each with an order of his own, or that a ceremony does. A policy may name more."""

WITHOUT_ORDER = frozenset(
    {
        "KeyGenerated",
        "LabelKey",
        "InstallKey",
        "BeginEnrolment",
        "BeginSession",
        "SessionKeyMade",
        "SessionKeyDestroyed",
    }
)
"""What follows from an act that was ordered. So do the label and the place of a key: they are told as it is made."""

ORDERED_BY_TWO_AT_WILL = frozenset(LIFE) - IN_A_CEREMONY - TWO_PEOPLE - WITHOUT_ORDER
"""Of which a policy may say that two people order them."""

BEGINS_USE = frozenset({_ACTIVE, _SPLIT})
"""From the first of these on its cryptoperiod runs."""
