"""What keeps other processes, dumps and the swap away from a secret that stands in this one for a moment?

No core dump, no ptrace by others of the same user (``hsm/dumps.py``), all pages locked where the system permits it
(mlockall; beyond RLIMIT_MEMLOCK only with CAP_IPC_LOCK). Python copies what it computes with and cannot promise
erasure, so the process is short besides, and what it gives back is overwritten where the C library can.
"""

from __future__ import annotations

import ctypes
import os
import resource
import secrets
import sys
from dataclasses import dataclass

from keybroker.hsm.dumps import forbid_dumps

ENVIRONMENT = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
"""Python takes its memory from the C library, which overwrites what is given back. What waits in the cache of a thread
it would leave as it is, so there is none."""

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What holds of this process from now on; a transcript says it."""

    undumpable: bool
    no_core: bool
    locked: bool


def guard_memory() -> Guard:
    """For the whole life of this process; what the system does not permit is told, not raised."""
    undumpable = forbid_dumps()
    library = ctypes.CDLL(None, use_errno=True)
    return Guard(
        undumpable=undumpable,
        no_core=resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
        locked=library.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0,
    )


def overwrites_memory() -> bool:
    """Is memory that is given back overwritten? Looked for where something stood a moment before."""
    pattern = bytearray(secrets.token_bytes(2 * _LOOKED_AT))
    gone = bytes(pattern)
    # Behind the first octets, in which the C library keeps its lists.
    place = id(gone) + bytes.__basicsize__ - 1 + _LOOKED_AT
    del gone
    return ctypes.string_at(place, _LOOKED_AT) != pattern[_LOOKED_AT:]


def begin_overwriting() -> None:
    """Have this program begin anew in ``ENVIRONMENT``, unless it did: that is read at a start alone. Before anything
    secret stands in it. A process that was not started for this command is left as it is."""
    given = sys.argv[1:]
    if ENVIRONMENT.items() <= os.environ.items() or sys.orig_argv[len(sys.orig_argv) - len(given) :] != given:
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ENVIRONMENT})  # noqa: S606
