"""Is this ledger whole and consistent? For auditors: pure, from records alone, and it names the first thing wrong.

What it recomputes: canonical form and fields of every record, its leaf hash, the tree's root, that every intent ends at
most once and only after it began, that every signature verifies with its intent's public key over its intent's digest,
that every signature given again is the one recorded for that request, that nothing was taken twice
(``verify_claims``), that whatever counts was counted (``verify_counts``), that two people ordered each restore
(``verify_restores``), that every key went through its life as it may (``verify_life``) and every
ceremony step by step (``verify_ceremonies``), that session keys were
made and used as they may be (``verify_sessions``), that every statement verifies and was used once
(``verify_evidence``), that Anomalous Events and reviews are as they may be (``verify_anomalies``) and tell of every
first use of a key (``verify_first_uses``), that every
checkpoint that was signed is of this tree (``verify_checkpoints``), that acts on the ledger itself tell the truth
(``verify_upkeep``), and that the tables beside the records (requests,
counters, octets, what was taken, revocation lists, counts, quarantine, notifications of thresholds, evidence, keys with
their history and copies, checkpoints) say what the records say.
``ledger.audit`` reads it all in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from keybroker.content.use import UseKind
from keybroker.errors import LedgerBroken
from keybroker.ledger import canonical_json, record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.merkle import Frontier
from keybroker.ledger.model import Head, RecordKind, StoredRecord
from keybroker.ledger.signatures import is_signature, verifies
from keybroker.ledger.verify_anomalies import Watched, WatchRows
from keybroker.ledger.verify_ceremonies import Ceremonies, CeremonyRows
from keybroker.ledger.verify_checkpoints import Checkpoints, TransparencyRows
from keybroker.ledger.verify_claims import SAME_REQUEST, Claims, ListRow, takes_something
from keybroker.ledger.verify_counters import check_counters, use_of
from keybroker.ledger.verify_counts import CheckRow, Counts, QuarantineRow, counts_something
from keybroker.ledger.verify_evidence import Evidence, concerns_statements
from keybroker.ledger.verify_form import expect, read_body
from keybroker.ledger.verify_life import Lives
from keybroker.ledger.verify_life_rows import LifeRows
from keybroker.ledger.verify_restores import check_restore
from keybroker.ledger.verify_rows import EvidenceRows
from keybroker.ledger.verify_sessions import SessionActs
from keybroker.ledger.verify_upkeep import Upkeep, UpkeepRow
from keybroker.ledger.verify_uses import digests_of
from keybroker.terms import DeploymentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A row of the table of requests: the last intent under a name, and how it ended."""

    intent_index: int
    name: str
    caller: str
    party: str
    sha256: bytes
    state: str
    outcome_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a whole and consistent ledger holds. ``open_intents`` are those without an outcome (of workers at work).

    ``signatures`` counts the outcomes that hold one, each of which verified; ``aged`` the records that were aged out,
    by kind, of which the leaf hash alone is there.
    """

    origin: str
    deployment: DeploymentKind
    tree_size: int
    root_hash: bytes
    kinds: Mapping[str, int]
    signatures: int
    open_intents: tuple[int, ...]
    aged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What an intent says that its outcome is held against."""

    row: RequestRow | None
    party: str
    public_key: Json
    digest: Json
    use: Json
    takes: bool


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What is remembered between records; it grows with the intents that are open, not with every record."""

    find: Callable[[int], bytes]
    origin: str

    frontier: Frontier = field(default_factory=Frontier)
    kinds: dict[str, int] = field(default_factory=dict)
    open: dict[int, _Begun] = field(default_factory=dict)
    signatures: int = 0
    uses: int = 0
    claims: Claims = field(init=False)
    counts: Counts = field(init=False)
    evidence: Evidence = field(init=False)
    sessions: SessionActs = field(init=False)
    upkeep: Upkeep = field(init=False)
    lives: Lives = field(default_factory=Lives)
    ceremonies: Ceremonies = field(default_factory=Ceremonies)
    watched: Watched = field(init=False)
    checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(origin=self.origin, find=self.find)
        self.claims = Claims(find=lambda index, earlier: _before(self, index, earlier))
        self.counts = Counts(find=lambda index, earlier: _before(self, index, earlier))
        self.evidence = Evidence(origin=self.origin, find=lambda index, earlier: _before(self, index, earlier))
        self.sessions = SessionActs(find=lambda index, earlier: _before(self, index, earlier))
        self.upkeep = Upkeep(find=self.find)
        self.watched = Watched(find=lambda index, earlier: _before(self, index, earlier))


def verify_ledger(
    records: Iterable[StoredRecord],
    head: Head,
    *,
    find: Callable[[int], bytes],
    deployment: DeploymentKind,
    requests: Iterable[RequestRow] | None = None,
    counters: Iterable[tuple[bytes, int]] | None = None,
    octets: Iterable[tuple[int, bytes, bytes]] | None = None,
    taken: Iterable[tuple[bytes, bytes, int]] | None = None,
    lists: Iterable[ListRow] | None = None,
    counts: Iterable[tuple[bytes, bytes]] | None = None,
    quarantine: Iterable[QuarantineRow] | None = None,
    checks: Iterable[CheckRow] | None = None,
    evidence: EvidenceRows | None = None,
    life: LifeRows | None = None,
    ceremonies: CeremonyRows | None = None,
    upkeep: Iterable[UpkeepRow] | None = None,
    watch: WatchRows | None = None,
    transparency: TransparencyRows | None = None,
    anchor: Head | None = None,
) -> Verified:
    """Recompute everything. Tables that are not given are not looked at.

    ``find`` gives the octets of a record once more, by its leaf index; it is asked for records that came already, and
    for those that ``upkeep`` names: without it no record may have been aged out.
    ``requests`` stand in the order of their intents, ``octets`` (leaf index of the intent, SHA-256, octets) too;
    ``counters`` are (originator || recipient || counter, uses); ``taken`` are (row name, value, intent): without them
    nobody is told whether two intents took one name that knew nothing of each other.
    Raises: LedgerBroken, which names the first thing wrong: the record, what was expected and what was found.
    """
    seen = _Seen(find=find, origin=head.origin)
    rows, kept = _Merged(requests), _Merged(octets)
    seen.upkeep.look_ahead(upkeep)
    seen.counts.known_after = seen.upkeep.until
    for stored in records:
        _see(seen, stored, deployment, rows, kept)
        _check_root(seen.frontier, anchor, "the head kept outside")
        seen.upkeep.check_root(seen.frontier)
    _check_left_over(rows, kept)
    check_counters(seen.uses + seen.upkeep.uses, counters)
    seen.claims.check_tables(taken, lists)
    seen.counts.check_tables(counts, quarantine, checks)
    seen.evidence.check_tables(evidence)
    seen.lives.check_tables(life)
    seen.ceremonies.check_tables(ceremonies)
    seen.upkeep.check_end()
    seen.watched.check_tables(watch, seen.frontier.size)
    seen.checkpoints.check_tables(transparency)
    _check_end(seen, head, anchor)
    return Verified(
        origin=head.origin,
        deployment=deployment,
        tree_size=head.tree_size,
        root_hash=head.root_hash,
        kinds=seen.kinds,
        signatures=seen.signatures,
        open_intents=tuple(seen.open),
        aged=dict(seen.upkeep.aged),
    )


def _see(seen: _Seen, stored: StoredRecord, deployment: DeploymentKind, rows: _Merged, kept: _Merged) -> None:
    """The next record. Raises: LedgerBroken."""
    index = seen.frontier.size
    expect(stored.leaf_index == index, index, f"leaf index {index}", str(stored.leaf_index))
    if stored.octets:
        # 1. The record by itself.
        body = read_body(stored, deployment, seen.origin)
        # 2. The record after those before it, and beside the tables.
        _follow(seen, index, body, rows.at(index), kept.at(index))
    else:
        _pass_over(seen, stored, rows.at(index), kept.at(index))
    # 3. The tree.
    seen.frontier.append(stored.leaf_hash)
    seen.checkpoints.append(stored.leaf_hash)
    seen.kinds[stored.kind] = seen.kinds.get(stored.kind, 0) + 1


class _Merged:
    """Rows in the order of the records they belong to, taken one by one beside them."""

    def __init__(self, rows: Iterable[Any] | None) -> None:
        self.given = rows is not None
        self._rows = iter(rows or ())
        self.next: Any = next(self._rows, None)

    def at(self, index: int) -> Any:
        """The row of record ``index``, None where there is none."""
        row = self.next
        if row is None or (row.intent_index if isinstance(row, RequestRow) else row[0]) != index:
            return None
        self.next = next(self._rows, None)
        return row


def _pass_over(seen: _Seen, stored: StoredRecord, row: RequestRow | None, kept: Any) -> None:
    """A record that was aged out: nothing but its leaf hash is there, and nothing stands beside it."""
    index = stored.leaf_index
    expect(row is None and kept is None, index, "nothing beside a record that was aged out", "a request or octets")
    seen.upkeep.pass_over(stored)
    seen.watched.first_uses.pass_over(index, stored.kind)


def _follow(seen: _Seen, index: int, body: dict[str, Json], row: RequestRow | None, kept: Any) -> None:
    kind = body["kind"]
    seen.upkeep.check_there(index)
    expect(row is None or kind == RecordKind.INTENT, index, "an intent, which the table of requests names", str(kind))
    expect(kept is None or kind == RecordKind.INTENT, index, "an intent, whose octets are kept", str(kind))
    if kind == RecordKind.INTENT:
        _begin(seen, index, body, row, kept)
    elif kind in (RecordKind.OUTCOME, RecordKind.CLOSED):
        _end(seen, index, body)
    elif kind == RecordKind.RELEASE:
        _release(seen, index, body)
    elif kind == RecordKind.ADMINISTRATIVE:
        check_restore(index, body)
        seen.upkeep.administer(index, body)
        seen.claims.administer(index, body)
        seen.sessions.administer(index, body)
        seen.counts.administer(index, body)
        seen.evidence.administer(index, body)
        seen.lives.administer(index, body)
        seen.ceremonies.administer(index, body)
        seen.watched.administer(index, body)
    elif kind == RecordKind.REFUSAL:
        seen.counts.refuse(index, body)


def _release(seen: _Seen, index: int, body: dict[str, Json]) -> None:
    outcome = _before(seen, index, body["outcome"])
    recorded = _result(outcome) if outcome.get("kind") == RecordKind.OUTCOME else {}
    same = bool(recorded) and recorded == _result(body)
    expect(same, index, "the result of an outcome recorded before", f"outcome {body['outcome']!r}")
    # The outcome was held against its intent when it came: here its signature is known to verify.
    intent = _before(seen, index, outcome["intent"])
    found, expected = (tuple(each.get(name) for name in SAME_REQUEST) for each in (body, intent))
    expect(found == expected, index, f"the request of intent {outcome['intent']}: {expected}", str(found))


def _result(body: Mapping[str, Json]) -> dict[str, Json]:
    """What was made and may be given again."""
    return {name: body[name] for name in ("signature", "result") if name in body}


def _before(seen: _Seen, index: int, earlier: Json) -> dict[str, Json]:
    """The body of an earlier record, empty where the index names none or it was aged out."""
    there = isinstance(earlier, int) and not isinstance(earlier, bool) and 0 <= earlier < index
    octets = seen.find(int(str(earlier))) if there else b""
    return canonical_json.decode(octets) if octets else {}


def _begin(seen: _Seen, index: int, body: dict[str, Json], row: RequestRow | None, kept: Any) -> None:
    if row is not None:
        caller = body["caller"]
        expected = (
            f"{body['operation']} {body['key']} {body['request_id']}",
            caller.get("identity") if isinstance(caller, dict) else None,
            body["party"],
            body["request"],
        )
        found = (row.name, row.caller, row.party, row.sha256.hex())
        expect(found == expected, index, f"{expected} in the table of requests", repr(found))
    if kept is not None:
        _, digest, message = kept
        expect(digest.hex() == body["octets"], index, f"octets {body['octets']}", digest.hex())
        expect(sha256(message).digest() == digest, index, f"octets {digest.hex()}", sha256(message).hexdigest())
        digests = digests_of(message, body["content"])
        expect(
            not digests or body["digest"] in digests,
            index,
            "the digest of the octets that are kept",
            str(body["digest"]),
        )
    seen.open[index] = _Begun(
        row=row,
        party=str(body["party"]),
        public_key=body["public_key"],
        digest=body["digest"],
        use=body.get("use", UseKind.SIGNATURE.value),
        takes=takes_something(body),
    )
    seen.uses += use_of(index, body)
    seen.checkpoints.begin(index, body)
    if takes_something(body):
        seen.claims.begin(index, body)
    if counts_something(body):
        seen.counts.begin(index, body)
    if concerns_statements(body):
        seen.evidence.begin(index, body)
    seen.sessions.use(index, body)
    seen.watched.first_uses.use(index, body)


def _end(seen: _Seen, index: int, body: dict[str, Json]) -> None:
    intent, state = body["intent"], body["state"]
    is_index = isinstance(intent, int) and not isinstance(intent, bool)
    begun = seen.open.pop(int(str(intent)), None) if is_index else None
    if begun is None:
        raise LedgerBroken(f"record {index}: expected an intent before it, without an outcome; found intent {intent!r}")
    expect(begun.party == body["party"], index, f"the intent's party {begun.party!r}", repr(body["party"]))
    states = _states(begun.use) if body["kind"] == RecordKind.OUTCOME else (record.UNKNOWN,)
    expect(state in states, index, f"a state of {states}", repr(state))
    signature = body.get("signature")
    expect(
        is_signature(signature) if state == record.SIGNED else signature is None,
        index,
        f"a signature exactly when {record.SIGNED}",
        repr(signature),
    )
    for name, made in (("result", record.MADE), ("result_octets", record.DONE)):
        expect((name in body) is (state == made), index, f"{name} exactly when {made}", repr(body.get(name)))
    if state == record.SIGNED:
        verified = verifies(signature, public_key=begun.public_key, digest=begun.digest)
        whose = f"a signature by {begun.public_key} over {begun.digest}, as intent {intent} says"
        expect(verified, index, whose, f"one that does not verify: {signature}")
        seen.signatures += 1
    seen.checkpoints.end(index, int(str(intent)), body)
    if state in record.MAY_TAKE_AGAIN and begun.takes:
        seen.claims.may_be_taken_again(int(str(intent)), served=state == record.DONE)
    row = begun.row
    if row is not None:
        found, expected = (row.state, row.outcome_index), (state, index)
        expect(found == expected, index, f"{expected} in the table of requests for intent {intent}", repr(found))


def _states(use: Json) -> tuple[str, ...]:
    """How an intent of this use may end."""
    try:
        kind = UseKind(str(use))
    except ValueError:
        return ()
    if kind is UseKind.SIGNATURE:
        return (record.SIGNED, record.FAILED, record.UNKNOWN)
    return (record.MADE if kind.result_is_kept else record.DONE, record.FAILED, record.UNKNOWN)


def _check_left_over(rows: _Merged, kept: _Merged) -> None:
    if rows.next is not None:
        raise LedgerBroken(f"the table of requests names intent {rows.next.intent_index}, which is no record")
    if kept.next is not None:
        raise LedgerBroken(f"octets are kept for intent {kept.next[0]}, which is no record")


def _check_end(seen: _Seen, head: Head, anchor: Head | None) -> None:
    for intent, begun in seen.open.items():
        row = begun.row
        if row is not None and (row.state, row.outcome_index) != ("open", None):
            raise LedgerBroken(f"the table of requests says that intent {intent} is {row.state}, and no record does")
    size = seen.frontier.size
    if size != head.tree_size:
        raise LedgerBroken(f"the head claims {head.tree_size} records, found {size}")
    _check_root(seen.frontier, head, "the head")
    if anchor is not None and (anchor.origin != head.origin or anchor.tree_size > size):
        raise LedgerBroken(
            f"the head kept outside has {anchor.tree_size} records of {anchor.origin}, found {size} of {head.origin}"
        )


def _check_root(frontier: Frontier, head: Head | None, name: str) -> None:
    if head is not None and frontier.size == head.tree_size and frontier.root() != head.root_hash:
        raise LedgerBroken(
            f"at {head.tree_size} records {name} expects root {head.root_hash.hex()}, found {frontier.root().hex()}"
        )
