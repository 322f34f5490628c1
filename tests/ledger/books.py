"""A ledger in a directory, requests with permits, signatures as a module would give them: for the ledger's tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select

from keybroker.content.checkpoint import encode_checkpoint
from keybroker.content.decoding import decode
from keybroker.errors import KeybrokerError
from keybroker.gates.model import Permit
from keybroker.ledger import tables
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, GivenAgain, InForce, Intent, Refused, RequestIdentity, Signature
from keybroker.ledger.store import Ledger, open_ledger
from keybroker.terms import ContentKind, DeploymentKind, KeyPurpose, RequestId
from tests import situations
from tests.situations import AT, ORIGIN

IN_FORCE = InForce(
    configuration=b"\x01" * 32, profile=b"\x02" * 32, policies={KeyPurpose.SUPPLIER_PRE_COMMAND: b"\x03" * 32}
)
SERIAL = "0123456789abcdef"
_DETERMINISTIC = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)


def url(directory: Path) -> str:
    return f"sqlite:///{directory}/ledger.sqlite"


def a_ledger(directory: Path, *, origin: str = ORIGIN, deployment: DeploymentKind = DeploymentKind.TEST) -> Ledger:
    return open_ledger(url(directory), origin=origin, deployment=deployment, at=AT)


def a_journal(ledger: Ledger, worker: str = "worker-0", **changes: Any) -> Journal:
    return Journal(ledger, in_force=IN_FORCE, worker=worker, **changes)


@contextmanager
def a_book(directory: Path, worker: str = "worker-0", **changes: Any) -> Iterator[Journal]:
    """A journal on a new or existing ledger, closed at the end."""
    ledger = a_ledger(directory)
    journal = a_journal(ledger, worker, **changes)
    try:
        yield journal
    finally:
        journal.close()
        ledger.close()


def a_checkpoint(journal: Journal, **changes: Any) -> Permit:
    """To sign the head of the ledger as it is; ``changes`` are of what the checkpoint says."""
    head = journal.head(AT)
    told = {"origin": head.origin, "tree_size": head.tree_size, "root_hash": head.root_hash, **changes}
    content = decode(ContentKind.AUDIT_CHECKPOINT, encode_checkpoint(**told))
    return situations.a_permit(KeyPurpose.AUDIT_CHECKPOINT, content=content)


@cache
def a_permit(counter: int = 1, purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND) -> Permit:
    return situations.a_permit(purpose, content=situations.a_content(purpose, counter=counter))


def a_request(name: str, permit: Permit | None = None, **changes: Any) -> tuple[RequestIdentity, Permit]:
    """One judged request; equal names are the same request unless ``changes`` say otherwise."""
    permit = permit or a_permit()
    identity = RequestIdentity(
        caller=permit.decision.caller,
        operation=permit.decision.situation.operation,
        key=permit.decision.key.label,
        request_id=RequestId(name),
        sha256=sha256(name.encode()).digest(),
    )
    return replace(identity, **changes), permit


def a_refused(name: str, error: KeybrokerError, **changes: Any) -> Refused:
    identity, permit = a_request(name)
    refused = Refused(identity=identity, error=error, findings=permit.findings, octets_sha256=bytes(32))
    return replace(refused, **changes)


def signature_for(intent: Intent) -> Signature:
    """By the key of the situation, and always the same one for the same digest (RFC 6979)."""
    r, s = decode_dss_signature(situations.a_private_key().sign(intent.digest, _DETERMINISTIC))
    octets = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return Signature(intent=intent, octets=octets, module_serial=SERIAL)


def intend(
    journal: Journal, *judged: tuple[RequestIdentity, Permit] | Refused, at: datetime = AT
) -> list[Intent | GivenAgain | Refused]:
    """The first transaction, judged by the register as it is now."""
    with journal.ledger.read() as connection:
        version = connection.execute(select(tables.head.c.register_version)).scalar() or 0
    return journal.intend(judged, register_version=version, at=at)


def sign(journal: Journal, *judged: tuple[RequestIdentity, Permit]) -> list[Concluded]:
    """Both transactions for requests that are all new."""
    intents = intends(journal, *judged)
    answers = journal.conclude([signature_for(intent) for intent in intents], at=AT)
    assert all(isinstance(answer, Concluded) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Concluded)]


def intends(journal: Journal, *judged: tuple[RequestIdentity, Permit]) -> Sequence[Intent]:
    """The first transaction for requests that are all new."""
    answers = intend(journal, *judged)
    assert all(isinstance(answer, Intent) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Intent)]
