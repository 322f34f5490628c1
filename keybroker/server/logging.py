"""What does the operator read tonight? structlog events, short constant phrases with fields, as JSON or for a console.

The ledger is evidence, this is not: they share ``request_id`` and nothing else. No PIN, no octets, no key material.
"""

from __future__ import annotations

import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger


def configure_logging(kind: Literal["json", "console"], stream: TextIO | None = None, **fields: str | int) -> Logger:
    """Every structlog event of this process becomes one line on ``stream`` (standard output), with ``fields`` in it.

    Called once in a process, before the first event; the layers below ask structlog for their loggers themselves.
    """
    renderer: Processor = structlog.processors.JSONRenderer()
    if kind == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=(stream or sys.stdout).isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(stream),
        # Standard output is what it is when the line is written: whoever embeds the broker may have put another there.
        cache_logger_on_first_use=False,
    )
    logger: Logger = structlog.get_logger().bind(**fields)
    return logger
