"""Is a record by itself what its kind demands? Leaf hash, canonical form, fields, mark of the deployment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from keybroker.errors import LedgerBroken
from keybroker.ledger import canonical_json, record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import RecordKind, StoredRecord
from keybroker.terms import DeploymentKind

_COMMON = frozenset({"v", "at", "kind", "party"})
_REQUEST = frozenset({"caller", "key", "operation", "request", "request_id", "worker"})
_FIELDS: Mapping[RecordKind, frozenset[str]] = {
    RecordKind.ORIGIN: frozenset({"origin"}),
    RecordKind.START: frozenset({"body", "in_force", "worker"}),
    RecordKind.STOP: frozenset({"body", "in_force", "worker"}),
    RecordKind.READ: frozenset({"body", "in_force", "worker"}),
    RecordKind.ADMINISTRATIVE: frozenset({"body", "in_force", "worker"}),
    RecordKind.INTENT: _REQUEST
    | {"content", "digest", "findings", "in_force", "octets", "public_key", "purpose", "reused"},
    RecordKind.REFUSAL: _REQUEST | {"findings", "in_force", "octets", "reason", "sentence"},
    RecordKind.RELEASE: _REQUEST | {"outcome"},
    RecordKind.OUTCOME: frozenset({"intent", "module", "state"}),
    RecordKind.CLOSED: frozenset({"died", "intent", "state"}),
}
_MORE: Mapping[RecordKind, frozenset[str]] = {
    RecordKind.REFUSAL: frozenset({"offset", "quarantine"}),
    RecordKind.INTENT: frozenset({"accompanying", "counted", "evidence", "released", "taken", "use", "warned"}),
    RecordKind.OUTCOME: frozenset({"signature", "result", "result_octets", "reason", "sentence"}),
    RecordKind.RELEASE: frozenset({"signature", "result"}),
}
_ENTRY = frozenset({"body", "in_force", "worker"})


def read_body(stored: StoredRecord, deployment: DeploymentKind, origin: str) -> dict[str, Json]:
    """The body of a record that is as it was hashed, canonical, and of the form of its kind. Raises: LedgerBroken."""
    index = stored.leaf_index
    found = leaf_hash(stored.octets)
    expect(found == stored.leaf_hash, index, f"leaf hash {stored.leaf_hash.hex()}", found.hex())
    try:
        body = canonical_json.decode(stored.octets)
    except ValueError as error:
        raise LedgerBroken(f"record {index}: {error}") from error
    expect(body.get("v") == record.VERSION, index, f"version {record.VERSION}", repr(body.get("v")))
    expect(body.get("kind") == stored.kind, index, f"kind {stored.kind!r}, as its row says", repr(body.get("kind")))
    expect(
        body.get("party") == stored.party, index, f"party {stored.party!r}, as its row says", repr(body.get("party"))
    )
    mark = deployment.value if deployment is DeploymentKind.TEST else None
    expect(body.get("deployment") == mark, index, f"deployment mark {mark!r}", repr(body.get("deployment")))
    expect(stored.kind in set(RecordKind), index, "a known kind", repr(stored.kind))
    _check_fields(index, RecordKind(stored.kind), frozenset(body) - {"deployment"})
    is_origin = stored.kind == RecordKind.ORIGIN
    expect(is_origin == (index == 0), index, "the origin record first, and only there", repr(stored.kind))
    expect(not is_origin or body["origin"] == origin, index, f"origin {origin!r}", repr(body.get("origin")))
    return body


def _check_fields(index: int, kind: RecordKind, fields: frozenset[str]) -> None:
    demanded = _COMMON | _FIELDS[kind]
    if kind is RecordKind.REFUSAL and "body" in fields:
        demanded = _COMMON | _ENTRY
    missing, unknown = demanded - fields, fields - demanded - _MORE.get(kind, frozenset())
    expect(not missing, index, f"the fields {', '.join(sorted(missing))}", "none")
    expect(not unknown, index, "no other fields", ", ".join(sorted(unknown)))


def expect(holds: bool, index: int, expected: str, found: str) -> None:
    """Raises: LedgerBroken, which names the record, what was expected and what was found."""
    if not holds:
        raise LedgerBroken(f"record {index}: expected {expected}; found {found}")


def moment_of(index: int, body: Mapping[str, Json]) -> datetime:
    """When it was recorded. Raises: LedgerBroken."""
    try:
        at = datetime.fromisoformat(str(body["at"]))
    except ValueError as error:
        raise LedgerBroken(f"record {index}: expected a moment; found {body['at']!r}") from error
    expect(record.moment(at) == body["at"], index, "a moment in UTC", str(body["at"]))
    return at
