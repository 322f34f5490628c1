"""Programs for the ledger's tests: workers to be killed, and a journal that obeys orders under faults."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keybroker.errors import KeybrokerError
from keybroker.ledger import audit
from keybroker.ledger.anchor import check_anchor
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, Failure, Intent, Signature
from tests.ledger import books, claims
from tests.situations import AT


def work(directory: Path, worker: str, life: int) -> None:
    """Sign batches without end; append to ``acknowledged`` the name and signature of whatever may leave."""
    acknowledged = os.open(directory / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    journal = books.a_journal(books.a_ledger(directory), worker)
    journal.close_open_intents(AT)
    batch = 0
    while True:
        batch += 1
        names = [f"{worker}-{life}-{batch}-{item}" for item in range(1 + batch % 5)]
        requests = [books.a_request(name, books.a_permit(1 + batch % 3)) for name in names]
        for answer in books.sign(journal, *requests):
            line = f"{answer.intent.identity.request_id} {answer.signature.hex()} {answer.receipt.leaf_index}\n"
            os.write(acknowledged, line.encode())


def take(directory: Path, worker: str, life: int) -> None:
    """Ask without end for serials that the other worker asks for too, and for a number; tell which number may leave."""
    acknowledged = os.open(directory / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    journal = books.a_journal(books.a_ledger(directory), worker)
    journal.close_open_intents(AT)
    batch = 0
    while True:
        batch += 1
        asked = [
            claims.asking(
                f"{worker}-{life}-{batch}-{item}", claims.once(f"{life}-{batch}-{item}".encode()), claims.allocated()
            )
            for item in range(1 + batch % 3)
        ]
        intents = [answer for answer in claims.begin(journal, *asked) if isinstance(answer, Intent)]
        answers = journal.conclude([books.signature_for(intent) for intent in intents], at=AT) if intents else []
        for answer in answers:
            if isinstance(answer, Concluded):
                os.write(acknowledged, f"{answer.intent.identity.request_id} {answer.intent.counter}\n".encode())


def obey(directory: Path) -> None:
    """Read orders (``intend NAME``, ``conclude``, ``verify``) and say how each went."""
    with books.a_book(directory) as journal:
        held: list[Signature | Failure] = []
        for order in sys.stdin:
            try:
                said = _obey(journal, held, *order.split())
            except KeybrokerError as error:
                said = f"{type(error).__name__}: {error.sentence}"
            print(said, flush=True)


def _obey(journal: Journal, held: list[Signature | Failure], order: str, name: str = "") -> str:
    match order:
        case "intend":
            (answer,) = books.intend(journal, books.a_request(name))
            if isinstance(answer, Intent):
                held[:] = [books.signature_for(answer)]
            return type(getattr(answer, "error", answer)).__name__
        case "conclude":
            (ended,) = journal.conclude(held, at=AT)
            return "Concluded" if isinstance(ended, Concluded) else type(ended).__name__
        case "verify":
            check_anchor(journal.ledger, None)
            verified = audit.verify(journal.ledger, AT)
            return f"{verified.kinds.get('intent', 0)} {verified.signatures} {len(verified.open_intents)}"
        case _:
            raise ValueError(order)


if __name__ == "__main__":
    obey(Path(sys.argv[1]))
