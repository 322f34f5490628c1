"""Did a broker keep its promises? Asked of its ledger's file, its clients' replies and its module's account.

Independent: with ``checker_ledger.py`` and ``checker_uses.py`` the standard library and ``cryptography``, nothing of
keybroker, written from docs/ledger.md alone.

    python -m scripts.soak_parts.checker LEDGER.sqlite --uses FILE --replies FILE...

``--uses``: what the module wrote of each C_Sign (``checker_uses.py``), from the record ``--since`` on. ``--replies``:
what each client held, a line of JSON for each signature. The last line printed is one of JSON; exit status 1 where
anything was found.

    lost        a signature that a client holds and the ledger does not have, at the place that its receipt names
    unrecorded  a use of a key that no durable intent stands for
    doubled     one-time evidence, or a name of a request, that was used for two signatures
    exceeded    an intent beyond its Anomaly Detection Threshold
    broken      any other record, hash, order or signature that is not as it must be; a use that an intent tells of and
                the module does not
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.soak_parts.checker_ledger import Findings, Intent, Ledger, read_ledger, verifies
from scripts.soak_parts.checker_uses import check_uses, read_uses

TOLD = 20
"""Findings of a kind that are told in words; all are counted."""


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


# ---- what the world was shown


def read_checkpoints(file: Path) -> list[tuple[str, int, bytes]]:
    """Origin, size and root of each (C2SP tlog-checkpoint); the signature is for who holds the verifier key."""
    lines = [json.loads(line).split("\n") for line in file.read_text().splitlines()]
    return [(origin, int(size), base64.b64decode(root)) for origin, size, root, *_ in lines]


def check_checkpoints(ledger: Ledger, shown: Iterable[tuple[str, int, bytes]], findings: Findings) -> None:
    """Each was of this ledger: what the world saw in the midst of it all is what is there in the end."""
    for origin, size, root in shown:
        if origin != ledger.origin or ledger.roots.get(size) != root:
            findings.add("broken", f"a checkpoint of {size} records was shown whose root is not that of these")


# ---- all of it


def check(
    file: Path, uses: Path, replies: Sequence[Path], *, since: int, checkpoints: Path | None = None
) -> tuple[Findings, dict[str, int]]:
    """What was found, and how much there was to look at; the module's account begins with the record ``since``."""
    findings = Findings()
    shown = read_checkpoints(checkpoints) if checkpoints is not None else []
    ledger = read_ledger(file, findings, sizes=frozenset(size for _, size, _ in shown))
    check_checkpoints(ledger, shown, findings)
    check_evidence(ledger, findings)
    used = check_uses(ledger, read_uses(uses, findings), since=since, findings=findings)
    count = check_replies(ledger, read_replies(replies, findings), findings)
    states = Counter(intent.state for intent in ledger.intents.values())
    return findings, {
        "records": len(ledger.leaves),
        "intents": len(ledger.intents),
        "signed": states["signed"],
        "failed": states["failed"],
        "unknown": states["unknown"],
        "closed": states["closed"],
        "open": states["open"],
        "replies": count,
        "checkpoints": len(shown),
        **used,
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--uses", type=Path, required=True)
    parser.add_argument("--since", type=int, default=0, help="the first record that the module's account is of")
    parser.add_argument("--checkpoints", type=Path, help="every checkpoint that was shown, a JSON string a line")
    parser.add_argument("--replies", type=Path, nargs="+", required=True)
    given = parser.parse_args(arguments)
    findings, figures = check(given.ledger, given.uses, given.replies, since=given.since, checkpoints=given.checkpoints)
    for kind, found in findings.by_kind.items():
        for sentence in found[:TOLD]:
            print(f"{kind}: {sentence}")
    print(json.dumps(figures | findings.counts))
    return int(any(findings.counts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
