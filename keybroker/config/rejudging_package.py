"""What does an evidence package give for judging its uses once more? Records, octets, and the texts that were in force.

docs/evidence-package.md. The package is known to be whole; a chain is not looked at, for no anchor comes with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from keybroker.config.rejudging import read_texts
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import StoredRecord
from keybroker.ledger.rejudging import Grounds, Rejudged, rejudge
from keybroker.terms import DeploymentKind, PartyName


def rejudge_package(directory: Path) -> Rejudged:
    """Raises: ConfigurationInvalid for what is no evidence package; LedgerBroken as ``rejudge``."""
    try:
        ledger = json.loads((directory / "manifest.json").read_bytes())["ledger"]
        texts = read_texts(_texts(directory / "in_force"))
        grounds = Grounds(
            origin=ledger["origin"],
            deployment=DeploymentKind(ledger["deployment"]),
            policies=texts.policies,
            callers=texts.callers,
        )
        return rejudge(_records(directory), _octets(directory).get, grounds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationInvalid("expected an evidence package, found another", where=str(directory)) from error


def _texts(directory: Path) -> Iterator[bytes]:
    for file in sorted(directory.iterdir()) if directory.is_dir() else ():
        if sha256(text := file.read_bytes()).hexdigest() == file.name:
            yield text


def _records(directory: Path) -> Iterator[StoredRecord]:
    """Each record that is here, at its leaf index: the lines of leaves.txt say which are. Raises: ValueError."""
    with (directory / "leaves.txt").open() as leaves, (directory / "records.ndjson").open("rb") as records:
        for index, line in enumerate(leaves):
            hashed, _, here = line.strip().partition(" ")
            if here != "+":
                continue
            octets = records.readline().rstrip(b"\n")
            if leaf_hash(octets).hex() != hashed:
                raise ValueError("a record that is not its leaf")
            body = json.loads(octets)
            yield StoredRecord(
                leaf_index=index,
                octets=octets,
                leaf_hash=bytes.fromhex(hashed),
                kind=body["kind"],
                party=PartyName(body["party"]),
            )


def _octets(directory: Path) -> dict[int, bytes]:
    with (directory / "octets.ndjson").open("rb") as lines:
        read = [json.loads(line) for line in lines]
    return {each["record"]: bytes.fromhex(each["octets"]) for each in read}
