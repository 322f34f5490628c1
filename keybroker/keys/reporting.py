"""What do people ask of a broker, and what do its ledger and its register answer? One pass, one moment, every question.

From the records: uses, refusals, users, ceremonies, people, anomalies and reviews. From the register with the policies:
what lapses, keys near an end, keys that SEC G2.57 wants replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.gates.lapses import Lapse, lapses
from keybroker.keys.register import Register
from keybroker.ledger.following import bodies
from keybroker.ledger.message_queue import Message, messages
from keybroker.ledger.reading import Reader
from keybroker.ledger.report import Reporting
from keybroker.ledger.report_model import AnomalyRow, Answers, Period
from keybroker.ledger.reviews import Reviewed, last_review
from keybroker.policy.endings import KeyEnding, key_endings
from keybroker.policy.g2_57 import KeyToReplace, keys_to_replace
from keybroker.policy.model import Policy
from keybroker.terms import KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An Anomalous Event, and what became of the message: empty where none is sent."""

    event: AnomalyRow
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything, as it stood ``at``."""

    origin: str
    deployment: str
    at: datetime
    period: Period
    answers: Answers
    anomalies: tuple[Told, ...]
    reviewed: Reviewed
    lapses: tuple[Lapse, ...]
    keys: tuple[KeyEnding, ...]
    replace: tuple[KeyToReplace, ...]


def read_report(
    ledger: Reader, register: Register, policies: Mapping[KeyPurpose, Policy], period: Period, at: datetime
) -> Report:
    """Read the ledger once. Raises: LedgerFault."""
    held = register.refresh()
    reporting = Reporting(period=period)
    for index, body in bodies(ledger, 0, ledger.head(at).tree_size):
        reporting.observe(index, body)
    answers, sent = reporting.answers(), messages(ledger)
    keys, lists = held.keys.values(), held.lists.values()
    return Report(
        origin=ledger.origin,
        deployment=ledger.deployment.value,
        at=at,
        period=period,
        answers=answers,
        anomalies=tuple(Told(event=each, message=_message(sent.get(each.event))) for each in answers.anomalies),
        reviewed=last_review(ledger),
        lapses=lapses(held.standing, policies, at, keys=keys, lists=lists),
        keys=key_endings(held, policies, dict(answers.key_uses), at),
        replace=keys_to_replace(held, policies, at),
    )


def _message(sent: Message | None) -> str:
    if sent is None:
        return ""
    if sent.delivered_at is not None:
        return f"taken {sent.delivered_at:%Y-%m-%d %H:%M:%S}"
    tried = f", tried {sent.tries} times: {sent.error}" if sent.tries else ""
    return f"NOT TAKEN{tried}"
