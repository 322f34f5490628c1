"""What does a process of the broker keep from the rest of the machine, and as whom does it refuse to run?

No core dump, memory and environment closed to everybody but root, files that it makes its owner's alone. Root reads all
of it all the same, so a live deployment does not run as root: whoever broke into it would have the machine besides.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from keybroker.ceremony.guarded_memory import forbid_dumps
from keybroker.config import Configuration
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import DeploymentKind

UMASK = 0o077

_OTHERS_WRITE = stat.S_IWOTH
_OTHERS = stat.S_IRWXO
_OTHERS_AND_GROUP_WRITE = stat.S_IRWXO | stat.S_IWGRP


def keep_to_itself() -> None:
    """The first thing that a supervisor or a worker does; it lasts as long as the process."""
    os.umask(UMASK)
    forbid_dumps()


def check_user(deployment: DeploymentKind, users: tuple[int, int, int]) -> None:
    """``users`` are the real, effective and saved user ids. Raises: ConfigurationInvalid for root in a live deployment.

    A test deployment may run as root: in containers and on build machines there is often nobody else.
    """
    if deployment is DeploymentKind.LIVE and 0 in users:
        raise ConfigurationInvalid(
            "a live deployment does not run as root: expected a user of its own, found user id 0;"
            " start it as packaging/systemd/keybroker.service does (User=keybroker)"
        )


def check_modes(configuration: Configuration) -> None:
    """Raises: ConfigurationInvalid that names every file which others may read or write and must not.

    What a restart believes (configuration, policies, anchors) others must not write; the TLS key and the data directory
    others must not touch at all. Access control lists beyond the mode are not seen.
    """
    found = [told for path, closed_to in _guarded(configuration) if (told := _too_open(path, closed_to))]
    if found:
        raise ConfigurationInvalid("; ".join(found), where=str(configuration.path))


def _guarded(configuration: Configuration) -> Iterator[tuple[Path, int]]:
    """Every path, and the bits of its mode that must be clear."""
    file = configuration.file
    yield configuration.path, _OTHERS_WRITE
    yield configuration.beside(file.server.private_key), _OTHERS_AND_GROUP_WRITE
    yield configuration.data_directory, _OTHERS
    for anchors in (*configuration.sources.anchors, file.server.client_anchors, file.server.certificate):
        yield configuration.beside(anchors), _OTHERS_WRITE
    if file.policies is not None:
        directory = configuration.beside(file.policies.directory)
        yield directory, _OTHERS_WRITE
        yield from ((directory / name, _OTHERS_WRITE) for name in configuration.sources.policies)


def _too_open(path: Path, closed_to: int) -> str | None:
    """A file that is not there is somebody else's to miss."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if not mode & closed_to:
        return None
    expected, mend = _letters(closed_to, "+"), _letters(closed_to, "-")
    return f"{path} is open to others: expected without {expected}, found mode {mode:o}; chmod {mend} it"


def _letters(bits: int, sign: str) -> str:
    """As chmod(1) writes it."""
    if bits == _OTHERS_WRITE:
        return f"o{sign}w"
    return f"o{sign}rwx" if bits == _OTHERS else f"o{sign}rwx,g{sign}w"
