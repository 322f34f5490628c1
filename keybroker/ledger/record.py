"""How is a record written? Bodies of every kind; ``canonical_json.py`` turns them into octets. Pure.

``docs/ledger.md`` describes the same in prose, for whoever writes another verifier. Counters and other 64-bit integers
are written as decimal strings, octets as lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from keybroker.content.contents import Content
from keybroker.content.facts import facts_of
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import Accompanying, GbcsCommand
from keybroker.content.service_request import ServiceRequest
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.use import UseKind
from keybroker.errors import ContentMalformed, KeybrokerError, ModuleFault, OutcomeUnknown
from keybroker.gates.model import Permit
from keybroker.ledger.canonical_json import Json, check_json, encode
from keybroker.ledger.model import (
    Entry,
    Failure,
    InForce,
    Product,
    RecordKind,
    Refused,
    RequestIdentity,
    Result,
    Signature,
)
from keybroker.statement.statement import Statement
from keybroker.terms import Caller, DeploymentKind, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What an intent's record says of what the use takes: claims, counts (name, period, number, most), the names that
    are above their warning level, and the record of a quarantined communication whose release let it through.
    """

    taken: Sequence[Mapping[str, Json]] = ()
    counted: Sequence[Json] = ()
    warned: Sequence[str] = ()
    released: int | None = None


TAKES_NOTHING = Takes()

VERSION = 1
"""The version of the record format, ``v`` in every record."""

SIGNED, MADE, DONE, FAILED, UNKNOWN = "signed", "made", "done", "failed", "unknown"
"""How an intent can end: with a recorded signature, a recorded result of another use, one of which only the length is
recorded, none, or nobody knows how."""

MAY_TAKE_AGAIN = (FAILED, DONE)
"""After which the very same request may take its own again: what was read is read again for a reply that was lost."""

MESSAGE_CODE_ANY_BY_CONTINGENCY = 0x0109
"""CS02b anyByContingency, whose plaintextSymmetricKey discloses a key (handbook 3.5)."""


def order_target(act: Mapping[str, Json]) -> str:
    """What an order for this act names: SHA-256, in hexadecimal, of its canonical JSON."""
    return sha256(encode(act)).hexdigest()


def may_keep(content: Content) -> bool:
    """May the octets of this content be kept beside the ledger? Not where they disclose Secret Key Material."""
    match content:
        case GbcsCommand():
            return content.message_code.value != MESSAGE_CODE_ANY_BY_CONTINGENCY
        case InnerCommand() | ServiceRequest() | Smets1Instruction():
            return not content.discloses_key
        case _:
            return True


class Writer:
    """Makes record bodies for one deployment and one worker; everything constant is put together once."""

    def __init__(self, *, deployment: DeploymentKind, in_force: InForce, worker: str) -> None:
        self._in_force = in_force
        self.worker = worker
        self._mark: dict[str, Json] = {"v": VERSION}
        if deployment is DeploymentKind.TEST:
            self._mark["deployment"] = deployment.value
        self._everything_in_force: Json = {
            "configuration": in_force.configuration.hex(),
            "profile": in_force.profile.hex(),
            "policies": {purpose.value: sha256.hex() for purpose, sha256 in in_force.policies.items()},
        }

    def origin(self, origin: str, at: datetime, party: str = "") -> dict[str, Json]:
        """The first record of a ledger: its name, and the mark of a test deployment or the party of a live one."""
        return {**self._mark, "at": moment(at), "kind": RecordKind.ORIGIN, "party": party, "origin": origin}

    def intent(
        self,
        identity: RequestIdentity,
        permit: Permit,
        *,
        octets: str,
        digest: str,
        reused: int,
        at: str,
        accompanying: Sequence[Accompanying] = (),
        takes: Takes = TAKES_NOTHING,
    ) -> dict[str, Json]:
        """A use of a key that is about to happen. ``octets`` and ``digest`` are SHA-256 in hex."""
        decision = permit.decision
        body: dict[str, Json] = {
            **self._mark,
            **self._request(identity),
            "at": at,
            "content": content_facts(decision.content),
            "digest": digest,
            "findings": [_finding(finding) for finding in permit.findings],
            "in_force": {
                "configuration": self._in_force.configuration.hex(),
                "policy": decision.policy.sha256.hex(),
                "profile": self._in_force.profile.hex(),
            },
            "kind": "intent",
            "octets": octets,
            "public_key": decision.key.public_key.hex(),
            "purpose": decision.key.purpose.value,
            "reused": reused,
            "worker": self.worker,
        }
        if accompanying:
            body["accompanying"] = [
                {"kind": each.kind.value, "sha256": sha256(each.octets).hexdigest()} for each in accompanying
            ]
        if permit.used:
            body["evidence"] = [_statement(statement) for statement in permit.used]
        body |= _taken(takes)
        if decision.content.use_kind is not UseKind.SIGNATURE:
            body["use"] = decision.content.use_kind.value
        return body

    def outcome(self, result: Result | Failure, at: str) -> dict[str, Json]:
        """How an intent ended: the signature or other result, or why there is none, or that nobody can say."""
        body: dict[str, Json] = {
            **self._mark,
            "at": at,
            "intent": result.intent.receipt.leaf_index,
            "kind": "outcome",
            "module": result.module_serial,
            "party": result.intent.identity.caller.party,
        }
        if isinstance(result, Signature):
            body["signature"] = result.octets.hex()
            body["state"] = SIGNED
        elif isinstance(result, Product):
            body |= _product(result)
        else:
            body["reason"] = result.error.reason
            body["sentence"] = result.error.sentence
            body["state"] = state_after(result.error)
        return body

    def closed(self, intent: int, party: str, *, died: str, at: datetime) -> dict[str, Json]:
        """An intent whose outcome nobody will ever tell: ``died`` names the worker that took it with it."""
        return {
            **self._mark,
            "at": moment(at),
            "died": died,
            "intent": intent,
            "kind": RecordKind.CLOSED,
            "party": party,
            "state": UNKNOWN,
        }

    def refusal(self, refused: Refused, at: datetime, quarantine: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """A request that is not served, with every finding there is; and what became of a communication that exceeded
        an Anomaly Detection Threshold.
        """
        body: dict[str, Json] = {
            **self._mark,
            **self._request(refused.identity),
            "at": moment(at),
            "findings": [_finding(finding) for finding in refused.findings],
            "in_force": self._everything_in_force,
            "kind": RecordKind.REFUSAL,
            "octets": refused.octets_sha256.hex(),
            "reason": refused.error.reason,
            "sentence": refused.error.sentence,
            "worker": self.worker,
        }
        if isinstance(refused.error, ContentMalformed):
            body["offset"] = refused.error.offset
        if quarantine is not None:
            body["quarantine"] = dict(quarantine)
        return body

    def release(
        self, identity: RequestIdentity, *, outcome: int, result: Mapping[str, Json], at: datetime
    ) -> dict[str, Json]:
        """A recorded result given again: ``outcome`` is the leaf index of the record that first held it.

        ``result`` is that record's ``signature``, or its ``result``.
        """
        return {
            **self._mark,
            **self._request(identity),
            "at": moment(at),
            "kind": RecordKind.RELEASE,
            "outcome": outcome,
            **result,
            "worker": self.worker,
        }

    def entry(self, entry: Entry, at: datetime) -> dict[str, Json]:
        """A read, a start, a stop, an administrative act.

        Raises: ValueError when the entry's body lies outside the subset.
        """
        check_json(entry.body)
        return {
            **self._mark,
            "at": moment(at),
            "body": dict(entry.body),
            "in_force": self._everything_in_force,
            "kind": entry.kind.value,
            "party": entry.party,
            "worker": self.worker,
        }

    def _request(self, identity: RequestIdentity) -> dict[str, Json]:
        caller = identity.caller
        return {
            "caller": self._caller(caller),
            "key": identity.key,
            "operation": identity.operation.value,
            "party": caller.party,
            "request": identity.sha256.hex(),
            "request_id": identity.request_id,
        }

    def _caller(self, caller: Caller) -> Json:
        return {"identity": caller.identity, "kind": caller.kind.value, "system": caller.system}


def moment(at: datetime) -> str:
    """A moment as records write it: UTC, microseconds, ``2026-03-01T09:30:00.000000Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def state_after(error: KeybrokerError) -> str:
    """``unknown`` where the key was used, or may have been, and no result left; else ``failed``.

    A result that was made and withheld is of the first sort: what its use spent lets no second one be made.
    """
    match error:
        case OutcomeUnknown():
            return UNKNOWN
        case ModuleFault() if error.used:
            return UNKNOWN
        case _:
            return FAILED


def content_facts(content: Content) -> dict[str, Json]:
    """What the decoder read, as far as an auditor asks."""
    return dict(facts_of(content))


def _product(product: Product) -> dict[str, Json]:
    if product.kept:
        return {"result": [each.hex() for each in product.outputs], "state": MADE}
    # A meter reading has so few values that its digest would tell it.
    return {"result_octets": [len(each) for each in product.outputs], "state": DONE}


def _taken(takes: Takes) -> dict[str, Json]:
    told: dict[str, Json] = {
        "taken": [dict(claim) for claim in takes.taken],
        "counted": list(takes.counted),
        "warned": list(takes.warned),
    }
    told = {name: value for name, value in told.items() if value}
    return told if takes.released is None else told | {"released": takes.released}


def _statement(statement: Statement) -> Json:
    """Whole, so that a stranger can verify it again."""
    return {
        "attester": statement.attester,
        "kind": statement.kind.value,
        "sha256": statement.sha256.hex(),
        "statement": statement.compact,
    }


def _finding(finding: Finding) -> Json:
    if finding.passed:
        # ``found`` says where a test deployment passed what a live one would refuse.
        return [finding.rule, finding.clause, finding.found] if finding.found else [finding.rule, finding.clause]
    written: dict[str, Json] = {
        "clause": finding.clause,
        "expected": finding.expected,
        "found": finding.found,
        "rule": finding.rule,
    }
    if finding.offset is not None:
        written["offset"] = finding.offset
    if finding.reason:
        written["reason"] = finding.reason
    return written


def relation(content: Content) -> bytes | None:
    """Originator, Device and Originator Counter, 24 octets: what a Device takes once. None for content without them."""
    if isinstance(content, GbcsCommand):
        return content.originator.octets + content.recipient.octets + content.originator_counter.to_bytes(8, "big")
    return None
