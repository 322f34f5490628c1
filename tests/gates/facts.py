"""What must hold for a signature, by a bookkeeping of its own: plain Python over what was done, and none of the gates'
code. ``test_no_fact_no_signature`` does things to a real ledger, tells them here, and compares.

Moments are whole seconds since 1970; what is written down is written with the payload that was stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from keybroker.statement.payloads import (
    CommitteeOpinion,
    Location,
    ModuleClassification,
    ModuleNames,
    ModuleValidation,
    Person,
    SupplySensitiveCheck,
    Threshold,
    ThresholdNotification,
)
from keybroker.statement.said import Said

PARTY, CALLER = "supplier-a", "supplier-a/head-end"
USER, ACCESS_CONTROL_BROKER, DCC = "90-B3-D5-1F-AA-01-00-00", "90-B3-D5-1F-AA-00-00-02", "dcc"
NODE, PART = "test-node", "test"
DAY, AHEAD, FOREVER = 86_400, 5, float("inf")
CHECK_COUNTS, REVIEW_COUNTS = 300, 366 * DAY
HISTORICAL = 1_789_948_800
"""2026-09-21: from then on certificates of FIPS 140-2 are historical."""

P = TypeVar("P", bound=Said)


@dataclass(slots=True, kw_only=True)
class Enrolled:
    """An attester; ``kinds`` by the values of ``StatementKind``."""

    name: str
    party: str
    kinds: frozenset[str]
    since: int
    until: int
    withdrawn: bool = False

    def stands(self, now: int) -> bool:
        """Is what it says taken now? Another's clock may be some seconds before ours."""
        return not self.withdrawn and self.since <= now + AHEAD and now < self.until


@dataclass(slots=True, kw_only=True)
class Told:
    """A statement that was taken in."""

    said: Said
    kid: str
    by: str
    sha256: bytes
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A check that was made; ``octets`` is how its statement travels."""

    said: SupplySensitiveCheck
    kid: str = field(repr=False)
    by: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be signed. ``sensitive``: a check is demanded; ``variants``: which it counts under, for ``user``."""

    key: str
    octets: bytes = field(repr=False)
    sha256: str = field(repr=False)
    request: str
    user: str = field(repr=False)
    variants: tuple[str, ...]
    sensitive: bool = False

    @property
    def is_users(self) -> bool:
        return self.key == PARTY


@dataclass(slots=True, kw_only=True)
class World:
    """All that was done, and how things are now."""

    now: int
    live: bool = True
    module: dict[str, str]
    site: str
    level: int = 3
    node: str
    node_site: str
    clock_agrees: bool = True
    remembered: bool = True
    strong: bool = True
    attesters: dict[str, Enrolled] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    acts: list[tuple[str, str, int]] = field(default_factory=list)
    spent: set[tuple[str, str]] = field(default_factory=set)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    quarantined: set[tuple[str, str]] = field(default_factory=set)
    """What exceeded a threshold, until its User says what becomes of it; and what was released, until it is signed."""
    released: set[tuple[str, str]] = field(default_factory=set)
    blurred: int = 0
    """For how many seconds longer than its period a use may count: counts are kept by sixtieths of a period."""

    # ---- what is asked of every demanded fact

    def unmet(self, message: Message, offered: Offered | None, *, again: bool = False) -> list[str]:
        """The facts that are demanded now and do not hold. ``again``: of what was signed before, which spends nothing
        and is not counted."""
        which = (message.sha256, message.key)
        facts = {
            "key strong in the module": self.strong,
            "clock agrees": self.clock_agrees,
            "ledger remembered": self.remembered,
            "thresholds set": self._thresholds_set(message),
            "not too many": again or not self.exceeds(message) or which in self.released,
            "not in quarantine": again or which not in self.quarantined,
        }
        if message.is_users:
            facts["module classified"] = self._classified()
            facts["module in the United Kingdom"] = all(map(self._module_located, self._members()))
            facts["node in the United Kingdom"] = self._node_located({"configuration"})
            facts["caller in the United Kingdom"] = self._located("system", CALLER)
            facts["check applied"] = not message.sensitive if offered is None else self._checked(message, offered)
            facts["check never spent"] = again or offered is None or (offered.by, offered.said.nonce) not in self.spent
        else:
            facts["module validated"] = self._validated() or not self.live
            facts["statement asked for"] = offered is None
        return [name for name, holds in facts.items() if not holds]

    def exceeds(self, message: Message, blurred: int = 0) -> bool:
        """Would there be more than a threshold in force lets through? ``blurred``: in so much longer a period."""
        for whose in (message.user, DCC):
            for threshold in self._in_force(whose):
                if threshold.measure == "critical" and threshold.variant in message.variants:
                    since = self.now - (threshold.period_seconds or 0) - blurred
                    lately = [at for *name, at in self.counted if name == [whose, threshold.variant] and at >= since]
                    if len(lately) + 1 > (threshold.quarantine or 0):
                        return True
        return False

    def sign(self, message: Message, offered: Offered | None) -> None:
        """It was signed: what that takes."""
        self.released.discard((message.sha256, message.key))
        if offered is not None:
            self.spent.add((offered.by, offered.said.nonce))
        self.counted += [
            (whose, each.variant or "", self.now)
            for whose in (message.user, DCC)
            for each in self._in_force(whose)
            if each.measure == "critical" and each.variant in message.variants
        ]

    # ---- statements

    def counts(self, told: Told) -> bool:
        return not self.attesters[told.kid].withdrawn and self.now < told.said.exp

    def held(self, model: type[P]) -> Iterator[tuple[Told, P]]:
        """In the order in which they came."""
        return ((each, each.said) for each in self.told if isinstance(each.said, model) and not each.withdrawn)

    def _last(self, model: type[P], about: Callable[[P], bool]) -> tuple[Told, P] | None:
        """What was said last; of two of one second, what came last."""
        last = None
        for each in self.held(model):
            if about(each[1]) and (last is None or each[1].iat >= last[1].iat):
                last = each
        return last

    # ---- the module

    def _classified(self) -> bool:
        return self._agreeing(ModuleClassification) is not None

    def _validated(self) -> bool:
        said = self._agreeing(ModuleValidation)
        if said is None:
            return False
        historical = said.status == "historical" or (said.standard == "FIPS 140-2" and self.now >= HISTORICAL)
        fit = said.status != "revoked" and said.approved_mode and not historical
        return fit and min(said.level, self.level) >= 3 and said.checked <= self.now

    def _agreeing(self, model: type[P]) -> P | None:
        """The last about this module, where it counts and every fact in it is as the module reports."""
        last = self._last(model, self._is_about_the_module)
        if last is None or not self.counts(last[0]):
            return None
        names = _names(last[1])
        agrees = all(getattr(names, fact) == value for fact, value in self.module.items())
        return last[1] if agrees and self.module["serial"] in names.members else None

    def _is_about_the_module(self, said: Said) -> bool:
        names = _names(said)
        return self.module["serial"] in (names.serial, *names.members)

    def _members(self) -> set[str]:
        lasts = (self._last(model, self._is_about_the_module) for model in (ModuleValidation, ModuleClassification))
        return {self.module["serial"]}.union(*(_names(last[1]).members for last in lasts if last is not None))

    # ---- places and people

    def _module_located(self, serial: str) -> bool:
        return self._located("module", serial, self.site, {f"module:{serial}", f"key:{PARTY}"})

    def _node_located(self, acted_on: set[str]) -> bool:
        return self._located("node", self.node, self.node_site, acted_on | {f"node:{self.node}"})

    def _located(self, of: str, subject: str, site: str | None = None, acted_on: set[str] | None = None) -> bool:
        last = self._last(Location, lambda said: (said.of, said.subject) == (of, subject))
        own = self._last(Location, lambda said: (said.of, said.subject, said.party) == (of, subject, PARTY))
        if last is None or own is None or last[1].country != "GB":
            return False
        told, said = own
        in_place = said.country == "GB" and (site is None or said.site == site)
        secure = said.environment is not None and self.now < said.environment.expires
        acted = {who for who, on, at in self.acts if on in (acted_on or {f"{of}:{subject}"}) and at >= said.iat}
        return self.counts(told) and in_place and secure and all(map(self._person_located, {*said.people, *acted}))

    def _person_located(self, name: str) -> bool:
        last = self._last(Location, lambda said: (said.of, said.subject) == ("person", name))
        return last is not None and self.counts(last[0]) and last[1].country == "GB"

    def may_act(self, name: str) -> bool:
        """As an administrator of a User."""
        enrolled = [each for each in self.attesters.values() if each.name == name and "order" in each.kinds]
        stands = any(each.stands(self.now) for each in enrolled)
        said = self._said_of(name)
        if not stands or said is None or said.exp <= self.now:
            return False
        cleared = said.clearance.reviewed <= self.now < said.clearance.reviewed + REVIEW_COUNTS
        return cleared and "administrator" in said.roles and not self._engaged_elsewhere(name)

    def _said_of(self, name: str) -> Person | None:
        """Last, by an attester who stands."""
        last: Person | None = None
        for told, said in self.held(Person):
            stands = not self.attesters[told.kid].withdrawn
            if said.person == name and stands and (last is None or said.iat >= last.iat):
                last = said
        return last

    def _engaged_elsewhere(self, name: str) -> bool:
        """On a system of the DCC: as somebody who stands said last of that engagement, else as long as anybody said."""
        ends: dict[tuple[str, str, int], tuple[bool, int, float]] = {}
        for told, said in self.held(Person):
            believed = not self.attesters[told.kid].withdrawn
            for each in said.engagements if said.person == name else ():
                until = FOREVER if each.until is None else each.until
                which, now = (each.system, each.activity, each.since), (believed, said.iat if believed else 0, until)
                before = ends.get(which, (False, -1, 0))
                ends[which] = now if now[:2] >= before[:2] and (believed or now >= before) else before
        return any(since <= self.now < until for (_, _, since), (_, _, until) in ends.items())

    # ---- the check

    def _checked(self, message: Message, offered: Offered) -> bool:
        said, attester = offered.said, self.attesters.get(offered.kid)
        if attester is None or not attester.stands(self.now) or "supply-sensitive-check" not in attester.kinds:
            return False
        in_time = said.iat <= self.now + AHEAD and self.now < said.exp and said.exp - said.iat <= DAY
        recent = said.checked <= min(self.now, said.iat) and self.now - said.checked <= CHECK_COUNTS
        about = (said.octets_sha256, said.request_id, said.user) == (message.sha256, message.request, message.user)
        fits = about and said.variant in message.variants and said.check_system == attester.name
        return attester.party == PARTY and in_time and recent and fits and self._processed_here(said)

    def _processed_here(self, said: SupplySensitiveCheck) -> bool:
        hops = [hop.system for hop in said.chain]
        whole = hops[0] == said.check_system and hops[-2:] == [CALLER, NODE] and len(set(hops)) == len(hops)
        own = all(hop.startswith(f"{PARTY}/") for hop in hops[:-1])
        return whole and own and all(self._located("system", hop) for hop in hops[:-1]) and self._node_located(set())

    # ---- thresholds

    def newest(self, whose: str) -> tuple[Told, ThresholdNotification] | None:
        """With the greatest sequence."""
        own = [each for each in self.held(ThresholdNotification) if (each[1].user or DCC) == whose]
        return max(own, key=lambda each: each[1].sequence, default=None)

    def consulted(self, guidance: str) -> bool:
        """Is an opinion of the Security Sub-Committee on record under that reference?"""
        opinions = (each for each in self.held(CommitteeOpinion) if each[1].reference == guidance)
        return any(self.counts(told) for told, _ in opinions)

    def _in_force(self, whose: str) -> list[Threshold]:
        newest = self.newest(whose)
        return list(newest[1].thresholds) if newest is not None and self.counts(newest[0]) else []

    def _thresholds_set(self, message: Message) -> bool:
        whose = message.user if message.is_users else DCC
        on = {each.variant for each in self._in_force(whose) if each.measure == "critical"}
        return on.issuperset(message.variants)


def _names(said: Said) -> ModuleNames:
    assert isinstance(said, ModuleValidation | ModuleClassification)
    return said.module
