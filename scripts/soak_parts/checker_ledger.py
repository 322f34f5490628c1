"""What does a ledger's file say? Every record in its order: form, leaf hash, root, intents, how each ended, its counts.

The reading part of the checker (``checker.py``): the standard library and ``cryptography``, nothing of keybroker,
written from docs/ledger.md alone.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
ENDS = frozenset({"outcome", "closed"})


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
    """What is kept of an intent while the ledger is read, and how it ended: ``open`` until then, ``closed`` where its
    worker did not live to tell."""

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
    """``leaves`` has every leaf hash, ``given`` by leaf index intent and signature of each record that gives one,
    ``roots`` the root of each size that was asked for."""

    origin: str
    leaves: Sequence[str]
    intents: Mapping[int, Intent]
    given: Mapping[int, tuple[Intent, str]]
    roots: Mapping[int, bytes]


# ---- the records


def read_ledger(file: Path, findings: Findings, *, sizes: frozenset[int] = frozenset()) -> Ledger:
    """Every record in its order: form, leaf hash, root, that each intent ends once, that each signature verifies."""
    intents: dict[int, Intent] = {}
    given: dict[int, tuple[Intent, str]] = {}
    leaves: list[str] = []
    windows: dict[str, list[float]] = defaultdict(list)
    tree, roots = Tree(), {0: Tree().root()}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (head,) = connection.execute("SELECT origin, tree_size, root_hash FROM head")
        for index, leaf_hash, kind, octets in connection.execute(
            "SELECT leaf_index, leaf_hash, kind, CAST(octets AS BLOB) FROM record ORDER BY leaf_index"
        ):
            record = read_record(index, len(leaves), bytes(leaf_hash), kind, octets, findings)
            leaves.append(bytes(leaf_hash).hex())
            tree.add(hashlib.sha256(b"\x00" + octets).digest())
            if len(leaves) in sizes:
                roots[len(leaves)] = tree.root()
            try:
                read_body(index, kind, record, intents, given, windows, findings)
            except (KeyError, ValueError, TypeError, AttributeError, IndexError):
                findings.add("broken", f"record {index} lacks a field, or has one that is not of its form")
    if (head[1], bytes(head[2])) != (len(leaves), tree.root()):
        findings.add(
            "broken", f"the head says {head[1]} records of root {bytes(head[2]).hex()}; these are {len(leaves)}"
        )
    return Ledger(head[0], leaves, intents, given, roots)


def read_body(
    index: int,
    kind: str,
    record: Mapping[str, Any],
    intents: dict[int, Intent],
    given: dict[int, tuple[Intent, str]],
    windows: dict[str, list[float]],
    findings: Findings,
) -> None:
    """What it says. Raises: KeyError, ValueError, TypeError, AttributeError, IndexError for what is of no form."""
    if kind == "intent":
        intents[index] = read_intent(record)
        check_counts(index, record, windows, findings)
    elif kind in ENDS:
        end_intent(index, record, intents, given, findings)
    elif kind == "release":
        read_release(index, record, given, findings)


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
    if record["kind"] == "closed":
        if intent.state != "unknown":
            findings.add("broken", f"record {index} closes an intent, and says {intent.state}")
        intent.state = "closed"
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
