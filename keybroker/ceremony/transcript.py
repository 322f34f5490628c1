"""What is left of a ceremony, for strangers? One canonical JSON document: plan, steps, signatures, records, approvals.

Its schema is published (``docs/ceremonies/transcript.md``). Everything that verifying needs stands in it but the
certificates' digests, which stand in the plan that everybody signed.
"""

from __future__ import annotations

import base64

from keybroker.ceremony.book import Book, ConcludedStep, Held
from keybroker.ceremony.scene import Scene
from keybroker.ceremony.transcript_form import FORM
from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json, encode
from keybroker.statement.approval import Approval


def make_transcript(book: Book, held: Held, scene: Scene) -> bytes:
    """Canonical JSON, as far as the ceremony is. Raises: LedgerFault."""
    plan = held.plan_file.plan
    steps: list[Json] = [_step(book, each) for each in held.steps]
    people: list[Json] = [
        {
            "certificate": base64.b64encode(scene.standing.attesters[person.signing_sha256].certificate).decode(),
            "name": person.name,
            "role": person.role.value,
        }
        for person in plan.people
        if person.signing_sha256 in scene.standing.attesters
    ]
    return encode(
        {
            "approvals": _approvals(held, scene),
            "ceremony": plan.name,
            "deployment": scene.deployment.value,
            "form": FORM,
            "ledger": scene.origin,
            "people": people,
            "plan": held.plan_file.octets.decode(),
            "plan_sha256": held.plan_file.sha256.hex(),
            "side": held.side.value,
            "state": held.state,
            "steps": steps,
        }
    )


def _step(book: Book, concluded: ConcludedStep) -> Json:
    signed = sorted(concluded.signatures.items())
    return {
        "begun": _record(book, concluded.begun_index),
        "concluded": _record(book, concluded.leaf_index),
        "entry": concluded.entry.octets.decode(),
        "signatures": {name: base64.b64encode(der).decode() for name, der in signed},
    }


def _record(book: Book, leaf_index: int) -> Json:
    """A record of the ledger, whole: its leaf hash is SHA-256 over 00 and its octets (RFC 9162 section 2.1)."""
    stored = book.journal.find(leaf_index)
    if stored is None:
        raise LedgerBroken(f"the ledger has no record {leaf_index}, in which a step of a ceremony stands")
    octets = base64.b64encode(stored.octets).decode()
    return {"leaf_hash": stored.leaf_hash.hex(), "leaf_index": leaf_index, "octets": octets}


def _approvals(held: Held, scene: Scene) -> list[Json]:
    """Of this very plan, and views that bind no plan; with the certificate of whoever said it."""
    found: list[Json] = []
    for statement, approval in reversed(tuple(scene.standing.ever(Approval))):
        if approval.plan_sha256 in (None, held.plan_file.sha256.hex()):
            certificate = scene.standing.attesters[statement.kid].certificate
            found.append({"certificate": base64.b64encode(certificate).decode(), "statement": statement.compact})
    return found
