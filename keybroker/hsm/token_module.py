"""The Cryptographic Module made of one token: ``CryptographicModule`` over a ``Connection``.

It keeps what must not go stale: sessions, handles and findings live and die with one session generation, and a module
in doubt is recovered before an intent is spent on it. Nothing here imports pkcs11; ``token.open_token`` makes it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from keybroker.errors import ModuleFault, ModuleUnavailable
from keybroker.gates.model import ModuleIdentity
from keybroker.hsm.anchor import read_head, replace_head, write_head
from keybroker.hsm.attributes import key_identifier
from keybroker.hsm.batch import Batch
from keybroker.hsm.connection import Connection, TokenDescription
from keybroker.hsm.held_keys import IN_NO_MODULE, Demands, HeldKeys, find_held_keys
from keybroker.hsm.pin import PinWrong
from keybroker.hsm.processing import KeyUses, key_uses
from keybroker.hsm.profile import Profile
from keybroker.hsm.recovery import Ladder
from keybroker.hsm.return_values import CallFailed, Rung, fault
from keybroker.hsm.session_objects import destroy_session_objects
from keybroker.hsm.sessions import SessionPool
from keybroker.hsm.sign_switch import clear_sign, is_last_signature
from keybroker.ledger.model import Failure, Head, Intent, Result
from keybroker.policy.model import KeyRegister, Policy
from keybroker.terms import DeploymentKind, Finding, KeyLabel, KeyPurpose

_WAIT_SECONDS = 5.0
"""How long a borrower waits for a session before the caller is told that the module is busy."""
_PAUSE_SECONDS = 0.25
"""How long the ladder rests after it failed at every rung."""
_LOOK_SECONDS = 1.0
"""How often at most the token is looked at: is it there, and what does it say of itself? (43 us on SoftHSM) The session
is looked at in every batch (0.7 us)."""
_OPENING_TRIES = 3
"""Processes that initialise one SoftHSM token at the same instant fail now and then with "no token"."""


class Token:
    """A token whose keys are used under Intents. Safe for many threads: one lock around finding, making, recovering."""

    def __init__(
        self,
        connection: Connection,
        *,
        sessions: int,
        demands: Demands,
        site: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``connection`` is connected already; use ``Token.open``."""
        self._connection = connection
        self._demands = demands
        self._site = site
        self._sessions = sessions
        self._lock = threading.RLock()
        self._held: HeldKeys | None = None
        self._register: KeyRegister | None = None
        self._clock = clock
        self._looked_at = clock()
        self._head_seen = False
        self._pool: SessionPool[KeyUses] = self._open_pool()
        self._executor = ThreadPoolExecutor(sessions, thread_name_prefix="module") if sessions > 1 else None
        self._ladder = Ladder(
            {
                Rung.SESSION: self._renew_sessions,
                Rung.LOGIN: self._renew_login,
                Rung.HANDLES: self._forget_handles,
                Rung.LIBRARY: self._renew_library,
            },
            proof=self._check_recovered,
            pause_seconds=_PAUSE_SECONDS,
        )

    @classmethod
    def open(
        cls,
        connection: Connection,
        *,
        profile: Profile,
        sessions: int,
        policies: Mapping[KeyPurpose, Policy],
        deployment: DeploymentKind,
        site: str = "",
    ) -> Token:
        """Connect, with a few tries where the token does not show at once.

        Raises: PinWrong (after one try); ConfigurationInvalid; ModuleUnavailable.
        """
        demands = Demands(profile=profile, policies=policies, deployment=deployment)
        last: CallFailed | ModuleUnavailable = ModuleUnavailable("the module was not looked for")
        for attempt in range(_OPENING_TRIES):
            try:
                if attempt:
                    time.sleep(0.1 * attempt)
                    connection.restart_library()
                connection.connect()
                return cls(connection, sessions=sessions, demands=demands, site=site)
            except (CallFailed, ModuleUnavailable) as error:
                connection.disconnect()
                last = error
        raise fault(last, used=False) if isinstance(last, CallFailed) else last

    # --- CryptographicModule

    @property
    def serial(self) -> str:
        return self.description.serial

    @property
    def identity(self) -> ModuleIdentity:
        """As library and token told when they were last looked at: a second ago at most for whoever asked just before
        what is ``served``."""
        told = self.description
        return ModuleIdentity(
            manufacturer=told.manufacturer.strip(),
            model=told.model.strip(),
            serial=told.serial,
            firmware_version=told.firmware_version,
            hardware_version=told.hardware_version,
            library=" ".join(filter(None, (told.library_manufacturer, told.library_description, told.library_version))),
            level=self.profile.validation.level,
            site=self._site,
        )

    def use(self, intents: Sequence[Intent]) -> list[Result | Failure]:
        """See ``CryptographicModule``. Raises: ModuleUnavailable, ModuleBusy before any intent is spent."""
        with self._lock:
            self._make_ready()
            lease = self._pool.borrow(min(len(intents), self._sessions) or 1)
            sessions = lease.__enter__()
            keys = self._held.keys if self._held is not None else {}
        try:
            batch = Batch(intents, keys, serial=self.serial, report=self._ladder.report)
            if self._executor is None or len(sessions) == 1:
                results = batch.use_with(sessions[0])
            else:
                results = batch.use_in_parallel(sessions, self._executor)
        finally:
            lease.__exit__(None, None, None)
        return [self._settle(result) if is_last_signature(result) else result for result in results]

    def _settle(self, last: Result | Failure) -> Result | Failure:
        """A Key Agreement key has signed the request for its certificate: it signs no more, or nothing is given out."""
        key = last.intent.permit.decision.key
        try:
            with self.exclusively() as connection:
                clear_sign(connection, key.label, key_identifier(key.public_key), self.profile)
                if self._held is not None:
                    # It may be another object now.
                    self._held = find_held_keys(connection, self._held.register, self._demands)
        except ModuleFault as error:
            used = type(error)(error.sentence, used=True)
            return Failure(intent=last.intent, error=used, module_serial=self.serial)
        return last

    def served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        """One finding per registered key, looked up once per register version and session generation. Raises:
        ModuleFault."""
        with self._lock:
            self._make_ready()
            held = self._held
            if held is None or held.register.version != register.version:
                self._register = register
                with self._calls():
                    held = self._held = find_held_keys(self._connection, register, self._demands)
            return held.findings

    def last_served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        """As last found for the very same keys; nothing of others."""
        held = self._held
        if held is None:
            return {}
        return {label: found for label, found in held.findings.items() if _is_same(held.register, register, label)}

    def read_anchor(self) -> Head | None:
        """The ledger's last head; None also for a token that keeps no data objects. Raises: ModuleFault."""
        if not self.keeps_anchor:
            return None
        with self.exclusively() as connection:
            kept = read_head(connection)
        self._head_seen |= kept is not None
        return kept

    def write_anchor(self, head: Head) -> None:
        """Keep a head. A token that keeps no data objects keeps nothing. Raises: ModuleFault, ModuleDisagrees among
        them where an older one would take the place of a newer, or what was kept is not there any more."""
        if self.keeps_anchor:
            with self.exclusively() as connection:
                write_head(connection, head, kept_before=self._head_seen)
            self._head_seen = True

    def replace_anchor(self, head: Head, *, instead_of: Head | None) -> None:
        """After a restore, by its command alone (``hsm/anchor.py``). Raises: ModuleFault."""
        with self.exclusively() as connection:
            replace_head(connection, head, instead_of=instead_of)
        self._head_seen = True

    # --- keys that a quorum holds for a while

    def hold_in_session(self, label: KeyLabel) -> None:
        """Serve the session key of this label, which ``unwrapping.unwrap_key`` has just made, for as long as it
        lives: until ``let_go``, a new login, or the end of the process."""
        with self._lock:
            self._demands = replace(self._demands, in_session=self._demands.in_session | {label})
            self._forget_handles()

    def serve_brought_in(self, label: KeyLabel) -> None:
        """Serve the key of this label, which the maker's quorum has just brought into the token, until ``let_go``."""
        with self._lock:
            self._demands = replace(self._demands, brought_in=self._demands.brought_in | {label})
            self._forget_handles()

    def let_go(self, label: KeyLabel) -> None:
        """Destroy the session key of this label and serve it no more; may be called again. Objects of the token stay.
        Raises: ModuleFault, ModuleDisagrees among them where the module still shows it."""
        with self._lock:
            in_session, brought_in = self._demands.in_session - {label}, self._demands.brought_in - {label}
            self._demands = replace(self._demands, in_session=in_session, brought_in=brought_in)
            self._forget_handles()
            with self.exclusively() as connection:
                destroy_session_objects(connection.wrapping(), label)

    @property
    def held_in_session(self) -> frozenset[KeyLabel]:
        return self._demands.in_session

    # --- for administration, check and supervision

    @property
    def profile(self) -> Profile:
        return self._demands.profile

    @property
    def deployment(self) -> DeploymentKind:
        return self._demands.deployment

    @property
    def description(self) -> TokenDescription:
        return self._connection.description

    @property
    def keeps_anchor(self) -> bool:
        """Can the ledger's head be kept in this token? Where it cannot, only a witness notices a rollback."""
        return self.profile.objects.data

    @property
    def needs_new_process(self) -> bool:
        """The last rung: only a new worker process (or an operator with the right PIN) reaches the module again."""
        return self._ladder.needed is Rung.PROCESS

    @property
    def pin_refused(self) -> bool:
        """Did the token refuse the PIN while we recovered? Then no new process should try it again either."""
        return isinstance(self._ladder.refused, PinWrong)

    def session_ok(self) -> bool:
        """Is the token in its slot and are we logged in, now? For health; it recovers nothing."""
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            return False
        try:
            self._connection.check_session()
            self._connection.check_token()
        except CallFailed as failure:
            self._ladder.report(failure)
            return False
        finally:
            self._lock.release()
        return self._ladder.needed is Rung.NONE

    @contextmanager
    def exclusively(self) -> Iterator[Connection]:
        """The connection for finding and making, one thread at a time, recovered first. Raises: ModuleFault."""
        with self._lock:
            self._make_ready()
            with self._calls():
                yield self._connection

    def close(self) -> None:
        """Close our sessions. The library stays initialised: it is the process's."""
        with self._lock:
            if self._executor is not None:
                self._executor.shutdown()
            self._connection.disconnect()

    # --- generations and recovery

    def _make_ready(self) -> None:
        if self._ladder.needed is Rung.NONE:
            try:
                self._connection.check_session()
                now = self._clock()
                if now - self._looked_at > _LOOK_SECONDS:
                    self._connection.check_token()
                    self._looked_at = now
            except CallFailed as failure:
                self._ladder.report(failure)
        if self._ladder.needed is not Rung.NONE:
            # Nobody may be inside the module while sessions are closed and the library is finalised.
            with self._pool.all_at_rest():
                self._ladder.climb()

    @contextmanager
    def _calls(self) -> Iterator[None]:
        try:
            yield
        except CallFailed as failure:
            self._ladder.report(failure)
            raise fault(failure, used=False) from failure

    def _open_pool(self) -> SessionPool[KeyUses]:
        sessions = self._connection.open_sessions(self._sessions)
        return SessionPool([key_uses(each, self.profile) for each in sessions], wait_seconds=_WAIT_SECONDS)

    def _forget_handles(self) -> None:
        self._held = None

    def _renew_sessions(self) -> None:
        self._forget_handles()
        self._connection.close_sessions()
        self._pool = self._open_pool()

    def _renew_login(self) -> None:
        self._forget_handles()
        self._connection.disconnect()
        self._connection.connect()
        self._pool = self._open_pool()

    def _renew_library(self) -> None:
        self._forget_handles()
        self._connection.restart_library()
        self._connection.connect()
        self._pool = self._open_pool()

    def _check_recovered(self) -> None:
        """Logged in, the token there, and the keys found again: each with its identifier, public key and attributes.

        Raises: CallFailed; ModuleUnavailable when no registered key is found any more, for then it is not our token
        yet.
        """
        self._connection.check_session()
        self._connection.check_token()
        if self._register is None:
            return
        held = find_held_keys(self._connection, self._register, self._demands)
        # What went with its session, or stands in no module, is not waited for.
        waited_for = {key.label for key in self._register.keys.values() if key.state not in IN_NO_MODULE}
        if waited_for - self._demands.in_session and not held.keys:
            raise ModuleUnavailable("the token shows none of the registered keys")
        self._held = held


def _is_same(one: KeyRegister, other: KeyRegister, label: KeyLabel) -> bool:
    """Is it the same key, for the same purpose, in both?"""
    a, b = one.keys.get(label), other.keys.get(label)
    return a is not None and b is not None and (a.public_key, a.purpose) == (b.public_key, b.purpose)
