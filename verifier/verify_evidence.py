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
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]
FORM = "keybroker evidence package 1"
MANIFEST, MANIFEST_DIGEST, RECORDS = "manifest.json", "manifest.sha256", "records.ndjson"
LEAVES, NOTES, OCTETS = "leaves.txt", "checkpoints.ndjson", "octets.ndjson"
KEYS, IN_FORCE, CERTIFICATES, LISTS = "keys.json", "in_force.json", "certificates/", "revocation_lists/"
ALWAYS = {MANIFEST, MANIFEST_DIGEST, RECORDS, LEAVES, NOTES, OCTETS, KEYS, IN_FORCE, "record.schema.json"}
ALWAYS |= {"summary.html", "summary.txt", "verify_evidence.py"}
NOT_OF_FORM = (
    *(KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError),
    *(UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension),
)
"""What is raised where something is not of the form that the code below takes for granted."""


class Report:
    """Everything wrong, everything that could not be checked, and how many of each thing were checked."""

    def __init__(self) -> None:
        self.wrong: list[Json] = []
        self.remarks: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.file, self.record = "", -1

    def at(self, file: str, record: int = -1) -> None:
        """What follows is about this file, and this record of it (leaf index)."""
        self.file, self.record = file, record if type(record) is int else -1

    def check(self, holds: bool, what: str, field: str, sentence: str) -> bool:
        """Count a check under ``what``; where it does not hold, note file, record and field."""
        self.checked[what] += 1
        if not holds:
            record = None if self.record < 0 else self.record
            self.wrong.append({"file": self.file, "record": record, "field": field, "sentence": sentence})
        return holds

    def attempt(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """Run a check; that it meets a form which it does not know is wrong too, and ends nothing but this check."""
        try:
            return check(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever a library raises at it, it is the package that is wrong
            self.check(False, "the form of what is read", "", f"a part is missing or of another form: {error!r}")
            return None


# ---- 1. The package: every file is there, none is changed, none is added ---------------------------------------------


class Package:
    """The files of a directory or of a tar file, by name."""

    def __init__(self, place: Path) -> None:
        self.place, self.kept = place, list[BinaryIO]()
        self.tar = None if place.is_dir() else tarfile.open(place, "r:")  # noqa: SIM115 - open as long as we run
        if self.tar is None:
            self.names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir())
        else:
            try:
                self.names = [self._plain(member, place.stat().st_size) for member in self.tar.getmembers()]
            except tarfile.TarError:
                self.tar.close()
                raise

    @staticmethod
    def _plain(member: tarfile.TarInfo, most: int) -> str:
        """Its name, where it is a file as long as it says: no link, and no hole of any size (``issparse``)."""
        if not member.isreg() or member.issparse() or member.size > most:
            raise tarfile.ReadError(f"{member.name} is no plain file")
        return member.name

    def open(self, name: str) -> BinaryIO:
        """An empty file where it is not there or no plain file: ``check_files`` says so."""
        try:
            if self.tar is not None:
                return self.tar.extractfile(name) or io.BytesIO()  # type: ignore[return-value]  # it reads and seeks
            path = self.place / name
            return path.open("rb") if path.is_file() and not path.is_symlink() else io.BytesIO()
        except (OSError, KeyError, ValueError, tarfile.TarError):
            return io.BytesIO()

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def keep_open(self, name: str) -> BinaryIO:
        self.kept.append(self.open(name))
        return self.kept[-1]

    def close(self) -> None:
        for file in self.kept:
            file.close()
        if self.tar is not None:
            self.tar.close()

    def is_plain_tar(self) -> bool:
        """Is the archive exactly what tar makes of these files (POSIX ustar), with nothing between or behind them?"""
        expected, length = hashlib.sha256(), 0
        for member in self.tar.getmembers() if self.tar else ():
            plain = tarfile.TarInfo(member.name)
            plain.size = member.size
            octets = self.read(member.name)
            block = plain.tobuf(tarfile.USTAR_FORMAT) + octets + bytes(-len(octets) % tarfile.BLOCKSIZE)
            expected.update(block)
            length += len(block)
        ended = length + 2 * tarfile.BLOCKSIZE
        expected.update(bytes(ended - length + -ended % tarfile.RECORDSIZE))
        with self.place.open("rb") as file:
            return sha256_of(file) == expected.hexdigest()


def sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def encode(value: Any) -> bytes:
    """Canonical JSON (RFC 8785): sorted keys, no white space, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def canonical(octets: bytes) -> Json:
    """One JSON object in canonical form, within the subset of docs/ledger.md. Raises: ValueError."""
    value = json.loads(octets, parse_float=_no_float, parse_constant=_no_float)
    if not isinstance(value, dict) or encode(value) != octets or not _is_within_subset(value):
        raise ValueError("expected one JSON object in canonical form (RFC 8785)")
    return value


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
    report.at(name)
    return report.attempt(canonical, package.read(name)) or {}


def part_of(whole: Json, name: str) -> Json:
    """An object within another; empty where it is none."""
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def check_manifest(package: Package, report: Report, told: str | None) -> Json:
    """The manifest is the one that manifest.sha256 names, and the one whose digest the exporter told."""
    manifest, found = read_json(package, report, MANIFEST), hashlib.sha256(package.read(MANIFEST)).hexdigest()
    same = package.read(MANIFEST_DIGEST) == f"{found}  {MANIFEST}\n".encode()
    report.check(same, "the manifest's digest", "", f"{MANIFEST_DIGEST} tells another")
    if told is not None:
        report.check(found == told.lower(), "the digest that you hold", "", f"expected SHA-256 {told}, found {found}")
    form = manifest.get("form")
    report.check(form == FORM, "the manifest's form", "form", f"expected {FORM!r}, found {form!r}")
    return manifest


def check_files(package: Package, report: Report, manifest: Json) -> None:
    """Every file has the size and SHA-256 of the manifest; none is missing, twice there or unlisted."""
    listed = {each["name"]: each for each in manifest.get("files", [])}
    for name in sorted({MANIFEST, MANIFEST_DIGEST, *listed} - {*package.names}):
        report.at(name)
        report.check(False, "files of the manifest", "", "the file is missing")
    for name, times in sorted(Counter(package.names).items()):
        report.at(name)
        if times == 1 and name in (MANIFEST, MANIFEST_DIGEST):
            continue
        if report.check(times == 1 and name in listed, "files of the manifest", "", "the manifest does not list it"):
            with package.open(name) as file:
                found = sha256_of(file), file.seek(0, io.SEEK_END)
            told = listed[name]["sha256"], listed[name]["size"]
            report.check(found == told, "files of the manifest", "", f"expected SHA-256, size {told}, found {found}")
    if package.tar is not None:
        report.at(package.place.name)
        report.check(package.is_plain_tar(), "the archive's form", "", "it holds octets that are no file's")


# ---- 2. The tree: RFC 9162 section 2.1.1 -----------------------------------------------------------------------------


def roots(leaves: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """The root hash of the first n leaves for each n asked for: a stack of perfect subtrees (section 2.1.2)."""
    found, stack = {0: hashlib.sha256(b"").digest()}, list[bytes]()
    for index, leaf in enumerate(leaves):
        size = index
        while size & 1:
            leaf, size = _node(stack.pop(), leaf), size >> 1
        stack.append(leaf)
        if index + 1 in sizes:
            root = stack[-1]
            for subtree in reversed(stack[:-1]):
                root = _node(subtree, root)
            found[index + 1] = root
    return found


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_tree(package: Package, report: Report, manifest: Json) -> tuple[list[bytes], list[int], set[int]]:
    """Every leaf hash, and the indexes of records that are here (+) and of those that were aged out of the ledger (x).

    The leaves give the manifest's size and root.
    """
    leaves, held, aged, tree = list[bytes](), list[int](), set[int](), part_of(manifest, "tree")
    for number, line in enumerate(package.read(LEAVES).splitlines(keepends=True)):
        report.at(LEAVES, number)
        found = re.fullmatch(rb"([0-9a-f]{64}) ([+x-])\n", line)
        report.check(found is not None, "leaf hashes", "", f"expected a hash, then +, x or -; found {line[:80]!r}")
        leaves.append(bytes.fromhex(found[1].decode()) if found else b"")
        held += [number] if found and found[2] == b"+" else []
        aged |= {number} if found and found[2] == b"x" else set()
    report.at(LEAVES)
    size, root = len(leaves), roots(leaves, {len(leaves)})[len(leaves)].hex()
    report.check(size == tree.get("tree_size"), "the size of the tree", "", f"found {size}, not as the manifest tells")
    report.check(root == tree.get("root_hash"), "the root hash", "", f"found {root}, not as the manifest tells")
    report.check(len(held) == manifest.get("records"), "the number of records", "", f"found {len(held)} marked with +")
    if not any(part_of(manifest, "selection").values()):
        left = size - len(held) - len(aged)
        report.check(left == 0, "nothing left out", "", f"everything was asked for, and {left} records are left out")
    return leaves, held, aged


class Records:
    """The records that the package holds whole, by leaf index, read again whenever they are asked for."""

    def __init__(self, package: Package, report: Report, size: int, held: list[int], aged: set[int]) -> None:
        self.where: dict[int, tuple[int, int]] = {}
        self.aged, self.named, self.size, self.exports = aged, set[int](), size, dict[int, tuple[int, str]]()
        self.file, self.is_whole, offset, count = package.keep_open(RECORDS), len(held) == size, 0, 0
        self.is_everything = len(held) + len(aged) == size
        for line in self.file:
            if count < len(held):
                self.where[held[count]] = (offset, len(line))
            offset, count = offset + len(line), count + 1
        report.at(RECORDS)
        report.check(count == len(held), "the number of records", "", f"expected {len(held)} lines, found {count}")

    def octets(self, index: int) -> bytes:
        offset, length = self.where[index]
        self.file.seek(offset)
        return self.file.read(length)

    def age(self, act: Json) -> None:
        """An act that names records which were aged out."""
        for first, last in act["ranges"] if act["act"] == "AgeRecords" else ():
            self.named |= set(range(first, min(last, self.size) + 1))

    def export(self, index: int, act: Json) -> None:
        """That a package was made: of so many records, with this root."""
        if act.get("operation") == "ExportLedger":
            self.exports[index] = (int(act["looked_at"]["tree_size"]), str(act["looked_at"]["root_hash"]))

    def find(self, index: Any) -> Json:
        """Empty where the package does not hold it, or it is no record."""
        try:
            return canonical(self.octets(index).removesuffix(b"\n"))
        except (KeyError, TypeError, ValueError):
            return {}


# ---- 3. Each record by itself: docs/ledger.md, "Fields of every record" and "Kinds" ----------------------------------

COMMON = {"v", "at", "kind", "party"}
REQUEST = {"caller", "key", "operation", "request", "request_id", "worker"}
ENTRY = {"body", "in_force", "worker"}
FIELDS: dict[Any, tuple[set[str], set[str]]] = {
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


def check_record(report: Report, ledger: Json, index: int, octets: bytes, leaf: bytes) -> Json:
    """The record is what was hashed, canonical, has the fields of its kind, and is of this ledger and deployment."""
    line = octets.removesuffix(b"\n")
    found = hashlib.sha256(b"\x00" + line).digest()
    same = found == leaf and octets.endswith(b"\n")
    report.check(same, "records and their leaf hashes", "", f"expected leaf hash {leaf.hex()}, found {found.hex()}")
    record: Json = report.attempt(canonical, line) or {}
    kind = record.get("kind")
    demanded, allowed = FIELDS.get(kind, (set(), set()))
    demanded = COMMON | (ENTRY if kind == "refusal" and "body" in record else demanded)
    wrong = sorted((demanded - record.keys()) | (record.keys() - demanded - allowed - {"deployment"}))
    known = report.check(kind in FIELDS and not wrong, "fields of each kind", ", ".join(wrong), f"of kind {kind!r}")
    if not known:
        return {}
    report.check(record["v"] == 1, "version of the form", "v", f"expected 1, found {record['v']!r}")
    mark = "test" if ledger.get("deployment") == "test" else None
    report.check(record.get("deployment") == mark, "mark of the deployment", "deployment", f"expected {mark}")
    report.attempt(moment, record["at"])
    first = (kind == "origin") == (index == 0)
    named = kind != "origin" or record["origin"] == ledger.get("origin")
    report.check(first and named, "the origin, first and alone", "origin", f"expected {ledger.get('origin')!r}")
    return record


def moment(text: str) -> float:
    """Seconds since 1970 of ``2026-03-01T09:30:00.000000Z``. Raises: ValueError."""
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") != text:
        raise ValueError(f"expected a moment in UTC with six decimals, found {text}")
    return at.timestamp()


# ---- 4. Records together: intents against outcomes, signatures, what was taken ---------------------------------------

ENDS = {"signature": "signed", "mac": "made", "protection": "made"}
MADE = {"signed": "signature", "made": "result", "done": "result_octets"}
SAME_REQUEST = ("party", "operation", "key", "request_id", "request")


def verifies(signature: str, public_key: str, digest: str) -> bool:
    """ECDSA on P-256 (FIPS 186-5 section 6.4) over a SHA-256 digest; r || s, an uncompressed point, 32 octets."""
    try:
        octets, covered = bytes.fromhex(signature), bytes.fromhex(digest)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(public_key))
        der = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
        key.verify(der, covered, ec.ECDSA(Prehashed(SHA256())))
    except (InvalidSignature, *NOT_OF_FORM):
        return False
    return (len(octets), len(covered)) == (64, 32)


class Uses:
    """Intents, outcomes and releases in order: each intent ends once; each signature is by its key over its digest."""

    def __init__(self, report: Report, records: Records) -> None:
        self.report, self.records = report, records
        self.open: set[int] = set()
        self.ended: dict[int, str] = {}
        self.checkpoints: set[tuple[int, str]] = set()

    def end(self, record: Json) -> None:
        """An outcome or a closing: of one intent before it, of its party, in a state that its use may end in."""
        index, state, check = record["intent"], record["state"], self.report.check
        if not check(index in self.open, "an intent before each outcome", "intent", f"no open intent {index!r}"):
            return
        self.open.discard(index)
        self.ended[index], intent = state, self.records.find(index)
        check(record["party"] == intent["party"], "an outcome of its intent's party", "party", "is another's")
        made = ENDS.get(intent.get("use", "signature"), "done")
        states = ("unknown",) if record["kind"] == "closed" else (made, "failed", "unknown")
        fits = record.keys() & MADE.values() == ({MADE[state]} if state in MADE else set())
        check(
            state in states and fits,
            "states of outcomes",
            "state",
            f"expected one of {states} and what it made, found {state}",
        )
        if state == "signed":
            good = verifies(record["signature"], intent["public_key"], intent["digest"])
            said = f"does not verify with the public key and over the digest of intent {index}"
            check(good, "signatures (ECDSA P-256)", "signature", said)
            if (content := intent["content"])["kind"] == "audit-checkpoint":
                self.checkpoints.add((int(content["tree_size"]), content["root_hash"]))

    def release(self, record: Json) -> None:
        """Given again: exactly what the outcome holds, to exactly the request that was first."""
        if record["outcome"] in self.records.aged:
            self.report.remarks["releases of outcomes that were aged out"] += 1
            return
        outcome = self.records.find(record["outcome"])
        intent = self.records.find(outcome.get("intent"))
        said = f"is not what outcome {record['outcome']} and its intent hold"
        for name in ("signature", "result", *SAME_REQUEST):
            first = intent if name in SAME_REQUEST else outcome
            self.report.check(record.get(name) == first.get(name), "releases", name, said)


class Taken:
    """What may be used once was used once, and numbers only grow (docs/ledger.md, "taken")."""

    def __init__(self, report: Report, records: Records, uses: Uses) -> None:
        self.report, self.records, self.uses = report, records, uses
        self.holder: dict[tuple[str, str], tuple[int, str]] = {}
        self.by = self.grown = 0

    def begin(self, index: int, record: Json) -> None:
        """Each claim follows the one that held its name before, by the law of its form."""
        for claim in record.get("taken", []):
            name, after = (claim["scope"], claim["name"]), claim.get("after")
            held = self.holder.get(name)
            self.holder[name] = (index, claim["value"])
            if not self.records.is_whole and after is not None and after not in self.records.where:
                self.report.remarks["names taken over from intents that this selection does not hold"] += 1
                continue
            told, said = held and held[0], f"{claim['form']} {name} {claim['value']}"
            right = told == after and (self._follows(claim, held, record) if held else self._begins(claim))
            self.report.check(right, "what was taken", "taken", f"{said} after {after}; {told} holds {held}")

    def _begins(self, claim: Json) -> bool:
        """After a restore, a number that the ledger gives begins beyond all that was lost."""
        return claim["form"] != "allocated" or int(claim["value"], 16) >= self.grown

    def _follows(self, claim: Json, held: tuple[int, str], record: Json) -> bool:
        before, state = self.records.find(held[0]), self.uses.ended.get(held[0])
        again = state in ("failed", "done") and all(record[name] == before[name] for name in SAME_REQUEST)
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
                # Two numbers of 20 octets: itself, and the least that may follow where its use fails.
                (number, least), (last, floor) = divmod(number, 2**160), divmod(last, 2**160)
                floor = max(floor, last + 1) if state == "done" else floor
                return least >= floor and (number >= least or (again and number == last))
            case form:
                return bool(form == "succession")

    def restore(self, act: Json) -> None:
        """A restore advances numbers: each from what it was, by as much as the restore says."""
        if act["act"] == "RestoreLedger":
            self.by = int(act["by"])
            self.grown += self.by
        for row, before, after, intent in act.get("advanced", []):
            scope, _, name = bytes.fromhex(row).partition(b"\x00")
            key, cells = (scope.decode(), name.hex()), [before[at : at + 40] for at in range(0, len(before), 40)]
            grown = "".join(f"{min(int(cell, 16) + self.by, 2**160 - 1):040x}" for cell in cells)
            held = self.holder.get(key) if self.records.is_whole else (intent, before)
            right = held == (intent, before) and after == grown
            self.report.check(right, "numbers that a restore advanced", "advanced", f"{key}: {held} grown by {self.by}")
            self.holder[key] = (intent, after)


TOLD = ("eui", "party", "provenance", "public_key", "purpose", "state")


class Keys:
    """SEC G5.13, G5.24: each act on a key leads from the state in which the act before left it. What the acts say of
    each key, and which revocation list was taken in last of each issuer."""

    def __init__(self, report: Report, is_everything: bool) -> None:
        self.report, self.is_everything = report, is_everything
        self.told: dict[str, Json] = {}
        self.lists: dict[str, str] = {}

    def administer(self, act: Json) -> None:
        for name, begin, end in (("key", "from", "to"), ("successor", "successor_from", "successor_to")):
            if begin in act and name in act:
                row = self.told.setdefault(act[name], {})
                said = f"{act[name]}: expected {row.get('state')!r}, as the act before left it, found {act[begin]!r}"
                known = "state" in row or self.is_everything
                self.report.check(not known or row.get("state") == act[begin], "states of keys", begin, said)
                row["state"] = act[end]
        if "from" in act and "key" in act:
            self.told[act["key"]] |= {name: act[name] for name in (*TOLD, "chain", "parent") if name in act}
        if act["act"] == "BeginSession":  # SEC G2.44A(d): a session's key is of the party of the key that began it
            parent = self.told.get(act["parent"], {})
            of_parent: Json = {name: parent[name] for name in ("eui", "party") if name in parent}
            self.told[act["key"]] |= {"provenance": "generated", "purpose": "s1sp-smets1", **of_parent}
        if act["act"] == "KeyImported":
            self.told[act["key"]]["provenance"] = "unwrapped"
        if act["act"] == "TakeInRevocationList":
            self.lists[act["issuer"]] = act["sha256"]

    def use(self, record: Json) -> None:
        told = self.told.get(record["key"])
        if told is None:
            self.report.remarks["uses of keys of which no record here tells"] += 1
            return
        for name in ("public_key", "purpose"):
            same = told.get(name, record[name]) == record[name]
            self.report.check(same, "public keys and purposes of uses", name, f"is not that of {record['key']}")

    def asked_for(self, selection: Json) -> set[str]:
        """Which keys keys.json must tell of: all; one, and those of its sessions; or a party's."""
        own, party = selection.get("key"), selection.get("party")
        if self.is_everything or own is party is None:
            return {*self.told}
        of_party = {label for label, told in self.told.items() if told.get("party") == party}
        return of_party if own is None else {each for each in self.told if own in (each, self.told[each].get("parent"))}


# ---- 5. Statements (compact JWS, RFC 7515, ES256) and ceremonies (CMS, RFC 5652) -------------------------------------

NOT_ORDERED = {"actor", "certificate", "from", "to", "register_version", "order", "second_order", "ceremony"}
NOT_ORDERED |= {"successor_from", "successor_to"}
RESTORED = {"act", "remembered_root", "remembered_size", "root_hash", "tree_size"}


class Statements:
    """Who stated what, by a certificate that the ledger enrolled before; each counted at its record's moment."""

    def __init__(self, report: Report, origin: Any) -> None:
        self.report, self.origin = report, origin
        self.enrolled: dict[str, Json] = {}
        self.used: set[tuple[Any, Any]] = set()
        self.void_before = 0

    def administer(self, record: Json, act: Json) -> None:
        at = moment(record["at"])
        if act["act"] == "EnrolAttester":
            kid = hashlib.sha256(bytes.fromhex(act["certificate"])).hexdigest()
            good = kid == act["kid"] and kid not in self.enrolled
            self.report.check(good, "certificates of attesters", "kid", f"expected {kid}, enrolled once")
            self.enrolled[kid] = {**act, "since": int(at), "withdrawn": False}
        elif act["act"] == "WithdrawAttester":
            self.enrolled.setdefault(act["kid"], {})["withdrawn"] = True
        for field, told in _statements_in(act, ""):
            claims = self.report.attempt(self.check, field, told, at) or {}
            nonce = (told.get("attester"), claims.get("nonce"))
            self.report.check(nonce not in self.used, "statements, used once", field, "it was used before")
            self.used.add(nonce)
            if field.split(".")[0] in ("order", "second_order", "orders"):
                names = RESTORED if field.startswith("orders") else act.keys() - NOT_ORDERED
                target = hashlib.sha256(encode({name: act[name] for name in names})).hexdigest()
                right = (claims.get("act"), claims.get("target")) == (act["act"], target)
                self.report.check(right, "orders of exactly this act", field, f"expected {act['act']} {target}")
        if act["act"] == "RestoreLedger":
            self.void_before = int(at + 1)  # whatever was stated before counts no more

    def intent(self, record: Json) -> None:
        """What came with a request is of these very octets (SEC G3.25), and is among what the use took."""
        spent = {(each["name"], each["value"]) for each in record.get("taken", []) if each["scope"] == "statement"}
        told = set()
        for number, each in enumerate(record.get("evidence", [])):
            field = f"evidence.{number}"
            claims = self.report.attempt(self.check, field, each, moment(record["at"])) or {}
            right = claims.get("octets_sha256") == record["octets"]
            self.report.check(right, "checks of these octets (SEC G3.25)", field, f"is not of {record['octets']}")
            told.add((f"{each['attester']}#{claims.get('nonce')}".encode().hex(), each["sha256"]))
        self.report.check(told == spent, "evidence that is spent", "taken", "evidence is not what was taken")

    def check(self, field: str, told: Json, at: float) -> Json:
        """One statement: signed by the attester that it names, for this ledger, and counting at that moment."""
        head, payload, signature = told["statement"].split(".")
        header, claims = json.loads(_base64url(head)), json.loads(_base64url(payload))
        kind = told.get("statement_kind", told.get("kind"))
        attester = self.enrolled.get(header["kid"], {})
        digest = hashlib.sha256(f"{head}.{payload}".encode()).hexdigest()
        point = point_of(bytes.fromhex(attester.get("certificate", "")))
        for holds, sentence in (
            (verifies(_base64url(signature).hex(), point, digest), f"its signature does not verify by {header['kid']}"),
            (header["alg"] == "ES256" and header["typ"] == f"keybroker-{kind}+jws", f"is a {header['typ']}"),
            (hashlib.sha256(_base64url(payload)).hexdigest() == told["sha256"], "its payload has another SHA-256"),
            (told["attester"] == attester.get("name"), f"is by {attester.get('name')}, not by {told['attester']}"),
            (kind in attester.get("kinds", ()), f"is of an attester who states no {kind}"),
            (claims["aud"] == self.origin, f"is for {claims['aud']}, another ledger"),
            (attester.get("since", at + 6) <= at + 5, "its attester was not enrolled yet"),
            (at < float(attester.get("until", 0)) and not attester["withdrawn"], "its attester stood no more"),
            (self.void_before <= claims["iat"] <= at + 5 and at < claims["exp"], "did not count at that moment"),
        ):
            self.report.check(holds, "statements (JWS ES256)", field, sentence)
        return dict(claims)


def _statements_in(value: Any, path: str) -> Iterator[tuple[str, Json]]:
    """Every statement that stands whole in an act, with its field."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, dict) and isinstance(value.get("statement"), str):
        yield path or "statement", value
    for name, each in parts:
        yield from _statements_in(each, f"{path}.{name}".lstrip("."))


def _base64url(text: str) -> bytes:
    """Base64url without padding, in its one spelling (RFC 7515 section 2). Raises: ValueError."""
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        raise ValueError("expected base64url in its one spelling")
    return octets


def point_of(der: bytes) -> str:
    """The uncompressed point of a certificate's key, in hexadecimal; empty where it has none."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()
    except NOT_OF_FORM:
        return ""


def elements(octets: bytes) -> list[tuple[int, bytes, bytes]]:
    """DER (X.690): tag, content and the whole of each element, one behind the other. Raises: ValueError."""
    found, at = list[tuple[int, bytes, bytes]](), 0
    while at < len(octets):
        length, start = int.from_bytes(octets[at + 1 : at + 2], "big"), at + 2
        if length >= 0x80:
            length, start = int.from_bytes(octets[start : start + length - 0x80], "big"), start + length - 0x80
        if start + length > len(octets):
            raise ValueError("expected DER, found another encoding")
        found.append((octets[at], octets[start : start + length], octets[at : start + length]))
        at = start + length
    return found


def check_cms(der: bytes, document: bytes) -> tuple[bytes, datetime]:
    """The signer's certificate and signing time of a CMS SignedData (RFC 5652 section 5) over exactly this document.

    Raises: InvalidSignature, and what NOT_OF_FORM lists. The same by hand, with the certificate in PEM:
    openssl cms -verify -binary -inform DER -in FILE -CAfile CERTIFICATE -partial_chain -purpose any -attime SECONDS
    """
    ((_, content_info, _),) = elements(der)
    ((_, signed_data, _),) = elements(elements(content_info)[1][1])
    _, _, (_, encapsulated, _), (_, certificates, _), (_, signers, _) = elements(signed_data)
    ((_, octets, _),) = elements(elements(encapsulated)[1][1])
    ((_, _, certificate),) = elements(certificates)
    ((_, signer, _),) = elements(signers)
    _, _, _, (_, _, attributes), _, (_, signature, _) = elements(signer)
    pairs = (elements(attribute) for _, attribute, _ in elements(elements(attributes)[0][1]))
    values = {kind: elements(value)[0][1] for (_, kind, _), (_, value, _) in pairs}
    digest, time = values[bytes.fromhex("2a864886f70d010904")], values[bytes.fromhex("2a864886f70d010905")].decode()
    if octets != document or digest != hashlib.sha256(document).digest():
        raise ValueError("expected a signature over the entry, found one over something else")
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidSignature("expected a certificate of an EC key")
    # RFC 5652 section 5.4: what is signed is the attributes as a SET OF (0x31), not as the [0] that is sent.
    key.verify(signature, b"\x31" + attributes[1:], ec.ECDSA(SHA256()))
    return certificate, datetime.strptime(f"20{time}"[-15:], "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


TWO, OFFICERS = {"ceremony-administrator", "internal-witness"}, {"security-officer"}
EVERYBODY = TWO | OFFICERS | {"key-custodian", "pma-representative", "auditor"}
SIGNED_BY: dict[str, set[str]] = {
    **dict.fromkeys(("gather", "combine-and-use", "renounce", "close"), EVERYBODY),
    **dict.fromkeys(("offer-wrapping-key", "import-key", "open-shares", "trial-quorum"), TWO | {"key-custodian"}),
    **dict.fromkeys(("let-go", "retire-old-shares", "prove-shares"), TWO | {"key-custodian"}),
    **dict.fromkeys(("make-key", "share-key", "reshare-key", "destroy-in-module"), TWO | OFFICERS),
    **dict.fromkeys(("destroy-copies", "confirm-destruction"), TWO | OFFICERS),
    **dict.fromkeys(("withhold-key", "wrap-key", "settle-source"), TWO | OFFICERS),
}
"""In which roles everybody of the plan signs a step's entry; of any other step ``TWO`` do."""


class Ceremonies:
    """Each step's entry follows the last, and is signed by exactly those of the plan who must, with the certificates
    that it names."""

    def __init__(self, report: Report, is_everything: bool) -> None:
        self.report, self.is_everything = report, is_everything
        self.people: dict[str, dict[str, Json]] = {}
        self.last: dict[str, tuple[str, str]] = {}
        self.told: dict[str, Json] = {}

    def tell(self, index: int, act: Json) -> None:
        """What the transcript of a ceremony must say."""
        told, what = self.told.get(str(act.get("ceremony")), {"steps": []}), act["act"]
        if what == "BeginCeremony":
            named = ("ceremony", "ceremony_kind", "side", "plan", "plan_sha256", "keys")
            told = {"begun": index, "ended": None, "state": "open", "steps": [], **{each: act[each] for each in named}}
            self.told[act["ceremony"]] = told
        elif what == "BeginCeremonyStep":
            told["steps"].append({"begun": index, **{each: act[each] for each in ("given", "number", "step")}})
        elif what == "ConcludeCeremonyStep":
            steps = [each for each in told["steps"] if each["number"] == act["number"]]
            for step in steps[-1:]:
                step |= {"concluded": index, "entry": act["entry"], "signatures": act["signatures"]}
        elif what in ("EndCeremony", "AbortCeremony"):
            told |= {"ended": index, "state": "done" if what == "EndCeremony" else "aborted"}

    def administer(self, act: Json) -> None:
        name, check = str(act.get("ceremony")), self.report.check
        if not self.is_everything and act["act"] == "ConcludeCeremonyStep" and name not in self.last:
            self.report.remarks["steps of ceremonies whose beginning this selection does not hold"] += 1
            return
        if act["act"] == "BeginCeremony":
            plan = hashlib.sha256(act["plan"].encode()).hexdigest()
            good = act["plan_sha256"] == plan and name not in self.last
            check(good, "plans of ceremonies", "plan_sha256", f"expected {plan}, and a name that is new")
            people = tomllib.loads(act["plan"]).get("people", [])
            self.people[name] = {each["name"]: each for each in people}
            self.last[name] = ("0" * 64, plan)
        if act["act"] == "ConcludeCeremonyStep":
            document, (previous, plan) = act["entry"].encode(), self.last[name]
            entry, digest = canonical(document), hashlib.sha256(document).hexdigest()
            found = (*(entry.get(each) for each in ("ceremony", "number", "previous", "plan_sha256")), digest)
            expected = (name, act["number"], previous, plan, act["entry_sha256"])
            check(found == expected, "entries of ceremonies", "entry", f"expected {expected}, found {found}")
            self.last[name] = (digest, plan)
            roles = SIGNED_BY.get(str(entry.get("step")), TWO)
            signers = [person for person, told in self.people[name].items() if told["role"] in roles]
            right = entry.get("people") == signers and act["signatures"].keys() == {*signers} != set()
            said = f"expected those of {signers}, and in the entry these names; found those of {[*act['signatures']]}"
            check(right, "people who sign a step", "signatures", said)
            for person, signature in act["signatures"].items():
                named = part_of(self.people[name], person).get("signing_sha256")
                why = self._why_not_signed(named, base64.b64decode(signature), document)
                check(not why, "signatures of people (CMS)", f"signatures.{person}", why)

    def _why_not_signed(self, named: Any, signature: bytes, document: bytes) -> str:
        try:
            certificate, at = check_cms(signature, document)
        except (InvalidSignature, *NOT_OF_FORM) as error:
            return f"does not verify: {error!r}"
        loaded = x509.load_der_x509_certificate(certificate)
        if not loaded.not_valid_before_utc <= at <= loaded.not_valid_after_utc:
            return f"by a certificate that was not valid at {at.isoformat()}"
        return "" if hashlib.sha256(certificate).hexdigest() == named else "by another certificate than the plan names"


# ---- 6. What stands beside the records -------------------------------------------------------------------------------

WHOLE = {"audit-checkpoint", "certificate", "root-certificate", "certificate-revocation-list"}
WHOLE |= {"certificate-signing-request"}


def check_octets(package: Package, report: Report, records: Records, uses: Uses) -> None:
    """Octets that are kept are those that were received and, where no decoder is needed to say so, signed."""
    without = {*uses.open, *uses.ended}
    for line in package.read(OCTETS).splitlines():
        report.at(OCTETS)
        told = report.attempt(canonical, line) or {}
        octets, record = bytes.fromhex(told.get("octets", "")), records.find(told.get("record"))
        report.at(OCTETS, told.get("record", -1))
        without.discard(report.record)
        digest, kind = hashlib.sha256(octets).hexdigest(), record.get("content", {}).get("kind")
        report.check(record.get("octets") == digest, "octets that are kept", "octets", "are not those of the record")
        covered = {digest} if kind in WHOLE else set()
        if kind in ("command", "pre-command"):  # GBCS: from the second octet on, without a null signature at the end
            covered = {hashlib.sha256(part).hexdigest() for part in (octets[1:], octets[1:].removesuffix(b"\x00"))}
        good = not covered or record["digest"] in covered
        report.check(good, "what was signed is what was read", "digest", "the signature is over other octets")
    report.remarks["uses whose octets are not here: erased, aged out, or never kept"] += len(without)


def check_aged(report: Report, records: Records) -> None:
    """Records that were aged out (SEC G2.17, G3.10) are exactly those that an act AgeRecords names."""
    report.at(LEAVES)
    said = f"marked x, and no act says so, or the other way about: {sorted(records.named ^ records.aged)[:8]}"
    report.check(records.named == records.aged, "records that were aged out", "", said)
    report.remarks["records that were aged out of the ledger"] += len(records.aged)


def check_exports(report: Report, records: Records, leaves: list[bytes]) -> None:
    """Each package of which a record tells was made of this tree as it was then."""
    known = roots(leaves, {size for size, _ in records.exports.values()})
    for index, (size, root) in records.exports.items():
        report.at(RECORDS, index)
        right = size <= index and known.get(size, b"").hex() == root
        report.check(right, "packages that were made", "looked_at", f"{root} is not the root of {size} records")


def check_keys(package: Package, report: Report, keys: Keys, selection: Json) -> set[str]:
    """keys.json and certificates are those that the records tell of; chains are signed link by link (RFC 5280).

    In the package of a period the records that tell of them may be missing: what is here must agree. Gives the names
    of the certificates.
    """
    rows, names = read_json(package, report, KEYS).get("keys", []), set[str]()
    is_period = not keys.is_everything and (selection.get("since"), selection.get("until")) != (None, None)
    found = [row["label"] for row in rows]
    expected = sorted({*found} if is_period else keys.asked_for(selection))
    report.at(KEYS)
    differ = sorted({*found} ^ {*expected})[:8]
    report.check(found == expected, "keys", "", f"expected the keys that records tell of, once each; not so: {differ}")
    for row in rows:
        label, chain = row["label"], [package.read(name) for name in row["certificates"]]
        said, digests = keys.told.get(label, {}), [hashlib.sha256(der).hexdigest() for der in chain]
        told = {name: said.get(name, None if keys.is_everything else row[name]) for name in TOLD}
        own = [f"{CERTIFICATES}{label}.{number}.der" for number in range(len(chain))]
        told |= {"label": label, "certificates": own}
        told |= {"state": row["state"]} if is_period else {}
        report.at(KEYS)
        report.check(row == told, "keys", label, f"the records tell {told}, found {row}")
        same = is_period or digests == said.get("chain", [])
        report.check(same, "keys", label, f"the records tell the chain {said.get('chain')}, found {digests}")
        names |= set(own)
        for name, der, issuer in zip(row["certificates"], chain, [*chain, b""][1:], strict=True):
            report.at(name)
            right = der is not chain[0] or point_of(der) == row["public_key"]
            report.check(right, "certificates", "subjectPublicKey", f"is not the key {label}")
            try:
                loaded = x509.load_der_x509_certificate(der)
                if issuer:
                    loaded.verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
            except (InvalidSignature, *NOT_OF_FORM) as error:
                report.check(False, "certificates", "signature", f"not issued by the next of its chain: {error!r}")
    return names


def check_lists(package: Package, report: Report, keys: Keys, certificates: set[str]) -> set[str]:
    """Each revocation list is the one that was taken in last of its issuer (SHA-256 of the point), and signed by it.

    A selection has the lists of today, and perhaps not the records that tell of them. Gives the names of the lists.
    """
    issuers = {hashlib.sha256(bytes.fromhex(point_of(der))).hexdigest(): der for der in map(package.read, certificates)}
    here = {name for name in package.names if name.startswith(LISTS)}
    for name in sorted(here):
        issuer, der = name.removeprefix(LISTS).removesuffix(".crl"), package.read(name)
        found = hashlib.sha256(der).hexdigest()
        report.at(name)
        if keys.is_everything:
            told = keys.lists.get(issuer)
            report.check(found == told, "revocation lists", "", f"the records tell SHA-256 {told}, found {found}")
        if issuer not in issuers:
            report.remarks["revocation lists whose issuer's certificate is not here: signature"] += 1
            continue
        signed = report.attempt(is_signed_by, der, issuers[issuer])
        report.check(signed is True, "revocation lists", "signature", "is not signed by its issuer")
    return {f"{LISTS}{issuer}.crl" for issuer in keys.lists} if keys.is_everything else here


def is_signed_by(revocation_list: bytes, certificate: bytes) -> bool:
    """RFC 5280 section 5.1.1.3. Raises: what NOT_OF_FORM lists."""
    key: Any = x509.load_der_x509_certificate(certificate).public_key()
    return x509.load_der_x509_crl(revocation_list).is_signature_valid(key)


SINGLE = ("configuration", "policy", "profile")


def see_in_force(named: dict[str, Json], index: int, record: Json) -> None:
    """Which digests a record names as in force: of what, and the first and the last that does."""
    told = record.get("in_force", {})
    seen = [(kind, told[kind], {record["purpose"]} if kind == "policy" else set()) for kind in SINGLE if kind in told]
    seen += [("policy", digest, {purpose}) for purpose, digest in told.get("policies", {}).items()]
    for kind, digest, purposes in seen:
        used = named.setdefault(digest, {"first": index, "kind": kind, "purposes": set(), "sha256": digest})
        used["last"] = index
        used["purposes"] |= purposes


def check_in_force(package: Package, report: Report, named: dict[str, Json], selection: Json) -> set[str]:
    """in_force.json says of every digest what the records do; the texts that are here have these digests. Their names.

    A party is not given the configuration.
    """
    listed, names = read_json(package, report, IN_FORCE).get("in_force", []), set[str]()
    found = [each["sha256"] for each in listed]
    differ = sorted({*found} ^ {*named})[:8]
    report.check(found == sorted(named), "what was in force", "", f"expected what records name, once each; {differ}")
    for each in listed:
        digest, text = each["sha256"], each["text"]
        told = named.get(digest, {})
        told = {**told, "purposes": sorted(told.get("purposes", ())), "text": text}
        withheld = selection.get("party") is not None and told.get("kind") == "configuration"
        right = each == told and (text == "withheld" if withheld else type(text) is bool)
        report.at(IN_FORCE)
        report.check(right, "what was in force", digest, f"the records tell {told}, found {each}")
        report.remarks["digests in force whose text is not here"] += text is not True
        if text is True:
            report.at(f"in_force/{digest}")
            names.add(report.file)
            found_digest = hashlib.sha256(package.read(report.file)).hexdigest()
            report.check(found_digest == digest, "what was in force", "", f"has SHA-256 {found_digest}")
    return names


def check_transcripts(package: Package, report: Report, ceremonies: Ceremonies) -> set[str]:
    """Each ceremony that begins in these records has its transcript, which says what they say. Gives their names."""
    for name, told in ceremonies.told.items():
        found = read_json(package, report, f"ceremonies/{name}.json")
        differ = sorted(each for each in {*told, *found} if told.get(each) != found.get(each))
        report.check(found == told, "transcripts of ceremonies", ", ".join(differ), "is not what is recorded")
    return {f"ceremonies/{name}.json" for name in ceremonies.told}


def check_names(package: Package, report: Report, expected: set[str]) -> None:
    """Every file that a package has is here, and none of which nothing tells: whatever the manifest lists."""
    for name in sorted({*package.names} ^ expected):
        report.at(name)
        told = "is missing" if name in expected else "belongs to no part of a package, or to none of these records"
        report.check(False, "files of a package", "", told)


# ---- 7. Checkpoints (C2SP tlog-checkpoint, signed-note, tlog-cosignature) and receipts -------------------------------

Key = tuple[str, bytes, bytes]
"""A verifier key: name, key id, type octet and public key."""


def read_vkey(text: str) -> Key:
    """NAME+HEX+BASE64 (signed-note, section Verifier keys). Raises: ValueError."""
    name, key_id, encoded = text.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    if key[:1] not in (b"\x01", b"\x02", b"\x04") or len(key_id) != 8:
        raise ValueError(f"expected a verifier key of type 01, 02 or 04, found {text}")
    return name, bytes.fromhex(key_id), key


def vkey_of(origin: str, point: str) -> Key:
    """The verifier key of a P-256 key: type 02, whose key id is of its SubjectPublicKeyInfo alone."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(point))
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return origin, hashlib.sha256(der).digest()[:4], b"\x02" + der


def note_verifies(body: bytes, signature: bytes, key: bytes) -> bool:
    """Type 02: ECDSA with SHA-256 over the text; 01: Ed25519; 04: a witness's cosignature, of a time and the text."""
    try:
        if key[0] == 2:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key[-65:])
            point.verify(signature, body, ec.ECDSA(SHA256()))
            return True
        if key[0] == 4:
            body = b"cosignature/v1\ntime %d\n%b" % (int.from_bytes(signature[:8], "big"), body)
            signature = signature[8:]
        ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, body)
    except (InvalidSignature, *NOT_OF_FORM):
        return False
    return True


def check_checkpoints(
    package: Package, report: Report, origin: Any, leaves: list[bytes], keys: list[Key], made: set[tuple[int, str]]
) -> int:
    """Each checkpoint is of this tree at its size, and signed by a key that is known; each that was ``made`` by these
    records is here. The largest tree so signed.
    """
    reached, notes = 0, [report.attempt(_read_note, line) for line in package.read(NOTES).splitlines()]
    known = roots(leaves, {note[1] for note in notes if note})
    missing = sorted(made - {(note[1], note[2].hex()) for note in notes if note})
    report.check(not missing, "checkpoints that were made", "note", f"of these sizes and roots none is here: {missing}")
    for number, (name, size, root, body, signatures) in enumerate(filter(None, notes), 1):
        right = name == origin and known.get(size) == root
        said = f"line {number}: is not of the first {size} records of this ledger"
        report.check(right, "checkpoints (C2SP tlog-checkpoint)", "note", said)
        signed = [
            key
            for key in keys
            for by, octets in signatures
            if (by, octets[:4]) == key[:2] and note_verifies(body, octets[4:], key[2])
        ]
        if keys:
            report.check(bool(signed), "signatures of checkpoints", "note", f"line {number}: none by a known key")
        else:
            report.remarks["checkpoints of a key that the package does not tell and you did not give"] += 1
        reached = max(reached, size) if right and signed else reached
    return reached


def _read_note(line: bytes) -> tuple[str, int, bytes, bytes, list[tuple[str, bytes]]]:
    body, _, tail = canonical(line)["note"].rpartition("\n\n")
    name, size, root = body.split("\n")
    signatures = [each.removeprefix("\u2014 ").split(" ") for each in tail.splitlines()]
    told = [(by, base64.b64decode(octets, validate=True)) for by, octets in signatures]
    return name, int(size), base64.b64decode(root, validate=True), f"{body}\n".encode(), told


Receipt = tuple[int, bytes]


def read_receipt(text: str) -> Receipt:
    """Leaf index and leaf hash, INDEX:HEX. Raises: ValueError."""
    index, _, leaf = text.partition(":")
    if not index.isdecimal() or len(bytes.fromhex(leaf)) != 32:
        raise ValueError(f"expected a receipt INDEX:HEX, found {text}")
    return int(index), bytes.fromhex(leaf)


def check_receipts(report: Report, leaves: list[bytes], receipts: list[Receipt]) -> None:
    """A receipt that somebody holds is of a leaf of this tree."""
    for index, leaf in receipts:
        report.at(LEAVES, index)
        report.check(leaves[index : index + 1] == [leaf], "receipts", "", f"the receipt {leaf.hex()} is of another")


# ---- 8. Everything, and the command line -----------------------------------------------------------------------------


def verify(
    place: Path, *, manifest_sha256: str | None = None, vkeys: list[Key], receipts: list[Receipt]
) -> tuple[Report, Json]:
    """Every check there is. Raises: OSError, tarfile.TarError where there is no package at all."""
    with closing(Package(place)) as package:
        return verify_package(package, manifest_sha256=manifest_sha256, vkeys=vkeys, receipts=receipts)


def verify_package(
    package: Package, *, manifest_sha256: str | None, vkeys: list[Key], receipts: list[Receipt]
) -> tuple[Report, Json]:
    report = Report()
    manifest = check_manifest(package, report, manifest_sha256)
    report.attempt(check_files, package, report, manifest)
    ledger, selection = part_of(manifest, "ledger"), part_of(manifest, "selection")
    leaves, held, aged = report.attempt(check_tree, package, report, manifest) or ([], [], set())
    records = Records(package, report, len(leaves), held, aged)
    uses, keys, in_force, ceremonies = walk(report, ledger, records, leaves)
    report.attempt(check_aged, report, records)
    report.attempt(check_exports, report, records, leaves)
    report.attempt(check_octets, package, report, records, uses)
    certificates = report.attempt(check_keys, package, report, keys, selection) or set()
    lists = report.attempt(check_lists, package, report, keys, certificates) or set()
    texts = report.attempt(check_in_force, package, report, in_force, selection) or set()
    transcripts = report.attempt(check_transcripts, package, report, ceremonies) or set()
    check_names(package, report, ALWAYS | certificates | lists | texts | transcripts)
    check_receipts(report, leaves, receipts)
    own = [each.get("public_key") for each in keys.told.values() if each.get("purpose") == "audit-checkpoint"]
    report.at(NOTES)
    origin, made = ledger.get("origin"), uses.checkpoints
    known = vkeys or report.attempt(lambda: [vkey_of(str(origin), point) for point in own if point]) or []
    reached = report.attempt(check_checkpoints, package, report, origin, leaves, known, made) or 0
    if vkeys:
        report.check(reached > 0, "a checkpoint by a key that you hold", "note", "there is none")
    return report, {
        "origin": origin,
        "records": len(held),
        "tree_size": len(leaves),
        "asked_for": ", ".join(f"{name} {told}" for name, told in selection.items() if told) or "everything",
        "is_whole": records.is_whole,
        "under_checkpoint": reached,
        "key_from_elsewhere": bool(vkeys),
        "manifest_from_elsewhere": manifest_sha256 is not None,
        "signatures": report.checked["signatures (ECDSA P-256)"],
        "open_intents": sorted(uses.open),
    }


def walk(
    report: Report, ledger: Json, records: Records, leaves: list[bytes]
) -> tuple[Uses, Keys, dict[str, Json], Ceremonies]:
    """Sections 3 to 5, over the records in their order."""
    uses, keys, in_force = Uses(report, records), Keys(report, records.is_everything), dict[str, Json]()
    taken, statements = Taken(report, records, uses), Statements(report, ledger.get("origin"))
    ceremonies = Ceremonies(report, records.is_everything)
    for index in records.where:
        report.at(RECORDS, index)
        record = report.attempt(check_record, report, ledger, index, records.octets(index), leaves[index]) or {}
        kind, act = record.get("kind"), record.get("body")
        report.attempt(see_in_force, in_force, index, record)
        if kind == "intent":
            uses.open.add(index)
            report.attempt(keys.use, record)
            report.attempt(taken.begin, index, record)
            report.attempt(statements.intent, record)
        elif kind in ("outcome", "closed"):
            report.attempt(uses.end, record)
        elif kind == "release":
            report.attempt(uses.release, record)
        elif kind == "read":
            report.attempt(records.export, index, act)
        elif kind == "administrative":
            report.attempt(statements.administer, record, act)
            report.attempt(ceremonies.tell, index, act)
            report.attempt(ceremonies.administer, act)
            report.attempt(taken.restore, act)
            report.attempt(records.age, act)
            report.attempt(keys.administer, act)
    return uses, keys, in_force, ceremonies


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies an evidence package of a keybroker ledger.")
    parser.add_argument("package", type=Path, help="a directory or a .tar file")
    parser.add_argument("--manifest-sha256", metavar="HEX", help="the digest of manifest.json, known from elsewhere")
    parser.add_argument(
        "--checkpoint-key", metavar="VKEY", action="append", default=[], type=read_vkey, help="NAME+ID+KEY; repeatable"
    )
    parser.add_argument(
        "--receipt", metavar="INDEX:HEX", action="append", default=[], type=read_receipt, help="repeatable"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    asked = parser.parse_args(arguments)
    try:
        report, facts = verify(
            asked.package, manifest_sha256=asked.manifest_sha256, vkeys=asked.checkpoint_key, receipts=asked.receipt
        )
    except tarfile.TarError as error:
        report, facts = Report(), {}
        report.at(asked.package.name)
        report.check(False, "the archive's form", "", f"expected a tar file: {error}")
    except OSError as error:
        parser.error(str(error))  # exit status 2
    if asked.json:
        told = {"whole": not report.wrong, "wrong": report.wrong, "remarks": +report.remarks, "checked": report.checked}
        print(json.dumps({**told, **facts}, ensure_ascii=False))
    else:
        show(report, facts)
    return 3 if report.wrong else 0


def show(report: Report, facts: Json) -> None:
    for what, times in sorted(report.checked.items()):
        print(f"{times:9}  {what}")
    for remark, times in sorted((+report.remarks).items()):
        print(f"not checked: {times} {remark}")
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value}")
    for each in report.wrong:
        where = (each["file"], f"record {each['record']}" if each["record"] is not None else "", each["field"])
        print(f"WRONG: {', '.join(filter(None, where))}: {each['sentence']}")
    if not facts.get("key_from_elsewhere") or facts["under_checkpoint"] < facts["tree_size"]:
        print("note: no key that you hold from elsewhere vouches for every record (--checkpoint-key)")
    if not facts.get("manifest_from_elsewhere"):
        print("note: who exported and when, summaries and schema: their digest alone holds them (--manifest-sha256)")
    print(f"NOT WHOLE: {len(report.wrong)} things are wrong" if report.wrong else "WHOLE")


if __name__ == "__main__":
    sys.exit(main())
