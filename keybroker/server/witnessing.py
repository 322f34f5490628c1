"""Who asks the witnesses? ``python -m keybroker.server.witnessing``: a process beside the workers, without key or PIN.

Behind each checkpoint it asks every witness for a cosignature, with the proof from what that witness remembers, and
keeps what verifies in the ledger's table ``cosignature``; while nothing is recorded it shows the last checkpoint again,
so that a witness hears that the broker lives, and the broker that the witness does. Nobody waits for it: where
cosignatures are missing that are demanded, a gate shuts (``config/witnessed.py``). What other people's machines answer
is read where nothing can be signed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import final

from keybroker.config import Configuration, witness_places
from keybroker.config.checkpoints_table import WitnessesTable
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.ledger.checkpoints import Checkpoint, newest_checkpoint
from keybroker.ledger.cosignatures import keep_cosignature
from keybroker.ledger.note import read_note
from keybroker.ledger.proofs import consistency_proof
from keybroker.ledger.store import Ledger, open_ledger
from keybroker.ledger.tree import Tree, leaves_of
from keybroker.server.beside import Over, run_beside
from keybroker.server.logging import Logger
from keybroker.witness.asking import Cosignature, NoAnswer, Remembers, WitnessPlace, ask_cosignature

_TICK_SECONDS = 0.2
_PAUSE_SECONDS = 5.0
"""After something went wrong at the ledger."""
_AGAIN = 4
"""So often within ``at_most_behind_seconds`` the same checkpoint is shown again."""
_LONGEST_PAUSE = 30.0
_MOST_CONFLICTS = 3
"""Sizes that a witness tells one after the other before it is left alone for a while."""


def _run(configuration: Configuration, log: Logger, over: Over) -> None:
    table = configuration.file.witnesses
    if table is None:
        raise ConfigurationInvalid("expected witnesses, found none", where="witnesses")
    places, told = witness_places(configuration), ""
    with ThreadPoolExecutor(len(places), thread_name_prefix="witness") as pool:
        while True:
            try:
                _ask_until(configuration, [Asked(place, table, log) for place in places], pool, over)
            except KeybrokerError as error:
                told = _tell(log, error, told)
                if not over(_PAUSE_SECONDS):
                    continue
            return


def _tell(log: Logger, error: KeybrokerError, told: str) -> str:
    """Each trouble once."""
    if error.sentence != told:
        log.error("witnesses not asked", reason=error.reason, why=error.sentence)
    return error.sentence


def _ask_until(configuration: Configuration, asked: Sequence[Asked], pool: ThreadPoolExecutor, over: Over) -> None:
    """As long as all goes well. Raises: LedgerFault, ConfigurationInvalid."""
    ledger = open_ledger(
        configuration.ledger_url,
        origin=configuration.ledger_origin,
        deployment=configuration.deployment,
        at=configuration.clock.now(),
        party=configuration.party,
    )
    try:
        tree = Tree(leaves_of(ledger))
        while not over(_TICK_SECONDS):
            newest = newest_checkpoint(ledger)
            for each in asked:
                each.look(ledger, tree, newest, pool)
    finally:
        ledger.close()


@final
class Asked:
    """One witness, as this process knows it. Used by one thread, but for the question itself."""

    def __init__(self, place: WitnessPlace, table: WitnessesTable, log: Logger) -> None:
        self._place = place
        self._again = table.at_most_behind_seconds / _AGAIN
        self._clock_seconds = table.clock_seconds
        self._log = log.bind(witness=place.key.name)
        self._remembers = 0
        self._cosigned = -1
        self._shown_again_at = self._not_before = float("-inf")
        self._failures = self._conflicts = 0
        self._told = ""
        self._flying: tuple[Checkpoint, datetime, Future[Cosignature]] | None = None

    def look(self, ledger: Ledger, tree: Tree, newest: Checkpoint | None, pool: ThreadPoolExecutor) -> None:
        """Take what came, and ask again where it is time to. Raises: LedgerFault."""
        if self._flying is not None:
            checkpoint, at, future = self._flying
            if not future.done():
                return
            self._flying = None
            self._land(ledger, checkpoint, at, future)
        if newest is None or (now := time.monotonic()) < self._not_before:
            return
        if newest.tree_size != self._cosigned or now >= self._shown_again_at:
            self._ask(tree, newest, pool)

    def _ask(self, tree: Tree, newest: Checkpoint, pool: ThreadPoolExecutor) -> None:
        size, old, at = newest.tree_size, self._remembers, datetime.now(UTC)
        if old > size:
            self._fail(
                f"it remembers {old} records, and the last checkpoint here is of {size}: is this an earlier ledger?"
            )
            self._remembers = 0
            return
        proof = consistency_proof(old, size, tree.subtree(size))
        future = pool.submit(
            ask_cosignature,
            self._place,
            old_size=old,
            proof=proof,
            note=read_note(newest.note),
            octets=newest.note,
            at=at,
        )
        self._flying = newest, at, future

    def _land(self, ledger: Ledger, checkpoint: Checkpoint, at: datetime, future: Future[Cosignature]) -> None:
        """Raises: LedgerFault."""
        try:
            given = future.result()
        except Remembers as told:
            if told.size < self._cosigned:
                # It begins anew with whatever is shown to it: of what was before, it is no witness any more.
                self._log.error("WITNESS FORGOT", cosigned=self._cosigned, remembers=told.size)
                self._cosigned = -1
            self._remembers, self._conflicts = told.size, self._conflicts + 1
            if self._conflicts >= _MOST_CONFLICTS:
                self._fail(f"it tells another size each time, {told.size} at last")
            return
        except NoAnswer as refused:
            self._fail(refused.why)
            return
        if abs(given.at - at.timestamp()) > self._clock_seconds + self._place.timeout_seconds:
            moment = datetime.fromtimestamp(given.at, UTC).isoformat()
            self._fail(f"its clock says {moment}, ours {at.isoformat()}: one of the two is out of line")
            return
        keep_cosignature(ledger, tree_size=checkpoint.tree_size, line=given.line, at=int(at.timestamp()))
        self._succeed(checkpoint.tree_size)

    def _succeed(self, tree_size: int) -> None:
        if self._told or self._cosigned < 0:
            self._log.info("witness cosigns", tree_size=tree_size)
        self._told = ""
        self._failures = self._conflicts = 0
        self._remembers = self._cosigned = tree_size
        self._shown_again_at = time.monotonic() + self._again

    def _fail(self, why: str) -> None:
        """Told once for each reason; asked again after a pause that grows to a bound."""
        if why != self._told:
            self._log.error("witness gives no cosignature", why=why)
        self._told = why
        pause = min(_TICK_SECONDS * 2**self._failures, self._again, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        self._conflicts = 0
        self._not_before = time.monotonic() + pause


if __name__ == "__main__":
    sys.exit(run_beside("witnessing", sys.argv[1:], _run))
