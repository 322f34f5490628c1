"""The Permit: what gates make, and the ledger takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.policy.model import Decision
from keybroker.terms import Finding, KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Every rule and every gate allows this one use of this one key. Made only by ``gates.open_gates``.

    ``findings`` are the rules' findings followed by the gates'.
    """

    decision: Decision
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvidence:
    """What the gates look at, as it stood when the batch began.

    ``served`` is the module's own finding per key (``CryptographicModule.served``).
    """

    served: Mapping[KeyLabel, Finding]
