"""What can be wrong with a statement? Each flaw has its own stable reason, and a sentence of what was found."""

from __future__ import annotations

from enum import StrEnum


class Flaw(StrEnum):
    """Stable, upper case; stands in findings, refusals and records as their ``reason``."""

    TOO_LONG = "STATEMENT_TOO_LONG"
    NOT_COMPACT = "STATEMENT_NOT_COMPACT"
    NOT_JSON = "STATEMENT_NOT_JSON"
    DUPLICATE_KEY = "STATEMENT_DUPLICATE_KEY"
    TOO_DEEP = "STATEMENT_TOO_DEEP"
    HEADER = "STATEMENT_HEADER_NOT_EXACT"
    ALGORITHM = "STATEMENT_ALGORITHM_NOT_ES256"
    KIND = "STATEMENT_OF_ANOTHER_KIND"
    PAYLOAD = "STATEMENT_PAYLOAD_MALFORMED"
    ATTESTER_UNKNOWN = "ATTESTER_UNKNOWN"
    ATTESTER_WITHDRAWN = "ATTESTER_WITHDRAWN"
    ATTESTER_LAPSED = "ATTESTER_LAPSED"
    ATTESTER_NOT_FOR_KIND = "ATTESTER_NOT_FOR_KIND"
    SIGNATURE = "STATEMENT_SIGNATURE_INVALID"
    AUDIENCE = "STATEMENT_FOR_ANOTHER_LEDGER"
    FUTURE = "STATEMENT_FROM_THE_FUTURE"
    LAPSED = "STATEMENT_LAPSED"
    VALID_TOO_LONG = "STATEMENT_VALID_TOO_LONG"
    BEFORE_RESTORE = "STATEMENT_BEFORE_RESTORE"


class StatementUnfit(Exception):
    """A statement that cannot be relied on. Caught where it is judged (a gate, ``keybroker evidence add``), never
    further."""

    def __init__(self, flaw: Flaw, *, expected: str, found: str) -> None:
        super().__init__(f"{flaw}: expected {expected}, found {found}")
        self.flaw = flaw
        self.expected = expected
        self.found = found
