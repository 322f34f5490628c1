"""What is this broker made of? The composition root: the only place that reads configuration and builds objects.

``read_configuration`` reads keybroker.toml, the policies, the profile and the anchors, strictly; ``build_line`` opens
ledger and token and joins them into the line. Objects are handed on by constructor; nothing here is global, except the
environment variables that a token's C library reads when it is loaded (``module.environment``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from keybroker.clause import clause
from keybroker.config.anchors import device_anchors, own_anchors
from keybroker.config.around import Around, machine_mark
from keybroker.config.clock import Clock
from keybroker.config.clock_watch import ClockWatch, watch_of
from keybroker.config.disciplining import check_another_source, disciplining_files
from keybroker.config.file import ConfigurationFile
from keybroker.config.in_force import find_text, keep_texts
from keybroker.config.one_party import (
    read_own_anchor,
    strange_callers,
    strange_evidence,
    strange_keys,
    told_strangers,
)
from keybroker.config.packaged import packaged_policies, packaged_profile
from keybroker.config.pin import Pin, pin_from
from keybroker.config.sources import Sources, accepted_in, keep_accepted, read_accepted, read_sources
from keybroker.config.witness_places import Told, check_remembered, places_of
from keybroker.config.witnessed import Witnessed
from keybroker.config.works import Works
from keybroker.errors import ConfigurationInvalid
from keybroker.gates.model import Node
from keybroker.gates.people import PeopleSettings
from keybroker.hsm.anchored import AnchoredModule
from keybroker.hsm.opening import open_token
from keybroker.hsm.profile import Profile, read_profile
from keybroker.hsm.remembered import Remembered
from keybroker.hsm.security_officer import Officer, child_process
from keybroker.hsm.token_module import Token
from keybroker.keys.register import Register
from keybroker.ledger.anchor import check_anchor, check_never_served
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import InForce
from keybroker.ledger.reading import Reader, open_for_reading
from keybroker.ledger.store import Ledger, open_ledger
from keybroker.policy.file import read_policies
from keybroker.policy.model import KeyRegister, Policy
from keybroker.policy.trust import Anchor
from keybroker.signing import Line
from keybroker.terms import Caller, DeploymentKind, KeyPurpose
from keybroker.witness.asking import WitnessPlace

__all__ = [
    "Configuration",
    "Works",
    "build_journal",
    "build_ledger",
    "build_line",
    "build_surroundings",
    "build_token",
    "check_head_is_kept",
    "check_one_party",
    "check_witnesses",
    "packaged_policies",
    "packaged_profile",
    "read_accepted_configuration",
    "read_configuration",
    "reading",
    "witness_places",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that was read, at one moment. ``sha256`` is over the octets of keybroker.toml."""

    path: Path
    sha256: bytes
    sources: Sources
    file: ConfigurationFile
    policies: Mapping[KeyPurpose, Policy]
    profile: Profile
    anchors: tuple[Anchor, ...]
    device_anchors: tuple[Anchor, ...]
    callers: Mapping[str, Caller]
    """The caller table, by identity (``uri:…`` or ``sha256:…``)."""

    @property
    def deployment(self) -> DeploymentKind:
        return self.file.deployment.kind

    @property
    def party(self) -> str:
        """Whose this live deployment is; empty for a test deployment, which may hold several."""
        return self.file.deployment.party or ""

    @property
    def ledger_origin(self) -> str:
        return self.file.deployment.ledger_origin

    @property
    def data_directory(self) -> Path:
        return self.beside(self.file.deployment.data_directory)

    @property
    def ledger_url(self) -> str:
        """As configured; a relative SQLite file stands in the data directory."""
        scheme, separator, path = self.file.ledger.url.partition("sqlite:///")
        if scheme or not separator:
            return self.file.ledger.url
        return f"sqlite:///{self.data_directory / path}"

    @property
    def tiles(self) -> Path | None:
        """Where tiles and checkpoint are published; None: nowhere."""
        table = self.file.checkpoints
        return None if table is None or table.tiles is None else self.beside(table.tiles)

    @property
    def pin(self) -> Pin:
        """Where the PIN is; calling it asks."""
        return pin_from(self.file.module.pin)

    @property
    def clock(self) -> Clock:
        return Clock(self.file.deployment.fixed_clock)

    @property
    def node(self) -> Node:
        """This machine: as configured, and what it says of itself."""
        table = self.file.node
        return Node(name=table.name, site=table.site, identity=f"{table.name}.{machine_mark()}")

    @property
    def people(self) -> PeopleSettings:
        """What people are judged by."""
        cooling_off = timedelta(days=self.file.people.cooling_off_days)
        return PeopleSettings(system=self.file.deployment.system, cooling_off=cooling_off)

    @property
    def in_force(self) -> InForce:
        """The digests that every record names."""
        return InForce(
            configuration=self.sha256,
            profile=self.profile.sha256,
            policies={purpose: policy.sha256 for purpose, policy in self.policies.items()},
        )

    def texts_in_force(self) -> Iterator[bytes]:
        """What those digests are of."""
        yield from (self.sources.octets, packaged_profile(self.file.module.profile), *self.sources.policies.values())

    def find_text_in_force(self, digest: str) -> bytes | None:
        """What was or is in force under this digest (hexadecimal), None where its text was not kept."""
        installed = (text for text in self.texts_in_force() if hashlib.sha256(text).hexdigest() == digest)
        return find_text(self.data_directory, digest) or next(installed, None)

    @property
    def accepted(self) -> Path:
        """Where the supervisor keeps what its workers are made of."""
        return accepted_in(self.data_directory)

    def accept(self) -> None:
        """Workers that start or reload from now on are made of this. Raises: ConfigurationInvalid."""
        keep_accepted(self.sources, self.accepted)

    def beside(self, path: str) -> Path:
        """A path of the file, relative to where the file stands."""
        return self.path.parent / path


def read_configuration(path: Path | str) -> Configuration:
    """Read keybroker.toml and everything that it names, strictly.

    Raises: ConfigurationInvalid, naming the file and every key that is wrong.
    """
    return _configuration(*read_sources(path))


def read_accepted_configuration(accepted: Path) -> Configuration:
    """The configuration that the supervisor accepted last (``Configuration.accept``). Raises: ConfigurationInvalid."""
    return _configuration(*read_accepted(accepted))


def _configuration(sources: Sources, file: ConfigurationFile) -> Configuration:
    configuration = Configuration(
        path=sources.path,
        sha256=hashlib.sha256(sources.octets).digest(),
        sources=sources,
        file=file,
        policies=read_policies(sources.policies),
        profile=read_profile(packaged_profile(file.module.profile), name=file.module.profile),
        anchors=own_anchors(sources, file),
        device_anchors=device_anchors(sources, file),
        callers={entry.identity: entry.caller() for entry in file.caller},
    )
    check_one_party(configuration, None)
    check_another_source(file.time, disciplining_files())
    witness_places(configuration)  # read for what is wrong in them
    return configuration


@clause("G2.20(c)", "G2.25", "G3.14")
def check_one_party(configuration: Configuration, register: KeyRegister | None) -> None:
    """A live deployment belongs to one party: every caller, key and attester is that party's, this node and its token.

    Raises: ConfigurationInvalid (SEC G2.25, G3.14, G2.20(c)); the start stops.
    """
    party = configuration.party
    if not party:
        return
    strangers = strange_callers(configuration.callers.values(), party)
    if register is not None:
        strangers += strange_keys(register, party)
        strangers += strange_evidence(
            register.standing,
            party,
            node=configuration.node.identity,
            serial=configuration.file.module.token_serial,
            at=configuration.clock.now(),
        )
    if strangers:
        raise ConfigurationInvalid(told_strangers(party, strangers), where=str(configuration.path))


def check_head_is_kept(configuration: Configuration) -> None:
    """A live deployment needs a token that keeps the ledger's head, or a rollback would go unnoticed (invariant 5).

    Raises: ConfigurationInvalid.
    """
    if configuration.deployment is DeploymentKind.LIVE and not configuration.profile.objects.data:
        raise ConfigurationInvalid(
            f"tokens of profile {configuration.profile.name} keep no data objects, so the ledger's head cannot be kept"
            " outside the ledger; in a live deployment it must be",
            where="module.profile",
        )


def witness_places(configuration: Configuration) -> tuple[WitnessPlace, ...]:
    """Where each configured witness is asked. Raises: ConfigurationInvalid."""
    return places_of(configuration.file.witnesses, lambda name: configuration.sources.anchors[name])


def check_witnesses(configuration: Configuration, told: Told) -> None:
    """Before anything is served: does the ledger extend what its witnesses remember (invariant 5)?

    Raises: LedgerBroken where it does not; LedgerUnavailable, ConfigurationInvalid.
    """
    places = witness_places(configuration)
    if not places:
        return
    ledger, register, journal = build_ledger(configuration, worker="supervisor")
    try:
        check_remembered(ledger, register, places, told)
    finally:
        journal.close()
        ledger.close()


def build_ledger(configuration: Configuration, *, worker: str) -> tuple[Ledger, Register, Journal]:
    """Open the ledger without the token: for reading, and for acts that need no key. Raises: LedgerFault."""
    at = configuration.clock.now()
    configuration.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ledger = open_ledger(
        configuration.ledger_url,
        origin=configuration.ledger_origin,
        deployment=configuration.deployment,
        at=at,
        party=configuration.party,
    )
    register = Register(ledger, configuration.anchors)
    return ledger, register, build_journal(configuration, ledger, worker=worker)


@contextmanager
def reading(configuration: Configuration) -> Iterator[Reader]:
    """The ledger exactly as it is: nothing is made, migrated or written. Raises: ConfigurationInvalid, LedgerFault."""
    ledger = open_for_reading(
        configuration.ledger_url, origin=configuration.ledger_origin, deployment=configuration.deployment
    )
    try:
        yield ledger
    finally:
        ledger.close()


def build_journal(configuration: Configuration, ledger: Ledger, *, worker: str) -> Journal:
    """A worker's pen, which writes the digests of this configuration into every record; the texts are kept before.

    Raises: LedgerFault.
    """
    keep_texts(configuration.data_directory, configuration.texts_in_force())
    return Journal(ledger, in_force=configuration.in_force, worker=worker)


def build_token(configuration: Configuration, pin: Callable[[], str]) -> Token:
    """Load the library, log in. Raises: PinWrong, ModuleUnavailable, ConfigurationInvalid."""
    module = configuration.file.module
    for name, value in module.environment.items():
        file = configuration.beside(value)
        os.environ[name] = str(file) if value and file.is_file() else value
    return open_token(
        configuration.profile,
        library=module.library,
        token_label=module.token_label,
        token_serial=module.token_serial,
        pin=pin,
        sessions=module.sessions,
        policies=configuration.policies,
        deployment=configuration.deployment,
        site=module.site,
    )


_OF_A_CHILD = ("PATH", "HOME", "LANG", "PYTHONPATH")
"""What a process of ours needs of the environment, beside what the library reads; the PIN's variable is not in it."""


def build_officer(configuration: Configuration, pin: Callable[[], str]) -> Officer:
    """The module's security officer, who makes wrapping keys in a process of his own; ``pin`` is asked each time."""
    module = configuration.file.module
    names = [*module.environment, *_OF_A_CHILD]
    return Officer(
        child_process(pin, {name: os.environ[name] for name in names if name in os.environ}),
        profile_name=module.profile,
        profile=packaged_profile(module.profile).decode(),
        library=module.library,
        token_label=module.token_label,
        token_serial=module.token_serial,
    )


def build_surroundings(
    configuration: Configuration,
    watch: ClockWatch | None = None,
    remembered: Remembered | None = None,
    witnessed: Witnessed | None = None,
) -> Around:
    """What the line sees around itself: node, clock, the head that is remembered, and the witnesses.

    Without a ``watch`` the clock is compared with nothing: for acts that no gate judges. Without ``remembered`` neither
    is the ledger: for them, and where the token keeps no head.
    """
    clock = None if watch is None else watch.stand
    part = configuration.file.deployment.part
    return Around(node=configuration.node, part=part, clock=clock, remembered=remembered, witnessed=witnessed)


def build_line(configuration: Configuration, pin: Callable[[], str], *, worker: str, since: int = 0) -> Works:
    """Open ledger and token, hold them against each other, and join them. ``since`` (POSIX seconds): when the broker
    began, where it did; cosignatures that came before count for none of its workers.

    Raises: ConfigurationInvalid (PinWrong among them), ModuleFault, LedgerFault: LedgerBroken where the ledger does not
    extend the head kept in the token.
    """
    check_head_is_kept(configuration)
    ledger, register, journal = build_ledger(configuration, worker=worker)
    check_one_party(configuration, register.refresh())
    token = build_token(configuration, pin)
    anchor = read_own_anchor(token, origin=configuration.ledger_origin, party=configuration.party)
    if anchor is None and token.keeps_anchor:
        check_never_served(ledger)
    check_anchor(ledger, anchor)
    watch = watch_of(configuration.file, configuration.clock.now)
    module, pause = AnchoredModule(token), configuration.file.ledger.anchor_seconds
    remembered = Remembered(module, journal, pause_seconds=pause) if token.keeps_anchor else None
    table = configuration.file.witnesses
    witnessed = None if table is None else Witnessed(table, ledger, since=since)
    line = Line(
        deployment=configuration.deployment,
        ledger_origin=configuration.ledger_origin,
        policies=configuration.policies,
        register=register,
        journal=journal,
        module=module,
        anchors=configuration.anchors,
        device_anchors=configuration.device_anchors,
        surroundings=build_surroundings(configuration, watch, remembered, witnessed),
    )
    return Works(line=line, register=register, journal=journal, ledger=ledger, token=token, watch=watch)
