"""Transcripts that are not of this ceremony: a good one, and what was changed in it, left out of it or put into it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from keybroker.ceremony.entry import NOTHING_BEFORE, Entry
from keybroker.ceremony.plan import CeremonyKind, Role, Side, read_plan
from keybroker.ceremony.transcript_form import LONGEST
from keybroker.ledger.canonical_json import decode, encode
from keybroker.ledger.merkle import leaf_hash
from tests.ceremony import made
from tests.ceremony.made import BEGAN, a_plan, a_transcript, an_approval, as_dict, as_octets, person
from tests.statement.attested import AT, DAY

Path = tuple[str | int, ...]
LIVE_LEDGER = "keybroker.example/dcc"
SPLIT = a_plan(CeremonyKind.SPLIT)
GOOD = a_transcript(SPLIT)
TRANSFER = a_plan(CeremonyKind.TRANSFER)
OPEN = a_transcript(TRANSFER, side=Side.SOURCE, steps=2)


def signed_as(change: Callable[[Entry], Entry]) -> bytes:
    """Everybody signed entries that are wrong."""
    return a_transcript(SPLIT, change=change)


def approved(*approvals: dict[str, Any], plan: bytes = SPLIT) -> bytes:
    return a_transcript(plan, given=approvals)


def split_approval(**changes: Any) -> dict[str, Any]:
    return an_approval(read_plan(SPLIT), **{"about": "split", "committee": "smki-pma", **changes})


def changed(change: Callable[[dict[str, Any]], object], octets: bytes = GOOD) -> bytes:
    read = as_dict(octets)
    change(read)
    return as_octets(read)


def record_changed(which: str, change: Callable[[dict[str, Any]], object], number: int = 1) -> bytes:
    """A record that says something else, and hashes rightly."""

    def whole(transcript: dict[str, Any]) -> None:
        record = transcript["steps"][number - 1][which]
        read = decode(base64.b64decode(record["octets"]))
        change(read)
        octets = encode(read)
        record |= {"octets": base64.b64encode(octets).decode(), "leaf_hash": leaf_hash(octets).hex()}

    return changed(whole)


def without_step(number: int) -> bytes:
    def change(transcript: dict[str, Any]) -> None:
        del transcript["steps"][number - 1]
        transcript["state"] = "open"

    return changed(change)


def swap(transcript: dict[str, Any], *, one: int, other: int) -> None:
    steps = transcript["steps"]
    steps[one], steps[other] = steps[other], steps[one]


def signed_by_another(transcript: dict[str, Any]) -> None:
    step = transcript["steps"][0]
    der = person("cara").sign_at(step["entry"].encode(), BEGAN)
    step["signatures"]["ada"] = base64.b64encode(der).decode()


def with_certificate_of_another(transcript: dict[str, Any]) -> None:
    transcript["people"][0]["certificate"] = base64.b64encode(person("mallory").certificate).decode()


def padded_otherwise(transcript: dict[str, Any]) -> None:
    """The same octets in another spelling: what stands in the last bits is not read by everybody."""
    records = (step[which] for step in transcript["steps"] for which in ("begun", "concluded"))
    record = next(each for each in records if each["octets"].endswith("="))
    body, padding = record["octets"].rstrip("="), "=" * record["octets"].count("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    record["octets"] = body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + padding


def conditions(*words: str) -> list[dict[str, str]]:
    return [{"id": each, "words": "As minuted."} for each in words]


CASES = {
    # The form.
    "nothing": (lambda: b"", "Expecting value"),
    "no-object": (lambda: b"[]", "JSON object"),
    "a-line-end-more": (lambda: GOOD + b"\n", "canonical"),
    "not-canonical": (lambda: json.dumps(as_dict(GOOD)).encode(), "canonical"),
    "no-utf-8": (lambda: b'{"a":"\xff"}', "utf-8"),
    "nested-without-end": (lambda: b'{"a":' * 100_000, "nested"),
    "too-long": (lambda: bytes(LONGEST + 1), "octets"),
    "another-form": (lambda: changed(lambda t: t.update(form="keybroker-ceremony-transcript-2")), "form"),
    "a-field-more": (lambda: changed(lambda t: t.update(remarks="none")), "remarks"),
    "a-field-less": (lambda: changed(lambda t: t.pop("approvals")), "approvals"),
    "base64-of-another-spelling": (lambda: changed(padded_otherwise), "base64"),
    # The plan, and where the ceremony was.
    "another-name": (lambda: changed(lambda t: t.update(ceremony="split-2027")), "the ceremony split-2026"),
    "another-side": (lambda: changed(lambda t: t.update(side="source")), "ledger of the plan's side"),
    "another-ledger": (lambda: changed(lambda t: t.update(ledger="another/TEST")), "ledger of the plan's side"),
    "live-in-the-ledger-of-a-test": (lambda: changed(lambda t: t.update(deployment="live")), "live deployment"),
    "steps-of-another-kind": (lambda: a_transcript(a_plan(CeremonyKind.SPLIT, steps=["gather"])), "steps of its kind"),
    "plan-no-longer-in-force": (
        lambda: a_transcript(a_plan(CeremonyKind.SPLIT, valid_until=BEGAN + timedelta(minutes=9))),
        "step 3 begun while the plan was in force",
    ),
    "plan-not-yet-in-force": (
        lambda: a_transcript(a_plan(CeremonyKind.SPLIT, valid_from=AT + DAY)),
        "step 1 begun while the plan was in force",
    ),
    "plan-without-people": (lambda: a_transcript(a_plan(CeremonyKind.SPLIT, people=None)), "plan-quorum"),
    "plan-without-a-witness": (
        lambda: a_transcript(a_plan(CeremonyKind.RENEW, people=[made.participant("ada", Role.ADMINISTRATOR)])),
        "plan-roles: 1 internal-witness",
    ),
    "plan-with-one-person-twice": (
        lambda: a_transcript(
            a_plan(
                CeremonyKind.RENEW,
                people=[made.participant("ada", Role.ADMINISTRATOR), made.participant("ada", Role.WITNESS)],
            )
        ),
        "plan-people-differ",
    ),
    "plan-with-a-quorum-of-one": (
        lambda: a_transcript(a_plan(CeremonyKind.SPLIT, quorum={"threshold": 1, "count": 3})),
        "plan-quorum",
    ),
    # People.
    "a-person-less": (lambda: changed(lambda t: t["people"].pop()), "8 people"),
    "a-person-more": (lambda: changed(lambda t: t["people"].append(t["people"][0])), "8 people"),
    "another-role": (lambda: changed(lambda t: t["people"][0].update(role="auditor")), "people of the plan"),
    "another-certificate": (lambda: changed(with_certificate_of_another), "people of the plan"),
    # Steps and entries.
    "first-step-left-out": (lambda: without_step(1), "entry"),
    "step-in-the-middle-left-out": (lambda: without_step(3), "entry"),
    "last-step-left-out-of-what-is-done": (lambda: changed(lambda t: t["steps"].pop()), "state done"),
    "a-step-twice": (lambda: changed(lambda t: t["steps"].append(t["steps"][-1])), "at most 8 steps"),
    "steps-in-another-order": (lambda: changed(lambda t: swap(t, one=3, other=4)), "entry"),
    "open-with-every-step": (lambda: changed(lambda t: t.update(state="open")), "state done"),
    "aborted-with-every-step": (lambda: changed(lambda t: t.update(state="aborted")), "state done"),
    "entry-of-another-ceremony": (lambda: signed_as(lambda e: replace(e, ceremony="split-2027")), "entry"),
    "entry-of-another-plan": (lambda: signed_as(lambda e: replace(e, plan_sha256="ab" * 32)), "entry"),
    "entry-of-another-ledger": (lambda: signed_as(lambda e: replace(e, ledger="another/TEST")), "entry"),
    "entry-of-another-side": (lambda: signed_as(lambda e: replace(e, side="source")), "entry"),
    "entry-of-another-step": (lambda: signed_as(lambda e: replace(e, step="close")), "entry"),
    "entry-of-another-number": (lambda: signed_as(lambda e: replace(e, number=e.number + 1)), "entry"),
    "entry-after-nothing": (lambda: signed_as(lambda e: replace(e, previous=NOTHING_BEFORE)), "entry"),
    "entry-of-fewer-people": (lambda: signed_as(lambda e: replace(e, people=e.people[:1])), "the people"),
    "entry-earlier-than-the-one-before": (
        lambda: signed_as(lambda e: replace(e, at=BEGAN - e.number * timedelta(seconds=1))),
        "no earlier",
    ),
    "entry-with-a-space": (
        lambda: changed(lambda t: t["steps"][0].update(entry=t["steps"][0]["entry"].replace(":", ": ", 1))),
        "entry",
    ),
    # Signatures.
    "a-signature-less": (lambda: changed(lambda t: t["steps"][1]["signatures"].pop("wilma")), "signatures of ada"),
    "a-signature-more": (
        lambda: changed(lambda t: t["steps"][1]["signatures"].update(cara=t["steps"][0]["signatures"]["cara"])),
        "signatures of ada, wilma",
    ),
    "signed-by-another": (lambda: changed(signed_by_another), "signer's certificate"),
    "signature-over-another-entry": (
        lambda: changed(lambda t: t["steps"][1]["signatures"].update(ada=t["steps"][0]["signatures"]["ada"])),
        "over this entry",
    ),
    # Records.
    "leaf-hash-of-another": (
        lambda: changed(lambda t: t["steps"][0]["begun"].update(leaf_hash="ab" * 32)),
        "record 42 with leaf hash",
    ),
    "records-of-another-step": (
        lambda: changed(lambda t: t["steps"][0].update(begun={**t["steps"][1]["begun"], "leaf_index": 42})),
        "number 1 in the record",
    ),
    "beginning-and-end-changed-about": (
        lambda: changed(lambda t: t["steps"][0].update(begun={**t["steps"][0]["concluded"], "leaf_index": 42})),
        "act BeginCeremonyStep",
    ),
    "records-out-of-order": (
        lambda: changed(lambda t: t["steps"][0]["begun"].update(leaf_index=43)),
        "later than record -1",
    ),
    "record-before-the-last-steps": (
        lambda: changed(lambda t: t["steps"][1]["begun"].update(leaf_index=42)),
        "later than record 43",
    ),
    "record-of-a-live-deployment": (lambda: record_changed("begun", lambda r: r.pop("deployment")), "of a live one"),
    "record-without-a-body": (lambda: record_changed("begun", lambda r: r.pop("body")), "act BeginCeremonyStep"),
    "record-whose-body-is-none": (
        lambda: record_changed("begun", lambda r: r.update(body=[])),
        "act BeginCeremonyStep",
    ),
    "record-without-a-moment": (lambda: record_changed("begun", lambda r: r.pop("at")), "does not match"),
    "record-of-another-act": (
        lambda: record_changed("concluded", lambda r: r["body"].update(act="AddStatement")),
        "act ConcludeCeremonyStep",
    ),
    "record-of-another-ceremony": (
        lambda: record_changed("concluded", lambda r: r["body"].update(ceremony="split-2027")),
        "ceremony split-2026",
    ),
    "record-of-another-entry": (
        lambda: record_changed("concluded", lambda r: r["body"].update(entry=as_dict(GOOD)["steps"][1]["entry"])),
        "entry ",
    ),
    "record-with-the-digest-of-another-entry": (
        lambda: record_changed("concluded", lambda r: r["body"].update(entry_sha256="ab" * 32)),
        "entry_sha256",
    ),
    "record-with-other-signatures": (
        lambda: record_changed("concluded", lambda r: r["body"]["signatures"].pop("pia")),
        "signatures",
    ),
    # Approvals.
    "no-approval": (lambda: approved(), "approval split of smki-pma"),
    "approval-of-another-plan": (
        lambda: approved(split_approval(plan_sha256="ab" * 32)),
        "approval split of smki-pma",
    ),
    "approval-of-other-keys": (lambda: approved(split_approval(keys=["ab" * 32])), "approval split of smki-pma"),
    "approval-of-something-else": (
        lambda: approved(split_approval(about="reshare")),
        "approval split of smki-pma",
    ),
    "approval-under-a-condition-that-is-not-in-the-plan": (
        lambda: approved(split_approval(conditions=conditions("couriers"))),
        "approval split of smki-pma",
    ),
    "approval-that-lapsed-meanwhile": (
        lambda: approved(split_approval(exp=int((BEGAN + timedelta(minutes=9)).timestamp()))),
        "in force at 2026-01-15T13:12",
    ),
    "approval-that-came-afterwards": (
        lambda: approved(split_approval(iat=int((AT + DAY).timestamp()), exp=int((AT + 2 * DAY).timestamp()))),
        "in force at 2026-01-15T13:04",
    ),
    "approval-for-another-ledger": (lambda: approved(split_approval(aud="another/TEST")), "another/TEST"),
    "approval-beside-another-certificate": (
        lambda: changed(lambda t: t["approvals"][0].update(certificate=t["people"][0]["certificate"])),
        "enrolled attester",
    ),
    "approval-beside-no-certificate": (
        lambda: changed(lambda t: t["approvals"][0].update(certificate="AAAA")),
        "enrolled attester",
    ),
    "approval-twice": (lambda: approved(split_approval(nonce="a" * 22), split_approval(nonce="a" * 22)), "each once"),
    "approval-that-is-none": (lambda: changed(lambda t: t["approvals"][0].update(statement="a.b.c")), "base64url"),
    "approval-that-the-plan-demands-beyond-its-kind": (
        lambda: approved(
            plan=a_plan(CeremonyKind.GENERATE, approvals=[{"about": "generate", "committee": "smki-pma"}]),
        ),
        "approval generate of smki-pma",
    ),
    "approval-of-no-plan": (
        lambda: approved(
            an_approval(
                read_plan(a_plan(CeremonyKind.COMBINE)), about="combine", committee="smki-pma", plan_sha256=None
            ),
            plan=a_plan(CeremonyKind.COMBINE),
        ),
        "approval combine of smki-pma",
    ),
    "approval-of-a-transfer-to-somewhere-else": (
        lambda: changed_transfer(destination="dcc-live-systems-c"),
        "approval transfer of smki-pma",
    ),
}


def changed_transfer(**changes: Any) -> bytes:
    """The transfer's own approval says something else."""
    plan_file = read_plan(TRANSFER)
    others = [each for each in as_dict(OPEN)["approvals"] if '"about":"transfer"' not in payload(each)]
    other = an_approval(plan_file, about="transfer", committee="smki-pma", **changes)
    return a_transcript(TRANSFER, side=Side.SOURCE, given=[*others, other])


def payload(approval: dict[str, str]) -> str:
    part = approval["statement"].split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
