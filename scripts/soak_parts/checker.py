"""Did a broker keep its promises? Asked of its ledger's file, its clients' replies and its module's account.

Independent: the standard library and ``cryptography``, nothing of keybroker, written from docs/ledger.md alone.

    python checker.py LEDGER.sqlite --uses FILE --replies FILE...

``--uses``: what the module wrote of each C_Sign ("asked DIGEST" before it used a key, "made DIGEST SIGNATURE" or
"failed DIGEST VALUE" after), from the record ``--since`` on. ``--replies``: what each client held, a line of JSON for
each signature. The last line printed is one of JSON; exit status 1 where anything was found.

    lost        a signature that a client holds and the ledger does not have, at the place that its receipt names
    unrecorded  a use of a key that no durable intent stands for
    doubled     one-time evidence, or a name of a request, that was used for two signatures
    exceeded    an intent beyond its Anomaly Detection Threshold
    broken      any other record, hash, order or signature that is not as it must be
"""

from __future__ import annotations

import argparse
import base64
import binascii
import bisect
import hashlib
import json
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

KINDS = ("lost", "unrecorded", "doubled", "exceeded", "broken")
TOLD = 20
"""Findings of a kind that are told in words; all are counted."""
ENDS = {"outcome", "closed"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences, by kind."""

    by_kind: Mapping[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def add(self, kind: str, sentence: str) -> None:
        self.by_kind[kind].append(sentence)

    @property
    def counts(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.by_kind.items()}


@dataclass(slots=True)
class Intent:
    """What is kept of an intent while the ledger is read, and how it ended (``open`` until then)."""

    name: tuple[str, str, str]
    request: str
    public_key: str
    octets: str
    digest: str
    signs: bool
    evidence: tuple[str, ...]
    state: str = "open"
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """``leaves`` has every leaf hash, ``given`` by leaf index intent and signature of each record that gives one."""

    origin: str
    leaves: Sequence[str]
    intents: Mapping[int, Intent]
    given: Mapping[int, tuple[Intent, str]]


# ---- the records


def read_ledger(file: Path, findings: Findings) -> Ledger:
    """Every record in its order: form, leaf hash, root, that each intent ends once, that each signature verifies."""
    intents: dict[int, Intent] = {}
    given: dict[int, tuple[Intent, str]] = {}
    leaves: list[str] = []
    windows: dict[str, list[float]] = defaultdict(list)
    tree = Tree()
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (head,) = connection.execute("SELECT origin, tree_size, root_hash FROM head")
        for index, leaf_hash, kind, octets in connection.execute(
            "SELECT leaf_index, leaf_hash, kind, octets FROM record ORDER BY leaf_index"
        ):
            record = read_record(index, len(leaves), bytes(leaf_hash), kind, bytes(octets), findings)
            leaves.append(bytes(leaf_hash).hex())
            tree.add(hashlib.sha256(b"\x00" + bytes(octets)).digest())
            if kind == "intent":
                intents[index] = read_intent(record)
                check_counts(index, record, windows, findings)
            elif kind in ENDS:
                end_intent(index, record, intents, given, findings)
            elif kind == "release":
                read_release(index, record, given, findings)
    if (head[1], bytes(head[2])) != (len(leaves), tree.root()):
        findings.add(
            "broken", f"the head says {head[1]} records of root {bytes(head[2]).hex()}; these are {len(leaves)}"
        )
    return Ledger(head[0], leaves, intents, given)


def read_record(
    index: int, expected: int, leaf_hash: bytes, kind: str, octets: bytes, findings: Findings
) -> dict[str, Any]:
    """One record, which must be canonical, in its place, of its kind, and of the hash beside it."""
    if index != expected:
        findings.add("broken", f"expected record {expected}, found {index}")
    if hashlib.sha256(b"\x00" + octets).digest() != leaf_hash:
        findings.add("broken", f"record {index} has another leaf hash than stands beside it")
    try:
        record: dict[str, Any] = json.loads(octets)
    except ValueError:
        findings.add("broken", f"record {index} is not JSON")
        return {}
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if canonical != octets or record.get("kind") != kind:
        findings.add("broken", f"record {index} is not canonical, or not of the kind that stands beside it")
    return record


class Tree:
    """RFC 9162 section 2.1.1, leaf by leaf."""

    def __init__(self) -> None:
        self._size = 0
        self._edge: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self._size += 1
        self._edge.append(leaf)
        full = self._size
        while full % 2 == 0:
            right, left = self._edge.pop(), self._edge.pop()
            self._edge.append(hashlib.sha256(b"\x01" + left + right).digest())
            full //= 2

    def root(self) -> bytes:
        edge = list(self._edge)
        if not edge:
            return hashlib.sha256(b"").digest()
        node = edge.pop()
        while edge:
            node = hashlib.sha256(b"\x01" + edge.pop() + node).digest()
        return node


def read_intent(record: Mapping[str, Any]) -> Intent:
    statements = tuple(evidence_identity(each) for each in record.get("evidence", ()))
    once = tuple(f"{each['scope']}:{each['name']}" for each in record.get("taken", ()) if each["form"] == "once")
    return Intent(
        name=(record["operation"], record["key"], record["request_id"]),
        request=record["request"],
        public_key=record["public_key"],
        octets=record["octets"],
        digest=record["digest"],
        signs="use" not in record,
        evidence=(*statements, *once),
    )


def evidence_identity(evidence: Mapping[str, str]) -> str:
    """Attester and nonce of a statement, from its own payload."""
    payload = evidence["statement"].split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"statement:{evidence['attester']}#{said['nonce']}"


def end_intent(
    index: int,
    record: Mapping[str, Any],
    intents: Mapping[int, Intent],
    given: dict[int, tuple[Intent, str]],
    findings: Findings,
) -> None:
    intent = intents.get(record.get("intent", -1))
    if intent is None or intent.state != "open":
        findings.add("broken", f"record {index} ends an intent that is not there, or has ended before")
        return
    intent.state = record["state"]
    if intent.state != "signed":
        return
    intent.signature = record["signature"]
    given[index] = (intent, intent.signature)
    if not verifies(intent.public_key, intent.signature, intent.digest):
        findings.add("broken", f"the signature of record {index} does not verify")


def read_release(
    index: int, record: Mapping[str, Any], given: dict[int, tuple[Intent, str]], findings: Findings
) -> None:
    """A signature given again must be the one that was recorded, under its own name."""
    if "signature" not in record:
        return
    intent, signature = given.get(record["outcome"], (None, ""))
    name = (record["operation"], record["key"], record["request_id"])
    if intent is None or signature != record["signature"] or intent.name != name or intent.request != record["request"]:
        findings.add("broken", f"record {index} gives again what was not given")
        return
    given[index] = (intent, signature)


_keys: dict[str, ec.EllipticCurvePublicKey] = {}


def verifies(public_key: str, signature: str, digest: str) -> bool:
    """ECDSA on P-256, r || s, over a digest of 32 octets; all in hexadecimal."""
    try:
        octets = bytes.fromhex(signature)
        if len(octets) != 64:
            return False
        if public_key not in _keys:
            _keys[public_key] = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(public_key))
        r, s = int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big")
        prehashed = ec.ECDSA(Prehashed(hashes.SHA256()))
        _keys[public_key].verify(encode_dss_signature(r, s), bytes.fromhex(digest), prehashed)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


# ---- thresholds: in no period more than may be


def check_counts(index: int, record: Mapping[str, Any], windows: dict[str, list[float]], findings: Findings) -> None:
    """The broker's own number is not above what may be, and not below what its records of that period come to."""
    at = datetime.fromisoformat(record["at"]).timestamp()
    for name, period, number, most in record.get("counted", ()):
        before = windows[name]
        exact = bisect.bisect_right(before, at) - bisect.bisect_right(before, at - period) + 1
        bisect.insort(before, at)
        if "released" not in record and max(number, exact) > most:
            findings.add(
                "exceeded", f"record {index} is number {max(number, exact)} of {most} within {period} s: {name}"
            )
        elif number < exact:
            findings.add("broken", f"record {index} counts {number} where there were {exact} within {period} s: {name}")


# ---- one-time evidence


def check_evidence(ledger: Ledger, findings: Findings) -> None:
    """An intent that failed used no key, and its own request alone may take the same again."""
    used: dict[str, Intent] = {}
    for index, intent in sorted(ledger.intents.items()):
        for identity in intent.evidence:
            before = used.setdefault(identity, intent)
            if before is intent:
                continue
            same = (before.name, before.request) == (intent.name, intent.request)
            if before.state != "failed" or not same:
                findings.add("doubled", f"record {index} uses once more what was used before: {identity}")
            used[identity] = intent


# ---- the module's account


def read_uses(file: Path, findings: Findings) -> tuple[Counter[str], dict[str, set[str]], int]:
    """How often each digest was asked for, the signatures that were made of it, and how many calls came back."""
    asked: Counter[str] = Counter()
    made: dict[str, set[str]] = defaultdict(set)
    returned = 0
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match line.split(" "):
            case ["asked", digest]:
                asked[digest] += 1
            case ["made", digest, signature]:
                made[digest].add(signature)
                returned += 1
            case ["failed", _, _]:
                returned += 1
            case _:
                findings.add("broken", f"line {number} of the module's account is not one of its lines")
    return asked, made, returned


def check_uses(
    ledger: Ledger, asked: Counter[str], made: Mapping[str, set[str]], *, since: int, findings: Findings
) -> None:
    """Of each digest no more uses than intents that may have used the key, and every recorded signature among them.

    An intent that is unknown, closed or open may have come to the module or not: its process died, or the answer was
    lost. One that is signed came there once, one that failed never: the ledger says so, and is held to it.
    """
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for index, intent in ledger.intents.items():
        if intent.signs and index >= since:
            states[intent.digest][intent.state] += 1
            if intent.state == "signed" and intent.signature not in made.get(intent.digest, set()):
                findings.add("broken", f"the module did not make the signature of intent {index}")
    for digest, times in asked.items():
        ended = states[digest]
        may_have = sum(ended.values()) - ended["failed"]
        for _ in range(times - may_have):
            findings.add(
                "unrecorded", f"the module was asked {times} times for {digest}, and {may_have} intents say so"
            )
    for digest, ended in states.items():
        if ended["signed"] > asked[digest]:
            findings.add("broken", f"{ended['signed']} signatures of {digest}, and {asked[digest]} uses")


# ---- what clients hold


def read_replies(files: Iterable[Path], findings: Findings) -> Iterator[dict[str, Any]]:
    for file in files:
        lines = file.read_bytes().split(b"\n")
        # A client that was killed while it wrote holds nothing of its last line.
        for number, line in enumerate(lines[:-1], 1):
            try:
                reply: dict[str, Any] = json.loads(line)
            except ValueError:
                findings.add("broken", f"{file.name}: line {number} is not a reply")
            else:
                yield reply


def check_replies(ledger: Ledger, replies: Iterable[Mapping[str, Any]], findings: Findings) -> int:
    """Each is at its receipt's place, of the very octets that were sent. Answers how many there were."""
    by_name: dict[tuple[str, str], str] = {}
    by_checked: dict[tuple[str, str], str] = {}
    count = 0
    for reply in replies:
        count += 1
        why = why_lost(ledger, reply)
        if why:
            findings.add("lost", f"{reply['key']} {reply['request_id']}, receipt {reply['leaf_index']}: {why}")
        names = [(by_name, (reply["key"], reply["request_id"]))]
        names += [(by_checked, (reply["key"], reply["octets"]))] if reply["checked"] else []
        for seen, name in names:
            if seen.setdefault(name, reply["signature"]) != reply["signature"]:
                findings.add("doubled", f"{reply['key']} {reply['request_id']}: a second signature for the same")
    return count


def why_lost(ledger: Ledger, reply: Mapping[str, Any]) -> str:
    index = reply["leaf_index"]
    if reply["origin"] != ledger.origin:
        return "of another ledger"
    if index >= len(ledger.leaves) or ledger.leaves[index] != reply["leaf_hash"]:
        return "the ledger has no such record there"
    intent, signature = ledger.given.get(index, (None, ""))
    if intent is None or signature != reply["signature"]:
        return "the record there does not hold this signature"
    octets = bytes.fromhex(reply["octets"])
    if intent.octets != hashlib.sha256(octets).hexdigest() or intent.public_key != reply["public_key"]:
        return "the intent is of other octets, or of another key"
    # GBCS: from the second octet to the end of the content.
    if not verifies(reply["public_key"], signature, hashlib.sha256(octets[1:]).hexdigest()):
        return "it does not verify over what was sent"
    return ""


# ---- all of it


def check(file: Path, uses: Path, replies: Sequence[Path], *, since: int) -> tuple[Findings, dict[str, int]]:
    """What was found, and how much there was to look at; the module's account begins with the record ``since``."""
    findings = Findings()
    ledger = read_ledger(file, findings)
    asked, made, returned = read_uses(uses, findings)
    check_evidence(ledger, findings)
    check_uses(ledger, asked, made, since=since, findings=findings)
    count = check_replies(ledger, read_replies(replies, findings), findings)
    states = Counter(intent.state for intent in ledger.intents.values())
    return findings, {
        "records": len(ledger.leaves),
        "intents": len(ledger.intents),
        "signed": states["signed"],
        "failed": states["failed"],
        "unknown": states["unknown"],
        "open": states["open"],
        "replies": count,
        "uses": asked.total(),
        "uses_cut_short": asked.total() - returned,
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--uses", type=Path, required=True)
    parser.add_argument("--since", type=int, default=0, help="the first record that the module's account is of")
    parser.add_argument("--replies", type=Path, nargs="+", required=True)
    given = parser.parse_args(arguments)
    findings, figures = check(given.ledger, given.uses, given.replies, since=given.since)
    for kind, found in findings.by_kind.items():
        for sentence in found[:TOLD]:
            print(f"{kind}: {sentence}")
    print(json.dumps(figures | findings.counts))
    return int(any(findings.counts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
