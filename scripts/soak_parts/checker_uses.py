"""Do the module's account of its uses and the ledger's intents agree? As exactly as what died allows.

The part of the checker (``checker.py``) that reads what the module wrote of each C_Sign: "asked DIGEST" before it used
a key, "made DIGEST SIGNATURE" or "failed DIGEST VALUE" after; "stopped DIGEST VALUE" of a call that never came to the
key.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.soak_parts.checker_ledger import Findings, Intent, Ledger


@dataclass(frozen=True, slots=True)
class Account:
    """The module's own, by digest: uses that it was ``asked`` for, those that ``returned``, calls that were ``stopped``
    before; and each signature that it made of a digest."""

    asked: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    made: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_uses(file: Path, findings: Findings) -> Account:
    account = Account()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match line.split(" "):
            case ["asked", digest]:
                account.asked[digest] += 1
            case ["made", digest, signature]:
                account.made[digest, signature] += 1
                account.returned[digest] += 1
            case ["failed", digest, _]:
                account.returned[digest] += 1
            case ["stopped", digest, _]:
                account.stopped[digest] += 1
            case _:
                findings.add("broken", f"line {number} of the module's account is not one of its lines")
    return account


def check_uses(ledger: Ledger, account: Account, *, since: int, findings: Findings) -> dict[str, int]:
    """Of each digest: calls = signed + unknown + r, where r is at least 0 and at most the closed ones.

    An intent that is ``signed`` came to the module once, and the module made its signature. One whose outcome is
    ``unknown`` came once too: its worker lived to be told of a failure, or of a signature that does not verify. One
    that ``failed`` never came. Of one that was closed nobody can tell: its worker died before it asked, while the
    module worked, or before the answer was durable. A call is a use, or was stopped before it became one.
    """
    intents = {index: intent for index, intent in ledger.intents.items() if intent.signs and index >= since}
    _check_signatures(intents, account, findings)
    ended: dict[str, Counter[str]] = defaultdict(Counter)
    for intent in intents.values():
        ended[intent.digest][intent.state] += 1
    certain = open_to_doubt = 0
    for digest in sorted(ended.keys() | account.asked.keys() | account.returned.keys() | account.stopped.keys()):
        states = ended[digest]
        did, may_have = states["signed"] + states["unknown"], states["closed"] + states["open"]
        _check_digest(digest, account, did, may_have, findings)
        certain, open_to_doubt = certain + did, open_to_doubt + may_have
    at_least = certain - account.stopped.total()
    return {
        "uses": account.asked.total(),
        "uses_at_least": at_least,
        "uses_at_most": at_least + open_to_doubt,
        "uses_stopped": account.stopped.total(),
        "uses_cut_short": account.asked.total() - account.returned.total(),
    }


def _check_signatures(intents: Mapping[int, Intent], account: Account, findings: Findings) -> None:
    """Each that is recorded was made, once for each intent that has it."""
    left = Counter(account.made)
    for index, intent in intents.items():
        if intent.state != "signed":
            continue
        if not left[intent.digest, intent.signature]:
            findings.add("broken", f"the module did not make the signature of intent {index}")
        left[intent.digest, intent.signature] -= 1


def _check_digest(digest: str, account: Account, did: int, may_have: int, findings: Findings) -> None:
    calls = account.asked[digest] + account.stopped[digest]
    cut_short = account.asked[digest] - account.returned[digest]
    for _ in range(calls - did - may_have):
        findings.add("unrecorded", f"{calls} calls for {digest}, and {did + may_have} intents that may stand for them")
    if calls < did:
        findings.add("broken", f"{did} intents of {digest} came to the module, which knows of {calls} calls")
    if cut_short > may_have:
        findings.add("broken", f"{cut_short} uses of {digest} were cut short, and {may_have} intents were closed")
    if cut_short < 0:
        findings.add("broken", f"more uses of {digest} came back than the module was asked for")
