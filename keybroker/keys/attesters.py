"""Who is enrolled to state what? Enrolment, renewal and withdrawal of attesters, each an act on record.

The first are enrolled at the machine, for nobody is there to order it. As soon as two people may act, or an order was
ever used, an enrolment and a withdrawal each need an order by a person who may act, and nobody enrols himself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from sqlalchemy import insert, select, update

from keybroker.errors import NotPermitted
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.ordering import order_where_needed, record_ordered
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.ledger.turn import Turn
from keybroker.statement.attester import public_key_of
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import kid_of

_is_name = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}(/[a-z0-9-]{1,63})?").fullmatch
_FOR_PEOPLE = frozenset({StatementKind.ORDER, StatementKind.QUARANTINE_ACTION, StatementKind.VARIANT_NOT_SENSITIVE})
"""Kinds that a person states, never a system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """``name`` is ``party/system`` of a system, a plain name of a person; ``certificate`` in DER, of a P-256 key."""

    name: str
    party: str
    certificate: bytes
    kinds: frozenset[StatementKind]
    until: datetime

    def told(self) -> dict[str, Json]:
        """What records say of it beside the certificate, and what an order for it names."""
        return {
            "act": "EnrolAttester",
            "kid": kid_of(self.certificate),
            "kinds": [kind.value for kind in sorted(self.kinds)],
            "name": self.name,
            "party": self.party,
            "until": str(int(self.until.timestamp())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    kid: str
    because: str

    def told(self) -> dict[str, Json]:
        """What records say of it, and what an order for it names."""
        return {"act": "WithdrawAttester", "because": self.because, "kid": self.kid}


def enrol_attester(
    journal: Journal, actor: Actor, asked: Enrolment, people: PeopleSettings, at: datetime, order: bytes | None = None
) -> Receipt:
    """Enrol an attester, or renew one: the name stays, the certificate is another.

    Raises: NotPermitted, PersonMayNotAct, StatementRefused (each recorded), LedgerFault.
    """

    def work(turn: Turn) -> Receipt:
        _check(turn, asked, at)
        statement = order_where_needed(turn, asked.told(), people, at, order, nobody=asked.name)
        told = {**asked.told(), "certificate": asked.certificate.hex()}
        receipt = record_ordered(turn, journal, actor, told, statement, at)
        table = tables.attester
        turn.connection.execute(insert(table).values(_row(asked, at)))
        return receipt

    return refusals_recorded(journal, actor, asked.told(), at, lambda: journal.ledger.transact(work))


def withdraw_attester(
    journal: Journal, actor: Actor, asked: Withdrawal, people: PeopleSettings, at: datetime, order: bytes | None = None
) -> Receipt:
    """From now on nothing that it stated counts. Raises: as ``enrol_attester``."""

    def work(turn: Turn) -> Receipt:
        table = tables.attester
        own = (table.c.kid == asked.kid) & table.c.withdrawn_at.is_(None)
        if turn.connection.execute(select(table.c.kid).where(own)).first() is None:
            raise NotPermitted(f"no attester {asked.kid[:16]}… stands; see: keybroker evidence attesters")
        statement = order_where_needed(turn, asked.told(), people, at, order, nobody="")
        receipt = record_ordered(turn, journal, actor, asked.told(), statement, at)
        turn.connection.execute(update(table).where(own).values(withdrawn_at=int(at.timestamp())))
        return receipt

    return refusals_recorded(journal, actor, asked.told(), at, lambda: journal.ledger.transact(work))


def _check(turn: Turn, asked: Enrolment, at: datetime) -> None:
    if not _is_name(asked.name) or not _is_name(asked.party):
        raise NotPermitted("an attester's name is party/system of a system, [a-z0-9.-] of a person")
    # A system is named by whose it is (G3.14): what reads the name and what reads the party must see one.
    if "/" in asked.name and asked.name.partition("/")[0] != asked.party:
        raise NotPermitted(f"{asked.name} names a system of another party than {asked.party}")
    if not asked.kinds or ("/" in asked.name and asked.kinds & _FOR_PEOPLE):
        raise NotPermitted("expected kinds of statement, and of a system none that a person alone makes")
    end = _end(asked.certificate, at)
    if not at < asked.until <= end:
        raise NotPermitted(
            f"expected an end after now and not after the certificate's ({end.isoformat()}),"
            f" found {asked.until.isoformat()}"
        )
    table = tables.attester
    rows: list[Any] = list(turn.connection.execute(select(table)))
    if any(row.kid == kid_of(asked.certificate) for row in rows):
        raise NotPermitted("this certificate was enrolled before; an attester is renewed with another one")
    if any(row.name == asked.name and row.party != asked.party for row in rows):
        raise NotPermitted(f"{asked.name} is enrolled for another party")
    # Under two names one key could vouch for itself, or be two people.
    key = public_numbers(asked.certificate)
    if other := next(
        (row.name for row in rows if row.name != asked.name and public_numbers(row.certificate) == key), ""
    ):
        raise NotPermitted(f"the key of this certificate is enrolled as {other}; everybody has a key of his own")


def _end(certificate: bytes, at: datetime) -> datetime:
    """When the certificate ends. Raises: NotPermitted for one that is none of a P-256 key, or not valid now."""
    try:
        public_key_of(certificate)
        read = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise NotPermitted("expected a certificate of a P-256 key") from error
    if not read.not_valid_before_utc <= at < read.not_valid_after_utc:
        raise NotPermitted("expected a certificate that is valid now")
    return read.not_valid_after_utc.astimezone(UTC)


def public_numbers(certificate: bytes) -> tuple[int, int]:
    """The point of a certificate's key: what tells two keys apart. Raises: ValueError for no P-256 key."""
    numbers = public_key_of(certificate).public_numbers()
    return numbers.x, numbers.y


def _row(asked: Enrolment, at: datetime) -> dict[str, object]:
    return {
        "kid": kid_of(asked.certificate),
        "name": asked.name,
        "party": asked.party,
        "certificate": asked.certificate,
        "kinds": " ".join(sorted(asked.kinds)),
        "since": int(at.timestamp()),
        "until": int(asked.until.timestamp()),
        "withdrawn_at": None,
    }
