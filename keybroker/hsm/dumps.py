"""What keeps the memory of a process, in which a PIN or a share stands, out of core dumps and other processes' sight?

PR_SET_DUMPABLE (prctl(2)): the kernel writes no dump, to a file or to a program, and /proc/PID/mem and environ are
root's (proc(5)). A limit of 0 alone stops files, not programs (core(5)).
"""

from __future__ import annotations

import ctypes
import resource

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def forbid_dumps() -> bool:
    """For as long as this program runs; one that it executes begins anew, and asks for it itself. Was it granted?"""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(library.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
