"""Which approvals are on record, and what is wrong with the one that is needed? For gates, readiness and ceremonies.

Approvals do not take each other's place: each allows what it says for as long as it counts. What may no longer be done
is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from keybroker.content.contents import Content
from keybroker.content.model import GbcsCommand
from keybroker.gates.shortfall import Shortfall, void
from keybroker.statement.approval import About, Approval, ApprovedMessage
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

Given = tuple[Statement, Approval]
GIVE = "have it stated (docs/operations/approvals.md), and give it: keybroker evidence add approval FILE"


def fingerprint_of(public_key: bytes) -> str:
    """How approvals name a key: SHA-256, in hexadecimal, of the register's public key (65 octets, or a CKA_ID)."""
    return sha256(public_key).hexdigest()


def ever(standing: Standing, about: About, keys: Iterable[str] = ()) -> Iterator[Given]:
    """Whatever is held about all these keys, the newest first, whether it counts or not."""
    wanted = frozenset(keys)
    for given in standing.ever(Approval):
        if given[1].about == about and wanted.issubset(given[1].keys):
            yield given


def in_force(standing: Standing, about: About, keys: Iterable[str], at: datetime) -> Iterator[Given]:
    """Those that count at this moment."""
    return (given for given in ever(standing, about, keys) if standing.why_void(given[0], at) is None)


def was_given(standing: Standing, given: Given) -> bool:
    """Did it count when it was stated? For what was done under it and is done: its end came later."""
    return standing.why_void(given[0], given[1].issued) is None


def find_approval(
    standing: Standing, about: About, *, keys: Iterable[str], plan_sha256: str, at: datetime
) -> Given | Shortfall:
    """The one in force of this exact plan that names all these keys, or what is there instead."""
    keys = tuple(keys)
    held = tuple(ever(standing, about, keys))
    of_plan = [given for given in held if given[1].plan_sha256 == plan_sha256]
    counting = next((given for given in of_plan if standing.why_void(given[0], at) is None), None)
    if counting is not None:
        return counting
    if of_plan:
        return lapsed(standing, of_plan[0], at)
    if held:
        return another_plan(held[0][1], plan_sha256)
    return missing(about)


def missing(about: About, clause: str = "") -> Shortfall:
    return Shortfall(
        expected=f"an approval ({about}) that names the key",
        found="none",
        reason="APPROVAL_MISSING",
        remedy=GIVE,
        clause=clause,
    )


def lapsed(standing: Standing, given: Given, at: datetime, clause: str = "") -> Shortfall:
    """Of one that does not count at this moment. Raises: ValueError for one that does."""
    unfit = standing.why_void(given[0], at)
    if unfit is None:
        raise ValueError("an approval that counts lacks nothing")
    short = void(unfit, about=f"approval {given[1].reference}", lapsed="APPROVAL_LAPSED", remedy=GIVE)
    return replace(short, clause=clause)


def another_plan(said: Approval, plan_sha256: str, clause: str = "") -> Shortfall:
    return Shortfall(
        clause=clause,
        expected=f"an approval ({said.about}) of the plan {plan_sha256[:16]}",
        found=f"{said.reference}, of {told_plan(said)}",
        reason="APPROVAL_OF_ANOTHER_PLAN",
        remedy="have this very plan approved: an approval holds for one exact plan file",
    )


def told_plan(said: Approval) -> str:
    return "no plan" if said.plan_sha256 is None else f"plan {said.plan_sha256[:16]}"


def covers(said: Approval, content: Content) -> bool:
    """Is this one of the messages that are approved?"""
    return any(_is_one(message, content) for message in said.messages or ())


def _is_one(message: ApprovedMessage, content: Content) -> bool:
    if message.octets_sha256 is not None:
        return message.octets_sha256 == sha256(content.octets).hexdigest()
    if not isinstance(content, GbcsCommand):
        return False
    return message.code == str(content.message_code) and str(content.recipient) in (message.devices or ())


def told_message(content: Content) -> str:
    """As an approval would name it."""
    octets = f"octets of SHA-256 {sha256(content.octets).hexdigest()[:16]}"
    if isinstance(content, GbcsCommand):
        return f"{content.message_code} to {content.recipient}, or {octets}"
    return octets
