"""What the ledger takes and gives: identities of requests, intents, outcomes, receipts, records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keybroker.errors import KeybrokerError
from keybroker.gates.model import Permit
from keybroker.ledger.canonical_json import Json
from keybroker.policy.model import Decision
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIdentity:
    """Who asked for what under which name; ``sha256`` is over the whole request, what accompanies it included."""

    caller: Caller
    operation: Operation
    key: KeyLabel
    request_id: RequestId
    sha256: bytes

    @property
    def name(self) -> str:
        """Under which the ledger remembers it."""
        return f"{self.operation} {self.key} {self.request_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a record stands: the log's origin, its leaf index (from 0) and its RFC 9162 leaf hash (32 octets)."""

    origin: str
    leaf_index: int
    leaf_hash: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Intent:
    """A durable intent to use a key once. Made only by ``ledger.journal``; ``spend()`` gives the permit, once.

    ``digest`` is the exact 32 octets that the module will sign (for other uses SHA-256 of what the key is used on), as
    written in the intent record; ``reused`` counts earlier intents with the same originator, Device and Originator
    Counter; ``counter`` is the number that the ledger gave, where the use claimed one; ``warned`` names what is above
    the warning level of an Anomaly Detection Threshold with this use.
    """

    identity: RequestIdentity
    receipt: Receipt
    digest: bytes
    _permit: Permit
    reused: int = 0
    counter: int | None = None
    warned: tuple[str, ...] = ()
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
class Product:
    """What any other use made under an intent: a MAC, a protected instruction, plaintexts (one for each item).

    ``kept``: it is recorded and given again; of what is not, records hold the length.
    """

    intent: Intent
    outputs: tuple[bytes, ...] = field(repr=False)
    module_serial: str
    kept: bool


Result = Signature | Product
"""What the module made under an intent, checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The module did not sign under this intent, or its result did not verify, or it is unknown whether it did."""

    intent: Intent
    error: KeybrokerError
    module_serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAgain:
    """The same request was served before: its recorded result, released again under a new record."""

    identity: RequestIdentity
    outputs: tuple[bytes, ...]
    receipt: Receipt
    first: Receipt
    certificate: bytes | None = None
    """The key's certificate now, in DER: a document that names it is put together anew, and its name is not signed."""

    @property
    def signature(self) -> bytes:
        return self.outputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that will not be served, to be written down before it is answered.

    ``octets_sha256`` is of the content offered. ``decision`` stands where all that is wrong is that the time of its
    evidence has run out: what was recorded for the very same request is then given again.
    """

    identity: RequestIdentity
    error: KeybrokerError
    findings: tuple[Finding, ...]
    octets_sha256: bytes
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """A durable outcome: the result may leave. ``outputs`` is the one signature, or what a Product made.

    ``reused`` counts earlier intents with the same originator, Device and counter.
    """

    intent: Intent
    outputs: tuple[bytes, ...] = field(repr=False)
    receipt: Receipt
    reused: int

    @property
    def signature(self) -> bytes:
        return self.outputs[0]


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
    """A record as the ledger holds it: canonical JSON, its leaf hash, and whose it is (for authorising a read).

    ``octets`` are empty where it was aged out (``retaining.py``): its leaf hash alone is there.
    """

    leaf_index: int
    octets: bytes
    leaf_hash: bytes
    kind: str
    party: PartyName
