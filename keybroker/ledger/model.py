"""What the ledger takes and gives: identities of requests, intents, outcomes, receipts, records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keybroker.errors import KeybrokerError
from keybroker.gates.model import Permit
from keybroker.terms import Caller, Finding, KeyLabel, KeyPurpose, Operation, PartyName, RequestId


class RecordKind(StrEnum):
    """Every kind of record, as ``docs/ledger.md`` describes them."""

    ORIGIN = "origin"
    START = "start"
    STOP = "stop"
    INTENT = "intent"
    OUTCOME = "outcome"
    CLOSED = "closed"
    REFUSAL = "refusal"
    RELEASE = "release"
    READ = "read"
    ADMINISTRATIVE = "administrative"


Json = str | int | bool | list["Json"] | dict[str, "Json"] | None
"""What a record's body may hold: keys are ASCII, integers stand within 2^53, and there are no floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIdentity:
    """Who asked for what under which name; ``sha256`` is over the whole request, evidence included."""

    caller: Caller
    operation: Operation
    key: KeyLabel
    request_id: RequestId
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a record stands: the log's origin, its leaf index (from 0) and its RFC 9162 leaf hash (32 octets)."""

    origin: str
    leaf_index: int
    leaf_hash: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Intent:
    """A durable intent to use a key once. Made only by ``ledger.journal``; ``spend()`` gives the permit, once.

    ``digest`` is the exact 32 octets that the module will sign, as written in the intent record; ``reused`` counts
    earlier intents with the same originator, Device and Originator Counter.
    """

    identity: RequestIdentity
    receipt: Receipt
    digest: bytes
    _permit: Permit
    reused: int = 0
    _spent: bool = field(default=False)

    @property
    def key(self) -> KeyLabel:
        return self._permit.decision.key.label

    @property
    def permit(self) -> Permit:
        """For reading; using the key needs ``spend()``."""
        return self._permit

    def spend(self) -> Permit:
        """Raises: RuntimeError when spent before; that is a programming error, never a caller's."""
        if self._spent:
            raise RuntimeError("an Intent is spent on use")
        self._spent = True
        return self._permit


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What the module made under an intent: r || s, 64 octets, verified with the register's public key."""

    intent: Intent
    octets: bytes
    module_serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The module did not sign under this intent, or its result did not verify, or it is unknown whether it did."""

    intent: Intent
    error: KeybrokerError
    module_serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAgain:
    """The same request was signed before: its recorded signature, released again under a new record."""

    identity: RequestIdentity
    signature: bytes
    receipt: Receipt
    first: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that will not be served, to be written down before it is answered.

    ``octets_sha256`` is of the content offered.
    """

    identity: RequestIdentity
    error: KeybrokerError
    findings: tuple[Finding, ...]
    octets_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """A durable outcome: the signature may leave.

    ``reused`` counts earlier intents with the same originator, Device and counter.
    """

    intent: Intent
    signature: bytes
    receipt: Receipt
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The tree at one moment: its size (records) and its RFC 9162 root hash."""

    origin: str
    tree_size: int
    root_hash: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """SHA-256 of what was in force: configuration, module profile, and each purpose's policy file."""

    configuration: bytes
    profile: bytes
    policies: Mapping[KeyPurpose, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record that is neither intent nor outcome: a read, a start, a stop, an administrative act.

    ``party`` is whose record it is: that party's callers may read it, besides auditors. Empty for the broker's own.
    """

    kind: RecordKind
    party: PartyName
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as the ledger holds it: canonical JSON, its leaf hash, and whose it is (for authorising a read)."""

    leaf_index: int
    octets: bytes
    leaf_hash: bytes
    kind: str
    party: PartyName
