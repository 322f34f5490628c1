"""What the ledger takes and gives: identities of requests, intents, outcomes, receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from keybroker.errors import KeybrokerError
from keybroker.gates.model import Permit
from keybroker.terms import Caller, Finding, KeyLabel, Operation, RequestId


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

    ``digest`` is the exact 32 octets that the module will sign, as written in the intent record.
    """

    identity: RequestIdentity
    receipt: Receipt
    digest: bytes
    _permit: Permit
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
    """A request that will not be served, to be written down before it is answered. ``octets_sha256`` is of the content offered."""

    identity: RequestIdentity
    error: KeybrokerError
    findings: tuple[Finding, ...]
    octets_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """A durable outcome: the signature may leave. ``reused`` counts earlier intents with the same originator, Device and counter."""

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
