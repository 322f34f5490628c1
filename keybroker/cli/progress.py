"""How does somebody who waits at a terminal see how much is done, of how much?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keybroker.cli.output import console, is_fancy
from keybroker.ledger.audit import Progress


@contextmanager
def progress_of(what: str, units: str) -> Iterator[Progress]:
    """``units``: what is counted."""
    if not is_fancy(stderr=True):
        yield _nobody_looks
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar  # see output.console()

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(units), TimeRemainingColumn())
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _nobody_looks(_done: int, _total: int) -> None:
    """Standard error is no terminal, or somebody likes no colour."""
