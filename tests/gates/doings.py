"""What can be done to a deployment: on a real ledger by the acts that operators have, and written down as ``facts`` has
it. Every act that is refused must be refused by the facts too, and the other way about.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from typing import Any

from keybroker.cli.dev.evidence import Attests, take_in
from keybroker.cli.dev.statements import ADMINISTRATORS, CHECK, KINDS, OFFICER, Scene, common, statements
from keybroker.errors import NotPermitted, PersonMayNotAct, StatementRefused
from keybroker.gates.model import ClockStand, Surroundings
from keybroker.keys.attesters import Enrolment, Withdrawal, enrol_attester, withdraw_attester
from keybroker.keys.evidence import add_statement
from keybroker.keys.quarantine import act_on, in_quarantine
from keybroker.keys.register import Register
from keybroker.keys.reload import Reload, record_reload, told_reload
from keybroker.keys.withdrawal import StatementWithdrawal, withdraw_statement
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import RequestIdentity
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.signing import Ask, Line
from keybroker.statement.kind import StatementKind
from keybroker.statement.making import kid_of
from keybroker.statement.payloads import (
    CommitteeOpinion,
    Location,
    ModuleClassification,
    ModuleValidation,
    Person,
    QuarantineAction,
    SecurityCertificate,
    SupplySensitiveCheck,
    ThresholdNotification,
)
from keybroker.statement.said import Said
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, RequestId
from tests import evidence, messages, situations
from tests.fakes import FakeModule
from tests.gates.asked import ACB, MESSAGES, SUPPLIER
from tests.gates.facts import CALLER, DCC, NODE, PARTY, Enrolled, Message, Offered, Told, World
from tests.gates.looks import VALIDATION
from tests.keys.restoring import ACTOR, PEOPLE, order_of
from tests.situations import ORIGIN
from tests.statement.attested import decoded

CLERK, CHECK_SYSTEM = "clerk", f"{PARTY}/{CHECK}"
"""The clerk states what the officer states; only he and the check system are ever withdrawn and enrolled anew."""
KINDS_OF = {
    **KINDS,
    CLERK: KINDS[OFFICER],
    CHECK_SYSTEM: frozenset({StatementKind.SUPPLY_SENSITIVE_CHECK}),
}
BEGIN = int(evidence.BEFORE.timestamp())
FEW = 5
"""As many thresholds has a notification that is not about everything."""
LONG = int(datetime(2038, 1, 1, tzinfo=UTC).timestamp())


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@cache
def attests(name: str, life: int = 0) -> Attests:
    """An attester's key; one for each time that it is enrolled."""
    return replace(evidence.attests(f"{name} {life}" if life else name), name=name)


@dataclass(slots=True, kw_only=True)
class LedgerRegister:
    """Evidence as it is committed, and two keys that are not in question."""

    register: Register
    keys: dict[KeyLabel, RegisteredKey]

    def current(self) -> KeyRegister:
        return replace(self.register.current(), keys=self.keys)

    def refresh(self) -> KeyRegister:
        return replace(self.register.refresh(), keys=self.keys)


@dataclass(slots=True, kw_only=True)
class Doings:
    """``world`` is told of everything that is done to the ledger of ``journal``."""

    journal: Journal
    world: World
    lives: dict[str, int] = field(default_factory=dict)
    modules: dict[bool, FakeModule] = field(default_factory=dict)
    asks: int = 0
    refused: str = ""
    """The last sentence."""
    register: LedgerRegister = field(init=False)

    def __post_init__(self) -> None:
        """One source for the whole life, as a worker has it: what it read last may be old."""
        self.register = LedgerRegister(register=Register(self.journal.ledger, ()), keys={})

    @property
    def at(self) -> datetime:
        return moment(self.world.now)

    # ---- what stands

    def state(self, said: Said, by: str = OFFICER) -> bool:
        """Taken in: all but thresholds always are, unless the attester was withdrawn."""
        who, world = attests(by, self.lives.get(by, 0)), self.world
        kid = kid_of(who.certificate)
        stands = world.attesters[kid].stands(world.now)
        if isinstance(said, ThresholdNotification):
            newest = world.newest(said.user or DCC)
            consulted = said.user is not None or world.consulted(said.guidance)
            stands = stands and consulted and (newest is None or newest[1].sequence < said.sequence)
        taken_in = self._done(lambda: take_in(self.journal, ACTOR, said, who, PEOPLE, self.at))
        assert taken_in == stands, self.refused
        if taken_in:
            payload = decoded(who.state(said).split(b".")[1])
            if isinstance(said, ThresholdNotification):
                world.blurred += max((each.period_seconds or 0) // 60 + 1 for each in said.thresholds)
            world.told.append(Told(said=said, kid=kid, by=by, sha256=sha256(payload).digest()))
        return taken_in

    def put_right(self, *, thresholds_too: bool) -> None:
        """Everything that is good is said by the officer of what is there now, where it does not stand so already; and
        what is seen around is good. ``thresholds_too``: where few are in force too; what they stopped is released.
        """
        world = self.world
        world.clock_agrees = world.remembered = world.strong = True
        world.level = 3
        for said in (*statements(self._scene()), self.a_validation()):
            if isinstance(said, ThresholdNotification):
                self._notify_where_needed(said, few_too=thresholds_too)
            elif not self._stands(said):
                self.state(said)
        self.renew(CHECK_SYSTEM)
        for message in MESSAGES.values() if thresholds_too and world.quarantined else ():
            self.release(message, ADMINISTRATORS[0])

    def _notify_where_needed(self, said: ThresholdNotification, *, few_too: bool) -> None:
        newest = self.world.newest(said.user or DCC)
        if newest is not None and self.world.counts(newest[0]) and not (few_too and len(newest[1].thresholds) <= FEW):
            return
        sequence = 1 + (newest[1].sequence if newest is not None else 0)
        guidance = self.consult(of_these=said.user is None)
        self.state(said.model_copy(update={"sequence": sequence, "guidance": guidance}))

    def consult(self, *, of_these: bool) -> str:
        """The reference of an opinion of the Security Sub-Committee; on record where it was asked ``of_these``."""
        self.asks += 1
        reference = f"SSC {self.asks}"
        if of_these:
            given = common(ORIGIN, self.at, StatementKind.COMMITTEE_OPINION)
            about = {"about": "threshold-consulted", "subject": evidence.SURROUNDINGS.part, "reference": reference}
            self.state(CommitteeOpinion.model_validate({**given, **about, "committee": "security-sub-committee"}))
        return reference

    def _stands(self, said: Said) -> bool:
        """Was the same said last, does it count, and nothing in it lapse?"""
        last = max(
            (each for each in self.world.told if not each.withdrawn and _about(each.said) == _about(said)),
            key=lambda each: each.said.iat,
            default=None,
        )
        if last is None or not self.world.counts(last) or _meant(last.said) != _meant(said):
            return False
        match last.said:
            case Person(person=name):
                return self.world.may_act(name)
            case Location(environment=SecurityCertificate(expires=expires)):
                return self.world.now < expires
            case _:
                return True

    def a_validation(self, **changes: Any) -> ModuleValidation:
        given = common(ORIGIN, self.at, StatementKind.MODULE_VALIDATION, last=changes.pop("last", None))
        said = VALIDATION | {"module": self.names(), "checked": self.world.now}
        return ModuleValidation.model_validate({**given, **said, **changes})

    def names(self, **changes: Any) -> dict[str, Any]:
        """Of the module, as it reports itself."""
        return {**self.world.module, "members": [self.world.module["serial"]], **changes}

    def _scene(self) -> Scene:
        """What is to be stated of it all as it is now."""
        systems, users = {PARTY: ("head-end",)}, {PARTY: (messages.SUPPLIER,)}
        world, at = self.world, self.at
        module = replace(evidence.MODULE, **{**world.module, "site": world.site})  # type: ignore[arg-type]
        node = replace(evidence.NODE, identity=world.node, site=world.node_site)
        return evidence.a_scene(module, node=node, systems=systems, users=users, at=at)

    def withdraw(self, told: Told, by: str) -> None:
        match told.said:
            case Person(person=about) | Location(of="person", subject=about):
                pass
            case _:
                about = ""
        asked = StatementWithdrawal(sha256=told.sha256, because="test")
        order = order_of(asked.told(), by, at=self.at)
        done = self._done(lambda: withdraw_statement(self.journal, ACTOR, asked, PEOPLE, self.at, order))
        # Thresholds are replaced, never withdrawn.
        may = self.world.may_act(by) and by != about and not isinstance(told.said, ThresholdNotification)
        assert done == may, self.refused
        told.withdrawn = told.withdrawn or done

    def enrol(self, name: str, until: int, by: str | None) -> None:
        """A new certificate each time. ``by``: None while nobody is there to order it."""
        life = self.lives.get(name, -1) + 1
        certificate = attests(name, life).certificate
        asked = Enrolment(
            name=name,
            party=name.partition("/")[0] if "/" in name else "operator",
            certificate=certificate,
            kinds=KINDS_OF[name],
            until=moment(until),
        )
        order = None if by is None else order_of(asked.told(), by, at=self.at)
        done = self._done(lambda: enrol_attester(self.journal, ACTOR, asked, PEOPLE, self.at, order))
        assert done == (by is None or self.world.may_act(by)), self.refused
        if done:
            self.lives[name] = life
            kinds = frozenset(kind.value for kind in asked.kinds)
            self.world.attesters[kid_of(certificate)] = Enrolled(
                name=name, party=asked.party, kinds=kinds, since=self.world.now, until=until
            )

    def renew(self, name: str) -> None:
        """Where it does not stand."""
        if not self.world.attesters[kid_of(attests(name, self.lives[name]).certificate)].stands(self.world.now):
            self.enrol(name, LONG, ADMINISTRATORS[0])

    def withdraw_attester(self, name: str, by: str) -> None:
        kid = kid_of(attests(name, self.lives[name]).certificate)
        enrolled = self.world.attesters[kid]
        asked = Withdrawal(kid=kid, because="test")
        order = order_of(asked.told(), by, at=self.at)
        done = self._done(lambda: withdraw_attester(self.journal, ACTOR, asked, PEOPLE, self.at, order))
        assert done == (self.world.may_act(by) and not enrolled.withdrawn), self.refused
        enrolled.withdrawn = enrolled.withdrawn or done

    def reload(self, by: str) -> None:
        """A person acts on the configuration of this node."""
        self.asks += 1
        digest = sha256(f"configuration {self.asks}".encode()).digest()
        order = order_of(told_reload(digest), by, at=self.at)
        asked = Reload(digest=digest, policies=situations.packaged_policies(), people=PEOPLE)
        done = self._done(
            lambda: (
                add_statement(self.journal, ACTOR, order, StatementKind.ORDER, PEOPLE, self.at),
                record_reload(self.journal, asked, self.at),
            )
        )
        assert done == self.world.may_act(by), self.refused
        if done:
            self.world.acts.append((by, "configuration", self.world.now))

    def release(self, message: Message, by: str) -> None:
        """What is quarantined of it, by an order of its User."""
        which = (message.sha256, message.key)
        for held in in_quarantine(self.journal.ledger):
            if (held.octets_sha256, held.key, held.state.value) == (*which, "quarantined"):
                given = common(ORIGIN, self.at, StatementKind.QUARANTINE_ACTION, last=timedelta(hours=1))
                named = {"user": held.user, "record": held.record, "octets_sha256": held.octets_sha256}
                said = QuarantineAction.model_validate({**given, **named, "action": "release"})
                if self._done(partial(act_on, self.journal, ACTOR, attests(by).state(said), PEOPLE, self.at)):
                    self.world.released.add(which)
                    self.world.quarantined.discard(which)

    def _done(self, do: Any) -> bool:
        try:
            do()
        except (NotPermitted, PersonMayNotAct, StatementRefused) as refusal:
            self.refused = refusal.sentence
            return False
        return True

    # ---- asking

    def a_check(self, message: Message, *, about: Message | None = None, **changes: Any) -> Offered:
        """Good, unless changed; ``about`` another message than it says."""
        who = attests(CHECK_SYSTEM, self.lives[CHECK_SYSTEM])
        said: dict[str, Any] = {
            "check_system": CHECK_SYSTEM,
            "user": message.user,
            "request_id": message.request,
            "octets_sha256": (about or message).sha256,
            "variant": message.variants[0],
            "device": str(messages.DEVICE),
            "intended": True,
            "confirmed_by": "rule: asked by the customer",
            "checked": self.world.now,
            "chain": [{"system": each} for each in (CHECK_SYSTEM, CALLER, NODE)],
        }
        given = dict(common(ORIGIN, self.at, StatementKind.SUPPLY_SENSITIVE_CHECK, last=timedelta(minutes=10)))
        check = SupplySensitiveCheck.model_validate(given | said | changes)
        return Offered(said=check, kid=kid_of(who.certificate), by=who.name, octets=who.state(check))

    def an_ask(self, message: Message, offered: Offered | None) -> Ask:
        """Under a name that was never used."""
        self.asks += 1
        purpose = SUPPLIER if message.is_users else ACB
        statements_ = () if offered is None else (offered.octets,)
        identity = RequestIdentity(
            caller=situations.a_caller(purpose),
            operation=situations.a_situation(purpose).operation,
            key=KeyLabel(message.key),
            request_id=RequestId(f"r-{self.asks}"),
            sha256=sha256(b"".join((message.octets, *statements_))).digest(),
        )
        kind = ContentKind.PRE_COMMAND if message.is_users else ContentKind.COMMAND
        return Ask(identity=identity, kind=kind, octets=message.octets, statements=statements_)

    def line(self) -> Line:
        """As things are now."""
        world, module = self.world, self.modules[self.world.strong]
        for name, value in world.module.items():
            setattr(module, name, value)
        module.level, module.site = world.level, world.site
        return Line(
            deployment=DeploymentKind.LIVE if world.live else DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=situations.packaged_policies(),
            register=self.register,
            journal=self.journal,
            module=module,
            anchors=(),
            device_anchors=(),
            surroundings=evidence.FixedSurroundings(self._surroundings()),
        )

    @property
    def uses(self) -> int:
        return sum(module.uses for module in self.modules.values())

    def _surroundings(self) -> Surroundings:
        world = self.world
        return Surroundings(
            node=replace(evidence.NODE, identity=world.node, site=world.node_site),
            clock=ClockStand(why_not="" if world.clock_agrees else "it is 7 s ahead"),
            rolled_back="" if world.remembered else "the module remembers more",
            part=evidence.SURROUNDINGS.part,
        )


_PASSING = {"iat", "exp", "nonce", "checked", "environment", "clearance", "screening", "security_check"}


def _meant(said: Said) -> dict[str, Any]:
    """Without what differs each time that it is said."""
    return said.model_dump(exclude=_PASSING)


def _about(said: Said) -> tuple[object, ...]:
    match said:
        case Location():
            return Location, said.of, said.subject
        case Person():
            return Person, said.person
        case ModuleValidation() | ModuleClassification():
            return type(said), said.module.serial
        case _:
            return (type(said),)
