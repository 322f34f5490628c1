"""What a kept ledger holds of people, evidence, thresholds and a restore: the same octets whoever makes it.

Nobody draws anything here: nonces are numbers, and signatures those of RFC 6979.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from keybroker.gates import open_gates
from keybroker.keys.acts import Act
from keybroker.keys.administration import administer, told_act
from keybroker.keys.attesters import Enrolment, enrol_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.orders import Ordered
from keybroker.keys.quarantine import act_on
from keybroker.keys.restore import restore_ledger
from keybroker.keys.thresholds import take_in_notification
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Head
from keybroker.ledger.record import order_target
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.payloads import (
    CommitteeOpinion,
    Location,
    ModuleClassification,
    Order,
    Person,
    QuarantineAction,
    ThresholdNotification,
)
from keybroker.statement.statement import read_statement
from tests import evidence
from tests.evidence import ADMINISTRATORS, KINDS, OFFICER, attests
from tests.gates import checks, looks
from tests.keys.restoring import ACTOR, PEOPLE, UNTIL, behind
from tests.ledger import books
from tests.ledger.thresholds import USER, Asked, asking, counted, held, let_through
from tests.situations import AT, ORIGIN, a_decision, evidence_of, packaged_policies

USERS_OFFICER = "users-officer"
FIRST, SECOND = ADMINISTRATORS
SCREENED = int(evidence.BEFORE.timestamp())


class Kept:
    """Writes to ``journal``; each statement has the next number for its nonce."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._numbers = count(1)

    def common(
        self, kind: StatementKind, *, at: datetime = evidence.BEFORE, last: timedelta | None = None
    ) -> dict[str, Any]:
        issued = int(at.timestamp())
        until = issued + int((last or LONGEST[kind]).total_seconds())
        return {"aud": ORIGIN, "iat": issued, "exp": until, "nonce": f"kept-{next(self._numbers):032d}"}

    def enrol(self, *later: StatementKind) -> None:
        """An officer, two administrators, who and what speaks for the User; and what is stated of the two.

        ``later``: what the officer states of the kinds that came after the last ledger was kept.
        """
        of_user = frozenset(
            {StatementKind.ORDER, StatementKind.THRESHOLD_NOTIFICATION, StatementKind.QUARANTINE_ACTION}
        )
        for name, party, kinds in (
            (OFFICER, "operator", KINDS[OFFICER] - {StatementKind.QUARANTINE_REPORT} | {*later}),
            *((name, "operator", KINDS[name]) for name in ADMINISTRATORS),
            (USERS_OFFICER, "supplier-a", of_user),
            (checks.CHECK, "supplier-a", frozenset({StatementKind.SUPPLY_SENSITIVE_CHECK})),
        ):
            certificate = attests(name).certificate
            asked = Enrolment(name=name, party=party, certificate=certificate, kinds=kinds, until=UNTIL)
            enrol_attester(self.journal, ACTOR, asked, PEOPLE, evidence.BEFORE)
        for name in ADMINISTRATORS:
            self._vouch(name)
        self._vouch(USERS_OFFICER, party="supplier-a", roles=("thresholds",))

    def _vouch(self, name: str, *, party: str = "operator", roles: Sequence[str] = ("administrator",)) -> None:
        where = {"of": "person", "subject": name, "party": party, "country": "GB", "site": "office", "people": []}
        who = {
            "person": name,
            "party": party,
            "roles": [*roles],
            "clearance": {"level": "SC", "reviewed": SCREENED},
            "screening": {"standard": "BS 7858:2019", "passed": SCREENED},
            "security_check": SCREENED,
            "engagements": [],
        }
        self._add(Location.model_validate(self.common(StatementKind.LOCATION) | where), StatementKind.LOCATION)
        self._add(Person.model_validate(self.common(StatementKind.PERSON) | who), StatementKind.PERSON)

    def state(self) -> None:
        """A module, which is withdrawn again by order; an opinion, and thresholds."""
        kind = StatementKind.MODULE_CLASSIFICATION
        module = ModuleClassification.model_validate(self.common(kind) | looks.CLASSIFICATION)
        self._add(module, kind)
        octets = attests(OFFICER).state(module)
        held_one = read_statement(octets, evidence.attesters(), kind=kind, origin=ORIGIN, at=AT)
        gone = StatementWithdrawal(sha256=held_one.sha256, because="another firmware")
        withdraw_statement(self.journal, ACTOR, gone, PEOPLE, AT, self.order(gone.told(), FIRST))
        kind = StatementKind.COMMITTEE_OPINION
        said = {
            "committee": "security-sub-committee",
            "about": "threshold-consulted",
            "subject": "test",
            "reference": "G-1",
        }
        self._add(CommitteeOpinion.model_validate(self.common(kind) | said), kind)
        on = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 2}
        told = {"user": USER, "part": "test", "sequence": 1, "guidance": "G-1", "thresholds": [on]}
        common = self.common(StatementKind.THRESHOLD_NOTIFICATION)
        notified = attests(USERS_OFFICER).state(ThresholdNotification.model_validate(common | told))
        take_in_notification(self.journal, ACTOR, notified, AT)

    def act(self, act: Act) -> None:
        """On a key, by order."""
        ordered = Ordered(order=self.order(told_act(act), FIRST), people=PEOPLE)
        administer(self.journal, ACTOR, act, AT, ordered)

    def check(self) -> None:
        """A Pre-Command with its Supply Sensitive Check, which counts, and is signed."""
        books.sign(self.journal, _checked("checked", nonce=f"kept-{next(self._numbers):032d}"))

    def quarantine(self) -> None:
        """One use is let through, the next exceeds the threshold; its User has it released, and then it is."""
        on = counted(most=1)
        assert let_through(self.journal, asking("counts", on, counter=21), asking("exceeds", on, counter=22)) == 1
        (which,) = held(self.journal)
        said = {"user": USER, "record": which.record, "octets_sha256": which.octets_sha256, "action": "release"}
        common = self.common(StatementKind.QUARANTINE_ACTION, at=AT, last=timedelta(hours=1))
        act_on(
            self.journal,
            ACTOR,
            attests(USERS_OFFICER).state(QuarantineAction.model_validate(common | said)),
            PEOPLE,
            AT,
        )
        assert let_through(self.journal, asking("released", on, counter=22)) == 1

    def restore(self) -> None:
        """As if two more records were remembered than are here."""
        remembered = Head(origin=ORIGIN, tree_size=self.journal.head(AT).tree_size + 2, root_hash=b"\x05" * 32, at=AT)
        told = behind(self.journal, remembered).told()
        orders = [self.order(told, by) for by in (FIRST, SECOND)]
        restore_ledger(self.journal, ACTOR, remembered, orders, PEOPLE, packaged_policies(), AT)

    def order(self, told: dict[str, Json], by: str) -> bytes:
        common = self.common(StatementKind.ORDER, at=AT, last=timedelta(hours=1))
        said = {"act": told["act"], "target": order_target(told), "at": int(AT.timestamp())}
        return attests(by).state(Order.model_validate(common | said))

    def _add(self, said: Any, kind: StatementKind) -> None:
        add_statement(self.journal, ACTOR, attests(OFFICER).state(said), kind, PEOPLE, AT)


def _checked(name: str, *, nonce: str) -> Asked:
    content = checks.a_pre_command()
    decision = a_decision(content=content)
    chain = checks.through((checks.CHECK, checks.CALLER, evidence.NODE.name))
    offered = checks.a_check(content, nonce=nonce, chain=chain)
    return books.a_request(name, open_gates(decision, evidence_of(decision.key), (offered,)))
