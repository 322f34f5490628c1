"""A program for tests of approvals: one of several workers on one ledger, each of which asks for every use there is."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.model import KeyRegister
from keybroker.signing import Ask, Line, sign_batch
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, Operation, RequestId
from tests.fakes import FakeModule
from tests.gates.approved import RECOVERY
from tests.ledger import books
from tests.situations import AT, LABELS, a_caller, a_key, a_message, a_private_key, good_standing
from tests.test_line import ARegister, a_line


def a_recovery_line(journal: Journal, module: FakeModule, *approvals: Statement) -> Line:
    """Of a test deployment whose module holds the Recovery key whole; ``approvals`` are all that is approved."""
    key = a_key(RECOVERY, public_key=module.add(LABELS[RECOVERY], a_private_key()))
    good = good_standing()
    kept = (each for each in good.statements if each.kind != "approval")
    register = KeyRegister(version=0, keys={key.label: key}, standing=replace(good, statements=(*kept, *approvals)))
    return replace(a_line(journal, module, key), register=ARegister(now=register, seen=register))


def an_ask(name: str, *, counter: int = 1) -> Ask:
    octets = a_message(RECOVERY, counter=counter)
    identity = RequestIdentity(
        caller=a_caller(RECOVERY),
        operation=Operation.SIGN_COMMAND,
        key=a_key(RECOVERY).label,
        request_id=RequestId(name),
        sha256=sha256(octets).digest(),
    )
    return Ask(identity=identity, kind=ContentKind.COMMAND, octets=octets)


def use_up(directory: Path, worker: str, asked: int, approval: Statement) -> None:
    """Ask so often, in batches of up to three; tell in a file of its own how many were signed."""
    with books.a_book(directory, worker) as journal:
        line = a_recovery_line(journal, FakeModule(), approval)
        signed, left = 0, list(range(asked))
        while left:
            batch, left = left[: 1 + len(left) % 3], left[1 + len(left) % 3 :]
            asks = [an_ask(f"{worker}-{number}", counter=1 + number) for number in batch]
            signed += sum(isinstance(each, Concluded) for each in sign_batch(line, asks, AT))
    (directory / f"signed-{worker}").write_text(str(signed))
