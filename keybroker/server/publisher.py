"""Who publishes the ledger's tiles? ``python -m keybroker.server.publisher``: one process beside the workers.

It opens the ledger for reading, writes tiles behind each checkpoint, and serves them. It has no key, no PIN and no
gRPC: what comes from an open port is read where nothing can be signed. The supervisor starts it and starts it again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import final

from keybroker.config import Configuration, read_accepted_configuration, reading
from keybroker.config.checkpoints_table import CheckpointsTable
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.ledger.publishing import Publisher
from keybroker.server.exit_status import ExitStatus, exit_status
from keybroker.server.logging import Logger, configure_logging
from keybroker.server.tile_server import TileServer

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""After something went wrong; a ledger that workers are about to make or migrate is there by then."""


def main(arguments: Sequence[str]) -> int:
    """Publish until told to stop, or until the supervisor is gone. Answers an ExitStatus."""
    parser = argparse.ArgumentParser(prog="keybroker.server.publisher")
    parser.add_argument("accepted", type=Path, help="what the supervisor keeps of the configuration it accepted")
    asked = parser.parse_args(arguments)
    parent, stop = os.getppid(), threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        configuration = read_accepted_configuration(asked.accepted)
        log = configure_logging(configuration.file.server.log, worker="publisher")
        return _serve(configuration, log, lambda seconds: stop.wait(seconds) or os.getppid() != parent)
    except KeybrokerError as error:
        sys.stderr.write(f"keybroker: {error.reason}: {error.sentence}\n")
        return exit_status(error)


def _serve(configuration: Configuration, log: Logger, over: Callable[[float], bool]) -> int:
    table, directory = configuration.file.checkpoints, configuration.tiles
    if table is None or directory is None:
        raise ConfigurationInvalid("expected a directory for tiles, found none", where="checkpoints.tiles")
    served = (
        nullcontext() if table.listen is None else TileServer(directory, table.listen, entries=table.publish_entries)
    )
    with served:
        _Publishing(configuration, table, directory, log).run(over)
    return ExitStatus.CLEAN


@final
class _Publishing:
    """Tells each trouble once, and when it is over."""

    def __init__(self, configuration: Configuration, table: CheckpointsTable, directory: Path, log: Logger) -> None:
        self._configuration = configuration
        self._table = table
        self._directory = directory
        self._log = log
        self._told = ""

    def run(self, over: Callable[[float], bool]) -> None:
        """Until ``over`` says so, which waits as many seconds as it is told."""
        while True:
            try:
                self._publish(over)
            except KeybrokerError as error:
                if error.sentence != self._told:
                    self._log.error("ledger not published", reason=error.reason, why=error.sentence)
                self._told = error.sentence
                if not over(_PAUSE_SECONDS):
                    continue
            return

    def _publish(self, over: Callable[[float], bool]) -> None:
        """As long as all goes well. Raises: KeybrokerError."""
        with reading(self._configuration) as ledger:
            publisher = Publisher(ledger, self._directory, entries=self._table.publish_entries)
            while True:
                if publisher.publish() or self._told:
                    self._log.info("ledger published", tree_size=publisher.tree_size)
                self._told = ""
                if over(_LOOK_SECONDS):
                    return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
