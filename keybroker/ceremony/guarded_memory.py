"""What keeps other processes, dumps and the swap away from a secret that stands in this one for a moment?

No core dump, no ptrace by others of the same user (PR_SET_DUMPABLE), all pages locked where the system permits it
(mlockall; beyond RLIMIT_MEMLOCK only with CAP_IPC_LOCK). Python copies what it computes with and cannot promise
erasure, so the process is short besides.
"""

from __future__ import annotations

import ctypes
import resource
import secrets
from dataclasses import dataclass

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What holds of this process from now on; a transcript says it."""

    undumpable: bool
    no_core: bool
    locked: bool


def forbid_dumps() -> None:
    """No core dump of this process, and its memory and environment in /proc are root's alone (prctl(2), proc(5)).

    Until it executes another program: a child that does begins anew, and asks for it again.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def guard_memory() -> Guard:
    """For the whole life of this process; what the system does not permit is told, not raised."""
    forbid_dumps()
    library = ctypes.CDLL(None, use_errno=True)
    return Guard(
        undumpable=library.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
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
