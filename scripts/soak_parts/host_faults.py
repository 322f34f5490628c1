"""How do machine, disk, clock and network fail? Processes die or stop, a disk is full, failing, slow or spoilt, a clock
is stepped, connections are many, slow, cut or malformed.

A fault is a context: it begins when it is entered and is lifted when it is left.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from scripts.soak_parts import strangers
from scripts.soak_parts.service import tell
from scripts.soak_parts.spoilt_page import spoilt_page
from scripts.soak_parts.token_faults import Fault
from scripts.soak_parts.world import World
from tests import faults
from tests.faults.shim import Rule

_IDLE_SECONDS = 120.0
_SILENT_SECONDS = 60.0
_TRIES = 5
_SLOW_MILLISECONDS = "250"


def host_faults() -> Mapping[str, Fault]:
    """By name."""
    return {
        "a worker is killed": _killed("worker"),
        "all workers are killed": _killed("workers"),
        "the supervisor is killed": _killed("supervisor"),
        "what runs beside the workers is killed": _killed("others"),
        "all of it is killed": _killed("all"),
        "a client is killed": _client_killed,
        "a worker is stopped": _stopped("worker"),
        "the supervisor is stopped": _stopped("supervisor"),
        "the disk is full": _switched("write", "ledger.sqlite"),
        "fsync fails": _switched("fsync", "ledger.sqlite"),
        "fsync is slow": _switched("slow", "ledger.sqlite", after=int(_SLOW_MILLISECONDS)),
        "the disk is read-only": _switched("readonly", "ledger.sqlite"),
        "the token's disk is read-only": _switched("readonly", "/tokens/"),
        "the clock is an hour ahead": _switched("clock", "3600"),
        "the clock is an hour behind": _switched("clock", "-3600"),
        "a page of the database is spoilt": spoilt_page,
        "many idle connections": _idle,
        "slow clients": _slow,
        "connections are cut": _once("cut"),
        "malformed HTTP/2": _once("malformed"),
        "oversized metadata": _once("oversized"),
    }


ALONE = frozenset(
    {
        "a page of the database is spoilt",
        "token refuses the PIN",
        "a worker is stopped for good",
        "the token hangs for good",
    }
)
"""Beside them nothing else: they wait for something that another fault could hinder."""


OVER_AT_ONCE = frozenset(
    {
        "a worker is killed",
        "all workers are killed",
        "the supervisor is killed",
        "what runs beside the workers is killed",
        "all of it is killed",
        "a client is killed",
        "a worker is stopped for good",
        "connections are cut",
        "malformed HTTP/2",
        "oversized metadata",
    }
)


def long_faults() -> Mapping[str, Fault]:
    """That last until the supervisor kills a silent worker; for longer runs."""
    return {"a worker is stopped for good": _stopped_for_good, "the token hangs for good": _hangs_for_good}


def _killed(whom: str) -> Fault:
    @contextmanager
    def fault(world: World) -> Iterator[None]:
        service = world.service
        workers, supervisor = service.workers(), service.supervisor
        others = [pid for pid in service.children() if pid not in workers]
        chosen = {
            "worker": world.chance.sample(workers, min(1, len(workers))),
            "workers": workers,
            "supervisor": [supervisor],
            "others": others,
            "all": [supervisor, *workers, *others],
        }
        service.kill(*chosen[whom])
        yield

    return fault


@contextmanager
def _client_killed(world: World) -> Iterator[None]:
    world.load.kill_one(world.chance.choice(world.load.names))
    yield


def _stopped(whom: str) -> Fault:
    @contextmanager
    def fault(world: World) -> Iterator[None]:
        workers = world.service.workers()
        pid = world.chance.choice(workers) if whom == "worker" and workers else world.service.supervisor
        tell(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            tell(pid, signal.SIGCONT)

    return fault


@contextmanager
def _stopped_for_good(world: World) -> Iterator[None]:
    tell(next(iter(world.service.workers()), 0), signal.SIGSTOP)
    yield


@contextmanager
def _hangs_for_good(world: World) -> Iterator[None]:
    """Until each worker was killed for its silence; the next ones find a token that answers."""
    before = set(world.service.workers())
    last = time.monotonic() + _SILENT_SECONDS
    with world.ruled(Rule("C_Sign", "hang")):
        while before & set(world.service.workers()) and time.monotonic() < last:
            time.sleep(0.2)
        world.tell("    the workers that hung " + ("STAY" if before & set(world.service.workers()) else "were killed"))
        yield


def _switched(fault: faults.Fault, concerned: str, *, after: int = 0) -> Fault:
    @contextmanager
    def switched(world: World) -> Iterator[None]:
        faults.set_fault(world.scene.control, fault, concerned, after=after)
        try:
            yield
        finally:
            faults.clear_fault(world.scene.control, fault)

    return switched


@contextmanager
def _idle(world: World) -> Iterator[None]:
    command = [sys.executable, "-P", "-m", "scripts.soak_parts.strangers", "idle"]
    arguments = [str(world.deployment.directory), str(world.idle_most)]
    with subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        begun = time.monotonic()
        opened = int((holder.stdout.readline() if holder.stdout else "") or 0)
        world.tell(f"    {opened} idle connections, opened in {time.monotonic() - begun:.1f} s")
        world.notes["idle_connections"] = max(world.notes["idle_connections"], opened)
        try:
            signs = any(world.prober.signs() for _ in range(_TRIES))
            world.notes["signed_beside_idle_connections"] += signs
            world.tell(f"    beside them it signs {'on a new connection' if signs else 'NOTHING'}")
            yield
        finally:
            holder.communicate(timeout=_IDLE_SECONDS)


@contextmanager
def _slow(world: World) -> Iterator[None]:
    with strangers.slow_clients(world.deployment):
        yield


def _once(what: str) -> Fault:
    @contextmanager
    def fault(world: World) -> Iterator[None]:
        match what:
            case "cut":
                strangers.cut_connections(world.deployment, world.chance)
            case "malformed":
                strangers.send_malformed(world.deployment, world.chance)
            case _:
                strangers.send_oversized(world.deployment)
        yield

    return fault
