#!/usr/bin/env python3
"""Is this evidence package whole, and is everything in it as it says? For an assessor who trusts nobody who made it.

    python verify_evidence.py PACKAGE [--manifest-sha256 HEX] [--checkpoint-key VKEY] [--receipt INDEX:HEX] [--json]

PACKAGE is a directory or a .tar file that ``keybroker ledger export`` made. Needs Python 3.11 and ``cryptography``
(pip install cryptography) and nothing else; opens no connection, writes no file. It names the file, the record and the
field of everything that is wrong. Exit status 0: whole; 3: not; 2: it was called wrongly.

What it cannot see by itself: whether the whole package is made up. Whoever could write everything (records, leaf
hashes, manifest) makes a package that agrees with itself. Against that stands what you hold from elsewhere:
  --manifest-sha256  the digest of manifest.json as the exporter told it, and as the ledger recorded it;
  --checkpoint-key   the verifier key (C2SP signed-note) of the ledger's audit-checkpoint key, or of a witness: the tree
                     must then stand under a checkpoint that this key signed;
  --receipt          a receipt that a caller was given at the time: leaf index and leaf hash.
And a selection (of a period, a key, a party) is the exporter's: only a package of everything shows that nothing is
left out.

Read from top to bottom: 1 the package, 2 the tree, 3 each record, 4 records together, 5 statements and ceremonies,
6 what stands beside the records, 7 checkpoints and receipts, 8 the command line. Sections of the C2SP specifications,
RFCs and the Smart Energy Code (SEC) are named where they are checked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import sys
import tarfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]
FORM = "keybroker evidence package 1"
MANIFEST, MANIFEST_DIGEST, RECORDS = "manifest.json", "manifest.sha256", "records.ndjson"


class Report:
    """Everything wrong, everything that could not be checked, and how many of each thing were."""

    def __init__(self) -> None:
        self.wrong: list[Json] = []
        self.remarks: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()

    def check(self, holds: bool, what: str, file: str, record: int | None, field: str, sentence: str) -> bool:
        """Count a check under ``what``; note file, record (leaf index) and field where it does not hold."""
        self.checked[what] += 1
        if not holds:
            self.wrong.append({"file": file, "record": record, "field": field, "sentence": sentence})
        return holds


# ---- 1. The package: every file is there, none is changed, none is added ---------------------------------------------


class Package:
    """The files of a directory or of a tar file, by name."""

    def __init__(self, place: Path) -> None:
        self.tar = None if place.is_dir() else tarfile.open(place, "r:")  # noqa: SIM115 - open as long as we run
        self.place = place
        if self.tar is None:
            self.names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir())
        else:
            self.names = [member.name for member in self.tar.getmembers()]

    def open(self, name: str) -> BinaryIO:
        """Raises: OSError or KeyError where it is not there or is no plain file."""
        if self.tar is None:
            if (self.place / name).is_symlink():
                raise OSError(f"{name} is a symbolic link")
            return (self.place / name).open("rb")
        file = self.tar.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file  # type: ignore[return-value]  # it reads and seeks

    def read(self, name: str) -> bytes:
        """The whole file; nothing where it is not there (``check_files`` says so)."""
        try:
            with self.open(name) as file:
                return file.read()
        except (OSError, KeyError, tarfile.TarError):
            return b""

    def is_plain_tar(self) -> bool:
        """Is the archive exactly what tar makes of these files (POSIX ustar), with nothing between or behind them?"""
        if self.tar is None:
            return True
        expected = hashlib.sha256()
        for member in self.tar.getmembers():
            plain = tarfile.TarInfo(member.name)
            plain.size = member.size
            octets = self.read(member.name)
            expected.update(plain.tobuf(tarfile.USTAR_FORMAT) + octets + bytes(-len(octets) % tarfile.BLOCKSIZE))
            self.length = member.offset_data + len(octets) + -len(octets) % tarfile.BLOCKSIZE
        ended = self.length + 2 * tarfile.BLOCKSIZE
        expected.update(bytes(-(-ended // tarfile.RECORDSIZE) * tarfile.RECORDSIZE - self.length))
        with self.place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == expected.digest()


def canonical(octets: bytes) -> Json:
    """One JSON object as RFC 8785 writes it, within the subset of docs/ledger.md. Raises: ValueError."""
    value = json.loads(octets, parse_float=_no_float, parse_constant=_no_float)
    if not isinstance(value, dict) or encode(value) != octets or not _is_within_subset(value):
        raise ValueError("expected one JSON object in canonical form (RFC 8785), found another spelling")
    return value


def encode(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no white space, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _is_within_subset(value: Any) -> bool:
    """No floats (refused when read), integers within 2^53, keys in ASCII."""
    if isinstance(value, dict):
        return all(key.isascii() and _is_within_subset(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_is_within_subset, value))
    return not isinstance(value, int) or abs(value) <= 2**53


def _no_float(text: str) -> float:
    raise ValueError(f"expected no such number, found {text}")


def read_json(package: Package, report: Report, name: str) -> Json:
    """A canonical file; empty, and noted, where it is none."""
    try:
        return canonical(package.read(name))
    except ValueError as error:
        report.check(False, "canonical JSON (RFC 8785)", name, None, "", str(error))
        return {}


def check_manifest(package: Package, report: Report, told: str | None) -> Json:
    """The manifest is the one that manifest.sha256 names, and the one whose digest the exporter told."""
    found = hashlib.sha256(package.read(MANIFEST)).hexdigest()
    line = f"{found}  {MANIFEST}\n".encode()
    what = "the manifest's digest"
    report.check(package.read(MANIFEST_DIGEST) == line, what, MANIFEST, None, "", f"{MANIFEST_DIGEST} has another")
    if told is not None:
        report.check(found == told.lower(), what, MANIFEST, None, "", f"expected SHA-256 {told}, found {found}")
    manifest = read_json(package, report, MANIFEST)
    form = manifest.get("form")
    report.check(form == FORM, "the manifest's form", MANIFEST, None, "form", f"expected {FORM!r}, found {form!r}")
    return manifest


def check_files(package: Package, report: Report, manifest: Json) -> None:
    """Every file has the size and SHA-256 of the manifest; none is missing, twice there or unlisted."""
    listed = {str(each.get("name")): each for each in manifest.get("files", []) if isinstance(each, dict)}
    what = "files of the manifest"
    for name in sorted({MANIFEST, MANIFEST_DIGEST, *listed} - {*package.names}):
        report.check(False, what, name, None, "", "the file is missing")
    for name, times in sorted(Counter(package.names).items()):
        if name in (MANIFEST, MANIFEST_DIGEST) and times == 1:
            continue
        known = report.check(name in listed and times == 1, what, name, None, "", "a file that the manifest has not")
        if known:
            octets = hashlib.sha256()
            size = 0
            with package.open(name) as file:
                while chunk := file.read(1 << 20):
                    octets.update(chunk)
                    size += len(chunk)
            found, told = (octets.hexdigest(), size), (listed[name].get("sha256"), listed[name].get("size"))
            report.check(found == told, what, name, None, "", f"expected SHA-256 and size {told}, found {found}")
    plain = package.is_plain_tar()
    report.check(plain, "the archive's form", package.place.name, None, "", "octets that are no file of the package")


# ---- 2. The tree: RFC 9162 section 2.1.1 -----------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(leaves: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """The root hash of the first n leaves for each n asked for: a stack of perfect subtrees (section 2.1.2)."""
    found, stack = {0: hashlib.sha256(b"").digest()}, list[bytes]()
    for index, leaf in enumerate(leaves):
        size = index
        while size & 1:
            leaf, size = node(stack.pop(), leaf), size >> 1
        stack.append(leaf)
        if index + 1 in sizes:
            root = stack[-1]
            for subtree in reversed(stack[:-1]):
                root = node(subtree, root)
            found[index + 1] = root
    return found


def read_leaves(package: Package, report: Report, size: Any) -> tuple[list[bytes], list[int]]:
    """Every leaf hash, and the indexes of those whose records are in the package."""
    leaves, held = list[bytes](), list[int]()
    for number, line in enumerate(package.read("leaves.txt").splitlines(keepends=True)):
        found = re.fullmatch(rb"([0-9a-f]{64}) ([+-])\n", line)
        said = f"line {number + 1}: expected a leaf hash, then + or -; found {line[:80]!r}"
        if not report.check(found is not None, "lines of leaf hashes", "leaves.txt", number, "", said) or not found:
            continue
        leaves.append(bytes.fromhex(found[1].decode()))
        if found[2] == b"+":
            held.append(number)
    said = f"expected tree_size {size}, found {len(leaves)} leaf hashes"
    report.check(len(leaves) == size, "the size of the tree", "leaves.txt", None, "", said)
    return leaves, held


class Records:
    """The records that the package holds whole, by leaf index, read again whenever they are asked for."""

    def __init__(self, package: Package, report: Report, leaves: list[bytes], held: list[int]) -> None:
        self.where: dict[int, tuple[int, int]] = {}
        try:
            self.file: BinaryIO = package.open(RECORDS)
        except (OSError, KeyError):
            self.file = io.BytesIO()
        offset = count = 0
        for line in self.file:
            if count < len(held):
                self.where[held[count]] = (offset, len(line))
            offset, count = offset + len(line), count + 1
        said = f"expected {len(held)} records, as leaves.txt marks, found {count}"
        report.check(count == len(held), "the number of records", RECORDS, None, "", said)
        self.is_whole = len(held) == len(leaves)

    def octets(self, index: int) -> bytes:
        offset, length = self.where[index]
        self.file.seek(offset)
        return self.file.read(length)

    def find(self, index: Any) -> Json | None:
        """None where the package does not hold it, or it is no record."""
        if type(index) is not int or index not in self.where:
            return None
        try:
            return canonical(self.octets(index).removesuffix(b"\n"))
        except ValueError:
            return None


# ---- 3. Each record by itself: docs/ledger.md, "Fields of every record" and "Kinds" ----------------------------------

COMMON = {"v", "at", "kind", "party"}
REQUEST = {"caller", "key", "operation", "request", "request_id", "worker"}
ENTRY = {"body", "in_force", "worker"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "origin": ({"origin"}, set()),
    "start": (ENTRY, set()),
    "stop": (ENTRY, set()),
    "read": (ENTRY, set()),
    "administrative": (ENTRY, set()),
    "intent": (
        REQUEST | {"content", "digest", "findings", "in_force", "octets", "public_key", "purpose", "reused"},
        {"accompanying", "counted", "evidence", "released", "taken", "use", "warned"},
    ),
    "refusal": (REQUEST | {"findings", "in_force", "octets", "reason", "sentence"}, {"offset", "quarantine"}),
    "release": (REQUEST | {"outcome"}, {"signature", "result"}),
    "outcome": ({"intent", "module", "state"}, {"signature", "result", "result_octets", "reason", "sentence"}),
    "closed": ({"died", "intent", "state"}, set()),
}
"""Of each kind: the fields that it has, and those that it may have. A refusal of a read or an act is an entry."""


def check_record(report: Report, manifest: Json, index: int, octets: bytes, leaf: bytes) -> Json | None:
    """The record is what was hashed, canonical, has the fields of its kind, and is of this ledger and deployment."""

    def expect(holds: bool, what: str, field: str, sentence: str) -> None:
        report.check(holds, what, RECORDS, index, field, sentence)

    found = hashlib.sha256(b"\x00" + octets.removesuffix(b"\n")).digest()
    expect(octets.endswith(b"\n"), "line ends", "", "the line is cut short")
    expect(found == leaf, "leaf hashes (RFC 9162 2.1.1)", "", f"expected leaf hash {leaf.hex()}, found {found.hex()}")
    try:
        record = canonical(octets.removesuffix(b"\n"))
    except ValueError as error:
        expect(False, "canonical JSON (RFC 8785)", "", str(error))
        return None
    kind, ledger = record.get("kind"), manifest.get("ledger", {})
    demanded, allowed = FIELDS.get(str(kind), (set(), set()))
    demanded = ENTRY if kind == "refusal" and "body" in record else demanded
    fields, known = record.keys() - COMMON - {"deployment"}, kind in FIELDS
    expect(known and record.keys() >= COMMON, "kinds", "kind", f"expected a known kind and {COMMON}, found {kind!r}")
    if not known or not record.keys() >= COMMON:
        return None
    wrong = sorted((demanded - fields) | (fields - demanded - allowed))
    expect(not wrong, "fields of their kind", ", ".join(wrong), f"fields that are missing or too many: {wrong}")
    expect(record["v"] == 1, "version of the form", "v", f"expected 1, found {record['v']!r}")
    mark = "test" if ledger.get("deployment") == "test" else None
    expect(record.get("deployment") == mark, "mark of the deployment (SEC G2.20(b))", "deployment", f"expected {mark}")
    expect(_moment(record["at"]) is not None, "moments", "at", f"expected a moment in UTC, found {record['at']!r}")
    expect((kind == "origin") == (index == 0), "the origin first, and only there", "kind", f"found {kind}")
    named = kind != "origin" or record.get("origin") == ledger.get("origin")
    expect(named, "the ledger's name", "origin", f"expected {ledger.get('origin')!r}, found {record.get('origin')!r}")
    return None if wrong else record


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) if len(text) == 27 else None
    except (TypeError, ValueError):
        return None


# ---- 4. Records together: intents against outcomes, signatures, what was taken ---------------------------------------

ENDS = {"signature": "signed", "mac": "made", "protection": "made"}
MADE = {"signed": "signature", "made": "result", "done": "result_octets"}
SAME_REQUEST = ("party", "operation", "key", "request_id", "request")


def verifies(signature: Any, public_key: Any, digest: Any) -> bool:
    """ECDSA on P-256 (FIPS 186-5 section 6.4) over a SHA-256 digest; r || s, an uncompressed point, 32 octets."""
    try:
        octets, covered = bytes.fromhex(signature), bytes.fromhex(digest)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(public_key))
        der = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
        key.verify(der, covered, ec.ECDSA(Prehashed(SHA256())))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return len(octets) == 64 and len(covered) == 32


class Uses:
    """Intents, outcomes and releases in order: each intent ends once; each signature is by its key over its digest."""

    def __init__(self, report: Report, records: Records) -> None:
        self.report, self.records = report, records
        self.open: set[int] = set()
        self.ended: dict[int, str] = {}

    def expect(self, holds: bool, what: str, index: int, field: str, sentence: str) -> None:
        self.report.check(holds, what, RECORDS, index, field, sentence)

    def end(self, index: int, record: Json) -> None:
        """An outcome or a closing: of one intent before it, of its party, in a state that its use may end in."""
        intent = self.records.find(record["intent"]) or {}
        begun = record["intent"] in self.open and record["intent"] < index
        self.expect(begun, "an intent before each outcome", index, "intent", f"no open intent {record['intent']!r}")
        if not begun:
            return
        self.open.discard(record["intent"])
        self.ended[record["intent"]] = state = str(record["state"])
        self.expect(record["party"] == intent["party"], "party of the intent", index, "party", "expected the intent's")
        made = ENDS.get(intent.get("use", "signature"), "done")
        states = ("unknown",) if record["kind"] == "closed" else (made, "failed", "unknown")
        self.expect(state in states, "states of outcomes", index, "state", f"expected one of {states}, found {state}")
        fields = {name for name in MADE.values() if name in record}
        self.expect(fields == {MADE[state]} if state in MADE else not fields, "what was made", index, "state", state)
        if state == "signed":
            good = verifies(record.get("signature"), intent["public_key"], intent["digest"])
            said = f"does not verify with the public key and over the digest of intent {record['intent']}"
            self.expect(good, "signatures (ECDSA P-256)", index, "signature", said)

    def release(self, index: int, record: Json) -> None:
        """Given again: exactly what the outcome holds, to exactly the request that was first."""
        outcome = self.records.find(record["outcome"]) if record["outcome"] < index else None
        intent = self.records.find(outcome["intent"]) if outcome and outcome["kind"] == "outcome" else None
        if outcome is None or intent is None:
            self.expect(
                False, "releases", index, "outcome", f"expected an outcome before it, found {record['outcome']}"
            )
            return
        for name in ("signature", "result"):
            self.expect(
                record.get(name) == outcome.get(name), "releases", index, name, "is not what was recorded first"
            )
        for name in SAME_REQUEST:
            self.expect(record[name] == intent[name], "releases", index, name, "is not the request of the intent")


class Taken:
    """SEC G6, G3.25, RFC 5280 section 5.2.3 and others: what may be used once was used once; numbers only grow."""

    def __init__(self, report: Report, records: Records, uses: Uses) -> None:
        self.report, self.records, self.uses = report, records, uses
        self.holder: dict[tuple[str, str], tuple[int, str]] = {}
        self.by = self.grown = 0

    def begin(self, index: int, record: Json) -> None:
        """Each claim follows the one that held its name before, by the law of its form (docs/ledger.md, "taken")."""
        for claim in record.get("taken", []):
            name, value, after = (claim["scope"], claim["name"]), claim["value"], claim.get("after")
            held = self.holder.get(name)
            self.holder[name] = (index, value)
            if held is None and after is not None and not self.records.is_whole:
                self.report.remarks["names taken over from an intent that this selection does not hold"] += 1
                continue
            told = held and held[0]
            said = f"{claim['form']} {name}: expected after {told}, found after {after}"
            right = self.report.check(told == after, "what was taken, once each", RECORDS, index, "taken", said)
            if right:
                good = self._first(claim) if held is None else self._follows(claim, held, record)
                said = f"{claim['form']} {name} {value} after {held}"
                self.report.check(good, "the laws of what was taken", RECORDS, index, "taken", said)

    def _first(self, claim: Json) -> bool:
        """After a restore a number that the ledger gives begins beyond all that was lost."""
        return bool(claim["form"] != "allocated" or int(claim["value"], 16) >= self.grown)

    def _follows(self, claim: Json, held: tuple[int, str], record: Json) -> bool:
        before, state = self.records.find(held[0]) or {}, self.uses.ended.get(held[0])
        again = state in ("failed", "done") and all(record[name] == before.get(name) for name in SAME_REQUEST)
        number, last = int(claim["value"] or "0", 16), int(held[1] or "0", 16)
        match claim["form"]:
            case "once":
                return again
            case "bound":
                return bool(claim["value"] == held[1])
            case "allocated":
                return number > last
            case "increasing" | "limited":
                return number > last or (again and number == last)
            case "increasing-on-success":
                least, floor = number % 2**160, last % 2**160
                number, last = number >> 160, last >> 160
                floor = max(floor, last + 1) if state == "done" else floor
                return least >= floor and (number >= least or (again and number == last))
            case form:
                return bool(form == "succession")

    def restore(self, index: int, act: Json) -> None:
        """A restore advances numbers: each as it was held, by as much as the restore says."""
        if act["act"] == "RestoreLedger":
            self.by = int(act["by"])
            self.grown += self.by
            return
        for row, before, after, intent in act["advanced"]:
            scope, _, name = bytes.fromhex(row).partition(b"\x00")
            key, cells = (scope.decode(), name.hex()), (before[at : at + 40] for at in range(0, len(before), 40))
            grown = "".join(f"{min(int(cell, 16) + self.by, 2**160 - 1):040x}" for cell in cells)
            known = self.holder.get(key, (intent, before) if not self.records.is_whole else None)
            right = known == (intent, before) and after == grown
            said = f"{key}: expected {known} grown by {self.by}"
            self.report.check(right, "numbers that a restore advanced", RECORDS, index, "advanced", said)
            self.holder[key] = (intent, after)


def check_sequence_of_keys(report: Report, states: dict[str, Any], index: int, act: Json, is_whole: bool) -> None:
    """SEC G5.13, G5.24: each act on a key leads from the state in which the act before left it."""
    for name, begin, end in (("key", "from", "to"), ("successor", "successor_from", "successor_to")):
        if begin in act and name in act:
            label = act[name]
            if label in states or is_whole:
                said = f"{label}: expected {states.get(label)!r}, as the act before left it, found {act[begin]!r}"
                report.check(states.get(label) == act[begin], "states of keys", RECORDS, index, begin, said)
            states[label] = act[end]


# ---- 5. Statements (compact JWS, RFC 7515, ES256) and ceremonies (CMS, RFC 5652) -------------------------------------

NOT_ORDERED = {"actor", "certificate", "from", "to", "register_version", "order", "second_order", "ceremony"}
NOT_ORDERED |= {"successor_from", "successor_to"}
RESTORED = ("act", "remembered_root", "remembered_size", "root_hash", "tree_size")


class Statements:
    """Who stated what, by a certificate that the ledger enrolled before; each counted at its record's moment."""

    def __init__(self, report: Report, origin: Any) -> None:
        self.report, self.origin = report, origin
        self.enrolled: dict[str, Json] = {}
        self.used: set[tuple[str, str]] = set()
        self.void_before = 0.0

    def administer(self, index: int, record: Json, act: Json) -> None:
        at = _moment(record["at"]) or datetime.min.replace(tzinfo=UTC)
        if act.get("act") == "EnrolAttester":
            kid = hashlib.sha256(bytes.fromhex(act["certificate"])).hexdigest()
            good = kid == act["kid"] and kid not in self.enrolled
            self.report.check(
                good, "certificates of attesters", RECORDS, index, "kid", f"expected {kid}, enrolled once"
            )
            self.enrolled[kid] = {**act, "since": int(at.timestamp()), "withdrawn": False}
        if act.get("act") == "WithdrawAttester":
            self.enrolled.get(act["kid"], {})["withdrawn"] = True
        for field, told in _told_statements(act):
            claims = self.check(index, field, told, at, once=True)
            if field.split(".")[0] in ("order", "second_order", "orders"):
                names = RESTORED if field.startswith("orders") else act.keys() - NOT_ORDERED
                target = hashlib.sha256(encode({name: act[name] for name in names})).hexdigest()
                right = (claims.get("act"), claims.get("target")) == (act["act"], target)
                self.report.check(
                    right, "orders of exactly this act", RECORDS, index, field, f"expected target {target}"
                )
        if act.get("act") == "RestoreLedger":
            self.void_before = max(self.void_before, float(int(at.timestamp() + 1)))

    def intent(self, index: int, record: Json) -> None:
        """What came with a request is of these very octets (SEC G3.25), and is among what the use took."""
        at = _moment(record["at"]) or datetime.min.replace(tzinfo=UTC)
        spent = {(each["name"], each["value"]) for each in record.get("taken", []) if each["scope"] == "statement"}
        told = set()
        for number, each in enumerate(record.get("evidence", [])):
            claims = self.check(index, f"evidence.{number}", each, at, once=False)
            right = claims.get("octets_sha256") == record["octets"]
            said = f"is of other octets than {record['octets']}"
            self.report.check(right, "checks of these octets (SEC G3.25)", RECORDS, index, f"evidence.{number}", said)
            told.add((f"{each['attester']}#{claims.get('nonce')}".encode().hex(), each["sha256"]))
        self.report.check(
            told == spent, "evidence that is spent", RECORDS, index, "taken", "evidence is not what was taken"
        )

    def check(self, index: int, field: str, told: Json, at: datetime, *, once: bool) -> Json:
        """One statement: signed by the attester that it names, for this ledger, valid then, not used before."""

        def expect(holds: bool, sentence: str) -> bool:
            return self.report.check(holds, "statements (JWS ES256)", RECORDS, index, field, sentence)

        try:
            head, payload, signature = (base64.urlsafe_b64decode(part + "==") for part in told["statement"].split("."))
            header, claims = json.loads(head), json.loads(payload)
            kind, attester = str(told.get("statement_kind", told.get("kind", ""))), self.enrolled.get(header["kid"])
            until, issued, expires = float((attester or {}).get("until", 0)), claims["iat"], claims["exp"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            expect(False, f"expected a compact JWS, found none: {error!r}")
            return {}
        if not expect(attester is not None, f"its attester {header['kid']} is not enrolled before") or attester is None:
            return claims if isinstance(claims, dict) else {}
        signed = ".".join(told["statement"].split(".")[:2]).encode().hex()
        digest = hashlib.sha256(bytes.fromhex(signed)).hexdigest()
        point = _point(bytes.fromhex(attester["certificate"]))
        expect(header["alg"] == "ES256" and verifies(signature.hex(), point, digest), "its signature does not verify")
        expect(hashlib.sha256(payload).hexdigest() == told["sha256"], "its payload has another SHA-256 than is told")
        expect(told["attester"] == attester["name"], f"it is by {attester['name']}, not by {told['attester']}")
        expect(header["typ"] == f"keybroker-{kind}+jws" and kind in attester["kinds"], f"it is a {header['typ']}")
        expect(claims["aud"] == self.origin, f"it is for {claims['aud']}, another ledger")
        moment = at.timestamp()
        lasts = attester["since"] <= moment + 5 and moment < until and not attester["withdrawn"]
        expect(lasts, "its attester was not enrolled at that moment")
        expect(self.void_before <= issued <= moment + 5 and moment < expires, "it did not count at that moment")
        identity = (attester["name"], claims["nonce"])
        expect(not once or identity not in self.used, "it was used before")
        self.used |= {identity} if once else set()
        return dict(claims)


def _told_statements(value: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every statement that stands whole in an act, with its field."""
    if isinstance(value, dict):
        if isinstance(value.get("statement"), str):
            yield path or "statement", value
        for name, each in value.items():
            yield from _told_statements(each, f"{path}.{name}".lstrip("."))
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _told_statements(each, f"{path}.{number}".lstrip("."))


def _point(der: bytes) -> str:
    """The uncompressed point of a certificate's key, in hexadecimal; empty where it has none."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()
    except ValueError:
        return ""


def elements(octets: bytes) -> list[tuple[int, bytes, bytes]]:
    """DER (X.690): tag, content and the whole of each element, one behind the other. Raises: ValueError."""
    found, at = list[tuple[int, bytes, bytes]](), 0
    while at < len(octets):
        head, length = at + 2, octets[at + 1] if at + 1 < len(octets) else 0x80
        if length >= 0x80:
            head, length = head + length - 0x80, int.from_bytes(octets[at + 2 : at + 2 + length - 0x80], "big")
        if (head == at + 2 and octets[at + 1 : at + 2] >= b"\x80") or head + length > len(octets):
            raise ValueError("expected DER, found another encoding")
        found.append((octets[at], octets[head : head + length], octets[at : head + length]))
        at = head + length
    return found


def verify_cms(der: bytes, document: bytes) -> tuple[bytes, datetime]:
    """The signer's certificate and signing time of a CMS SignedData (RFC 5652 section 5) over exactly this document.

    Raises: ValueError or InvalidSignature. The same by hand: openssl cms -verify -binary -inform DER -in FILE -CAfile
    CERTIFICATE -partial_chain -purpose any -attime SIGNING-TIME
    """
    try:
        ((_, content_info, _),) = elements(der)
        _, (_, explicit, _) = elements(content_info)
        ((_, signed_data, _),) = elements(explicit)
        _, _, (_, encapsulated, _), (_, _, certificates), (_, signers, _) = elements(signed_data)
        ((_, octets, _),) = elements(elements(encapsulated)[1][1])
        ((_, signer, _),) = elements(signers)
        _, _, _, (_, attributes, _), _, (_, signature, _) = elements(signer)
        values = {
            kind: elements(values)[0][1]
            for (_, kind, _), (_, values, _) in (elements(a[1]) for a in elements(attributes))
        }
        (certificate,) = (whole for _, _, whole in elements(elements(certificates)[0][1]))
        digest, time = values[bytes.fromhex("2a864886f70d010904")], values[bytes.fromhex("2a864886f70d010905")].decode()
        at = datetime.strptime(time if len(time) > 13 else f"20{time}", "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except (IndexError, KeyError) as error:
        raise ValueError("expected a SignedData with one signer") from error
    if octets != document or digest != hashlib.sha256(document).digest():
        raise ValueError("expected a signature over the entry, found one over something else")
    # RFC 5652 section 5.4: what is signed is the DER of the attributes as a SET OF, not as the [0] that is sent.
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidSignature("expected a certificate of an EC key")
    length = len(attributes)
    size = bytes([length]) if length < 128 else bytes([0x80 + (length.bit_length() + 7) // 8])
    size += b"" if length < 128 else length.to_bytes((length.bit_length() + 7) // 8, "big")
    key.verify(signature, b"\x31" + size + attributes, ec.ECDSA(SHA256()))
    return certificate, at


class Ceremonies:
    """Each step's entry follows the last, and is signed by people of the plan with the certificates that it names."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.people: dict[str, dict[str, str]] = {}
        self.last: dict[str, tuple[str, str]] = {}

    def administer(self, index: int, act: Json) -> None:
        def expect(holds: bool, field: str, sentence: str) -> None:
            self.report.check(holds, "steps of ceremonies", RECORDS, index, field, sentence)

        name = str(act.get("ceremony"))
        if act.get("act") == "BeginCeremony":
            plan = hashlib.sha256(act["plan"].encode()).hexdigest()
            expect(
                act["plan_sha256"] == plan and name not in self.last, "plan_sha256", f"expected {plan}, and a new name"
            )
            people = tomllib.loads(act["plan"]).get("people", [])
            self.people[name] = {each["name"]: each["signing_sha256"] for each in people}
            self.last[name] = ("0" * 64, plan)
        if act.get("act") != "ConcludeCeremonyStep" or name not in self.last:
            return
        document, (previous, plan) = act["entry"].encode(), self.last[name]
        entry, digest = canonical(document), hashlib.sha256(document).hexdigest()
        expect(act["entry_sha256"] == digest, "entry_sha256", f"expected {digest}")
        found = tuple(entry.get(each) for each in ("ceremony", "number", "previous", "plan_sha256"))
        expected = (name, act["number"], previous, plan)
        expect(found == expected, "entry", f"expected {expected}, found {found}")
        self.last[name] = (digest, plan)
        for person, signature in act["signatures"].items():
            try:
                certificate, at = verify_cms(base64.b64decode(signature), document)
                named = hashlib.sha256(certificate).hexdigest() == self.people[name].get(person)
                loaded = x509.load_der_x509_certificate(certificate)
                lasts = loaded.not_valid_before_utc <= at <= loaded.not_valid_after_utc
                self._check(index, person, named and lasts, "by another certificate, or one not valid then")
            except (ValueError, InvalidSignature) as error:
                self._check(index, person, False, f"does not verify: {error}")

    def _check(self, index: int, person: str, holds: bool, why: str) -> None:
        self.report.check(holds, "signatures of people (CMS)", RECORDS, index, f"signatures.{person}", why)


# ---- 6. What stands beside the records -------------------------------------------------------------------------------

WHOLE = {"audit-checkpoint", "certificate", "root-certificate", "certificate-revocation-list"}
WHOLE |= {"certificate-signing-request"}


def check_octets(package: Package, report: Report, records: Records) -> None:
    """Octets that are kept are those that were received, and where no decoder is needed those that were signed."""
    for number, line in enumerate(package.read("octets.ndjson").splitlines(), 1):
        try:
            told = canonical(line)
            octets, index = bytes.fromhex(told["octets"]), told["record"]
        except (ValueError, KeyError, TypeError) as error:
            report.check(False, "octets that are kept", "octets.ndjson", None, "", f"line {number}: {error!r}")
            continue
        record, digest = records.find(index) or {}, hashlib.sha256(octets).hexdigest()
        said = f"are not those of record {index}"
        report.check(record.get("octets") == digest, "octets that are kept", "octets.ndjson", index, "octets", said)
        kind, covered = record.get("content", {}).get("kind"), set[str]()
        if kind in WHOLE:
            covered = {digest}
        if kind in ("command", "pre-command"):  # GBCS: from the second octet, without a null signature at the end
            parts = (octets[1:], octets[1:-1]) if octets.endswith(b"\x00") else (octets[1:],)
            covered = {hashlib.sha256(part).hexdigest() for part in parts}
        good = not covered or record.get("digest") in covered
        report.check(good, "what was signed is what was read", RECORDS, index, "digest", "is of other octets")


def check_keys(package: Package, report: Report, known: dict[str, Json], states: dict[str, Any], part: bool) -> None:
    """keys.json and certificates are those that the records tell of; chains are signed link by link (RFC 5280)."""
    for told in read_json(package, report, "keys.json").get("keys", []):
        label, said = told["label"], known.get(told["label"], {})
        what, chain = "keys and certificates", [package.read(name) for name in told["certificates"]]
        good = part or (told["state"], told["public_key"]) == (states.get(label), said.get("public_key"))
        report.check(good, what, "keys.json", None, label, "state or public key are not what the records tell")
        if not chain:
            continue
        digests = [hashlib.sha256(der).hexdigest() for der in chain]
        report.check(part or said.get("chain") == digests, what, "keys.json", None, label, "is not the chain enrolled")
        own = _point(chain[0]) == told["public_key"]
        report.check(own, what, told["certificates"][0], None, "subjectPublicKey", f"is not the key {label}")
        for name, der, issuer in zip(told["certificates"], chain, chain[1:], strict=False):
            try:
                x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
            except (ValueError, TypeError, InvalidSignature) as error:
                report.check(False, what, name, None, "signature", f"not issued by the next of its chain: {error!r}")


def check_in_force(package: Package, report: Report, named: dict[str, int]) -> None:
    """Every digest in force that a record names is listed; the texts that are here have these digests."""
    listed = {each["sha256"]: each["text"] for each in read_json(package, report, "in_force.json").get("in_force", [])}
    for digest, index in named.items():
        report.check(
            digest in listed, "what was in force", RECORDS, index, "in_force", f"{digest} is not in in_force.json"
        )
    for digest, text in listed.items():
        if text is True:
            found = hashlib.sha256(package.read(f"in_force/{digest}")).hexdigest()
            report.check(found == digest, "what was in force", f"in_force/{digest}", None, "", f"has SHA-256 {found}")
        else:
            report.remarks["digests in force whose text is not in the package"] += 1


def check_ceremony_files(package: Package, report: Report, records: Records) -> None:
    """ceremonies/*.json say what the records say."""
    for name in [each for each in package.names if each.startswith("ceremonies/")]:
        for step in read_json(package, report, name).get("steps", []):
            concluded = (records.find(step.get("concluded")) or {}).get("body", {})
            same = all(step.get(each) == concluded.get(each) for each in ("entry", "signatures"))
            report.check(
                same, "transcripts of ceremonies", name, step.get("concluded"), "entry", "is not what is recorded"
            )


# ---- 7. Checkpoints (C2SP tlog-checkpoint, signed-note, tlog-cosignature) and receipts -------------------------------


def read_vkey(text: str) -> tuple[str, bytes, bytes]:
    """Name, key id and key (type octet first) of a verifier key, NAME+HEX+BASE64 (signed-note). Raises: ValueError."""
    name, key_id, encoded = text.split("+", 2)
    return name, bytes.fromhex(key_id), base64.b64decode(encoded, validate=True)


def vkey_of(origin: str, point: str) -> tuple[str, bytes, bytes]:
    """The verifier key of a P-256 key: type 02, whose key id is of its SubjectPublicKeyInfo alone."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(point))
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return origin, hashlib.sha256(der).digest()[:4], b"\x02" + der


def note_verifies(body: bytes, signature: bytes, key: bytes) -> bool:
    """A line's signature: type 02 ECDSA with SHA-256 over the text, 01 Ed25519, 04 a witness's cosignature."""
    try:
        if key[0] == 2:
            loaded = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key[-65:])
            loaded.verify(signature, body, ec.ECDSA(SHA256()))
        else:
            message = body
            if key[0] == 4:
                message = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + body
                signature = signature[8:]
            ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_checkpoints(
    package: Package, report: Report, origin: Any, leaves: list[bytes], keys: list[tuple[str, bytes, bytes]]
) -> dict[tuple[str, bytes, bytes], int]:
    """Each checkpoint is of this tree at its size, and signed by one of the keys. For each key the largest size."""
    reached = dict.fromkeys(keys, 0)
    lines = package.read("checkpoints.ndjson").splitlines()
    notes = [_read_note(report, number, line) for number, line in enumerate(lines, 1)]
    known = roots(leaves, {size for _, _, size, _, _ in notes})
    for number, name, size, root, (body, signatures) in notes:
        right = name == origin and known.get(size) == root
        said = f"line {number}: is not of the first {size} records of this ledger"
        report.check(right, "checkpoints (C2SP tlog-checkpoint)", "checkpoints.ndjson", None, "note", said)
        signed = [
            key
            for key in keys
            for by, key_id, octets in signatures
            if (by, key_id) == key[:2] and note_verifies(body, octets, key[2])
        ]
        said = f"line {number}: no signature of a known key verifies"
        if keys:
            report.check(bool(signed), "checkpoints' signatures", "checkpoints.ndjson", None, "note", said)
        else:
            report.remarks["checkpoints, whose key the package does not tell and you did not give"] += 1
        for key in signed if right else []:
            reached[key] = max(reached[key], size)
    return reached


Note = tuple[int, str, int, bytes, tuple[bytes, list[tuple[str, bytes, bytes]]]]


def _read_note(report: Report, number: int, line: bytes) -> Note:
    try:
        note = canonical(line)["note"].encode()
        body, _, tail = note.rpartition(b"\n\n")
        name, size, root = body.decode().split("\n")[:3]
        signatures = []
        for each in tail.decode().splitlines():
            by, octets = each.removeprefix("\u2014 ").split(" ")
            signatures.append((by, base64.b64decode(octets)[:4], base64.b64decode(octets)[4:]))
        return number, name, int(size), base64.b64decode(root), (body + b"\n", signatures)
    except (ValueError, KeyError, AttributeError) as error:
        report.check(
            False, "checkpoints", "checkpoints.ndjson", None, "note", f"line {number}: no signed note: {error!r}"
        )
        return number, "", -1, b"", (b"", [])


def check_receipts(report: Report, leaves: list[bytes], receipts: list[str]) -> None:
    """A receipt that somebody holds is of a leaf of this tree."""
    for receipt in receipts:
        index, _, leaf = receipt.partition(":")
        there = int(index) < len(leaves) and leaves[int(index)].hex() == leaf.lower()
        report.check(there, "receipts", "leaves.txt", int(index), "", f"the receipt {receipt} is not of this tree")


# ---- 8. Everything, and the command line -----------------------------------------------------------------------------


def verify(place: Path, *, manifest_sha256: str | None, vkeys: list[str], receipts: list[str]) -> tuple[Report, Json]:
    """Every check there is. Raises: OSError, tarfile.TarError where there is no package at all."""
    package, report = Package(place), Report()
    manifest = check_manifest(package, report, manifest_sha256)
    check_files(package, report, manifest)
    tree, ledger = manifest.get("tree", {}), manifest.get("ledger", {})
    leaves, held = read_leaves(package, report, tree.get("tree_size"))
    root = roots(leaves, {len(leaves)})[len(leaves)].hex()
    said = f"expected {tree.get('root_hash')}, found {root}"
    report.check(root == tree.get("root_hash"), "the root hash (RFC 9162 2.1.1)", "leaves.txt", None, "", said)
    records = Records(package, report, leaves, held)
    said = f"expected {manifest.get('records')} records, found {len(held)}"
    report.check(len(held) == manifest.get("records"), "the number of records", RECORDS, None, "", said)
    walked = _walk(report, manifest, records, leaves)
    check_octets(package, report, records)
    selection = manifest.get("selection", {})
    is_part = selection.get("since") is not None or selection.get("until") is not None
    check_keys(package, report, walked["keys"], walked["states"], is_part)
    check_in_force(package, report, walked["in_force"])
    check_ceremony_files(package, report, records)
    check_receipts(report, leaves, receipts)
    keys = [read_vkey(each) for each in vkeys]
    if not keys:
        points = [each["public_key"] for each in walked["keys"].values() if each.get("purpose") == "audit-checkpoint"]
        keys = [vkey_of(str(ledger.get("origin")), point) for point in points if point]
    reached = check_checkpoints(package, report, ledger.get("origin"), leaves, keys)
    for key, size in reached.items() if vkeys else ():
        report.check(size > 0, "keys given", "checkpoints.ndjson", None, "", f"no checkpoint is signed by {key[0]}")
    under = max(reached.values(), default=0)
    facts = {"records": len(held), "tree_size": len(leaves), "root_hash": root, "origin": ledger.get("origin")}
    return report, {**facts, "under_checkpoint": under, "key_from_elsewhere": bool(vkeys), **walked["told"]}


def _walk(report: Report, manifest: Json, records: Records, leaves: list[bytes]) -> Json:
    """Sections 3 to 5, over the records in their order."""
    uses, statements = Uses(report, records), Statements(report, manifest.get("ledger", {}).get("origin"))
    taken, ceremonies = Taken(report, records, uses), Ceremonies(report)
    keys, states, in_force = dict[str, Json](), dict[str, Any](), dict[str, int]()
    for index in records.where:
        record = check_record(report, manifest, index, records.octets(index), leaves[index])
        if record is None:
            continue
        try:
            for each in _digests_in_force(record.get("in_force", {})):
                in_force.setdefault(each, index)
            if record["kind"] == "intent":
                uses.open.add(index)
                taken.begin(index, record)
                statements.intent(index, record)
                own = keys.get(record["key"], {}).get("public_key", record["public_key"])
                report.check(
                    own == record["public_key"], "the key's own point", RECORDS, index, "public_key", "is another's"
                )
            elif record["kind"] in ("outcome", "closed"):
                uses.end(index, record)
            elif record["kind"] == "release":
                uses.release(index, record)
            elif record["kind"] == "administrative":
                act = record["body"]
                statements.administer(index, record, act)
                ceremonies.administer(index, act)
                if act["act"] in ("RestoreLedger", "AdvanceNumbers"):
                    taken.restore(index, act)
                check_sequence_of_keys(report, states, index, act, records.is_whole)
                told = {name: act[name] for name in ("public_key", "purpose", "chain") if name in act}
                keys.setdefault(str(act.get("key")), {}).update(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"a field is missing or of another form: {error!r}"
            report.check(False, "the form of records", RECORDS, index, "", said)
    signatures = report.checked["signatures (ECDSA P-256)"]
    told = {"signatures": signatures, "open_intents": sorted(uses.open), "is_whole": records.is_whole}
    return {"keys": keys, "states": states, "in_force": in_force, "told": told}


def _digests_in_force(told: Json) -> Iterator[str]:
    for name, value in told.items():
        if name == "policies":
            yield from value.values()
        else:
            yield value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies an evidence package of a keybroker ledger.")
    parser.add_argument("package", type=Path, help="a directory or a .tar file")
    parser.add_argument("--manifest-sha256", metavar="HEX", help="the digest of manifest.json, known from elsewhere")
    parser.add_argument("--checkpoint-key", metavar="VKEY", action="append", default=[], help="NAME+ID+KEY; repeatable")
    parser.add_argument("--receipt", metavar="INDEX:HEX", action="append", default=[], help="repeatable")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    asked = parser.parse_args(arguments)
    try:
        [read_vkey(each) for each in asked.checkpoint_key]
        [(int(each.partition(":")[0]), bytes.fromhex(each.partition(":")[2])) for each in asked.receipt]
        report, facts = verify(
            asked.package, manifest_sha256=asked.manifest_sha256, vkeys=asked.checkpoint_key, receipts=asked.receipt
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))  # exit status 2
    except tarfile.TarError as error:
        report, facts = Report(), {}
        report.check(False, "the archive", str(asked.package), None, "", f"no tar file: {error}")
    whole = not report.wrong
    if asked.json:
        told = {"whole": whole, "wrong": report.wrong, "remarks": report.remarks, "checked": report.checked, **facts}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _print(report, facts)
    return 0 if whole else 3


def _print(report: Report, facts: Json) -> None:
    for what, times in sorted(report.checked.items()):
        print(f"{times:9}  {what}")
    for remark, times in sorted(report.remarks.items()):
        print(f"not checked: {times} {remark}")
    for each in report.wrong:
        where = "" if each["record"] is None else f", record {each['record']}"
        field = f", {each['field']}" if each["field"] else ""
        print(f"WRONG: {each['file']}{where}{field}: {each['sentence']}")
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value}")
    if facts.get("under_checkpoint", 0) < facts.get("tree_size", 0) or not facts.get("key_from_elsewhere"):
        print("note: nothing that you hold from elsewhere vouches for all records (see --checkpoint-key)")
    print("WHOLE" if not report.wrong else f"NOT WHOLE: {len(report.wrong)} things are wrong")


if __name__ == "__main__":
    sys.exit(main())
