"""A back-up made, opened and put back, by a recipient whose key is a number: for tests of what comes of it."""

from __future__ import annotations

from pathlib import Path

from keybroker.keys.upkeep import record_back_up
from keybroker.ledger.backing_up import open_back_up, write_back_up
from keybroker.ledger.journal import Journal
from keybroker.ledger.upkeep_form import BackedUp
from tests.keys.restoring import ACTOR
from tests.situations import AT

RECIPIENT = b"a certificate"


def in_the_open(key: bytes, _: bytes) -> bytes:
    """An envelope for tests of all but envelopes."""
    return key


def made(journal: Journal, to: Path) -> BackedUp:
    """The back-up and its record."""
    backed_up = write_back_up(journal.ledger, to, [RECIPIENT], in_the_open, AT)
    record_back_up(journal, ACTOR, backed_up, AT)
    return backed_up


def opened(back_up: Path, directory: Path) -> Path:
    """A directory with the ledger that was in it."""
    directory.mkdir()
    open_back_up(back_up, directory / "ledger.sqlite", lambda header: header.envelope_for(RECIPIENT))
    return directory
