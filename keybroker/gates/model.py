"""The Permit: what gates make, and the ledger takes; and what gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, final

from keybroker.policy.claim import Claim, Counted
from keybroker.policy.model import Decision
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import Finding, KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Every rule and every gate allows this one use of this one key. Made only by ``gates.open_gates``.

    ``findings`` are the rules' findings followed by the gates'. ``claims`` and ``counts`` are what rules and gates take
    from the ledger with the intent; ``used`` are the statements that came with the request.
    """

    decision: Decision
    findings: tuple[Finding, ...]
    claims: tuple[Claim, ...] = ()
    counts: tuple[Counted, ...] = ()
    used: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one gate found, and what the use takes on its account."""

    finding: Finding
    claims: tuple[Claim, ...] = ()
    counts: tuple[Counted, ...] = ()
    used: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleIdentity:
    """What C_GetInfo and C_GetTokenInfo report now, white space stripped; ``site`` is the configuration's word.

    ``level`` is what the device's profile claims at most (0 for a software token).
    """

    manufacturer: str
    model: str
    serial: str
    firmware_version: str
    hardware_version: str
    library: str
    level: int
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """This machine: ``name`` and ``site`` as configured, ``identity`` = name and what the machine says of itself."""

    name: str
    site: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStand:
    """Does the clock agree with its source? ``why_not`` is empty where it does; ``told`` says what was compared."""

    why_not: str
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the broker sees around itself: the node, its clock, whether what is remembered outside the ledger is
    extended by it (``rolled_back`` is empty where it is), and whether the witnesses that are demanded have cosigned it
    lately (``unwitnessed`` is empty where they have, or none is demanded)."""

    node: Node
    clock: ClockStand
    rolled_back: str = ""
    unwitnessed: str = ""
    part: str = ""
    """The part of the DCC Live Systems, or the User System, that this deployment is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumStand:
    """The quorum that is in the room, and has put one split key together in this process's session (SEC G2.44B).

    ``present`` are the custodians, by name, whose shares were joined, and ``threshold`` how many it takes; digests are
    SHA-256 in hexadecimal, of the share set and of the plan file. From ``until`` on it stands no longer.
    """

    key: KeyLabel
    ceremony: str
    set_sha256: str
    threshold: int
    present: frozenset[str]
    plan_sha256: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvidence:
    """What the gates look at, as it stood when the batch began.

    ``served`` is the module's own finding per key (``CryptographicModule.served``), ``module`` what it reports of
    itself. ``standing`` is the evidence that is held, ``at`` the moment of the batch. ``kept`` is what was found
    for the whole batch, by whatever names it: it is looked for once. ``quorum`` is there in a ceremony alone.
    """

    served: Mapping[KeyLabel, Finding]
    module: ModuleIdentity
    surroundings: Surroundings
    standing: Standing
    at: datetime
    kept: dict[tuple[str, ...], Any] = field(default_factory=dict, compare=False)
    quorum: QuorumStand | None = None


@final
class GateMemory:
    """What was found for one batch holds for the next, while all that it rests on is the same: evidence (one version of
    the register), module, node and part, and the second. Every moment in evidence is a whole second, so within one
    nothing begins or lapses. What depends on the request is named by ``Look.once``, and policies belong to a line.

    One thread asks it, the line's, which makes batches and explanations one after the other: nothing here is locked.
    """

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._rest: tuple[object, ...] = ()
        self._kept: dict[tuple[str, ...], Any] = {}

    def kept_for(
        self, standing: Standing, module: ModuleIdentity, around: Surroundings, at: datetime
    ) -> dict[tuple[str, ...], Any]:
        """``GateEvidence.kept``: as it was left, or empty where anything is another."""
        rest = (module, around.node, around.part, int(at.timestamp()))
        if self._standing is not standing or self._rest != rest:
            self._standing, self._rest, self._kept = standing, rest, {}
        return self._kept
