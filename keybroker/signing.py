"""THE line: octets to Content to Decision to Permit to Intent to Signature to Record, for a batch at a time.

A lone request is a batch of one; unary, batch and stream run this one function. Five invariants, each held by tests:

1. What was parsed is what is signed: the octets hashed are the octets decoded, strictly, whole, canonical.
2. No Permit, no key use. Default is no; there is no switch that turns a rule off.
3. No durable intent, no key use; no durable outcome, no reply.
4. The result is verified with the public key before it leaves.
5. What is remembered cannot be rolled back unnoticed: a journal is opened only on a ledger whose head extends the
   last one kept outside it (``ledger/anchor.py``); without a journal there is no line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keybroker.content import decode
from keybroker.errors import (
    KeybrokerError,
    LedgerBroken,
    LedgerFault,
    LedgerUnavailable,
    ModuleDisagrees,
    ModuleFault,
    NotPermitted,
    Refusal,
)
from keybroker.gates import open_gates
from keybroker.gates.model import GateEvidence, Permit
from keybroker.hsm.module import CryptographicModule
from keybroker.hsm.verify import Verifier
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.ledger.model import Concluded, Failure, GivenAgain, Intent, Refused, RequestIdentity
from keybroker.policy import decide
from keybroker.policy.model import KeyRegister, Policy, Situation
from keybroker.policy.rules.caller import CALLER_ENTITLED_TO_KEY
from keybroker.terms import ContentKind, DeploymentKind, Finding, KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One signing request as it came in: who and what (``identity``), the declared kind, the octets."""

    identity: RequestIdentity
    kind: ContentKind
    octets: bytes


Outcome = Concluded | GivenAgain | KeybrokerError
"""A recorded signature, a recorded signature given again, or why not."""


class RegisterSource(Protocol):
    """Where the line gets the key register from."""

    def current(self) -> KeyRegister:
        """The register as last read; the journal notices when it has moved since."""
        ...

    def refresh(self) -> KeyRegister:
        """The register as it is committed now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The parts of the line, built by ``config`` and handed in."""

    deployment: DeploymentKind
    ledger_origin: str
    policies: Mapping[KeyPurpose, Policy]
    register: RegisterSource
    journal: Journal
    module: CryptographicModule


def sign_batch(line: Line, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
    """Take a batch down the line; each ask has its own outcome, in order. Raises nothing that one ask caused.

    ``at`` is the broker's clock, read once for the batch; no request can supply it.
    """
    # 1-3. Decode, decide, open the gates; 4. one transaction writes intents and refusals.
    try:
        answers = _intend(line, asks, at)
    except (LedgerFault, ModuleFault) as fault:
        return [fault] * len(asks)
    # 5. The module signs under durable intents, outside any lock, and every result is verified.
    intents = [answer for answer in answers if isinstance(answer, Intent)]
    outcomes = iter(_use(line, intents, at))
    # 6. Each in its place.
    return [next(outcomes) if isinstance(answer, Intent) else _answer(answer) for answer in answers]


def explain(line: Line, ask: Ask, at: datetime) -> Permit:
    """Decode, decide and open the gates without the key. Raises: the Refusal that signing would meet."""
    register = line.register.refresh()
    return judge(line, ask, register, GateEvidence(served=line.module.served(register)), at)


def judge(line: Line, ask: Ask, register: KeyRegister, evidence: GateEvidence, at: datetime) -> Permit:
    """Steps 1 to 3 for one ask. Raises: Refusal."""
    # Unknown and not yours sound the same, before anything is read: no oracle for key names.
    key = register.keys.get(ask.identity.key)
    if key is None or key.label not in ask.identity.caller.keys:
        finding = CALLER_ENTITLED_TO_KEY.refused(expected="a key listed for this caller", found="one that is not")
        raise NotPermitted("this caller may not use a key of that name", findings=(finding,))
    content = decode(ask.kind, ask.octets)
    situation = Situation(
        deployment=line.deployment, ledger_origin=line.ledger_origin, operation=ask.identity.operation, at=at
    )
    decision = decide(
        content, key=key, caller=ask.identity.caller, policy=line.policies.get(key.purpose), situation=situation
    )
    return open_gates(decision, evidence)


def _intend(line: Line, asks: Sequence[Ask], at: datetime) -> list[Intent | GivenAgain | Refused]:
    register = line.register.current()
    for _ in range(3):
        evidence = GateEvidence(served=line.module.served(register))
        judged = [_judged(line, ask, register, evidence, at) for ask in asks]
        try:
            answers = line.journal.intend(judged, register_version=register.version, at=at)
            return [_checked(item, answer) for item, answer in zip(judged, answers, strict=True)]
        except RegisterMoved:
            # A key was retired, suspended or renewed meanwhile: nothing was written; judge again.
            register = line.register.refresh()
    raise LedgerUnavailable("the key register keeps changing; nothing was signed; ask again")


def _checked(
    judged: tuple[RequestIdentity, Permit] | Refused, answer: Intent | GivenAgain | Refused
) -> Intent | GivenAgain | Refused:
    """A signature given again is verified like a new one: the file that it comes from is not trusted to be whole."""
    if not isinstance(answer, GivenAgain) or isinstance(judged, Refused):
        return answer
    identity, permit = judged
    content = permit.decision.content
    try:
        Verifier(permit.decision.key.public_key).check(answer.signature, content.sha256)
    except ModuleDisagrees:
        error = LedgerBroken("the signature recorded for this request does not verify; it is withheld")
        digest = hashlib.sha256(content.octets).digest()
        return Refused(identity=identity, error=error, findings=permit.findings, octets_sha256=digest)
    return answer


def _judged(
    line: Line, ask: Ask, register: KeyRegister, evidence: GateEvidence, at: datetime
) -> tuple[RequestIdentity, Permit] | Refused:
    try:
        return ask.identity, judge(line, ask, register, evidence, at)
    except Refusal as refusal:
        findings: tuple[Finding, ...] = getattr(refusal, "findings", ())
        return Refused(
            identity=ask.identity, error=refusal, findings=findings, octets_sha256=hashlib.sha256(ask.octets).digest()
        )


def _use(line: Line, intents: Sequence[Intent], at: datetime) -> list[Outcome]:
    if not intents:
        return []
    try:
        results = line.module.sign(intents)
    except ModuleFault as fault:
        results = [Failure(intent=intent, error=fault, module_serial=line.module.serial) for intent in intents]
    try:
        return [*line.journal.conclude(results, at=at)]
    except LedgerFault as fault:
        return [fault] * len(intents)


def _answer(answer: GivenAgain | Refused) -> Outcome:
    return answer if isinstance(answer, GivenAgain) else answer.error
