"""May this caller have a key for a TLS session, and what is asked of the register then? SEC G2.44A(d).

What the ledger must show of the handshake is looked at in the turn of the act (``keys/session_acts.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.errors import LedgerBroken, NotPermitted, OutcomeUnknown, RequestRepeated
from keybroker.keys.acts import BeginSession
from keybroker.keys.sessions import HeldSession, session_label
from keybroker.ledger.model import Receipt
from keybroker.policy.model import Policy
from keybroker.policy.rules.caller import (
    CALLER_ENTITLED_TO_KEY,
    caller_entitled_to_key,
    caller_kind_for_purpose,
    caller_party_is_keys_party,
)
from keybroker.server.standing import Standing
from keybroker.terms import Caller, EntityIdentifier, KeyLabel, KeyPurpose, KeyState, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A request for a session's key; ``sha256`` is of the whole of it."""

    request_id: RequestId
    parent: KeyLabel
    device: EntityIdentifier
    handshake: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session's key that may be used, and the record that says that it was made."""

    key: KeyLabel
    until: datetime
    receipt: Receipt
    given_again: bool


def act_of(
    policy: Policy, caller: Caller, asked: Beginning, *, identifier: bytes, broker: str, at: datetime
) -> BeginSession:
    begins = at.replace(microsecond=0)
    settings = policy.settings.smets1
    if settings is None or settings.session_seconds is None or settings.handshake_within_seconds is None:
        raise _no_sessions()
    return BeginSession(
        label=session_label(asked.parent, asked.handshake),
        parent=asked.parent,
        party=caller.party,
        device=asked.device,
        public_key=identifier,
        handshake=asked.handshake,
        within=settings.handshake_within_seconds,
        begins=at,
        until=begins + timedelta(seconds=settings.session_seconds),
        broker=broker,
        request_id=asked.request_id,
        sha256=asked.sha256,
    )


def check_beginning(standing: Standing, caller: Caller, asked: Beginning) -> Policy:
    """What the line's own rules say of caller and key, before there is a key. Raises: NotPermitted."""
    parent = standing.line.register.refresh().keys.get(asked.parent)
    if parent is None or parent.label not in caller.keys:
        raise stranger()
    policy = standing.line.policies[parent.purpose]
    settings = policy.settings.smets1
    found = (
        caller_kind_for_purpose(caller, policy),
        caller_entitled_to_key(caller, parent),
        caller_party_is_keys_party(caller, parent),
    )
    refused = [finding for finding in found if not finding.passed]
    if refused:
        sentence = f"{refused[0].rule}: expected {refused[0].expected}, found {refused[0].found} ({refused[0].clause})"
        raise NotPermitted(sentence, findings=found)
    if parent.purpose is not KeyPurpose.S1SP_SMETS1 or settings is None or settings.session_seconds is None:
        raise _no_sessions()
    enrolled = settings.device_of(parent.label)
    if enrolled not in ("", str(asked.device)):
        raise NotPermitted(f"the key {parent.label} is for the Device {enrolled} alone, found {asked.device}")
    return policy


def _no_sessions() -> NotPermitted:
    return NotPermitted(
        f"keys for sessions are made for a {KeyPurpose.S1SP_SMETS1} key whose policy has session_seconds"
        " (SEC G2.44A(d))"
    )


def stranger() -> NotPermitted:
    """Unknown and not yours sound the same."""
    finding = CALLER_ENTITLED_TO_KEY.refused(expected="a key listed for this caller", found="one that is not")
    return NotPermitted("this caller may not use a key of that name", findings=(finding,))


def given_again(standing: Standing, before: HeldSession, caller: Caller, asked: Beginning) -> Begun:
    if (before.caller, before.sha256) != (caller.identity, asked.sha256):
        raise RequestRepeated("this request_id was used for another request or by another caller; choose another one")
    if before.state is KeyState.ORDERED:
        raise OutcomeUnknown("the same request is in progress; ask again for its outcome")
    if before.state is KeyState.RETIRED or standing.clock.now() >= before.facts.until:
        raise NotPermitted("the session that this request began has ended; another needs a handshake of its own")
    receipt = receipt_of(standing, before.made)
    return Begun(key=before.label, until=before.facts.until, receipt=receipt, given_again=True)


def receipt_of(standing: Standing, leaf_index: int | None) -> Receipt:
    """Raises: LedgerBroken where the record is not there."""
    found = None if leaf_index is None else standing.line.journal.find(leaf_index)
    if found is None:
        raise LedgerBroken("the record of a session key is not there; run: keybroker ledger verify")
    return Receipt(origin=standing.line.ledger_origin, leaf_index=found.leaf_index, leaf_hash=found.leaf_hash)
