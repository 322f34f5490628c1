"""One figure: so many processes started together, what they printed summed, over the time they had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.cli.dev.deployment import Deployment
from scripts.bench_parts.load import KEY, WARM_UP_SECONDS
from scripts.bench_parts.prepared import prepare

_START_UP_SECONDS = 2.0
"""Of the C loop, before the common start."""

_AT_LEAST = 5_000
"""Requests that are prepared however slow it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The token and broker that every figure is measured on, and for how long each."""

    deployment: Deployment
    sign_loop: Path
    seconds: float

    @property
    def _module(self) -> Mapping[str, str]:
        return dict(tomllib.loads(self.deployment.config_path.read_text())["module"])

    def environment(self) -> dict[str, str]:
        token = {"SOFTHSM2_CONF": str(self.deployment.directory / "softhsm2.conf")}
        return {**os.environ, **token, **self.deployment.broker_environment}

    def loop(self, *, processes: int, verify: bool) -> float:
        """Signatures a second of the C loop."""
        point = self.deployment.keys[KEY].public_key
        spki = point.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()
        label = self._module["token_label"]
        command = [str(self.sign_loop), str(self._module["library"]), label, KEY, spki]
        return self._run([*command, "{start}", str(self.seconds), str(int(verify))], processes)

    def prepared(self, *, mode: str, width: int, checked: bool, about: float) -> float:
        """The same from the broker, of requests that were made before; ``about`` is what it may come to."""
        file = self.deployment.directory / "prepared"
        # Twice what is needed, for the figure and its warm-up.
        count = int(2 * about * (self.seconds + 1)) + _AT_LEAST
        prepare(self.deployment, KEY, file, count, checked=checked)
        return self.load(target=self.deployment.target, mode=mode, width=width, processes=1, prepared=file)

    def load(self, *, target: str, mode: str, width: int, processes: int, prepared: Path | None = None) -> float:
        """Signatures a second that load generators got from a server."""
        command = [sys.executable, "-P", "-m", "scripts.bench_parts.load", str(self.deployment.directory)]
        more = [] if prepared is None else [str(prepared)]
        return self._run_when_ready([*command, target, mode, str(width), str(self.seconds), *more], processes)

    @contextmanager
    def bare_server(self) -> Iterator[str]:
        """The bare server, for as long as the block lasts; gives its target."""
        arguments = [str(self.deployment.directory), str(self._module["library"]), self._module["token_label"], KEY]
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "scripts.bench_parts.bare_server", *arguments],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            if server.stdout is None or not (said := server.stdout.readline()).startswith("ready"):
                raise SystemExit("the bare server did not start")
            try:
                yield f"127.0.0.1:{said.split()[1]}"
            finally:
                # It ends with its standard input.
                server.communicate(timeout=20)

    def _run(self, command: Sequence[str], processes: int) -> float:
        """Of processes that are told when to start before they are started."""
        start = f"{time.time() + _START_UP_SECONDS:.3f}"
        arguments = [part.replace("{start}", start) for part in command]
        return self._sum([self._start(arguments) for _ in range(processes)])

    def _run_when_ready(self, command: Sequence[str], processes: int) -> float:
        """Of processes that say when they are ready to be told."""
        running = [self._start(command) for _ in range(processes)]
        if any(process.stdout is None or process.stdout.readline() != "ready\n" for process in running):
            raise SystemExit(f"a measuring process did not start: {' '.join(command[:4])} ...")
        start = f"{time.time() + 2 * WARM_UP_SECONDS:.3f}\n"
        for process in running:
            if process.stdin is not None:
                process.stdin.write(start)
                process.stdin.flush()
        return self._sum(running)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _sum(self, running: Sequence[subprocess.Popen[str]]) -> float:
        said = [process.communicate(timeout=self.seconds + 60)[0] for process in running]
        if any(process.returncode != 0 for process in running):
            raise SystemExit("a measuring process failed; it said why above")
        return sum(int(each) for each in said) / self.seconds
