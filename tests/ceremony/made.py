"""Whole transcripts without a module: real people, real signatures, records as the ledger writes them.

``a_plan(kind)`` gives the octets of a good plan file, ``a_transcript(plan)`` what is left of its ceremony; ``as_dict``
and ``as_octets`` are for whoever spoils one. People are the same throughout a process.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from keybroker.ceremony.entry import NOTHING_BEFORE, Entry
from keybroker.ceremony.judging_approvals import demanded_approvals
from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile, Role, Side, read_plan
from keybroker.ceremony.steps import Step, StepName, own_steps, procedure
from keybroker.ceremony.transcript_form import FORM
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Entry as LedgerEntry
from keybroker.ledger.model import InForce, RecordKind
from keybroker.ledger.record import Writer
from keybroker.statement.approval import Approval
from keybroker.statement.kind import StatementKind
from keybroker.terms import DeploymentKind, KeyPurpose, PartyName
from tests.ceremony.people import TestPerson
from tests.statement.attested import AT, DAY, ORIGIN, Attests, common

LEDGER = ORIGIN
OTHER_LEDGER = "keybroker.example/tests-b/TEST"
KEY = sha256(b"the public key").hexdigest()
BEGAN = AT + timedelta(hours=1)
MINUTES = timedelta(minutes=4)
"""Between steps."""

ROLES: Mapping[Role, tuple[str, ...]] = {
    Role.ADMINISTRATOR: ("ada",),
    Role.WITNESS: ("wilma",),
    Role.SECURITY_OFFICER: ("otto",),
    Role.PMA_REPRESENTATIVE: ("pia",),
    Role.AUDITOR: ("aron",),
    Role.CUSTODIAN: ("cara", "cem", "chloe"),
}
PMA = Attests(name="pma-secretary")


@cache
def person(name: str) -> TestPerson:
    return TestPerson(name=name)


def a_plan(kind: CeremonyKind = CeremonyKind.GENERATE, **changes: Any) -> bytes:
    """A plan file with all its steps and approvals; ``changes`` by the names of its keys, None leaves one out."""
    said = {**_of_every_kind(kind), **_of_kind(kind), **changes}
    without = {name: value for name, value in said.items() if value is not None}
    plan = read_plan(toml({"steps": [], **without})).plan
    said.setdefault("steps", [step.told for step in procedure(plan)])
    demanded = sorted(demanded_approvals(plan).items())
    said.setdefault("approvals", [{"about": about, "committee": committee} for about, committee in demanded])
    return toml({name: value for name, value in said.items() if value is not None})


def _of_every_kind(kind: CeremonyKind) -> dict[str, Any]:
    made_here = kind is CeremonyKind.GENERATE
    custodians = kind not in (CeremonyKind.GENERATE, CeremonyKind.RENEW, CeremonyKind.DESTROY)
    key = {"label": "recovery", "purpose": KeyPurpose.RECOVERY_COMMAND.value, "party": "dcc"}
    return {
        "kind": kind.value,
        "name": f"{kind.value}-2026",
        "reason": f"To {kind.value.replace('-', ' ')} the Recovery Private Key <as minuted> & agreed.",
        "requested_by": "rita",
        "valid_from": AT,
        "valid_until": AT + 30 * DAY,
        "outputs": ["The transcript, two copies"],
        "keys": [key if made_here else {**key, "public_key_sha256": KEY}],
        "modules": [{"side": "here", "serial": "FAKE-0001", "ledger": LEDGER}],
        "people": [
            participant(name, role)
            for role, names in ROLES.items()
            for name in names
            if custodians or role is not Role.CUSTODIAN
        ],
    }


def _of_kind(kind: CeremonyKind) -> dict[str, Any]:
    match kind:
        case CeremonyKind.RENEW:
            successor = {"label": "recovery", "purpose": "recovery-command", "party": "dcc", "public_key_sha256": KEY}
            return {"keys": [{**successor, "successor": "recovery-2"}]}
        case CeremonyKind.TRANSFER:
            sides = (("source", "FAKE-0001", LEDGER), ("destination", "FAKE-0002", OTHER_LEDGER))
            return {
                "modules": [{"side": side, "serial": serial, "ledger": ledger} for side, serial, ledger in sides],
                "conditions": [{"id": "couriers", "words": "Two couriers travel with the package."}],
                "transfer": {
                    "source": "dcc-live-systems-a",
                    "destination": "dcc-live-systems-b",
                    "contract_replaced": "DSP-2013",
                    "requisite_because": "The contract ends.",
                    "mechanism": "pkcs11-wrap",
                    "afterwards": "destroy",
                },
            }
        case CeremonyKind.SPLIT | CeremonyKind.RESHARE:
            split = {
                "mechanism": "slip39",
                "sites": ["london-a", "leeds-b"],
                "copies": 3,
                "generation": 1,
                "of_appendix_l": False,
            }
            return {"quorum": {"threshold": 2, "count": 3}, "split": split}
        case CeremonyKind.COMBINE | CeremonyKind.VERIFY_SHARES:
            return {"quorum": {"threshold": 2, "count": 3}}
        case _:
            return {}


def participant(name: str, role: Role) -> dict[str, Any]:
    said = {"name": name, "role": role.value, "signing_sha256": sha256(person(name).certificate).hexdigest()}
    if role is Role.CUSTODIAN:
        said["receiving_sha256"] = sha256(f"{name} receives".encode()).hexdigest()
    return said


def toml(said: Mapping[str, Any]) -> bytes:
    """Plain values first, then tables, then lists of tables."""
    plain = [f"{name} = {_value(value)}" for name, value in said.items() if not _is_table(value)]
    tables = [(f"[{name}]", value) for name, value in said.items() if isinstance(value, Mapping)]
    listed = [
        (f"[[{name}]]", each)
        for name, value in said.items()
        if _is_table(value) and not isinstance(value, Mapping)
        for each in value
    ]
    for head, table in (*tables, *listed):
        plain += ["", head, *(f"{name} = {_value(value)}" for name, value in table.items())]
    return ("\n".join(plain) + "\n").encode()


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _value(value: Any) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else json.dumps(value)


def a_transcript(
    plan: bytes | None = None,
    *,
    side: Side | None = None,
    steps: int | None = None,
    state: str | None = None,
    given: Sequence[Mapping[str, Json]] | None = None,
    change: Callable[[Entry], Entry] = lambda entry: entry,
    deployment: DeploymentKind = DeploymentKind.TEST,
    ends: tuple[Step, ...] = (),
) -> bytes:
    """As ``transcript.make_transcript`` writes it. ``steps``: how many are concluded, None for all of its side, and
    ``ends`` behind them.

    ``given``: the approvals, where they are not all that the plan demands. ``change``: of each entry before it is
    signed, for what somebody signed wrongly.
    """
    plan_file = read_plan(a_plan() if plan is None else plan)
    side = side or plan_file.plan.modules[0].side
    module = plan_file.plan.module(side)
    assert module is not None
    all_steps = own_steps(plan_file.plan, side)
    done = (*(all_steps if steps is None else all_steps[:steps]), *ends)
    written: list[Json] = []
    previous = NOTHING_BEFORE
    for number, step in enumerate(done, start=1):
        entry = change(an_entry(plan_file, step, number, previous, side=side, ledger=module.ledger))
        written.append(a_step(step, entry, deployment=deployment))
        previous = entry.sha256
    people: list[Json] = [
        {
            "certificate": _base64(person(each.name).certificate),
            "name": each.name,
            "role": each.role.value,
        }
        for each in plan_file.plan.people
    ]
    return as_octets(
        {
            "approvals": [dict(each) for each in (approvals(plan_file, module.ledger) if given is None else given)],
            "ceremony": plan_file.plan.name,
            "deployment": deployment.value,
            "form": FORM,
            "ledger": module.ledger,
            "people": people,
            "plan": plan_file.octets.decode(),
            "plan_sha256": plan_file.sha256.hex(),
            "side": side.value,
            "state": state or ("done" if len(done) == len(all_steps) else "open"),
            "steps": written,
        }
    )


def an_entry(
    plan_file: PlanFile, step: Step, number: int, previous: str, *, side: Side = Side.HERE, ledger: str = LEDGER
) -> Entry:
    return Entry(
        ceremony=plan_file.plan.name,
        plan_sha256=plan_file.sha256.hex(),
        ledger=ledger,
        side=side.value,
        number=number,
        step=step.name.value,
        at=BEGAN + number * MINUTES,
        people=tuple(each.name for each in plan_file.plan.people if each.role in step.signed_by),
        facts=facts(plan_file.plan, step.name),
        previous=previous,
    )


def a_step(step: Step, entry: Entry, *, deployment: DeploymentKind = DeploymentKind.TEST) -> dict[str, Json]:
    """Signed by everybody, half a minute after the other, with the records of its beginning and its end."""
    signed: dict[str, Json] = {
        name: _base64(person(name).sign_at(entry.octets, entry.at + timedelta(seconds=30 * turn)))
        for turn, name in enumerate(entry.people, start=1)
    }
    begun: dict[str, Json] = {"act": "BeginCeremonyStep", "given": {}, "step": step.name.value}
    ended: dict[str, Json] = {
        "act": "ConcludeCeremonyStep",
        "entry": entry.octets.decode(),
        "entry_sha256": entry.sha256,
        "signatures": signed,
    }
    first, last = 40 + 2 * entry.number, 41 + 2 * entry.number
    of_this: dict[str, Json] = {"ceremony": entry.ceremony, "number": entry.number}
    return {
        "begun": a_record(first, begun | of_this, entry.at, deployment),
        "concluded": a_record(last, ended | of_this, entry.at + MINUTES / 2, deployment),
        "entry": entry.octets.decode(),
        "signatures": dict(sorted(signed.items())),
    }


def a_record(
    leaf_index: int, body: Mapping[str, Json], at: datetime, deployment: DeploymentKind = DeploymentKind.TEST
) -> dict[str, Json]:
    """As ``keys/evidence.py: record_act`` has it written."""
    in_force = InForce(configuration=bytes(32), profile=bytes(32), policies={})
    writer = Writer(deployment=deployment, in_force=in_force, worker="ceremony")
    actor: dict[str, Json] = {"identity": "uid:0", "kind": "operator", "party": "dcc"}
    entry = LedgerEntry(kind=RecordKind.ADMINISTRATIVE, party=PartyName("dcc"), body={"actor": actor, **body})
    octets = encode(writer.entry(entry, at))
    return {"leaf_hash": leaf_hash(octets).hex(), "leaf_index": leaf_index, "octets": _base64(octets)}


def facts(plan: Plan, step: StepName) -> dict[str, Json]:
    """Such as a step of that name finds."""
    match step:
        case StepName.GATHER:
            people: list[Json] = [
                {"name": each.name, "role": each.role.value, "signing_sha256": each.signing_sha256}
                for each in plan.people
            ]
            return {"people": people, "reason": plan.reason, "requested_by": plan.requested_by}
        case StepName.CHECK_MODULE:
            module: dict[str, Json] = {"label": "tests", "manufacturer": "Example Modules", "serial": "FAKE-0001"}
            return {"clock": "agrees with its source", "module": module, "node": "test-node.0123456789abcdef"}
        case StepName.CLOSE:
            outputs: list[Json] = [{"name": "recovery.csr.pem", "sha256": KEY}, {"name": "recovery.pem", "sha256": KEY}]
            return {"outputs": outputs}
        case _:
            return {"key": plan.keys[0].label, "public_key": "04" + KEY + KEY}


def approvals(plan_file: PlanFile, ledger: str) -> Sequence[dict[str, Json]]:
    """All that the plan demands, by the PMA's secretary."""
    wanted = {each.about: each.committee for each in plan_file.plan.approvals} | dict(
        demanded_approvals(plan_file.plan)
    )
    return [
        an_approval(plan_file, about=about, committee=committee, aud=ledger)
        for about, committee in sorted(wanted.items())
    ]


def an_approval(plan_file: PlanFile, **changes: Any) -> dict[str, Json]:
    plan, about = plan_file.plan, changes["about"]
    said: dict[str, Any] = {
        "reference": f"PMA-2026-{about}",
        "plan_sha256": plan_file.sha256.hex(),
        "keys": [key.public_key_sha256 for key in plan.keys if key.public_key_sha256],
        "conditions": [],
    }
    if about in ("transfer", "mechanism", "views") and plan.transfer is not None:
        terms = plan.transfer
        said |= {"source": terms.source, "destination": terms.destination, "mechanism": terms.mechanism}
        said |= {} if about == "views" else {"views": "PMA-2026-views"}
    if about == "combine":
        said |= {"messages": [{"octets_sha256": "ab" * 32}], "uses": 2}
    approval = Approval.model_validate(common(StatementKind.APPROVAL, at=AT, last=90 * DAY) | said | changes)
    return {"certificate": _base64(PMA.certificate), "statement": PMA.state(approval).decode()}


def as_dict(octets: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(octets)
    return read


def as_octets(transcript: Mapping[str, Any]) -> bytes:
    return encode(transcript)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
