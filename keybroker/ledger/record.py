"""How is a record written? Bodies of every kind, and the one way to turn them into octets. Pure.

``docs/ledger.md`` describes the same in prose, for whoever writes another verifier. Octets are canonical JSON (RFC
8785), made by the C encoder within the subset where the two agree: ASCII keys, integers within 2^53 and no floats.
Counters and other 64-bit integers are written as decimal strings, octets as lower-case hex.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import assert_never

from keybroker.content.model import AuditCheckpoint, Content, GbcsCommand
from keybroker.errors import ContentMalformed, KeybrokerError, ModuleDisagrees, ModuleFault, OutcomeUnknown
from keybroker.gates.model import Permit
from keybroker.ledger.model import Entry, Failure, InForce, Json, RecordKind, Refused, RequestIdentity, Signature
from keybroker.terms import Caller, DeploymentKind, Finding

VERSION = 1
"""The version of the record format, ``v`` in every record."""

LARGEST_INTEGER = 2**53
"""Beyond it RFC 8785 writes what ECMAScript would, and so do we not write it at all."""

SIGNED, FAILED, UNKNOWN = "signed", "failed", "unknown"
"""How an intent can end."""

MESSAGE_CODE_ANY_BY_CONTINGENCY = 0x0109
"""CS02b anyByContingency, whose plaintextSymmetricKey discloses a key (handbook 3.5)."""

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def encode(body: Mapping[str, Json]) -> bytes:
    """Canonical JSON of a body known to lie within the subset: those made in this module do.

    Raises: UnicodeEncodeError (a ValueError) for a lone surrogate.
    """
    return _encode(body).encode()


def check_json(value: object, where: str = "body") -> None:
    """Raises: ValueError when a value lies outside the subset in which our encoder equals RFC 8785."""
    match value:
        case None | bool():
            pass
        case str():
            value.encode()
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{where}: an integer beyond 2^53 is written as a decimal string")
        case list():
            for item in value:
                check_json(item, where)
        case dict():
            for key, item in value.items():
                if not (isinstance(key, str) and key.isascii()):
                    raise ValueError(f"{where}: a key must be ASCII text")
                check_json(item, f"{where}.{key}")
        case _:
            raise ValueError(f"{where}: a record holds no {type(value).__name__}")


def decode(octets: bytes) -> dict[str, Json]:
    """The body of a record.

    Raises: ValueError when the octets are not one JSON object in canonical form within the subset.
    """
    body = json.loads(octets, parse_float=_no_float, parse_constant=_no_float)
    if not isinstance(body, dict):
        raise ValueError("a record is a JSON object")  # noqa: TRY004 - one kind of error for whatever was read
    check_json(body)
    if encode(body) != octets:
        raise ValueError("the JSON is not canonical (RFC 8785)")
    return body


def may_keep(content: Content) -> bool:
    """May the octets of this content be kept beside the ledger? Not where they disclose Secret Key Material."""
    match content:
        case GbcsCommand():
            return content.message_code.value != MESSAGE_CODE_ANY_BY_CONTINGENCY
        case AuditCheckpoint():
            return True
        case _:
            assert_never(content)


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

    def origin(self, origin: str, at: datetime) -> dict[str, Json]:
        """The first record of a ledger: its name. It carries the mark of a test deployment, from birth."""
        return {**self._mark, "at": moment(at), "kind": RecordKind.ORIGIN, "party": "", "origin": origin}

    def intent(
        self, identity: RequestIdentity, permit: Permit, *, octets: str, digest: str, reused: int, at: str
    ) -> dict[str, Json]:
        """A use of a key that is about to happen. ``octets`` and ``digest`` are SHA-256 in hex."""
        decision = permit.decision
        return {
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

    def outcome(self, result: Signature | Failure, at: str) -> dict[str, Json]:
        """How an intent ended: the signature, or why there is none, or that nobody can say."""
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

    def refusal(self, refused: Refused, at: datetime) -> dict[str, Json]:
        """A request that is not served, with every finding there is."""
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
        return body

    def release(self, identity: RequestIdentity, *, outcome: int, signature: str, at: datetime) -> dict[str, Json]:
        """A recorded signature given again: ``outcome`` is the leaf index of the record that first held it."""
        return {
            **self._mark,
            **self._request(identity),
            "at": moment(at),
            "kind": RecordKind.RELEASE,
            "outcome": outcome,
            "signature": signature,
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
    """``unknown`` where the key may have been used and nobody saw the result; else ``failed``."""
    match error:
        case OutcomeUnknown():
            return UNKNOWN
        case ModuleDisagrees():
            return FAILED
        case ModuleFault() if error.used:
            return UNKNOWN
        case _:
            return FAILED


def content_facts(content: Content) -> dict[str, Json]:
    """What the decoder read, as far as an auditor asks."""
    match content:
        case GbcsCommand():
            facts: dict[str, Json] = {
                "code": str(content.message_code),
                "counter": str(content.originator_counter),
                "family": content.payload_family.value,
                "kind": content.kind.value,
                "originator": str(content.originator),
                "recipient": str(content.recipient),
                "use_case": content.message_code.use_case,
            }
            if content.supplementary_party is not None:
                facts["supplementary_party"] = str(content.supplementary_party)
                facts["supplementary_counter"] = str(content.supplementary_counter)
            return facts
        case AuditCheckpoint():
            return {
                "kind": content.kind.value,
                "origin": content.origin,
                "root_hash": content.root_hash.hex(),
                "tree_size": str(content.tree_size),
            }
        case _:
            assert_never(content)


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
    return written


def _no_float(text: str) -> float:
    raise ValueError(f"a record holds no such number: {text}")


def relation(content: Content) -> bytes | None:
    """Originator, Device and Originator Counter, 24 octets: what a Device takes once. None for content without them."""
    match content:
        case GbcsCommand():
            return content.originator.octets + content.recipient.octets + content.originator_counter.to_bytes(8, "big")
        case AuditCheckpoint():
            return None
        case _:
            assert_never(content)
