"""Who publishes the ledger's tiles? ``python -m keybroker.server.publisher``: one process beside the workers.

It opens the ledger for reading, writes tiles behind each checkpoint, and serves them. It has no key, no PIN and no
gRPC: what comes from an open port is read where nothing can be signed. The supervisor starts it and starts it again.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import final

from keybroker.config import Configuration, reading
from keybroker.config.checkpoints_table import CheckpointsTable
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.ledger.publishing import Publisher
from keybroker.server.beside import Over, run_beside
from keybroker.server.logging import Logger
from keybroker.server.tile_server import TileServer

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""After something went wrong; a ledger that workers are about to make or migrate is there by then."""


def _serve(configuration: Configuration, log: Logger, over: Over) -> None:
    table, directory = configuration.file.checkpoints, configuration.tiles
    if table is None or directory is None:
        raise ConfigurationInvalid("expected a directory for tiles, found none", where="checkpoints.tiles")
    served = (
        nullcontext() if table.listen is None else TileServer(directory, table.listen, entries=table.publish_entries)
    )
    with served:
        _Publishing(configuration, table, directory, log).run(over)


@final
class _Publishing:
    """Tells each trouble once, and when it is over."""

    def __init__(self, configuration: Configuration, table: CheckpointsTable, directory: Path, log: Logger) -> None:
        self._configuration = configuration
        self._table = table
        self._directory = directory
        self._log = log
        self._told = ""

    def run(self, over: Over) -> None:
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

    def _publish(self, over: Over) -> None:
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
    sys.exit(run_beside("publisher", sys.argv[1:], _serve))
