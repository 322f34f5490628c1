"""Where does the time of one signature go? The line alone, in this process, under cProfile: no gRPC, no second worker.

    python -m scripts.bench_parts.line_profile [BATCHES] [BATCH]

Prints microseconds a signature without the profiler, then the shares of the steps and the costliest functions with it.
"""

from __future__ import annotations

import cProfile
import gc
import hashlib
import pstats
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from keybroker.cli.dev.deployment import create_deployment
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.config import build_line, read_configuration
from keybroker.errors import KeybrokerError
from keybroker.ledger.model import RequestIdentity
from keybroker.signing import Ask, Line, Outcome, conclude, turn_over, use
from keybroker.terms import Caller, ContentKind, EntityIdentifier, KeyLabel, Operation, RequestId

_KEY = KeyLabel("supplier-a")
_DEVICE = EntityIdentifier(bytes.fromhex("027E570000D0D0D0"))
_STEPS = ("decode", "decide", "open_gates", "transact", "sign", "check")


def main() -> None:
    batches, batch = (int(argument) for argument in (*sys.argv[1:], *("40", "256")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory(prefix="keybroker-profile-") as scratch:
        deployment = create_deployment(Path(scratch) / "dev")
        configuration = read_configuration(deployment.config_path)
        caller = next(each for each in configuration.callers.values() if _KEY in each.keys)
        originator = deployment.keys[_KEY].eui
        if originator is None:
            raise SystemExit("the key speaks for no EUI")
        works = build_line(configuration, lambda: deployment.pin, worker="profile")
        try:
            made = [_asks(caller, originator, number, batch) for number in range(2 * batches + 1)]
            _take_down(works.line, made[:1])
            # As a worker does before it serves.
            gc.collect()
            gc.freeze()
            seconds = _take_down(works.line, made[1 : batches + 1])
            rate = batches * batch / seconds
            print(f"{1e6 / rate:.1f} us a signature, {rate:.0f}/s, batches of {batch}")
            with cProfile.Profile() as profile:
                _take_down(works.line, made[batches + 1 :])
        finally:
            works.close()
    statistics = pstats.Stats(profile)
    _print_steps(statistics)
    statistics.sort_stats("tottime").print_stats(30)


def _asks(caller: Caller, originator: EntityIdentifier, number: int, batch: int) -> list[Ask]:
    return [_ask(caller, originator, number * batch + index) for index in range(batch)]


def _ask(caller: Caller, originator: EntityIdentifier, counter: int) -> Ask:
    octets = sample_pre_command(originator, _DEVICE, counter)
    identity = RequestIdentity(
        caller=caller,
        operation=Operation.SIGN_PRE_COMMAND,
        key=_KEY,
        request_id=RequestId(f"profile-{counter}"),
        sha256=hashlib.sha256(octets).digest(),
    )
    return Ask(identity=identity, kind=ContentKind.PRE_COMMAND, octets=octets)


def _take_down(line: Line, batches: list[list[Ask]]) -> float:
    began = time.perf_counter()
    begun = None
    for asks in batches:
        # As the signer does it under load: each batch ends in the transaction that begins the next.
        outcomes, begun = turn_over(line, begun, asks, datetime.now(UTC))
        _check(outcomes)
        begun = use(line, begun)
    if begun is not None:
        _check(conclude(line, begun, datetime.now(UTC)))
    return time.perf_counter() - began


def _check(outcomes: list[Outcome]) -> None:
    if any(isinstance(outcome, KeybrokerError) for outcome in outcomes):
        raise SystemExit("something was not signed")


def _print_steps(statistics: pstats.Stats) -> None:
    """Cumulative shares of the line's steps; the profiler makes Python dearer than C, so they are shares, not times."""
    functions = statistics.get_stats_profile().func_profiles
    whole = functions["_take_down"].cumtime
    for name in _STEPS:
        if name in functions:
            print(f"{name:<12} {functions[name].cumtime / whole:>6.1%}")


if __name__ == "__main__":
    main()
