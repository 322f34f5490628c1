"""Whole-process figures, side by side in one run. See ``scripts/bench --help``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from keybroker.cli.dev.deployment import create_deployment
from scripts.bench_parts.measure import Bench
from scripts.broker_parts.running import running_broker

_SOURCE = Path(__file__).with_name("sign_loop.c")
_CONCURRENT_CALLS = 256
_TURNS = 4
_SETTLED_SECONDS = 2
"""What runs beside the workers starts when the broker is ready already."""
_PUBLISHED_SECONDS = 120
"""The publisher reads the whole tree once before it publishes."""
_TILES = "tiles"
_CHECKPOINTS = f"""
[checkpoints]
key = "audit-checkpoint"
every_records = 10000
every_seconds = 5
tiles = "{_TILES}"
"""
_CHECKPOINT_LOADS = (("unary", 16), ("batch", 256), ("concurrent", _CONCURRENT_CALLS))

Rates = dict[str, float]
Say = Callable[[str, float], None]


def main() -> int:
    arguments = _arguments()
    rates: Rates = {}

    def say(name: str, rate: float) -> None:
        rates[name] = round(rate, 1)
        if not arguments.json:
            print(f"{name:<28} {rate:>10,.0f} /s", flush=True)

    with tempfile.TemporaryDirectory(prefix="keybroker-bench-") as scratch:
        bench = Bench(
            deployment=create_deployment(Path(scratch) / "broker"),
            sign_loop=build_loop(Path(scratch)),
            seconds=arguments.seconds,
        )
        if not arguments.checkpoints_alone:
            _measure_module(bench, say)
            _measure_bare_server(bench, say)
            for workers in (1, 2):
                _measure_broker(bench, workers, say)
            _measure_checks(bench, rates, say)
        _measure_checkpoints(bench, arguments.turns, say)
    found = ratios(rates)
    if not arguments.json:
        for name, ratio in found.items():
            print(f"{name:<44} {ratio:>6.3f}")
    print(json.dumps({"ratios": found, "rates": rates, "cores": os.cpu_count(), "seconds": arguments.seconds}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures the module alone, a bare server and the broker with everything on; last line JSON.",
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure (default 3)")
    parser.add_argument("--turns", type=int, default=_TURNS, help=f"with and without checkpoints (default {_TURNS})")
    parser.add_argument(
        "--checkpoints-alone", action="store_true", help="measure what checkpoints and receipts cost alone"
    )
    parser.add_argument("--json", action="store_true", help="print the last line alone")
    return parser.parse_args()


def build_loop(directory: Path) -> Path:
    program = directory / "sign_loop"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(_SOURCE), "-ldl"], check=True)
    return program


def _measure_module(bench: Bench, say: Say) -> None:
    for processes in (1, 2):
        say(f"c_loop_x{processes}", bench.loop(processes=processes, verify=False))
        say(f"verified_loop_x{processes}", bench.loop(processes=processes, verify=True))


def _measure_bare_server(bench: Bench, say: Say) -> None:
    with bench.bare_server() as target:
        for width in (1, 16, 64):
            say(f"bare_unary{width}", bench.load(target=target, mode="unary", width=width, processes=1))


def _measure_broker(bench: Bench, workers: int, say: Say) -> None:
    """One load generator a worker: it has its own connections, which the kernel spreads over the workers."""
    target = bench.deployment.target
    suffix = f"_x{workers}"
    with running_broker(bench.deployment, workers=workers):
        for width in (1, 16, 64):
            say(f"unary{width}{suffix}", bench.load(target=target, mode="unary", width=width, processes=1))
        rate = bench.load(target=target, mode="concurrent", width=_CONCURRENT_CALLS, processes=workers)
        say(f"concurrent{suffix}", rate)
        for width in (64, 256):
            say(f"batch{width}{suffix}", bench.load(target=target, mode="batch", width=width, processes=workers))


def _measure_checks(bench: Bench, rates: Rates, say: Say) -> None:
    """A Pre-Command with its Supply Sensitive Check beside the same without."""
    with running_broker(bench.deployment, workers=1):
        for mode, width in (("unary", 16), ("batch", 256)):
            about = rates[f"{mode}{width}_x1"]
            for name, checked in (("unchecked", False), ("checked", True)):
                rate = bench.prepared(mode=mode, width=width, checked=checked, about=about)
                say(f"{name}_{mode}{width}", rate)


def _measure_checkpoints(bench: Bench, turns: int, say: Say) -> None:
    """The same load with checkpoints and tiles, as often as a deployment would have them, and without: in turns, each
    first as often as the other, and of each the median, for the two differ by less than two runs of one. With them also
    a client that verifies every receipt."""
    found: dict[str, list[float]] = {}
    plain = bench.deployment.config_path.read_text()
    both = (("plain", "", ()), ("checkpointed", _CHECKPOINTS, (("verifying", _CONCURRENT_CALLS),)))
    for turn in range(turns):
        for name, table, more in both[:: 1 if turn % 2 else -1]:
            bench.deployment.config_path.write_text(plain + table)
            with _settled_broker(bench, publishes=bool(table)):
                for mode, width in (*_CHECKPOINT_LOADS, *more):
                    rate = bench.load(target=bench.deployment.target, mode=mode, width=width, processes=1)
                    found.setdefault(f"{name}_{mode}{width}", []).append(rate)
    bench.deployment.config_path.write_text(plain)
    for figure, rates in found.items():
        say(figure, median(rates))


@contextmanager
def _settled_broker(bench: Bench, *, publishes: bool) -> Iterator[None]:
    """One worker, once the first checkpoint of this start is published: nothing of a start is in what is measured."""
    file = bench.deployment.directory / _TILES / "checkpoint"
    before = _read(file)
    with running_broker(bench.deployment, workers=1):
        last = time.monotonic() + _PUBLISHED_SECONDS
        while publishes and _read(file) in (None, before):
            if time.monotonic() > last:
                raise SystemExit(f"expected a checkpoint within {_PUBLISHED_SECONDS} s; see broker.log")
            time.sleep(0.1)
        time.sleep(_SETTLED_SECONDS)
        yield


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def ratios(rates: Rates) -> dict[str, float]:
    """Of what was measured, the promises first; ``concurrent_over_unary`` is over the best of separate unary calls."""
    best_unary = max("unary1_x1", "unary16_x1", "unary64_x1", key=lambda name: rates.get(name, 0.0))
    pairs = {
        "batch256_x2_over_c_loop_x2": ("batch256_x2", "c_loop_x2"),
        "batch256_x2_over_verified_loop_x2": ("batch256_x2", "verified_loop_x2"),
        "unary16_over_bare": ("unary16_x1", "bare_unary16"),
        "concurrent_over_unary": ("concurrent_x1", best_unary),
        "checked_over_unchecked_batch256": ("checked_batch256", "unchecked_batch256"),
        "checked_over_unchecked_unary16": ("checked_unary16", "unchecked_unary16"),
        "checkpointed_over_plain_batch256": ("checkpointed_batch256", "plain_batch256"),
        "checkpointed_over_plain_unary16": ("checkpointed_unary16", "plain_unary16"),
        "checkpointed_over_plain_concurrent256": ("checkpointed_concurrent256", "plain_concurrent256"),
        "verifying_over_plain_concurrent256": ("checkpointed_verifying256", "plain_concurrent256"),
        "batch256_over_c_loop": ("batch256_x1", "c_loop_x1"),
        "batch256_over_verified_loop": ("batch256_x1", "verified_loop_x1"),
        "batch64_x2_over_c_loop_x2": ("batch64_x2", "c_loop_x2"),
        "unary1_over_bare": ("unary1_x1", "bare_unary1"),
        "unary64_over_bare": ("unary64_x1", "bare_unary64"),
        "batch256_x2_over_batch256": ("batch256_x2", "batch256_x1"),
    }
    return {
        name: round(rates[over] / max(rates[under], 1e-9), 3)
        for name, (over, under) in pairs.items()
        if {over, under} <= rates.keys()
    }


if __name__ == "__main__":
    sys.exit(main())
