"""Does a deployment under load keep its promises while everything round it breaks? An independent checker judges.

The last line is one of JSON. Exit status 1 where a signature was lost, unrecorded or made twice, a threshold exceeded,
a record is not as it must be, an evidence package is not whole, a PIN stands in what the broker wrote, or the service
did not recover within its stated time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import secrets
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.soak_parts.host_faults import ALONE, OVER_AT_ONCE, host_faults, long_faults
from scripts.soak_parts.judging import judge
from scripts.soak_parts.load import Load
from scripts.soak_parts.probing import STATED_SECONDS, Prober
from scripts.soak_parts.published import Published
from scripts.soak_parts.scene import Scene, make_scene
from scripts.soak_parts.schedule import Step, steps
from scripts.soak_parts.service import Service
from scripts.soak_parts.token_faults import token_faults
from scripts.soak_parts.world import World

WORKERS = 2
_LONG_MINUTES = 5.0
"""From here on faults last up to fifteen seconds, and some until a silent worker is killed; below, three seconds."""
_LONGEST_SECONDS, _LONGEST_IN_SHORT_SECONDS = 15.0, 3.0
_NOTICED_SECONDS = 0.5
"""After a fault that is over with its beginning, from which recovery is counted: by then the supervisor has noticed."""
_IDLE_A_MINUTE, _IDLE_MOST = 500, 10_000
_DESCRIPTORS_LEFT = 1000
FAILING = (
    "lost",
    "unrecorded",
    "doubled",
    "exceeded",
    "broken",
    "open",
    "clients_silent",
    "not_recovered",
    "pages_noticed_by_nobody",
    "secrets",
)
HOLDING = ("package_whole", "verified_by_keybroker_too")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="how long faults are injected")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the same seed, the same schedule")
    parser.add_argument("--json", action="store_true", help="print nothing but the last line on standard output")
    parser.add_argument("--keep", type=Path, help="a directory for deployment, replies and account, which stays")
    asked = parser.parse_args(arguments)
    # Whoever ends us early ends what we started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack:
        directory = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keybroker-soak-")))
        figures = soak(make_scene(directory), asked.minutes, asked.seed)
    if not asked.json:
        for name, value in figures.items():
            print(f"{name:28} {value}")
    print(json.dumps(figures))
    return int(any(figures[name] for name in FAILING) or not all(figures[name] for name in HOLDING))


def soak(scene: Scene, minutes: float, seed: int) -> dict[str, Any]:
    """One run, whole. Answers the figures of the last line."""
    published, service = Published(scene), Service(scene, workers=WORKERS)
    try:
        load = Load(scene, seed)
        try:
            world = World(
                scene=scene,
                service=service,
                load=load,
                prober=Prober(scene, service),
                chance=random.Random(seed),  # noqa: S311 - what breaks next is no secret
                idle_most=idle_connections(minutes),
            )
            load.wait_for_first()
            injected = inject(world, minutes, seed)
            silent = load.silent()
            world.tell(f"clients that did not go on: {', '.join(silent) or 'none'}")
        finally:
            load.stop()
    finally:
        status = service.stop()
    close_what_is_open(scene)
    published.stop()
    told = {"clients_silent": len(silent), "last_status": status}
    return {"minutes": minutes, "seed": seed, **injected, **judge(scene), **told}


def idle_connections(minutes: float) -> int:
    """As many as descriptors allow to each process, up to 10,000; fewer in a short run."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, min(int(_IDLE_A_MINUTE * minutes), _IDLE_MOST, allowed - _DESCRIPTORS_LEFT))


def inject(world: World, minutes: float, seed: int) -> dict[str, Any]:
    """One step after another until the time is over; after each it has to recover."""
    is_long = minutes >= _LONG_MINUTES
    known = {**host_faults(), **token_faults(), **(long_faults() if is_long else {})}
    longest = _LONGEST_SECONDS if is_long else _LONGEST_IN_SHORT_SECONDS
    last = time.monotonic() + minutes * 60
    recovered: list[tuple[float, Step]] = []
    count, missed = 0, []
    for step in steps(sorted(known), alone=ALONE, longest=longest, seed=seed):
        if time.monotonic() > last:
            break
        world.tell(" and ".join(step.faults))
        with ExitStack() as stack:
            for name in step.faults:
                stack.enter_context(known[name](world))
            begun, over = time.monotonic(), OVER_AT_ONCE.issuperset(step.faults)
            time.sleep(_NOTICED_SECONDS if over else step.seconds)
        count += len(step.faults)
        seconds = world.prober.seconds_to_recover(begun if over else time.monotonic())
        world.load.look()
        world.tell(f"    recovered in {seconds:.1f} s" if seconds is not None else "    DID NOT RECOVER")
        recovered.append((seconds if seconds is not None else float("inf"), step))
        if seconds is None or seconds > STATED_SECONDS:
            missed.append(" and ".join(step.faults))
        if seconds is None:
            break
    worst = max(recovered, key=lambda each: each[0], default=(0.0, Step((), 0.0)))
    return {
        "faults": count,
        "worst_recovery_s": round(worst[0], 1) if worst[0] != float("inf") else None,
        "worst_recovery_after": " and ".join(worst[1].faults),
        "stated_recovery_s": STATED_SECONDS,
        "not_recovered": len(missed),
        "broker_starts": world.service.starts,
        "clients_ended_unasked": len(world.load.unasked_ends),
        **NOTED,
        **dict(sorted(world.notes.items())),
    }


NOTED = dict.fromkeys(("idle_connections", "pages_spoilt", "pages_noticed_at_the_start", "pages_noticed_by_nobody"), 0)


def close_what_is_open(scene: Scene) -> None:
    """Once more up and down, in order: what died with the last worker is closed, as the next start would."""
    service = Service(scene, workers=1)
    prober = Prober(scene, service)
    prober.seconds_to_recover(time.monotonic())
    service.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
