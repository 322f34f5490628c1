"""Would today's decoder and rules have refused a use that is on record? From records, octets and policies. Pure.

Each intent whose octets are kept is decoded again as its kind, and every rule of the policy then in force runs again at
the record's moment, over the key as the records before it tell its life. What they refuse is listed, with how the use
ended. What cannot be judged is counted and named: octets that were erased, things that came beside them and are never
kept, policies that are not at hand, and rules that need what no record holds (``rejudging_form.NEEDS``). Gates are not
opened again: each statement that a record holds is judged by ``verify_evidence``. SEC G2.27, G8, G9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.use import UseKind
from keybroker.errors import ContentMalformed, LedgerBroken
from keybroker.ledger import canonical_json, record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.life_form import LIFE
from keybroker.ledger.model import RecordKind, StoredRecord
from keybroker.ledger.rejudged_key import Chain, chain_is_known, key_at, session_of
from keybroker.ledger.rejudging_form import NEEDS, Need
from keybroker.ledger.verify_form import moment_of
from keybroker.ledger.verify_life import Lives
from keybroker.policy.model import Policy, RegisteredKey, SessionFacts, Situation
from keybroker.policy.rules import findings
from keybroker.policy.trust import Anchor
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    Finding,
    KeyLabel,
    Operation,
    PartyName,
    RuleName,
    SystemName,
)

DECODER = RuleName("decoder")
"""Under this name what the decoder refuses is listed, and a digest or facts that are not those of the octets."""

Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What is at hand beside the records.

    ``policies`` by SHA-256 of their files (32 octets); ``callers`` the caller table by identity, for each
    configuration by its SHA-256 (32); ``chains`` by label, the chain enrolled last; ``anchors`` to verify them.
    ``is_whole``: the records are all that there are, not those of a period, a key or a party.
    """

    origin: str
    deployment: DeploymentKind
    policies: Mapping[bytes, Policy]
    callers: Mapping[bytes, Mapping[str, Caller]] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldRefuse:
    """A use that today's decoder or a rule refuses: ``leaf_index`` is of its intent, ``state`` how that ended."""

    leaf_index: int
    key: str
    rule: str
    clause: str
    expected: str
    found: str
    state: str = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """``judged`` counts intents whose rules ran; of the others ``without_octets`` names intents whose octets are not
    there, ``accompanied`` those of which something came beside the octets. ``policies_missing`` are SHA-256 in hex, by
    which so many intents were judged; ``rules_not_judged`` how often each rule could not be, and for want of what.
    """

    judged: int
    refused: tuple[WouldRefuse, ...]
    without_octets: tuple[int, ...]
    accompanied: tuple[int, ...]
    policies_missing: Mapping[str, int]
    rules_not_judged: Mapping[str, tuple[str, int]]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What is remembered between records."""

    lives: Lives = field(default_factory=Lives)
    begun_elsewhere: set[str] = field(default_factory=set)
    enrolled: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, SessionFacts] = field(default_factory=dict)
    refused: dict[int, list[WouldRefuse]] = field(default_factory=dict)
    without_octets: list[int] = field(default_factory=list)
    accompanied: list[int] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    not_judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    judged: int = 0


def rejudge(records: Iterable[StoredRecord], octets: Callable[[int], bytes | None], grounds: Grounds) -> Rejudged:
    """Judge every use once more. ``octets`` gives those of an intent by its leaf index, None where they are not there.

    The records are known to be whole (``verify_ledger``). Uses that failed used no key, and are not listed.
    Raises: LedgerBroken where octets are not those that the intent names.
    """
    seen = _Seen()
    for stored in records:
        if not stored.octets:
            continue  # It aged out; what its act says of it ``verify_ledger`` holds against the table.
        body = canonical_json.decode(stored.octets)
        match body["kind"]:
            case RecordKind.ADMINISTRATIVE:
                _administer(seen, stored.leaf_index, body, grounds)
            case RecordKind.INTENT:
                _judge(seen, stored.leaf_index, body, octets(stored.leaf_index), grounds)
            case RecordKind.OUTCOME | RecordKind.CLOSED:
                _end(seen, body)
            case _:
                pass
    return Rejudged(
        judged=seen.judged,
        refused=tuple(each for index in sorted(seen.refused) for each in seen.refused[index]),
        without_octets=tuple(seen.without_octets),
        accompanied=tuple(seen.accompanied),
        policies_missing=dict(sorted(seen.missing.items())),
        rules_not_judged={rule: (need, count) for (rule, need), count in sorted(seen.not_judged.items())},
    )


def _administer(seen: _Seen, index: int, body: Body, grounds: Grounds) -> None:
    act = _part(body, "body")
    if not grounds.is_whole and (unknown := _goes_on_from_elsewhere(seen, act)):
        seen.begun_elsewhere |= unknown
        return
    seen.lives.administer(index, body)
    label = str(act.get("key"))
    match act.get("act"):
        case "EnrolCertificate":
            seen.enrolled[label] = index
        case "BeginSession":
            seen.sessions[label] = session_of(act, moment_of(index, body))


def _goes_on_from_elsewhere(seen: _Seen, act: Mapping[str, Json]) -> set[str]:
    """The keys that an act of a key's life moves, where one on which it rests began in records that are not here."""
    begins = None in LIFE.get(str(act.get("act")), {None: None})
    moved = {str(act[each]) for each in ("key", "successor") if each in act}
    rests_on = (moved if not begins else set()) | ({str(act["parent"])} if "parent" in act else set())
    here = all(seen.lives.key(each) is not None and each not in seen.begun_elsewhere for each in rests_on)
    return set() if here else moved


def _end(seen: _Seen, body: Body) -> None:
    intent, state = body["intent"], str(body["state"])
    listed = seen.refused.get(intent) if isinstance(intent, int) else None
    if listed is None or not isinstance(intent, int):
        return
    if state == record.FAILED:
        del seen.refused[intent]
    else:
        seen.refused[intent] = [replace(each, state=state) for each in listed]


def _judge(seen: _Seen, index: int, body: Body, message: bytes | None, grounds: Grounds) -> None:
    if "accompanying" in body:
        seen.accompanied.append(index)
        return
    if message is None:
        seen.without_octets.append(index)
        return
    if sha256(message).hexdigest() != body["octets"]:
        raise LedgerBroken(f"record {index}: expected octets {body['octets']}, found others")
    # 1. The decoder; 2. what the record says of it; 3. every rule.
    refused: list[Finding] = []
    try:
        content = decode(ContentKind(_facts(body)["kind"]), message)
    except ContentMalformed as error:
        refused.append(_by_decoder(error.expected, error.found, error.source))
    else:
        refused += [*_as_recorded(content, body), *_by_rules(seen, index, body, content, grounds)]
    if refused:
        seen.refused[index] = [_listed(index, body, each) for each in refused]


def _as_recorded(content: Content, body: Body) -> Iterable[Finding]:
    """The digest that was signed, and the facts that were written down, are those of these octets."""
    signs = body.get("use", UseKind.SIGNATURE.value) == UseKind.SIGNATURE.value
    if signs and content.sha256.hex() != body["digest"]:
        yield _by_decoder(f"the digest {content.sha256.hex()} of what was read", str(body["digest"]), "G2.27")
    if (facts := facts_of(content)) != _facts(body):
        yield _by_decoder(f"the facts {facts}", str(_facts(body)), "G2.27")


def _by_rules(seen: _Seen, index: int, body: Body, content: Content, grounds: Grounds) -> Iterable[Finding]:
    digest = str(_part(body, "in_force").get("policy"))
    policy = grounds.policies.get(bytes.fromhex(digest))
    if policy is None:
        seen.missing[digest] += 1
        return
    label = str(body["key"])
    enrolled, chain = seen.enrolled.get(label), grounds.chains.get(label)
    row = seen.lives.key(label)
    if label in seen.begun_elsewhere or (row is None and not grounds.is_whole):
        seen.not_judged["every rule", Need.LIFE] += 1
        return
    if row is None or row.public_key != body["public_key"]:
        found = "none" if row is None else str(row.public_key)
        yield _by_decoder(f"a key {label} with the public key {body['public_key']} on record", found, "G5.13, G5.24")
        return
    seen.judged += 1
    held = chain if chain is not None and chain.since == enrolled else None
    key = key_at(row, held, grounds.anchors, seen.sessions.get(label))
    known = _known(body, key, grounds, certificate=chain_is_known(enrolled, key))
    for finding in findings(content, key, _caller(body, grounds), policy, _situation(index, body, grounds)):
        need = NEEDS.get(finding.rule)
        if need is not None and need not in known:
            seen.not_judged[finding.rule, need] += 1
        elif not finding.passed:
            yield finding


def _known(body: Body, key: RegisteredKey, grounds: Grounds, *, certificate: bool) -> frozenset[Need]:
    known = set()
    if certificate:
        known.add(Need.CERTIFICATE)
    if certificate or key.eui is not None:
        known.add(Need.EUI)
    if _listed_caller(body, grounds) is not None:
        known.add(Need.CALLER)
    return frozenset(known)


def _listed_caller(body: Body, grounds: Grounds) -> Caller | None:
    """As the configuration then in force lists it, where that is at hand."""
    table = grounds.callers.get(bytes.fromhex(str(_part(body, "in_force").get("configuration"))))
    return None if table is None else table.get(str(_part(body, "caller").get("identity")))


def _caller(body: Body, grounds: Grounds) -> Caller:
    """Who asked: as listed, or else as the record has him, without what only the caller table grants."""
    told = _part(body, "caller")
    return _listed_caller(body, grounds) or Caller(
        identity=str(told.get("identity")),
        party=PartyName(str(body["party"])),
        system=SystemName(str(told.get("system"))),
        kind=CallerKind(str(told.get("kind"))),
        user_roles=frozenset(),
        euis=frozenset(),
        operations=frozenset(),
        keys=frozenset({KeyLabel(str(body["key"]))}),
    )


def _situation(index: int, body: Body, grounds: Grounds) -> Situation:
    return Situation(
        deployment=grounds.deployment,
        ledger_origin=grounds.origin,
        operation=Operation(str(body["operation"])),
        at=moment_of(index, body),
    )


def _by_decoder(expected: str, found: str, source: str) -> Finding:
    return Finding(rule=DECODER, clause=source, passed=False, expected=expected, found=found)


def _listed(index: int, body: Body, finding: Finding) -> WouldRefuse:
    return WouldRefuse(
        leaf_index=index,
        key=str(body["key"]),
        rule=finding.rule,
        clause=finding.clause,
        expected=finding.expected,
        found=finding.found,
    )


def _facts(body: Body) -> Mapping[str, Any]:
    return _part(body, "content")


def _part(whole: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
