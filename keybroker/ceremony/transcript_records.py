"""Are the records in a transcript those of its steps, as the ledger would hold them? Pure.

Whoever has the ledger compares leaf indexes and leaf hashes with it: by themselves they show the order in which it was
written, and no more.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

from keybroker.ceremony.entry import Entry
from keybroker.ceremony.transcript_form import RecordForm, StepForm, expect
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.merkle import leaf_hash

BEGUN, CONCLUDED = "BeginCeremonyStep", "ConcludeCeremonyStep"


def check_records(given: StepForm, entry: Entry, *, deployment: str, after: int) -> datetime:
    """When the step was begun, which is when its plan was judged. ``after``: leaf index of the record before.

    Raises: ValueError.
    """
    begun, concluded = _decoded(given.begun, deployment), _decoded(given.concluded, deployment)
    indexes = (given.begun.leaf_index, given.concluded.leaf_index)
    expect(after < indexes[0] < indexes[1], f"records later than record {after}, in order", str(indexes))
    _expect_body(begun, {"act": BEGUN, "ceremony": entry.ceremony, "number": entry.number, "step": entry.step})
    told: dict[str, Json] = {"act": CONCLUDED, "ceremony": entry.ceremony, "number": entry.number}
    signed: dict[str, Json] = {**given.signatures}
    _expect_body(concluded, {**told, "entry": given.entry, "entry_sha256": entry.sha256, "signatures": signed})
    return datetime.strptime(str(begun.get("at")), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _decoded(record: RecordForm, deployment: str) -> dict[str, Json]:
    """A record of this sort of deployment that hashes to what is claimed."""
    octets = base64.b64decode(record.octets)
    hashed = leaf_hash(octets).hex()
    expect(hashed == record.leaf_hash, f"record {record.leaf_index} with leaf hash {hashed}", record.leaf_hash)
    read = decode(octets)
    mark = str(read.get("deployment", "live"))
    expect(mark == deployment, f"record {record.leaf_index} of a {deployment} deployment", f"of a {mark} one")
    return read


def _expect_body(record: Mapping[str, Json], told: Mapping[str, Json]) -> None:
    body = record.get("body")
    found = body if isinstance(body, dict) else {}
    for name, wanted in told.items():
        right = found.get(name) == wanted
        expect(right, f"{name} {str(wanted)[:80]} in the record of step {told['number']}", str(found.get(name))[:80])
