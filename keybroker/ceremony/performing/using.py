"""What does a joined key sign, and how often did it? Approved messages, each down the line under a name of its own.

A message stands in a file before it goes down the line, and what comes of it beside it after; so whatever interrupts
this, one that was begun is asked for again by the same name, and what was signed is given again from the ledger. SEC
G2.56; the SMKI Recovery Procedure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from keybroker.ceremony.performing.certifying import ceremony_caller
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.clause import clause
from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.errors import KeybrokerError, Refusal
from keybroker.gates.approvals import find_approval
from keybroker.gates.shortfall import Shortfall
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.key_uses import requests_named
from keybroker.ledger.model import RequestIdentity
from keybroker.ledger.record import FAILED
from keybroker.signing import Ask, Line, sign_batch
from keybroker.terms import ContentKind, KeyLabel, Operation, RequestId

_is_number = re.compile(r"[1-9][0-9]{0,5}").fullmatch
_SEQUENCE = b"\x30"
"""How a request for a certificate begins (DER), and no GBCS message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one use signs; ``number`` is its own in this ceremony, for this key, from 1."""

    key: KeyLabel
    number: int
    octets: bytes

    @property
    def kind(self) -> ContentKind:
        request = self.octets.startswith(_SEQUENCE)
        return ContentKind.CERTIFICATE_SIGNING_REQUEST if request else ContentKind.COMMAND

    @property
    def operation(self) -> Operation:
        request = self.kind is ContentKind.CERTIFICATE_SIGNING_REQUEST
        return Operation.SIGN_CERTIFICATE_SIGNING_REQUEST if request else Operation.SIGN_COMMAND

    @property
    def file(self) -> str:
        return f"{self.key}.use-{self.number}.message"

    @property
    def signed_file(self) -> str:
        return f"{self.key}.use-{self.number}.signed"


@clause("G2.56", "G2.60", "G2.61")
def use(stage: Stage, line: Line, message: Message) -> None:
    """Down the line, which judges it like any other. One that is refused leaves no file: the record tells of it.

    Raises: the Fault of the line.
    """
    hall = stage.hall
    file = hall.write(message.file, message.octets)
    try:
        outputs = _signed(stage, line, message)
        whole = assemble(decode(message.kind, message.octets, ()), outputs)
    except Refusal as refusal:
        file.unlink()
        stage.room.tell(f"Not signed: {refusal.sentence}")
        return
    hall.write(message.signed_file, whole)
    stage.room.tell(f"Signed: it stands in {message.signed_file}.")


def next_message(stage: Stage, key: PlannedKey) -> Message:
    """Whatever file somebody names; whether it is an approved one, the line says. Raises: Paused."""
    # A number is never used again, so that a name in the ledger means one message for ever.
    taken = [*_files(stage, key.label), *_numbers_in_ledger(stage, key)]
    number = max(taken, default=0) + 1
    octets = stage.room.ask_file(f"Message {number}?", _MESSAGE, lambda read: read)
    stage.room.digest("message", sha256(octets).digest())
    return Message(key=KeyLabel(key.label), number=number, octets=octets)


def unfinished(stage: Stage, key: PlannedKey) -> tuple[Message, ...]:
    """What had gone down the line when this was interrupted: its signature was not written yet. A file that the ledger
    does not know was put there by whoever likes; the message is asked for, and shown, again."""
    label, files = KeyLabel(key.label), _files(stage, key.label)
    found = (
        Message(key=label, number=each, octets=(stage.hall.directory / files[each]).read_bytes()) for each in files
    )
    gone = {(_number(use), use["message_sha256"]) for use in uses_of(stage, label)}
    return tuple(
        each
        for each in found
        if (each.number, sha256(each.octets).hexdigest()) in gone
        and not (stage.hall.directory / each.signed_file).is_file()
    )


def uses_left(stage: Stage, key: PlannedKey) -> int:
    """How many uses of the approval this ceremony has left, 0 where none is in force. The gate counts for itself."""
    hall, at = stage.hall, stage.hall.now()
    standing, plan_sha256 = hall.line.register.refresh().standing, stage.held.plan_file.sha256.hex()
    approved = find_approval(standing, "combine", keys=[key.public_key_sha256 or ""], plan_sha256=plan_sha256, at=at)
    if isinstance(approved, Shortfall):
        stage.room.tell(f"No use of {key.label} is approved any more: found {approved.found}.")
        return 0
    return max(0, (approved[1].uses or 0) - times_used(uses_of(stage, KeyLabel(key.label))))


def times_used(uses: Sequence[Mapping[str, Json]]) -> int:
    """Signed, or nobody knows whether: what failed has used nothing."""
    return sum(each["state"] != FAILED for each in uses)


def uses_of(stage: Stage, label: KeyLabel) -> list[dict[str, Json]]:
    """What the ledger has of them: each intent, for which octets, and how it ended."""
    prefix = _prefix(stage)
    found = requests_named(stage.hall.book.journal.ledger, label, prefix)
    # The requests of a ceremony with a longer name begin like this one's.
    return [each for each in found if str(each["request"]).rpartition(prefix)[2].isdecimal()]


def _signed(stage: Stage, line: Line, message: Message) -> tuple[bytes, ...]:
    """Raises: the Refusal or Fault of the line."""
    hall, at = stage.hall, stage.hall.now()
    key = line.register.refresh().keys[message.key]
    identity = RequestIdentity(
        caller=ceremony_caller(stage, key, line.policies[key.purpose], message.operation),
        operation=message.operation,
        key=message.key,
        request_id=RequestId(f"{_prefix(stage)}{message.number}"),
        sha256=sha256(message.octets).digest(),
    )
    (outcome,) = sign_batch(line, [Ask(identity=identity, kind=message.kind, octets=message.octets)], at)
    hall.keep_head(at)
    if isinstance(outcome, KeybrokerError):
        raise outcome
    return tuple(outcome.outputs)


def _files(stage: Stage, label: str) -> dict[int, str]:
    """Names of the files of messages, by number, in order."""
    begin, end = f"{label}.use-", ".message"
    names = [file.name for file in stage.hall.directory.glob(f"{begin}[0-9]*{end}")]
    numbers = {name.removeprefix(begin).removesuffix(end): name for name in names}
    return dict(sorted((int(number), name) for number, name in numbers.items() if _is_number(number)))


def _numbers_in_ledger(stage: Stage, key: PlannedKey) -> list[int]:
    return [_number(each) for each in uses_of(stage, KeyLabel(key.label))]


def _number(use: Mapping[str, Json]) -> int:
    return int(str(use["request"]).rpartition("-")[2])


def _prefix(stage: Stage) -> str:
    return f"ceremony-{stage.plan.name}-use-"


_MESSAGE = "The name of a file: one of the messages that the SMKI PMA approved, in the octets that are to be signed."
