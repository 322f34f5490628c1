"""What is made ready before the first transaction? A permitted use, hashed and written down as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from keybroker.errors import GateShut, KeybrokerError
from keybroker.gates.model import Permit
from keybroker.ledger import record
from keybroker.ledger.intent_form import IntentForms
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Refused, RequestIdentity
from keybroker.ledger.quarantining import Communication


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A permitted use, made ready before the turn: the shorter the turn, the sooner the next worker has its own.

    ``octets_sha256`` is in hex; ``record`` says that the counter was never used before. Of a use that takes or counts
    something it is empty: what is taken is known in the turn alone. ``halves`` stand round what is counted, where all
    else is known.
    """

    identity: RequestIdentity
    permit: Permit
    name: str
    relation: bytes | None
    octets_sha256: str
    digest: bytes
    at: str
    record: bytes
    leaf_hash: bytes
    halves: tuple[bytes, bytes] | None = None


def draft(forms: IntentForms, identity: RequestIdentity, permit: Permit, at: str) -> Draft:
    """Hash and write down one permitted use, outside the turn."""
    content = permit.decision.content
    octets_sha256 = sha256(content.octets).hexdigest()
    # ``content.sha256`` is over what the signature covers: a GBCS message from its second octet (handbook 1.5).
    digest = content.sha256.hex()
    octets, halves = b"", forms.halves(identity, permit, octets=octets_sha256, digest=digest, at=at)
    if not permit.claims and not permit.counts:
        octets = forms.encode(identity, permit, octets=octets_sha256, digest=digest, reused=0, at=at)
    return Draft(
        identity=identity,
        permit=permit,
        name=identity.name,
        relation=record.relation(content),
        octets_sha256=octets_sha256,
        digest=content.sha256,
        at=at,
        record=octets,
        leaf_hash=leaf_hash(octets),
        halves=halves,
    )


def refused_in_turn(item: Draft, error: KeybrokerError) -> Refused:
    """A permitted use that is refused in the turn. The caller and the record are told the same findings."""
    findings, digest = item.permit.findings, bytes.fromhex(item.octets_sha256)
    if isinstance(error, GateShut):
        error = after_permit(item.permit, error)
        findings = error.findings
    return Refused(identity=item.identity, error=error, findings=findings, octets_sha256=digest)


def after_permit(permit: Permit, shut: GateShut) -> GateShut:
    """The refusal of what rules and gates permitted: what they found stands before what was found here."""
    findings = permit.findings + shut.findings
    return type(shut)(shut.sentence, gate=shut.gate, clause=shut.clause, findings=findings)


def communication_of(item: Draft) -> Communication:
    """By which it is known in the quarantine."""
    identity = item.identity
    return Communication(bytes.fromhex(item.octets_sha256), identity.key, identity.caller.party)


def communication_in(permit: Permit) -> Communication:
    """The same of what was only looked at."""
    decision = permit.decision
    return Communication(sha256(decision.content.octets).digest(), decision.key.label, decision.caller.party)
