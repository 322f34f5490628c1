"""THE line: octets to Content to Decision to Permit to Intent to Signature to Record, for a batch at a time.

A lone request is a batch of one; unary, batch and stream run this one function. Five invariants, each held by tests:

1. What was parsed is what the key is used on: the very octets that were decoded, strictly, whole, canonical.
2. No Permit, no key use. Default is no; there is no switch that turns a rule off.
3. No durable intent, no key use; no durable outcome, no reply. The outcomes of one batch and the intents of the next
   may share a transaction.
4. The result is verified with the public key before it leaves.
5. What is remembered cannot be rolled back unnoticed: a journal is opened only on a ledger whose head extends the
   last one kept outside it (``ledger/anchor.py``); without a journal there is no line. After a pause it is compared
   again before anything is spent (``hsm/remembered.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying, GbcsCommand
from keybroker.content.use import UseKind
from keybroker.errors import (
    GateShut,
    KeybrokerError,
    LedgerBroken,
    LedgerFault,
    LedgerUnavailable,
    ModuleDisagrees,
    ModuleFault,
    NotPermitted,
    Refusal,
)
from keybroker.gates import came_too_late, look_beside, open_gates
from keybroker.gates.model import GateEvidence, GateMemory, Permit, QuorumStand, Surroundings
from keybroker.hsm.module import CryptographicModule
from keybroker.hsm.verify import Verifier
from keybroker.hsm.whole import check_whole
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.ledger.model import (
    Concluded,
    Failure,
    GivenAgain,
    Intent,
    Refused,
    RequestIdentity,
    Result,
    Signature,
)
from keybroker.policy import decide
from keybroker.policy.claim import Limited
from keybroker.policy.model import AskedUse, Decision, KeyRegister, Policy, Situation
from keybroker.policy.rules.caller import CALLER_ENTITLED_TO_KEY, is_entitled
from keybroker.policy.trust import Anchor, Trust
from keybroker.terms import ContentKind, DeploymentKind, Finding, KeyLabel, KeyPurpose, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as it came in: who and what (``identity``), the declared kind, the octets, what came beside them.

    ``statements`` are the evidence that came with it, each a compact JWS; the gates read them.
    """

    identity: RequestIdentity
    kind: ContentKind
    octets: bytes
    accompanying: tuple[Accompanying, ...] = ()
    statements: tuple[bytes, ...] = ()


Item = Ask | Refused
"""What goes down the line: a request, or one refused before it, which is only written down."""

Outcome = Concluded | GivenAgain | KeybrokerError
"""A recorded result, a recorded result given again, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A batch whose intents are durable and whose outcomes are not: what each item became, and how keys were used."""

    answers: Sequence[Intent | GivenAgain | Refused | KeybrokerError]
    results: Sequence[Result | Failure] = ()


class RegisterSource(Protocol):
    """Where the line gets the key register from."""

    def current(self) -> KeyRegister:
        """The register as last read; the journal notices when it has moved since."""
        ...

    def refresh(self) -> KeyRegister:
        """The register as it is committed now."""
        ...


class SurroundingsSource(Protocol):
    """Where the line looks around itself: node, clock, and what is remembered outside the ledger."""

    def seen(self, at: datetime) -> Surroundings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The parts of the line, built by ``config`` and handed in.

    ``quorum`` is the one that is in the room, where a ceremony built the line; a broker has none (SEC G2.44B).
    """

    deployment: DeploymentKind
    ledger_origin: str
    policies: Mapping[KeyPurpose, Policy]
    register: RegisterSource
    journal: Journal
    module: CryptographicModule
    anchors: tuple[Anchor, ...]
    device_anchors: tuple[Anchor, ...]
    surroundings: SurroundingsSource
    memory: GateMemory = field(default_factory=GateMemory)
    quorum: QuorumStand | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a whole batch is judged with: one register, one look at the module, one moment."""

    line: Line
    register: KeyRegister
    evidence: GateEvidence | ModuleFault
    at: datetime
    _situations: dict[Operation, Situation] = field(default_factory=dict)

    def situation(self, operation: Operation) -> Situation:
        """One for each operation of the batch."""
        known = self._situations.get(operation)
        if known is None:
            line, lists = self.line, self.register.lists
            known = self._situations[operation] = Situation(
                deployment=line.deployment,
                ledger_origin=line.ledger_origin,
                operation=operation,
                at=self.at,
                trust=Trust(organisation=line.anchors, device=line.device_anchors, lists=lists),
                register=self.register,
            )
        return known


def sign_batch(line: Line, items: Sequence[Item], at: datetime) -> list[Outcome]:
    """Take a batch down the line; each item has its own outcome, in order. Raises nothing that one item caused.

    ``at`` is the broker's clock, read once for the batch; no request can supply it.
    """
    _, begun = turn_over(line, None, items, at)
    return conclude(line, use(line, begun), at)


def turn_over(line: Line, before: Begun | None, items: Sequence[Item], at: datetime) -> tuple[list[Outcome], Begun]:
    """Steps 1 to 4. Where a batch went before, one transaction is its second and this one's first.

    Answers the outcomes of the batch before, which may leave now, and this one, of which nothing may.
    """
    before = before or Begun(answers=())
    # 1-3. Decode, decide, open the gates; 4. one transaction writes intents and refusals.
    conclusions, answers = _turn_over(line, before.results, items, at)
    return _outcomes(before, conclusions), Begun(answers=answers)


def use(line: Line, begun: Begun) -> Begun:
    """Step 5: the module uses its keys under durable intents, outside any lock, and every result is verified."""
    intents = [answer for answer in begun.answers if isinstance(answer, Intent)]
    if not intents:
        return begun
    try:
        _keep_head(line, intents)
        results: Sequence[Result | Failure] = [_as_promised(result) for result in line.module.use(intents)]
    except (ModuleFault, LedgerFault) as fault:
        results = [Failure(intent=intent, error=fault, module_serial=line.module.serial) for intent in intents]
    return Begun(answers=begun.answers, results=results)


def conclude(line: Line, begun: Begun, at: datetime) -> list[Outcome]:
    """Step 6 for a batch that no other follows: the second transaction, and then its outcomes."""
    return _outcomes(begun, _conclude(line, begun.results, at))


def explain(line: Line, ask: Ask, at: datetime) -> Permit:
    """Decode, decide, open the gates and look what could be taken, without the module. Raises: the Refusal that signing
    would meet.
    """
    register = line.register.refresh()
    evidence = _gate_evidence(line, register, line.module.last_served(register), at)
    permit = judge(Bench(line=line, register=register, evidence=evidence, at=at), ask)
    line.journal.check_takes(permit, at)
    return permit


def judge(bench: Bench, ask: Ask) -> Permit:
    """Steps 1 to 3 for one ask. Raises: Refusal, and the ModuleFault that stands where evidence should."""
    return _permitted(bench, ask, _decided(bench, ask))


def _decided(bench: Bench, ask: Ask) -> Decision:
    # Unknown and not yours sound the same, before anything is read: no oracle for key names.
    line = bench.line
    key = bench.register.keys.get(ask.identity.key)
    if key is None or not is_entitled(ask.identity.caller, key):
        finding = CALLER_ENTITLED_TO_KEY.refused(expected="a key listed for this caller", found="one that is not")
        raise NotPermitted("this caller may not use a key of that name", findings=(finding,))
    content, caller = decode(ask.kind, ask.octets, ask.accompanying), ask.identity.caller
    policy, situation = line.policies.get(key.purpose), bench.situation(ask.identity.operation)
    try:
        return decide(content, key=key, caller=caller, policy=policy, situation=situation)
    except NotPermitted as refusal:
        if policy is None:
            raise
        use = AskedUse(content=content, key=key, caller=caller, policy=policy, situation=situation)
        raise _with_gates(bench, ask, use, refusal) from None


def _with_gates(bench: Bench, ask: Ask, use: AskedUse, refusal: NotPermitted) -> NotPermitted:
    """The rules' refusal, telling also how the gates stand; they are only looked at, and change nothing in it.

    Raises: that refusal, where the looking itself fails.
    """
    if isinstance(bench.evidence, ModuleFault):
        return refusal
    try:
        gates = look_beside(use, bench.evidence, ask.statements)
    except Exception as error:
        # Whatever happens to what is only told, the rules have refused.
        raise refusal from error
    return NotPermitted(refusal.sentence, findings=refusal.findings + gates)


def _permitted(bench: Bench, ask: Ask, decision: Decision) -> Permit:
    evidence = bench.evidence
    if isinstance(evidence, ModuleFault):
        # What decoder and rules refuse is refused and recorded all the same; only the rest waits for the module.
        raise evidence
    return open_gates(decision, evidence, ask.statements)


def _turn_over(
    line: Line, results: Sequence[Result | Failure], items: Sequence[Item], at: datetime
) -> tuple[Sequence[Outcome], Sequence[Intent | GivenAgain | Refused | KeybrokerError]]:
    try:
        register = line.register.current()
        for _ in range(3):
            bench = Bench(line=line, register=register, evidence=_evidence(line, register, at), at=at)
            judged = [_judged(bench, item) for item in items]
            try:
                conclusions, answers = line.journal.turn_over(results, judged, register_version=register.version, at=at)
                return conclusions, [_checked(*both) for both in zip(judged, answers, strict=True)]
            except RegisterMoved:
                # A key was retired, suspended or renewed meanwhile: nothing was written; judge again.
                register = line.register.refresh()
        raise LedgerUnavailable("the key register keeps changing; nothing was signed; ask again")
    except LedgerFault as fault:
        return _conclude(line, results, at), [fault] * len(items)


def _keep_head(line: Line, intents: Sequence[Intent]) -> None:
    """Before a number that the ledger gave is used: an older ledger, put back, would give it again. An initialisation
    vector that comes twice discloses both instructions, and an approval would be used more often than it allows. The
    periodic head (``server/anchoring.py``) may be seconds older. Raises: ModuleFault, LedgerFault.
    """
    numbered = [intent for intent in intents if intent.counter is not None or _is_limited(intent)]
    if numbered:
        with line.journal.keeping_head(numbered[0].permit.decision.situation.at) as head:
            line.module.write_anchor(head)


def _is_limited(intent: Intent) -> bool:
    return any(isinstance(claim, Limited) for claim in intent.permit.claims)


def _evidence(line: Line, register: KeyRegister, at: datetime) -> GateEvidence | ModuleFault:
    try:
        return _gate_evidence(line, register, line.module.served(register), at)
    except ModuleFault as fault:
        return fault


def _gate_evidence(line: Line, register: KeyRegister, served: Mapping[KeyLabel, Finding], at: datetime) -> GateEvidence:
    module, around = line.module.identity, line.surroundings.seen(at)
    return GateEvidence(
        served=served,
        module=module,
        surroundings=around,
        standing=register.standing,
        at=at,
        kept=line.memory.kept_for(register.standing, module, around, at),
        quorum=line.quorum,
    )


def _checked(
    judged: tuple[RequestIdentity, Permit] | Refused, answer: Intent | GivenAgain | Refused
) -> Intent | GivenAgain | Refused:
    """A signature given again is verified like a new one: the file that it comes from is not trusted to be whole."""
    decision = judged.decision if isinstance(judged, Refused) else judged[1].decision
    if not isinstance(answer, GivenAgain) or decision is None:
        return answer
    content = decision.content
    if content.use_kind is not UseKind.SIGNATURE:
        # Nobody but the module could check it; its record was, against its leaf hash.
        return answer
    try:
        Verifier(decision.key.public_key).check(answer.signature, content.sha256)
    except ModuleDisagrees:
        error = LedgerBroken("the signature recorded for this request does not verify; it is withheld")
        digest = hashlib.sha256(content.octets).digest()
        return Refused(identity=answer.identity, error=error, findings=decision.findings, octets_sha256=digest)
    return replace(answer, certificate=decision.key.certificate_der)


def _as_promised(result: Result | Failure) -> Result | Failure:
    """What was made, put together whole and read back: a certificate that nobody could read is not given out.

    A GBCS message and its signature stand one behind the other: there is nothing to put together.
    """
    if isinstance(result, Failure) or isinstance(result.intent.permit.decision.content, GbcsCommand):
        return result
    outputs = (result.octets,) if isinstance(result, Signature) else result.outputs
    try:
        decision = result.intent.permit.decision
        check_whole(decision.content, outputs, certificate=decision.key.certificate_der)
    except ModuleDisagrees as error:
        return Failure(intent=result.intent, error=error, module_serial=result.module_serial)
    return result


def _judged(bench: Bench, item: Item) -> tuple[RequestIdentity, Permit] | Refused:
    if isinstance(item, Refused):
        return item
    decision: Decision | None = None
    try:
        decision = _decided(bench, item)
        return item.identity, _permitted(bench, item, decision)
    except (Refusal, ModuleFault) as error:
        return Refused(
            identity=item.identity,
            error=error,
            findings=getattr(error, "findings", ()),
            octets_sha256=hashlib.sha256(item.octets).digest(),
            # An honest retry comes later than its evidence counts, and asks for what was made while it did.
            decision=decision if isinstance(error, GateShut) and came_too_late(error) else None,
        )


def _conclude(line: Line, results: Sequence[Result | Failure], at: datetime) -> Sequence[Outcome]:
    if not results:
        return ()
    try:
        return line.journal.conclude(results, at=at)
    except LedgerFault as fault:
        return [fault] * len(results)


def _outcomes(begun: Begun, conclusions: Sequence[Outcome]) -> list[Outcome]:
    """Each in its place."""
    concluded = iter(conclusions)
    return [next(concluded) if isinstance(answer, Intent) else _answer(answer) for answer in begun.answers]


def _answer(answer: GivenAgain | Refused | KeybrokerError) -> Outcome:
    return answer.error if isinstance(answer, Refused) else answer
