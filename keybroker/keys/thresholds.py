"""How do Anomaly Detection Thresholds come in? A signed notification, checked once for each part of the systems.

SEC G6.4(c), G6.6, G6.6A, G6.7(b), G6.8. That its cryptographic protection was checked with success is recorded and
spends it, whether it is then applied or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy import insert, select

from keybroker.clause import clause
from keybroker.content.data_values import VALUES
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.errors import StatementRefused
from keybroker.gates.thresholds import DCC, newest
from keybroker.gates.thresholds_content import critical_variants
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import (
    hold,
    record_act,
    refusals_recorded,
    spend,
    told_statement,
    verified,
)
from keybroker.keys.standing import read_standing
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.reading import Reader
from keybroker.ledger.turn import Turn
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import CommitteeOpinion, Threshold, ThresholdNotification
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement

TAKEN_IN, CHECKED = "TakeInThresholds", "CheckThresholdNotification"
"""The act by which a successful cryptographic check is recorded."""
REPLAYED, OLDER = "NOTIFICATION_REPLAYED", "NOTIFICATION_OLDER_THAN_IN_FORCE"
UNKNOWN, NOT_CONSULTED = "THRESHOLD_ON_NOTHING_KNOWN", "COMMITTEE_NOT_CONSULTED"
OF_ANOTHER_PARTY = "NOTIFICATION_BY_ANOTHER_PARTY"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNotification:
    """A notification as it stands now. ``in_force``: the newest of its User and part, and it counts; ``told``: the
    Security Sub-Committee was notified of it (SEC G6.8).
    """

    statement: Statement
    notification: ThresholdNotification
    in_force: bool
    why_not: str
    told: bool

    @property
    def whose(self) -> str:
        return self.notification.user or DCC


@clause("G6.4", "G6.6A")
def take_in_notification(journal: Journal, actor: Actor, octets: bytes, at: datetime) -> Receipt:
    """Check a notification and apply it from now on. The receipt is of the record that holds it.

    Raises: StatementRefused: it cannot be relied on or was checked before (recorded, nothing spent); or it is not
    applied (recorded, and spent). LedgerFault.
    """

    def do() -> Receipt:
        receipt, refusal = journal.ledger.transact(lambda turn: _take_in(journal, turn, actor, octets, at))
        if refusal is not None:
            raise refusal
        return receipt

    return refusals_recorded(journal, actor, {"act": TAKEN_IN}, at, do)


def notifications(ledger: Reader, at: datetime) -> list[HeldNotification]:
    """``held_notifications``, as they are committed. Raises: LedgerFault."""
    with ledger.read() as connection:
        return held_notifications(read_standing(connection), at)


@clause("G6.7", "G6.8", "G6.9")
def held_notifications(standing: Standing, at: datetime) -> list[HeldNotification]:
    """Every notification that is held, the newest first."""
    told = {
        each.subject for _, each in standing.ever(CommitteeOpinion) if _is_the_committees(each, "threshold-notified")
    }
    held = []
    for statement, notification in standing.ever(ThresholdNotification):
        last = newest(standing, notification.part, at)[notification.user or DCC]
        is_last = last.statement == statement
        held.append(
            HeldNotification(
                statement=statement,
                notification=notification,
                in_force=is_last and not last.why_not,
                why_not=last.why_not if is_last else f"followed by sequence {last.notification.sequence}",
                told=statement.sha256.hex() in told,
            )
        )
    return held


def party_of_user(standing: Standing, whose: str) -> str | None:
    """Whose attester gave the thresholds that are held for this User ID, or for the DCC; None where none are."""
    for statement, notification in standing.ever(ThresholdNotification):
        attester = standing.attesters.get(statement.kid)
        if (notification.user or DCC) == whose and attester is not None:
            return attester.party
    return None


def _take_in(
    journal: Journal, turn: Turn, actor: Actor, octets: bytes, at: datetime
) -> tuple[Receipt, StatementRefused | None]:
    statement = verified(turn, octets, StatementKind.THRESHOLD_NOTIFICATION, at)
    notification = statement.payload
    if not isinstance(notification, ThresholdNotification):
        raise TypeError("a threshold-notification holds one")
    _check_first(turn, statement, notification)
    refusal = _why_not_applied(turn, statement, notification, at)
    said: dict[str, Json] = {
        "part": notification.part,
        "sequence": str(notification.sequence),
        "user": notification.user,
    }
    told = {**said, "applied": refusal is None, "attester": statement.attester, "sha256": statement.sha256.hex()}
    if refusal is not None:
        # Of one that is applied the next record holds all of it.
        told |= {"checked": told_statement(statement), "why_not": refusal.flaw}
    receipt = record_act(turn, journal, actor, at, {"act": CHECKED, **told})
    _spend_check(turn, statement, notification, receipt)
    if refusal is None:
        receipt = hold(turn, journal, statement, actor, at, {"act": "ApplyThresholds", **said})
    spend(turn, statement, receipt)
    return receipt, refusal


# SEC G6.6A(b): "confirmation that the communication providing the notification of the amended Anomaly Detection
# Threshold has not previously been the subject of a successful Check Cryptographic Protection in respect of that part
# of the DCC Live Systems."
@clause("G6.6A")
def _check_first(turn: Turn, statement: Statement, notification: ThresholdNotification) -> None:
    table = tables.threshold_check
    own = (table.c.part == notification.part) & (table.c.sha256 == statement.sha256)
    before = turn.connection.execute(select(table.c.leaf_index).where(own)).scalar()
    if before is not None:
        raise _refusal("a notification that was never checked", f"one checked in record {before}", REPLAYED)


def _spend_check(turn: Turn, statement: Statement, notification: ThresholdNotification, receipt: Receipt) -> None:
    row = {
        "part": notification.part,
        "sha256": statement.sha256,
        "attester": statement.attester,
        "sequence": notification.sequence,
        "leaf_index": receipt.leaf_index,
    }
    turn.connection.execute(insert(tables.threshold_check).values(row))


def _why_not_applied(
    turn: Turn, statement: Statement, notification: ThresholdNotification, at: datetime
) -> StatementRefused | None:
    standing = read_standing(turn.connection)
    whose = notification.user or DCC
    last = newest(standing, notification.part, at).get(whose)
    if last is not None and last.notification.sequence >= notification.sequence:
        expected = f"a sequence greater than {last.notification.sequence}"
        return _refusal(expected, str(notification.sequence), OLDER)
    party, attester = party_of_user(standing, whose), standing.attesters[statement.kid]
    if party not in (None, attester.party):
        return _refusal(
            f"an attester of {party}, who gave the thresholds of {whose} before", attester.party, OF_ANOTHER_PARTY
        )
    if unknown := [told for each in notification.thresholds if (told := _unknown(each))]:
        return _refusal("thresholds on what this broker can count or read", ", ".join(unknown[:8]), UNKNOWN)
    return _why_not_consulted(standing, notification, at)


# SEC G6.7(b): the DCC shall "before doing so consult, and take into account the opinion of, the Security Sub-Committee
# as to the appropriate level of the Anomaly Detection Threshold."
@clause("G6.7", "G6.8", "G6.9")
def _why_not_consulted(
    standing: Standing, notification: ThresholdNotification, at: datetime
) -> StatementRefused | None:
    given = (each for _, each in standing.of(CommitteeOpinion, at) if _is_the_committees(each, "threshold-consulted"))
    opinions = {(each.reference, each.subject) for each in given}
    if notification.user is not None or (notification.guidance, notification.part) in opinions:
        return None
    expected = (
        f"an opinion of the Security Sub-Committee on record under {notification.guidance}, of the part"
        f" {notification.part} (G6.7(b))"
    )
    return _refusal(expected, "none", NOT_CONSULTED, clause="G6.7(b)")


def _is_the_committees(opinion: CommitteeOpinion, about: str) -> bool:
    """Of this, and the Security Sub-Committee's: G6.7(b) and G6.8 ask no other."""
    return (opinion.committee, opinion.about) == ("security-sub-committee", about)


# SEC G6.3(a)(i): "Critical Commands and [...] SMETS1 Service Requests that are Critical Service Requests"; G6.6(c):
# "each type of Critical Command that is not related to a Service Reference Variant". Of anything else nothing would be
# counted: whoever set such a threshold would believe in it.
def _unknown(threshold: Threshold) -> str:
    """What this threshold is on, where nothing of the kind can be counted or read; else nothing."""
    code = None if threshold.code is None else int(threshold.code, 16)
    match threshold.measure:
        case "value":
            known = code is not None and threshold.value in VALUES.get(code, frozenset())
            return "" if known else f"value {threshold.value} of {threshold.code}"
        case "critical":
            known = threshold.variant in critical_variants() if code is None else _counts_by_itself(code)
        case "encrypted":
            known = threshold.variant in SERVICE_REFERENCE_VARIANTS
        case measure:
            assert_never(measure)
    return "" if known else f"{threshold.measure} {threshold.variant or threshold.code}"


def _counts_by_itself(code: int) -> bool:
    """A Command of a Service Reference Variant counts under that, and never under its Message Code."""
    found = MESSAGE_CODES.get(code)
    return found is not None and found.is_command and not found.service_reference_variants


def _refusal(expected: str, found: str, flaw: str, *, clause: str = "G6.6A") -> StatementRefused:
    return StatementRefused(f"{flaw}: expected {expected}, found {found} ({clause})", flaw=flaw, clause=clause)
