"""What do keys depend on that lapses, and when? Certificates, cryptoperiods, revocation lists, evidence,
attesters, reviews of people, standards and policies, to be warned of in time.

Only what counts now or counted last is named: of statements about one subject the newest, of one attester the latest
certificate, of a key that may be used its own. What has lapsed already stays named until something newer takes its
place, or it is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.clause import clause
from keybroker.gates.module_clock import ends
from keybroker.gates.people.vetting import LONGEST_WITHOUT_REVIEW
from keybroker.gates.people.word import is_doubted
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.policy.revocation import Currency, currency
from keybroker.policy.rules.key import (
    KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST,
    KEY_CERTIFICATE_VALID_NOW,
    KEY_CRYPTOPERIOD,
    cryptoperiod_end,
)
from keybroker.policy.trust import RevocationList
from keybroker.statement.approval import Approval
from keybroker.statement.attester import Attester
from keybroker.statement.kind import STANDING, StatementKind
from keybroker.statement.payloads import (
    ApplicationAssociation,
    CommitteeOpinion,
    DeviceCategory,
    Location,
    ModuleClassification,
    ModuleValidation,
    Person,
    RecoveryRevocation,
    ThresholdNotification,
    VariantNotSensitive,
)
from keybroker.statement.said import moment
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import KeyPurpose

WARNED_DAYS = (30, 7)
"""So many days before, operators are warned."""


def days_left(until: datetime, at: datetime) -> int:
    """Whole days, rounded down; negative where it has lapsed."""
    return (until - at) // timedelta(days=1)


def warning_due(days: int) -> int | None:
    """Which warning is due so many days before: 7 or 30 days, the nearest; None while there is more time."""
    return min((each for each in WARNED_DAYS if days <= each), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """``what`` is a kind of statement, or environment-certificate, clearance-review, standard, historical, attester,
    policy, certificate, cryptoperiod or revocation-list. ``days`` as ``days_left`` counts them.

    ``early`` is a revocation list that has time. Lists are made anew every few days or hours, so that few days left are
    no news: one is warned of when another should have followed it, with less than a quarter of its time and less than
    30 days left, or ended. That is ``policy.revocation.currency``, as ``keybroker trust list`` shows it.
    """

    what: str
    subject: str
    clause: str
    until: datetime
    days: int
    early: bool = False

    @property
    def warned_days(self) -> int | None:
        """Which warning is due; None while there is time."""
        return None if self.early else warning_due(self.days)


@dataclass(frozen=True, slots=True)
class _End:
    what: str
    subject: str
    clause: str
    until: datetime
    early: bool = False


@clause("G6.10")
def lapses(
    standing: Standing,
    policies: Mapping[KeyPurpose, Policy],
    at: datetime,
    *,
    keys: Iterable[RegisteredKey] = (),
    lists: Iterable[RevocationList] = (),
) -> tuple[Lapse, ...]:
    """Everything that has an end, the soonest first. ``keys`` and ``lists`` are those of the register."""
    held = tuple(keys)
    found = {
        *_of_statements(standing, at),
        *_of_people(standing),
        *_of_validations(standing, policies),
        *_of_attesters(standing.attesters),
        *_of_policies(policies),
        *_of_keys(held),
        *_of_cryptoperiods(held, policies),
        *_of_lists(lists, at),
    }
    return tuple(
        Lapse(
            what=each.what,
            subject=each.subject,
            clause=each.clause,
            until=each.until,
            days=days_left(each.until, at),
            early=each.early,
        )
        for each in sorted(found, key=lambda each: (each.until, each.what, each.subject))
    )


def _of_statements(standing: Standing, at: datetime) -> Iterator[_End]:
    newest: dict[tuple[str, str], Statement] = {}
    for statement in standing.statements:
        if statement.kind not in STANDING or _is_done(statement, at):
            continue
        key = (statement.kind.value, about(statement)[0])
        held = newest.get(key)
        if held is None or statement.payload.iat >= held.payload.iat:
            newest[key] = statement
    for statement in newest.values():
        subject, clause = about(statement)
        yield _End(statement.kind.value, subject, clause, statement.payload.expires)
        said = statement.payload
        if isinstance(said, Location) and said.environment is not None:
            yield _End("environment-certificate", subject, "G3.24, G5.17", moment(said.environment.expires))


def _is_done(statement: Statement, at: datetime) -> bool:
    """An approval is for one occasion: once its time is over nothing takes its place."""
    return statement.kind is StatementKind.APPROVAL and statement.payload.expires <= at


def about(statement: Statement) -> tuple[str, str]:
    """What a newer statement of the kind must be about to take the place of this one, and the clause it serves."""
    said, mark = statement.payload, statement.sha256.hex()[:16]
    match said:
        case ModuleValidation():
            return said.module.serial, "G2.44"
        case ModuleClassification():
            return said.module.serial, "G2.45, G3.22"
        case Location():
            return f"{said.of} {said.subject} of {said.party}", "G3.23"
        case VariantNotSensitive():
            return f"{said.variant} by {statement.attester}", "G3.25"
        case ThresholdNotification():
            return f"{said.user or 'dcc'}, {said.part}", "G6.3" if said.user else "G6.6"
        case CommitteeOpinion():
            return f"{said.about} {said.subject}", "G2.22B(c), G6.7(b), G6.8"
        case Person():
            return said.person, "G2.23, G3.12, G4"
        case DeviceCategory():
            # Several of one edition make up its list.
            return f"Category {said.category}, {said.source}, {mark}", "G2.44A(b), G2.44A(c)"
        case ApplicationAssociation():
            return said.key, "G2.44A(c)"
        case RecoveryRevocation():
            return f"OU {said.role}, {said.eui}, {said.certificate_sha256[:16]}", "G2.59"
        case Approval():
            return f"{said.about}, {said.reference}, {mark}", "G2.22I, G2.44B"
        case _:
            return mark, ""


# SEC G4.1(b), G4.4(b): "annually review the security clearance held by each such individual".
def _of_people(standing: Standing) -> Iterator[_End]:
    """As it is judged when the person acts: by what another said of him last."""
    newest: dict[str, Person] = {}
    for statement, said in standing.ever(Person):
        if statement.attester == said.person or is_doubted(standing, statement):
            continue
        held = newest.setdefault(said.person, said)
        if said.iat > held.iat:
            newest[said.person] = said
    for person, said in newest.items():
        reviewed = moment(said.clearance.reviewed)
        yield _End("clearance-review", person, "G4.1(b), G4.4(b)", reviewed + LONGEST_WITHOUT_REVIEW)


def _of_keys(keys: Iterable[RegisteredKey]) -> Iterator[_End]:
    """Of each key that is or may come into use, and whose certificate nobody revoked: the end of its whole chain."""
    for key in keys:
        held = key.certificate
        if held is not None and held.revoked_at is None and not key.state.is_over:
            yield _End("certificate", key.label, KEY_CERTIFICATE_VALID_NOW.clause, held.not_after)


def _of_cryptoperiods(keys: Iterable[RegisteredKey], policies: Mapping[KeyPurpose, Policy]) -> Iterator[_End]:
    """Of each key that is or may come into use: renewing it takes longer than renewing its certificate."""
    for key in keys:
        policy = policies.get(key.purpose)
        end = None if policy is None or key.session is not None else cryptoperiod_end(key, policy)
        if end is not None and not key.state.is_over:
            yield _End("cryptoperiod", key.label, KEY_CRYPTOPERIOD.clause, end)


def _of_lists(lists: Iterable[RevocationList], at: datetime) -> Iterator[_End]:
    for held in lists:
        early = currency(held, at) not in (Currency.ENDING, Currency.STALE)
        subject = held.issuer or held.issuer_identity.hex()[:16]
        clause = KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST.clause
        yield _End("revocation-list", subject, clause, held.next_update, early)


def _of_validations(standing: Standing, policies: Mapping[KeyPurpose, Policy]) -> Iterator[_End]:
    """By every policy that dates the standards; where they agree, one line."""
    newest: dict[str, ModuleValidation] = {}
    for _, said in standing.ever(ModuleValidation):
        held = newest.setdefault(said.module.serial, said)
        if said.iat > held.iat:
            newest[said.module.serial] = said
    dated = {policy.settings.module_validation for policy in policies.values()} - {None}
    for said in newest.values():
        for settings in dated:
            if settings is not None:
                told = f"{said.module.serial}, {said.standard}, certificate {said.certificate}"
                yield from (_End(e.what, told, e.clause, e.at) for e in ends(said, settings) if e.what != "statement")


def _of_attesters(attesters: Mapping[str, Attester]) -> Iterator[_End]:
    latest: dict[str, datetime] = {}
    for attester in attesters.values():
        if attester.withdrawn_at is None:
            latest[attester.name] = max(attester.until, latest.get(attester.name, attester.until))
    return (_End("attester", name, "G2.44, G3.23, G3.25", until) for name, until in latest.items())


def _of_policies(policies: Mapping[KeyPurpose, Policy]) -> Iterator[_End]:
    for policy in policies.values():
        if policy.effective_until is not None:
            yield _End("policy", policy.purpose.value, policy.use_clause, policy.effective_until)
