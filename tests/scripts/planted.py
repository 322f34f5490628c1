"""What a run of the soak left behind, and what is planted in it for its checker to find."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.soak_parts import checker

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left behind, to be spoilt: a copy of each test's own."""

    ledger: Path
    uses: Path
    replies: Path
    checkpoints: Path
    since: int

    def found(self) -> dict[str, int]:
        findings, _ = checker.check(
            self.ledger, self.uses, [self.replies], since=self.since, checkpoints=self.checkpoints
        )
        return findings.counts

    def records(self) -> list[Record]:
        with closing(sqlite3.connect(self.ledger)) as connection:
            rows = connection.execute("SELECT octets FROM record ORDER BY leaf_index").fetchall()
        return [json.loads(row[0]) for row in rows]

    def rewrite(self, records: list[Record]) -> None:
        """These instead of those, with hashes and head that fit: as somebody would who may write the whole file, while
        nobody looks at what is published."""
        self.checkpoints.write_text("")
        octets = [
            json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() for each in records
        ]
        leaves = [hashlib.sha256(b"\0" + each).digest() for each in octets]
        rows = [(n, leaves[n], records[n]["kind"], "", octets[n]) for n in range(len(records))]
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            connection.execute("DELETE FROM record")
            connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("UPDATE head SET tree_size = ?, root_hash = ?", (len(leaves), root(leaves)))

    def write(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            connection.execute(statement, values)


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, as it stands there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def _reply(left: Left, number: int) -> Record:
    reply: Record = json.loads(left.replies.read_text().splitlines()[number])
    return reply


def _hold(left: Left, reply: Record) -> None:
    with left.replies.open("a") as file:
        file.write(json.dumps(reply) + "\n")


def _intent(records: list[Record], **wanted: Any) -> int:
    """The last one that has these fields."""
    return max(n for n, each in enumerate(records) if each["kind"] == "intent" and wanted.items() <= each.items())


def hold_what_the_ledger_lacks(left: Left) -> None:
    _hold(left, {**_reply(left, 0), "request_id": "elsewhere", "leaf_index": 10**6})


def hold_another_signature_for_the_same_check(left: Left) -> None:
    """As if the statement had been used twice: the second signature is under another name."""
    _hold(left, {**_reply(left, -1), "request_id": "elsewhere", "signature": _reply(left, -2)["signature"]})


def hold_a_signature_over_other_octets(left: Left) -> None:
    octets = bytearray.fromhex(_reply(left, 0)["octets"])
    octets[-1] ^= 1
    _hold(left, {**_reply(left, 0), "request_id": "elsewhere", "octets": octets.hex()})


def cut_the_last_records(left: Left) -> None:
    """An old database with a head that fits it."""
    left.rewrite(left.records()[: left.since + 30])


def cut_what_a_checkpoint_covered(left: Left) -> None:
    """Nobody holds a signature, and the module's account is gone: the checkpoint tells it all the same."""
    shown = left.checkpoints.read_text()
    left.replies.write_text("")
    left.uses.write_text("")
    left.rewrite(left.records()[: left.since])
    left.checkpoints.write_text(shown)


def uses_of(left: Left, digest: str) -> list[str]:
    """The account's lines of a digest; the others stay behind."""
    lines = left.uses.read_text().splitlines(keepends=True)
    left.uses.write_text("".join(line for line in lines if digest not in line))
    return [line for line in lines if digest in line]


def note_uses(left: Left, *lines: str) -> None:
    with left.uses.open("a") as file:
        file.writelines(lines)


def use_without_an_intent(left: Left) -> None:
    note_uses(left, f"asked {'ab' * 32}\n", f"failed {'ab' * 32} 0005\n")


def use_twice_for_one_intent(left: Left) -> None:
    digest = _last(left)["digest"]
    note_uses(left, f"asked {digest}\n", f"failed {digest} 0005\n")


def forget_a_use(left: Left) -> None:
    uses_of(left, _last(left)["digest"])


def forget_that_it_was_asked_for(left: Left) -> None:
    _, made = uses_of(left, _last(left)["digest"])
    note_uses(left, made)


def make_another_signature(left: Left) -> None:
    asked, _ = uses_of(left, (digest := _last(left)["digest"]))
    note_uses(left, asked, f"made {digest} {'ab' * 64}\n")


def _last(left: Left) -> Record:
    """The intent of the last signature that a client holds."""
    records = left.records()
    intent: Record = records[records[_reply(left, -1)["leaf_index"]]["intent"]]
    return intent


def end_otherwise(left: Left, kind: str) -> str:
    """The last outcome is unknown, or its intent closed; no client holds anything. Answers the intent's digest."""
    records, digest = left.records(), _last(left)["digest"]
    index = _reply(left, -1)["leaf_index"]
    ended = {name: value for name, value in records[index].items() if name != "signature"}
    records[index] = {**ended, "kind": kind, "state": "unknown"}
    left.rewrite(records)
    left.replies.write_text("")
    return str(digest)


def never_come_to_the_module_and_be_unknown(left: Left) -> None:
    uses_of(left, end_otherwise(left, "outcome"))


def be_used_once_more_and_unknown(left: Left) -> None:
    digest = end_otherwise(left, "outcome")
    note_uses(left, f"asked {digest}\n", f"failed {digest} 0005\n")


def be_cut_short_and_unknown(left: Left) -> None:
    """A use was cut short, so somebody died: then nobody was there to write an outcome."""
    asked, _ = uses_of(left, end_otherwise(left, "outcome"))
    note_uses(left, asked)


def be_used_twice_and_closed(left: Left) -> None:
    digest = end_otherwise(left, "closed")
    note_uses(left, f"asked {digest}\n", f"failed {digest} 0005\n")


def say_that_a_used_key_was_not_used(left: Left) -> None:
    records = left.records()
    outcome = _reply(left, -1)["leaf_index"]
    records[outcome] = {**records[outcome], "state": "failed", "reason": "MODULE_BUSY", "sentence": "no room"}
    del records[outcome]["signature"]
    left.rewrite(records)


def spend_a_statement_twice(left: Left) -> None:
    records = left.records()
    spent = next(n for n, each in enumerate(records) if each.get("evidence"))
    again = {**records[spent], "request_id": "elsewhere", "digest": "cd" * 32}
    closing_record = {
        "v": 1,
        "kind": "closed",
        "at": again["at"],
        "party": "",
        "intent": len(records),
        "state": "unknown",
    }
    left.rewrite([*records, again, closing_record])


def exceed_a_threshold(left: Left) -> None:
    records = left.records()
    counted = next(n for n, each in enumerate(records) if each.get("counted"))
    name, period, _, most = records[counted]["counted"][0]
    records[counted]["counted"] = [[name, period, most + 1, most]]
    left.rewrite(records)


def count_too_little(left: Left) -> None:
    """Each of them says that it is the first: together they may be more than may be."""
    records = left.records()
    for record in records:
        record.get("counted", [])[:] = [[name, period, 1, most] for name, period, _, most in record.get("counted", [])]
    left.rewrite(records)


def put_another_signature(left: Left) -> None:
    records = left.records()
    first, second = [n for n, each in enumerate(records) if each.get("signature")][-2:]
    records[first]["signature"], records[second]["signature"] = (
        records[second]["signature"],
        records[first]["signature"],
    )
    left.rewrite(records)


def show_another_ledger(left: Left) -> None:
    """As of a forked view: of the same size, with another root."""
    origin, size, _, *rest = json.loads(left.checkpoints.read_text()).split("\n")
    shown = "\n".join([origin, size, base64.b64encode(bytes(32)).decode(), *rest])
    with left.checkpoints.open("a") as file:
        file.write(json.dumps(shown) + "\n")


def cut_a_row(left: Left) -> None:
    left.write("DELETE FROM record WHERE leaf_index = 20")


def change_an_octet(left: Left) -> None:
    left.write("UPDATE record SET octets = CAST(octets || ' ' AS BLOB) WHERE leaf_index = 21")


def swap_two_rows(left: Left) -> None:
    for old, new in ((20, -1), (21, 20), (-1, 21)):
        left.write("UPDATE record SET leaf_index = ? WHERE leaf_index = ?", new, old)


def change_the_head(left: Left) -> None:
    left.write("UPDATE head SET tree_size = tree_size - 1")


def end_an_intent_twice(left: Left) -> None:
    records = left.records()
    left.rewrite([*records, {**next(each for each in reversed(records) if each["kind"] == "outcome")}])
