"""Requests that take something, for the ledger's tests: any claim at all on a permit that the line's own steps made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from keybroker.errors import EvidenceSpent, KeybrokerError, ModuleBusy
from keybroker.gates.model import Permit
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, Failure, Intent, RequestIdentity
from keybroker.policy.claim import Allocated, Bound, Claim, Increasing, Known, Limited, Once, Succession
from tests.ledger import books
from tests.situations import AT

ISSUER = b"\x07" * 32
TEXT: dict[str, Any] = {"rule": "a-rule", "clause": "G2.61(a)", "told": "the thing"}
Asked = tuple[RequestIdentity, Permit]


def once(name: bytes = b"n", value: bytes = b"", scope: str = "serial") -> Once:
    return Once(scope=scope, name=name, value=value, **TEXT)


def bound(value: bytes, name: bytes = b"n", scope: str = "owner") -> Bound:
    return Bound(scope=scope, name=name, value=value, **TEXT)


def increasing(number: int, name: bytes = b"n") -> Increasing:
    return Increasing(scope="crl-number", name=name, number=number, **TEXT)


def allocated(first: int = 0, last: int = 2**32 - 1, name: bytes = b"n") -> Allocated:
    return Allocated(scope="invocation", name=name, first=first, last=last, **TEXT)


def limited(most: int, name: bytes = b"n") -> Limited:
    return Limited(scope="approval", name=name, most=most, **TEXT)


def serial(number: int) -> bytes:
    return number.to_bytes(20, "big")


def certificate(number: int, kind: int, not_after: datetime) -> Once:
    """What the issue of a certificate takes."""
    value = bytes([kind]) + int(not_after.timestamp()).to_bytes(8, "big")
    return once(ISSUER + serial(number), value, scope="certificate")


def succession(*serials: int, at: datetime = AT) -> Succession:
    entries = frozenset(map(serial, serials))
    return Succession(scope="crl-entries", name=ISSUER, entries=entries, lifetimes="certificate", at=at, **TEXT)


def known(*serials: int, begins: int) -> Known:
    names = frozenset(ISSUER + serial(number) for number in serials)
    return Known(scope="certificate", among=ISSUER, names=names, begins=begins, **TEXT)


def asking(request_id: str, *claims: Claim, counter: int = 1) -> Asked:
    """A request that takes these; equal names are the same request."""
    permit = books.a_permit(counter)
    decision = replace(permit.decision, claims=claims)
    told = sha256(f"{request_id} {claims}".encode()).digest()
    return books.a_request(request_id, replace(permit, decision=decision, claims=claims), sha256=told)


def begin(journal: Journal, *asked: Asked) -> list[Intent | KeybrokerError]:
    """The first transaction: an intent for each, or why there is none."""
    answers = books.intend(journal, *asked)
    return [answer if isinstance(answer, Intent) else answer.error for answer in answers]  # type: ignore[union-attr]


def taken(journal: Journal, *asked: Asked) -> list[Intent]:
    """The same where each gets its intent."""
    answers = begin(journal, *asked)
    assert all(isinstance(answer, Intent) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Intent)]


def spent(journal: Journal, asked: Asked) -> EvidenceSpent:
    """The refusal of one that comes too late."""
    (answer,) = begin(journal, asked)
    assert isinstance(answer, EvidenceSpent), answer
    return answer


def fail(journal: Journal, intent: Intent) -> None:
    """The module was busy: the key was not used, for certain."""
    journal.conclude([Failure(intent=intent, error=ModuleBusy("busy"), module_serial="1")], at=AT)


def succeed(journal: Journal, intent: Intent) -> None:
    (answer,) = journal.conclude([books.signature_for(intent)], at=AT)
    assert isinstance(answer, Concluded)
