"""Who starts the workers, and again when one dies? One supervisor a deployment; it serves metrics and no request.

It proves the port free and keeps it, holds ledger and data directory, starts workers one at a time, hands them the
PIN, restarts what dies with growing pauses, and latches after a wrong PIN until an operator acts. It starts no gRPC and
loads no token's library.
"""

from __future__ import annotations

import argparse
import os
import secrets
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import final

from keybroker.config import Configuration, check_head_is_kept, check_witnesses, read_configuration
from keybroker.config.latch import find_latch, latch
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.ledger.store import hold_ledger
from keybroker.server.beside_process import BesideProcess
from keybroker.server.exit_status import ExitStatus, exit_status
from keybroker.server.hold import hold_directory
from keybroker.server.logging import Logger, configure_logging
from keybroker.server.own_process import check_modes, check_user, keep_to_itself
from keybroker.server.port import reserve
from keybroker.server.process import WorkerProcess
from keybroker.server.reload import check_ordered, check_reloadable
from keybroker.server.service_manager import ServiceManager
from keybroker.server.supervisor_metrics import SupervisorMetrics
from keybroker.server.watch_process import WatchProcess

_TICK_SECONDS = 0.2
_START_SECONDS = 60.0
"""A worker that is not ready by then is killed and started anew."""
_STEADY_SECONDS = 60.0
"""A worker that was up for so long starts again without a growing pause."""
_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LEAST_SILENCE_SECONDS = 20.0
"""Of a worker that says every second that it is alive; and at least twice what a batch may take. Then it is killed."""
_KILL_SECONDS = 5.0
"""After the time for draining."""


def serve(config_path: Path | str, workers: int) -> int:
    """Run a broker until it is told to stop. Answers an ExitStatus; says on standard error why it did not start."""
    try:
        configuration = read_configuration(config_path)
        if workers < 1:
            raise ConfigurationInvalid(f"expected at least one worker, found {workers}", where="--workers")
        check_user(configuration.deployment, os.getresuid())
        check_modes(configuration)
        log = configure_logging(configuration.file.server.log, worker="supervisor")
        check_head_is_kept(configuration)
        with hold_directory(configuration.data_directory):
            configuration.accept()
            held = hold_ledger(configuration.ledger_url)
            check_witnesses(configuration, lambda name, why: log.warning("witness not asked", witness=name, why=why))
            kept, listen = reserve(configuration.file.server.listen)
            with kept, SupervisorMetrics(configuration) as metrics:
                told = ServiceManager(os.environ)
                status = Supervisor(configuration, listen, workers, log, metrics, told).run()
            held.close()
            return status
    except KeybrokerError as error:
        sys.stderr.write(f"keybroker: {error.reason}: {error.sentence}\n")
        return exit_status(error)


class _Slot:
    """One place for a worker: who is in it, and when the next one may start."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: WorkerProcess | None = None
        self.failures = 0
        self.not_before = 0.0


@final
class Supervisor:
    """One thread: signals set flags, a tick looks at everything."""

    def __init__(
        self,
        configuration: Configuration,
        listen: str,
        workers: int,
        log: Logger,
        metrics: SupervisorMetrics,
        manager: ServiceManager,
    ) -> None:
        self._configuration = configuration
        self._before = self._asked = configuration
        self._taken = True
        self._listen = listen
        self._broker = secrets.token_hex(8)
        self._since = int(configuration.clock.now().timestamp())
        self._log = log
        self._metrics = metrics
        self._manager = manager
        self._pin = configuration.pin
        self._hidden = _secrets_variables(configuration)
        self._beside = _beside(configuration, self._hidden, log)
        self._slots = [_Slot(number) for number in range(workers)]
        self._watch = WatchProcess(configuration, metrics.directory, log)
        self._selector = selectors.DefaultSelector()
        self._stop = False
        self._reload = False
        self._was_ready = False
        self._latched: str | None = None
        self._status: int | None = None

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or a first start that can never succeed."""
        woken = self._catch_signals()
        with woken:
            while not self._stop and self._status is None:
                self._tick()
                self._manager.alive()
            self._manager.stopping()
            self._stop_all()
        self._log.info("broker stopped")
        return ExitStatus.CLEAN if self._status is None else self._status

    # ---- one tick

    def _tick(self) -> None:
        for key, _ in self._selector.select(_TICK_SECONDS):
            if isinstance(key.data, _Slot):
                self._hear(key.data)
            else:
                key.data()
        for slot in self._slots:
            self._bury(slot)
        if self._reload:
            self._reload = False
            self._pass_reload_on()
        self._look_at_latch()
        self._look_for_silence()
        self._start_next()
        # Once the broker was ready: who watches the ledger need not migrate it.
        if self._was_ready and not self._stop and (ended := self._watch.tick()) is not None:
            self._metrics.forget(ended)
        for process in self._beside if self._was_ready else ():
            process.keep_running()
        self._metrics.workers(sum(slot.process is not None and slot.process.ready for slot in self._slots))

    def _start_next(self) -> None:
        """One at a time: the next starts when the last is ready, so a wrong PIN is tried once."""
        running = [slot.process for slot in self._slots if slot.process is not None]
        starting = [process for process in running if not process.ready]
        for process in starting:
            if time.monotonic() - process.started > _START_SECONDS:
                self._log.error("worker not ready in time", number=process.number)
                process.kill()
        if starting or self._latched is not None or self._stop:
            return
        for slot in self._slots:
            if slot.process is None and slot.not_before <= time.monotonic():
                self._start(slot)
                return

    def _start(self, slot: _Slot) -> None:
        try:
            pin = self._pin()
        except ConfigurationInvalid as error:
            self._fail(slot, ExitStatus.CONFIGURATION_INVALID, error.sentence)
            return
        slot.process = WorkerProcess(
            number=slot.number,
            accepted=self._configuration.accepted,
            listen=self._listen,
            broker=self._broker,
            since=self._since,
            metrics_directory=self._metrics.directory,
            pin=pin,
            hidden=self._hidden,
            handshake_failed=self._handshake_failed,
        )
        self._selector.register(slot.process.control, selectors.EVENT_READ, slot)

    def _hear(self, slot: _Slot) -> None:
        process = slot.process
        if process is None:
            return
        try:
            for word, text in process.control.hear():
                self._heard(process, word, text)
        except EOFError:
            self._selector.unregister(process.control)
            process.heard_all = True

    def _heard(self, process: WorkerProcess, word: str, text: str) -> None:
        process.heard = time.monotonic()
        if word == "ready":
            process.ready = True
            if not self._was_ready and all(slot.process is not None and slot.process.ready for slot in self._slots):
                self._was_ready = True
                self._log.info("broker ready", listen=self._listen, workers=len(self._slots))
                self._manager.ready(f"{len(self._slots)} workers serve {self._listen}")
        elif word == "failed":
            process.why = text
        elif word == "taken":
            self._log.info("reload taken by worker", number=process.number)
            if not self._taken:
                self._watch.renew()
            self._taken = True
            self._stand_on(self._asked)
        elif word == "kept":
            self._log.warning("reload refused by worker", number=process.number, why=text)
            if not self._taken:
                # What a worker refused, and none has taken, must not be what the next one starts with.
                self._stand_on(self._before)

    # ---- the dead

    def _bury(self, slot: _Slot) -> None:
        process = slot.process
        if process is None or (status := process.ended()) is None:
            return
        while not process.heard_all:
            self._hear(slot)
        process.close()
        slot.process = None
        self._metrics.died(process.pid)
        if process.ready and time.monotonic() - process.started > _STEADY_SECONDS:
            slot.failures = 0
        self._fail(slot, status, process.why)

    def _fail(self, slot: _Slot, status: int, why: str) -> None:
        self._log.error("worker ended", number=slot.number, status=status, why=why)
        if status == ExitStatus.PIN_WRONG:
            latch(self._configuration.data_directory, why)
            return
        if status in (ExitStatus.CONFIGURATION_INVALID, ExitStatus.LEDGER_BROKEN) and not self._was_ready:
            sys.stderr.write(f"keybroker: {why}\n")
            self._status = status
            return
        slot.not_before = time.monotonic() + _PAUSES[min(slot.failures, len(_PAUSES) - 1)]
        slot.failures += 1

    def _look_for_silence(self) -> None:
        """A worker that hangs in the module or the ledger, or is stopped, keeps its connections and answers none."""
        longest = max(_LEAST_SILENCE_SECONDS, 2 * self._configuration.file.limits.deadline_seconds)
        for process in (slot.process for slot in self._slots):
            if process is not None and process.ready and time.monotonic() - process.heard > longest:
                self._log.error("worker silent", number=process.number, seconds=longest)
                process.kill()

    def _look_at_latch(self) -> None:
        found = find_latch(self._configuration.data_directory)
        if found is not None and self._latched is None:
            self._log.error("module latched: no worker starts until keybroker module unlatch", why=found)
            self._manager.status("module latched: no worker starts until keybroker module unlatch")
        elif found is None and self._latched is not None:
            self._log.info("module unlatched")
            self._manager.status("module unlatched: workers start")
            for slot in self._slots:
                slot.not_before, slot.failures = 0.0, 0
        self._latched = found
        self._metrics.latched(found is not None)

    # ---- told by signals

    def _catch_signals(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        self._selector.register(ours, selectors.EVENT_READ, lambda: ours.recv(4096))
        self._waker = theirs
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        signal.signal(signal.SIGHUP, self._told_to_reload)
        return ours

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True

    def _told_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True

    def _pass_reload_on(self) -> None:
        """Workers are asked only when the new configuration can be read, may be swapped in at all, and was ordered.

        What is accepted is kept before they are asked: they read that, and so does whoever starts later.
        """
        try:
            new = read_configuration(self._configuration.path)
            check_reloadable(self._configuration, new)
            check_ordered(self._configuration, new)
            new.accept()
        except KeybrokerError as error:
            self._metrics.reload_refused(error.reason)
            self._log.warning(
                "reload refused, the old configuration stands",
                reason=error.reason,
                why=error.sentence,
                kept=self._configuration.sources.digest.hex(),
            )
            return
        self._before, self._asked, self._configuration = self._configuration, new, new
        self._taken = False
        for slot in self._slots:
            if slot.process is not None:
                slot.process.control.say("reload")

    def _stand_on(self, configuration: Configuration) -> None:
        if configuration is self._configuration:
            return
        self._configuration = configuration
        try:
            configuration.accept()
        except ConfigurationInvalid as error:
            self._log.error("accepted configuration not kept", why=error.sentence)

    def _handshake_failed(self, why: str) -> None:
        self._metrics.handshake_failed(why)
        self._log.warning("handshake failed", why=why)

    # ---- the end

    def _stop_all(self) -> None:
        signal.set_wakeup_fd(-1)
        processes = [slot.process for slot in self._slots if slot.process is not None]
        for process in processes:
            process.terminate()
        self._watch.stop()
        last = time.monotonic() + self._configuration.file.limits.drain_seconds + _KILL_SECONDS
        while time.monotonic() < last and any(process.ended() is None for process in processes):
            time.sleep(0.02)
            self._manager.alive()
        for process in processes:
            if process.ended() is None:
                self._log.error("worker did not drain in time", number=process.number)
                process.kill()
            process.close()
        for beside in self._beside:
            beside.end()
        self._selector.close()
        self._waker.close()


def _secrets_variables(configuration: Configuration) -> frozenset[str]:
    """The environment variables that hold the PIN and the webhook's secret: no worker has them."""
    watch = configuration.file.watch
    webhook = None if watch is None or watch.webhook is None else watch.webhook.secret.environment
    return frozenset(filter(None, [configuration.file.module.pin.environment, webhook]))


def _beside(configuration: Configuration, hidden: frozenset[str], log: Logger) -> list[BesideProcess]:
    """The processes beside the workers, those that the configuration asks for."""
    asked = {"publisher": configuration.tiles is not None, "witnessing": configuration.file.witnesses is not None}
    return [
        BesideProcess(name, configuration.accepted, hidden=hidden, log=log)
        for name, is_asked in asked.items()
        if is_asked
    ]


def main(arguments: Sequence[str]) -> int:
    """``python -m keybroker.server.supervisor FILE --workers N``."""
    parser = argparse.ArgumentParser(prog="keybroker.server.supervisor")
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args(arguments)
    keep_to_itself()
    return serve(asked.configuration, asked.workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
