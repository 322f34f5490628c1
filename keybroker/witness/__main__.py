"""What does the process of a witness do? ``python -m keybroker.witness DIRECTORY``: open its book, serve, watch, shout.

Its log is lines of JSON on standard output. It ends on SIGTERM or SIGINT, and by any other way at any instant: what it
cosigned is on the disk.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.witness.book import Book
from keybroker.witness.cosigning import Log, Witness
from keybroker.witness.http import make_server
from keybroker.witness.metrics import WitnessMetrics
from keybroker.witness.settings import public_of, read_key, read_settings
from keybroker.witness.silence import Silence

CLEAN, NOT_NOW, CONFIGURATION_INVALID = 0, 75, 78
"""Exit statuses (sysexits.h), as the broker's."""


def main(arguments: Sequence[str]) -> int:
    """Run until told to stop."""
    directory = Path(arguments[0])
    try:
        run(directory, _log())
    except KeybrokerError as error:
        sys.stderr.write(f"keybroker witness: {error.reason}: {error.sentence}\n")
        return CONFIGURATION_INVALID if isinstance(error, ConfigurationInvalid) else NOT_NOW
    return CLEAN


def run(directory: Path, log: Log) -> None:
    """Raises: ConfigurationInvalid; BrokerStopping for a port that cannot be had; LedgerUnavailable."""
    settings, key = read_settings(directory), read_key(directory)
    public, metrics = public_of(settings.name, key), WitnessMetrics()
    with Book(directory, settings, public) as book:
        witness = Witness(
            book, key, public, clock_seconds=settings.clock_seconds, metrics=metrics, log=log, seconds=time.time
        )
        if settings.metrics is not None:
            host, _, port = settings.metrics.rpartition(":")
            metrics.serve(host.strip("[]"), int(port))
        with make_server(witness, settings.listen, settings.tls, directory) as server:
            # From another thread: shutdown() waits for the loop that this one runs.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
            silence = Silence(witness.cosigned, silence_seconds=settings.silence_seconds, metrics=metrics, log=log)
            threading.Thread(target=silence.watch, daemon=True).start()
            log.info("witness ready", port=server.server_port, name=settings.name, against=len(book.against()))
            server.serve_forever()
    log.info("witness stopped")


def _log() -> Log:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    log: Log = structlog.get_logger()
    return log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
