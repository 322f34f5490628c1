"""Do the tables that no other audit holds against the records say what the records say? Read side by side.

Certificates and revoked ones, the keys of sessions, the chain of each revocation list, who checked which notification,
what a request's row and kept octets say of their intent's moment, and how often the register moved. The first that
differs is named. Of a session's key ``broker`` is in no record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, String, and_, cast, func, select

from keybroker.content.der_members import Members
from keybroker.content.signed_object import encode as encode_element
from keybroker.errors import ContentMalformed, LedgerBroken
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, decode
from keybroker.ledger.model import RecordKind
from keybroker.policy.certificates import CertificateUnfit, certificate_identity
from keybroker.terms import Operation

_SEQUENCE = 0x30


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the acts tell, by the name of what they are about."""

    version: int = 0
    chains: dict[str, list[Json]] = field(default_factory=dict)
    revocations: Counter[str] = field(default_factory=Counter)
    revoked_last: set[str] = field(default_factory=set)
    sessions: dict[str, dict[str, Json]] = field(default_factory=dict)
    lists: dict[str, Json] = field(default_factory=dict)
    checks: dict[int, tuple[str, int]] = field(default_factory=dict)

    def administer(self, index: int, body: dict[str, Json], act: dict[str, Json]) -> None:
        label = str(act.get("key"))
        self.version = int(str(act.get("register_version", self.version)))
        match act:
            case {"act": "EnrolCertificate", "chain": list(chain)}:
                self.chains[label] = chain
                self.revoked_last.discard(label)
            case {"act": "RevokeCertificate"}:
                self.revocations[label] += 1
                self.revoked_last.add(label)
            case {"act": "BeginSession"}:
                self.sessions[label] = {**act, "worker": body["worker"], "at": body["at"]}
            case {"act": "SessionKeyMade"}:
                self.sessions.setdefault(label, {})["made"] = index
            case {"act": "SessionKeyDestroyed"}:
                self.sessions.setdefault(label, {})["destroyed"] = index
            case {"act": "TakeInRevocationList", "issuer": str(issuer)}:
                self.lists[issuer] = act.get("chain", [])
            case {"act": "CheckThresholdNotification"}:
                self.checks[index] = (str(act.get("attester")), int(str(act.get("sequence"))))
            case _:
                pass


def check_beside(connection: Connection) -> None:
    """After the records were verified: they are believed here. Raises: LedgerBroken."""
    told = _Told()
    acts = select(tables.record).where(tables.record.c.kind == RecordKind.ADMINISTRATIVE.value)
    for row in connection.execute(acts.order_by(tables.record.c.leaf_index), execution_options={"yield_per": 500}):
        body = decode(row.octets)
        act = body.get("body")
        told.administer(row.leaf_index, body, act if isinstance(act, dict) else {})
    _check_head(connection, told)
    _check_certificates(connection, told)
    _check_sessions(connection, told)
    _check_lists(connection, told)
    _check_notifications(connection, told)
    _check_quarantine(connection)
    _check_moments(connection)


def _check_head(connection: Connection, told: _Told) -> None:
    row = connection.execute(select(tables.head)).one()
    _expect("head", 1, (row.id, row.register_version), (1, told.version))


def _check_certificates(connection: Connection, told: _Told) -> None:
    chains: dict[str, list[Json]] = {}
    table, own = tables.certificate, dict[str, bytes]()
    for row in connection.execute(select(table).order_by(table.c.label, table.c.position)):
        chain = chains.setdefault(row.label, [])
        _expect("certificate", row.label, row.position, len(chain))
        chain.append(sha256(row.der).hexdigest())
        if row.position == 0:
            own[row.label] = row.der
    for label in sorted(chains.keys() | told.chains.keys()):
        _expect("certificate", label, chains.get(label), told.chains.get(label))
    _check_revoked(connection, told, own)


def _check_revoked(connection: Connection, told: _Told, own: dict[str, bytes]) -> None:
    """A certificate that was replaced is in no table: of it only that its key had one revoked is told."""
    table = tables.revoked_certificate
    revoked = {row.identity: row.label for row in connection.execute(select(table))}
    counted = Counter(revoked.values())
    for label in sorted(counted.keys() | told.revocations.keys()):
        most = told.revocations[label]
        if not 1 <= counted[label] <= most:
            raise LedgerBroken(
                f"the table revoked_certificate holds {counted[label]} of {label!r}; the records tell of {most}"
            )
    for label in sorted(told.revoked_last & own.keys()):
        try:
            identity = certificate_identity(own[label])
        except CertificateUnfit as error:
            raise LedgerBroken(f"the table certificate holds of {label} what is none: {error.sentence}") from error
        _expect("revoked_certificate", label, revoked.get(identity), label)


def _check_sessions(connection: Connection, told: _Told) -> None:
    left = dict(told.sessions)
    for row in connection.execute(select(tables.session_key)):
        if row.label not in left:
            raise LedgerBroken(f"the table session_key holds {row.label!r}, of which no record tells")
        act = left.pop(row.label)
        for column, expected in _told_of_session(act).items():
            found = getattr(row, column)
            _expect(
                "session_key", f"{row.label} {column}", found.hex() if isinstance(found, bytes) else found, expected
            )
    if left:
        raise LedgerBroken(f"the records tell of the session key {min(left)}, and the table session_key does not")


def _told_of_session(act: dict[str, Json]) -> dict[str, Json]:
    """By column; octets in hex, moments in whole seconds."""
    actor, parent = act.get("actor"), act.get("parent")
    return {
        "parent": parent,
        "device": str(act.get("device")).replace("-", "").lower(),
        "handshake": act.get("handshake"),
        "made_at": _seconds(act.get("at")),
        "until": _seconds(act.get("until")),
        "request": f"{Operation.BEGIN_SMETS1_SESSION} {parent} {act.get('request_id')}",
        "caller": actor.get("identity") if isinstance(actor, dict) else None,
        "sha256": act.get("request"),
        "worker": act.get("worker"),
        "made_index": act.get("made"),
        "destroyed_index": act.get("destroyed"),
    }


def _seconds(moment: Json) -> int | None:
    """None where it is no moment, which no row says."""
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp())
    except ValueError:
        return None


def _check_lists(connection: Connection, told: _Told) -> None:
    for row in connection.execute(select(tables.revocation_list)):
        name = row.issuer.hex()
        found = [sha256(each).hexdigest() for each in _elements(row.chain)]
        _expect("revocation_list", name, found, told.lists.get(name, []))


def _elements(chain: bytes) -> Iterator[bytes]:
    """The certificates in a SEQUENCE that is exactly theirs; the whole where it is none."""
    if not chain:
        return
    try:
        members = Members.of_whole(chain, "certificates", "docs/ledger.md")
        found = [chain[each.offset : each.end] for each in members.take_rest(_SEQUENCE, "a certificate")]
    except ContentMalformed:
        found = [chain]
    yield from found if encode_element(_SEQUENCE, b"".join(found)) == chain else [chain]


def _check_notifications(connection: Connection, told: _Told) -> None:
    for row in connection.execute(select(tables.threshold_check)):
        _expect("threshold_check", row.leaf_index, (row.attester, row.sequence), told.checks.get(row.leaf_index))


def _check_quarantine(connection: Connection) -> None:
    """Beside what ``verify_counts`` looks at. ``user`` is told since it stands in the record."""
    held, table = tables.quarantine, tables.record
    both = select(held, table.c.octets.label("refusal")).join(table, table.c.leaf_index == held.c.leaf_index)
    for row in connection.execute(both.where(table.c.octets != b"")):
        refusal: Any = decode(row.refusal)
        told, name = refusal["quarantine"], f"{refusal['operation']} {refusal['key']} {refusal['request_id']}"
        found = (row.caller, row.name, row.counts, row.user_id)
        expected = (
            refusal["caller"]["identity"],
            name,
            "\n".join(told["counts"])[:4096],
            told.get("user", row.user_id),
        )
        _expect("quarantine", row.leaf_index, found, expected)


def _check_moments(connection: Connection) -> None:
    """Of intents and refusals, in whole seconds; and whose worker it was. Asked of the database: there are many."""
    record = tables.record
    for table, index, worker in (
        (tables.request, tables.request.c.intent_index, tables.request.c.worker),
        (tables.octets, tables.octets.c.leaf_index, None),
        (tables.quarantine, tables.quarantine.c.leaf_index, None),
    ):
        body = cast(record.c.octets, String)
        seconds = func.unixepoch(func.substr(func.json_extract(body, "$.at"), 1, 19))
        same = seconds == table.c.at
        if worker is not None:
            same = and_(same, func.json_extract(body, "$.worker") == worker)
        # What was aged out has no octets, and nothing of it is told.
        there = select(index).join(record, record.c.leaf_index == index).where(record.c.octets != b"")
        found = connection.execute(there.where(~same).limit(1)).scalar()
        if found is not None:
            raise LedgerBroken(f"the table {table.name} says of record {found} another moment or worker than it does")


def _expect(table: str, which: object, found: object, expected: object) -> None:
    if found != expected:
        raise LedgerBroken(f"the table {table} says of {which!r} {found!r}; the records tell {expected!r}")
