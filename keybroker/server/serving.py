"""How does a worker serve, once its line is open? Bind, answer, look at itself every second, anchor, reload, drain."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import final

import grpc
from prometheus_client import CollectorRegistry

from keybroker.config import Configuration, Works, read_accepted_configuration
from keybroker.errors import KeybrokerError, LedgerFault, ModuleFault
from keybroker.gates.lapses import due_back_up
from keybroker.keys.upkeep import last_back_up
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.model import Entry, RecordKind
from keybroker.server.anchoring import Anchoring
from keybroker.server.baton import Baton
from keybroker.server.calls import Calls
from keybroker.server.checkpointing import TICK_SECONDS, Checkpointing
from keybroker.server.clock_reading import ClockReading
from keybroker.server.coalescer import Coalescer
from keybroker.server.control import Control
from keybroker.server.exit_status import ExitStatus
from keybroker.server.health import Health
from keybroker.server.key_service import outlook_of, why_unusable
from keybroker.server.lapse_warnings import LapseWarnings
from keybroker.server.logging import Logger
from keybroker.server.metrics import Metrics
from keybroker.server.reload import reloaded, standing_of
from keybroker.server.smets1_sessions import Sessions
from keybroker.server.standing import Current
from keybroker.server.transport import bind, make_server
from keybroker.server.watch_readiness import watch_readiness
from keybroker.server.work import Work
from keybroker.terms import KeyLabel, PartyName

_LOOK_SECONDS = 1.0
_FORGET_SECONDS = 3600.0
_SWEEP_SECONDS = 5.0
_LAPSES_SECONDS = 600.0
_WATCH_SECONDS = 5.0
_LAST_REPLIES_SECONDS = 1.0
"""After draining: how long replies may still be on their way, and Watch calls stay open."""


@final
class Serving:
    """One worker's life between an open line and a closed one."""

    def __init__(
        self,
        configuration: Configuration,
        works: Works,
        control: Control,
        log: Logger,
        name: str,
        baton: Baton | None,
        broker: str,
    ) -> None:
        """``broker``: this run of the supervisor, told from every other."""
        self._configuration = configuration
        self._works = works
        self._control = control
        self._log = log
        self._name = name
        self._baton = baton
        self._current = Current(standing_of(configuration, works))
        self._metrics = Metrics(CollectorRegistry())
        self._anchor = Anchoring(self._current, log)
        self._clock = ClockReading(works.watch, self._metrics, log)
        self._lapses = LapseWarnings(self._metrics, log)
        self._sessions = Sessions(self._current, works.token, broker=broker, log=log)
        self._stop = asyncio.Event()
        self._status = ExitStatus.CLEAN
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, listen: str) -> int:
        """Serve until told to stop, or until only a new process reaches the module. Raises: KeybrokerError."""
        limits = self._configuration.file.limits
        self._coalescer = Coalescer(
            Work(self._current, self._metrics, self._log),
            queued_items=limits.queued_items,
            batch_items=limits.batch_items,
            overdue_seconds=limits.deadline_seconds,
            baton=self._baton,
        )
        # Half of the queue: the configuration sees to it that a whole batch fits.
        share = limits.queued_items // 2
        self._calls = Calls(self._current, self._coalescer, self._metrics, self._log, share_items=share)
        self._health = Health(self._calls)
        await self._coalescer.run(self._begin)
        # Before anything is served: a gate that relies on time is shut until the clock was compared.
        await self._clock.read()
        await self._look()
        server = make_server(self._configuration, self._calls, self._health, self._sessions)
        bind(server, self._configuration, listen)
        await server.start()
        self._listen_to_control()
        self._every(_LOOK_SECONDS, self._look)
        self._every(self._configuration.file.ledger.anchor_seconds, self._anchor_now)
        self._every(_FORGET_SECONDS, self._forget_now)
        self._every(_SWEEP_SECONDS, self._sweep_now)
        self._every(_LAPSES_SECONDS, self._warn_now)
        if self._configuration.file.watch is not None:
            await self._look_at_watch()
            self._every(_WATCH_SECONDS, self._look_at_watch)
        self._sign_checkpoints()
        if (seconds := self._clock.every_seconds) is not None:
            self._every(seconds, self._clock.read)
        self._control.say("ready")
        self._log.info("worker ready", listen=listen)
        await self._stop.wait()
        await self._drain(server)
        return self._status

    # ---- beginning and end

    def _begin(self) -> None:
        """On the signer thread: the head is kept, what dead workers left open is closed, the start is recorded.

        In this order: a worker may die at any moment, and a ledger that holds a start must have a head outside it.
        """
        at = self._current.standing.clock.now()
        if self._works.token.keeps_anchor:
            self._anchor.begin()
        else:
            self._log.warning("module keeps no ledger head: an earlier ledger put back goes unnoticed")
        for receipt in self._works.journal.close_open_intents(at):
            self._log.warning("outcome unknown of an earlier worker's intent", leaf_index=receipt.leaf_index)
        self._write(RecordKind.START, {"listen": self._configuration.file.server.listen})
        self._forget()
        self._sessions.sweep()
        self._anchor()
        self._warn()

    async def _drain(self, server: grpc.aio.Server) -> None:
        """New requests are refused with BrokerStopping, what was taken is answered; then the port is left."""
        self._log.info("draining", queued=self._coalescer.queued)
        await self._health.stop()
        self._coalescer.refuse_new()
        for stream in tuple(self._calls.streams):
            stream.end()
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._configuration.file.limits.drain_seconds):
                await self._coalescer.drained()
        await server.stop(_LAST_REPLIES_SECONDS)
        if not self._coalescer.overdue:
            await self._coalescer.run_unbounded(self._finish)
        self._coalescer.close()
        self._log.info("worker stopped")

    def _finish(self) -> None:
        """On the signer thread, and the last thing there."""
        try:
            self._write(RecordKind.STOP, {})
        except LedgerFault as fault:
            self._log.warning("stop not recorded", reason=fault.reason, why=fault.sentence)
        self._anchor()
        self._works.close()

    def _write(self, kind: RecordKind, body: dict[str, Json]) -> None:
        entry = Entry(kind=kind, party=PartyName(""), body={"worker": self._name, **body})
        self._current.standing.line.journal.write([entry], at=self._current.standing.clock.now())

    # ---- every so often

    def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                await do()

        task = asyncio.create_task(again())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw in a background task stops this worker; the supervisor starts another."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.error("background task failed", exc_info=task.exception())
            self._leave(ExitStatus.PIN_WRONG if self._works.token.pin_refused else ExitStatus.NOT_NOW)

    def _sign_checkpoints(self) -> None:
        table = self._configuration.file.checkpoints
        if table is None:
            self._log.info("no checkpoints are signed: [checkpoints] is not configured")
            return
        self._every(TICK_SECONDS, Checkpointing(table, self._current, self._coalescer, self._metrics, self._log))

    async def _anchor_now(self) -> None:
        await self._coalescer.run_unbounded(self._anchor)

    async def _forget_now(self) -> None:
        await self._coalescer.run_unbounded(self._forget)

    async def _warn_now(self) -> None:
        await self._coalescer.run_unbounded(self._warn)

    def _warn(self) -> None:
        """On the signer thread: what lapses soon."""
        standing = self._current.standing
        at, table = standing.clock.now(), self._configuration.file.backup
        try:
            held = standing.line.register.refresh()
            with self._works.ledger.read() as connection:
                last = last_back_up(connection)
        except LedgerFault:
            return  # told elsewhere, every second
        due = None if table is None else due_back_up(last, timedelta(days=table.warn_after_days), at)
        self._lapses.look(held, standing.line.policies, at, due)

    async def _look_at_watch(self) -> None:
        ready = await self._coalescer.run_unbounded(self._watch_state)
        await self._health.show_watch(ready)

    def _watch_state(self) -> Mapping[str, bool]:
        """On the signer thread."""
        standing = self._current.standing
        try:
            return watch_readiness(self._works.ledger, self._configuration.file.watch, standing.clock.now())
        except LedgerFault:
            return {}  # told elsewhere, every second

    async def _sweep_now(self) -> None:
        await self._coalescer.run_unbounded(self._sessions.sweep)

    def _forget(self) -> None:
        """On the signer thread: request ids older than they are promised to be known."""
        standing = self._current.standing
        before = standing.clock.now() - timedelta(days=self._configuration.file.ledger.request_ids_kept_days)
        try:
            self._works.journal.forget_requests(before)
        except LedgerFault as fault:
            self._log.warning("old request ids not forgotten", reason=fault.reason, why=fault.sentence)

    async def _look(self) -> None:
        """Health and metrics as they are now. While a batch is overdue there is nobody to ask."""
        self._clock.look()
        if self._coalescer.overdue:
            await self._health.show(signing=False, keys={})
            return
        signing, keys, records = await self._coalescer.run_unbounded(self._state)
        # Both threads came by here: a worker that hangs in the module or the ledger, or is stopped, falls silent.
        self._control.mention("alive")
        await self._health.show(signing=signing, keys=keys)
        self._metrics.flush()
        self._metrics.standing(queued=self._coalescer.queued, records=records, keys=keys)
        if self._works.token.needs_new_process:
            self._log.error("module reachable by a new process only")
            self._leave(ExitStatus.NOT_NOW)

    def _state(self) -> tuple[bool, dict[KeyLabel, bool], int]:
        """On the signer thread: does the line work, which keys may be used, how many records are there?"""
        standing = self._current.standing
        at = standing.clock.now()
        try:
            register = standing.line.register.refresh()
            records = standing.line.journal.head(at).tree_size
        except LedgerFault:
            return False, {}, 0
        try:
            served = standing.line.module.served(register)
        except ModuleFault:
            return False, {label: False for label, key in register.keys.items() if key.session is None}, records
        # A session's key comes and goes: what watches keys by their labels is told of those that stay.
        kept = {label: key for label, key in register.keys.items() if key.session is None}
        line, outlook = standing.line, outlook_of(standing.line, register, at)
        self._metrics.witnessed(enough=not outlook.surroundings.unwitnessed)
        usable = {
            label: not why_unusable(key, served, register.lists, line.policies.get(key.purpose), outlook)
            for label, key in kept.items()
        }
        return True, usable, records

    # ---- told by supervisor or signal

    def _listen_to_control(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        loop.add_reader(self._control.fileno(), self._hear)

    def _hear(self) -> None:
        try:
            for word, _ in self._control.hear():
                if word == "reload":
                    self._reload_soon()
        except EOFError:
            # The supervisor has gone; nobody would restart or stop us.
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._stop.set()

    def _leave(self, status: ExitStatus) -> None:
        self._status = status
        self._stop.set()

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _reload(self) -> None:
        """Swap policies and callers at once, or keep the old and say why."""
        async with self._reloading:
            try:
                new = await asyncio.to_thread(read_accepted_configuration, self._configuration.accepted)
                await self._coalescer.run_unbounded(lambda: self._swap(new))
            except KeybrokerError as error:
                self._log.warning(
                    "reload refused, the old configuration stands", reason=error.reason, why=error.sentence
                )
                self._control.say("kept", error.sentence)
                self._metrics.reload(taken=False)
            else:
                self._log.info("reload taken", configuration=self._configuration.sources.digest.hex())
                self._control.say("taken")
                self._metrics.reload(taken=True)

    def _swap(self, new: Configuration) -> None:
        """On the signer thread, so between batches."""
        works, standing = reloaded(self._configuration, new, self._works, worker=self._name)
        self._works, self._configuration = works, new
        self._current.standing = standing
