"""No reachable state signs without every demanded fact holding at that moment; and where all hold, it is signed.

Whatever may change at a deployment changes (``tests.gates.changes``), and again and again it is asked to sign. The
facts are judged by ``tests.gates.facts``, which knows only what was done; signatures are counted at the module, not by
replies. A longer run, anew each time: ``KEYBROKER_LONG=1``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from keybroker.cli.dev.statements import ADMINISTRATORS, OFFICER
from keybroker.errors import GateShut, ThresholdExceeded
from keybroker.ledger import audit
from keybroker.ledger.model import Concluded, GivenAgain
from keybroker.signing import Ask, Outcome, sign_batch
from tests.gates.asked import DISABLE, HANDOVER, MESSAGES, SET_CLOCK
from tests.gates.begun import begun
from tests.gates.changes import (
    Change,
    a_location,
    a_persons_location,
    an_attester_is_withdrawn,
    of_a_person,
    of_anything,
    of_evidence,
    of_module,
    of_place,
    of_thresholds,
    of_what_is_seen,
    of_what_lapses,
    of_what_the_clerk_says,
    the_node_is_configured,
    time_passes,
)
from tests.gates.doings import CHECK_SYSTEM, CLERK, Doings
from tests.gates.facts import CALLER, DAY, NODE, PARTY, Message, Offered

IS_LONG = os.environ.get("KEYBROKER_LONG") == "1"
PROFILE = settings(
    max_examples=3_000 if IS_LONG else 40,
    stateful_step_count=60 if IS_LONG else 30,
    derandomize=not IS_LONG,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SEEN: Counter[str] = Counter()
"""What came of every ask, over all runs."""
MANY, FACTS = 3_000 if IS_LONG else 50, 8
"""So often at least it is signed with a check, and so often without; so many facts each fail alone at least once."""

any_message, sensitive = st.sampled_from(tuple(MESSAGES)), st.sampled_from(DISABLE)
one_of_the_last = st.integers(0, 9)
a_while = st.sampled_from((0, 0, 299, 301, 3_599, 3_600))
CHAINS = (
    (CHECK_SYSTEM, CALLER, NODE),
    (CHECK_SYSTEM, f"{PARTY}/billing", CALLER, NODE),
    (CHECK_SYSTEM, NODE),
    (CALLER, NODE),
    (CHECK_SYSTEM, CHECK_SYSTEM, CALLER, NODE),
    (CHECK_SYSTEM, "network-operator-a/head-end", CALLER, NODE),
    (CHECK_SYSTEM, CALLER, "another-node"),
)
SAID: Sequence[Mapping[str, Any]] = (
    *({"through": each} for each in CHAINS),
    *({"about": each} for each in DISABLE),
    *({"ago": 300 - ago, "later": later} for ago in (0, 1) for later in (0, 1, 2)),
    *({"last": 60, "later": later} for later in (59, 60)),
)
"""What a check says: nothing wrong, or one thing."""
withdrawal = Change(an_attester_is_withdrawn, {"name": CLERK, "by": ADMINISTRATORS[1]})
SYSTEMS = (("system", CALLER), ("system", CHECK_SYSTEM))


def saw(what: str) -> None:
    SEEN[what] += 1
    event(what)


class Deployment(RuleBasedStateMachine):
    """One deployment, of which everything is good at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.doings: Doings
        self.made: list[tuple[str, Offered]] = []
        self.given: list[tuple[Ask, bytes, Message, Offered | None]] = []

    @initialize(live=st.booleans(), days=st.sampled_from((0, 300)))
    def begin(self, live: bool, days: int) -> None:
        """300 days later certificates of FIPS 140-2 are historical."""
        self.doings = self.open.enter_context(begun(live=live))
        self.world = self.doings.world
        self.world.now += days * DAY

    def teardown(self) -> None:
        if hasattr(self, "doings"):
            audit.verify(self.doings.journal.ledger, self.doings.at)
        self.open.close()

    @rule(changes=st.lists(of_anything, min_size=1, max_size=3))
    def something_changes(self, changes: list[Change]) -> None:
        for change in changes:
            change(self.doings)

    # ---- asking where all but little is good

    def ask_after(self, message: str, *changes: Change, later: int = 0, thresholds_too: bool = True) -> None:
        self.doings.put_right(thresholds_too=thresholds_too)
        for change in changes:
            change(self.doings)
        time_passes(self.doings, seconds=later)
        self.asks(message)

    @rule(message=any_message, change=of_what_is_seen)
    def asks_where_something_else_is_seen(self, message: str, change: Change) -> None:
        self.ask_after(message, change)

    @rule(message=st.sampled_from((*HANDOVER, DISABLE[0])), change=of_module, later=a_while)
    def asks_where_something_else_is_said_of_the_module(self, message: str, change: Change, later: int) -> None:
        self.ask_after(message, change, later=later)

    @rule(message=sensitive, change=of_place, later=a_while)
    def asks_where_something_else_is_said_of_a_place(self, message: str, change: Change, later: int) -> None:
        self.ask_after(message, change, later=later)

    @rule(message=sensitive, changes=st.lists(of_evidence, min_size=2, max_size=3), later=a_while, few=st.booleans())
    def asks_where_evidence_changed(self, message: str, changes: list[Change], later: int, few: bool) -> None:
        self.ask_after(message, *changes, later=later, thresholds_too=not few)

    @rule(message=any_message, change=of_what_lapses, later=st.sampled_from((3_599, 3_600)))
    def asks_when_something_lapses(self, message: str, change: Change, later: int) -> None:
        self.ask_after(message, change, later=later)

    @rule(message=any_message, change=of_what_the_clerk_says, withdrawn=st.booleans())
    def asks_when_an_attester_was_withdrawn(self, message: str, change: Change, withdrawn: bool) -> None:
        self.doings.renew(CLERK)
        self.ask_after(message, change, *([withdrawal] if withdrawn else []))

    @rule(change=of_a_person, later=a_while)
    def somebody_is_vouched_for_and_acts(self, change: Change, later: int) -> None:
        change(self.doings)
        time_passes(self.doings, seconds=later)
        self.doings.reload(change.given["name"])

    @rule(message=sensitive, said_before=st.booleans(), country=st.sampled_from(("GB", "FR")), later=st.integers(0, 1))
    def asks_after_somebody_configured_the_node(
        self, message: str, said_before: bool, country: str, later: int
    ) -> None:
        """Who is not stated among the people of anything."""
        first, other = ADMINISTRATORS
        by: dict[str, Any] = {"by": OFFICER, "last": None}
        where = {"secure": DAY, "otherwise": {"people": [first]}}
        places = (("module", self.world.module["serial"]), ("node", self.world.node), *SYSTEMS)
        said = [
            Change(a_persons_location, {**by, "name": other, "country": country}),
            *(Change(a_location, {**by, "thing": place, **where}) for place in places),
        ]
        acts = [Change(the_node_is_configured, {"by": other}), Change(time_passes, {"seconds": later})]
        self.ask_after(message, *((*said, *acts) if said_before else (*acts, *said)))

    @rule(message=any_message, change=of_thresholds, beside=st.lists(st.sampled_from((None, -1, 0, 1)), max_size=5))
    def asks_under_other_thresholds(self, message: str, change: Change, beside: list[int | None]) -> None:
        """Again and again: at once, or a period later, and a second before and after it."""
        self.ask_after(message, change)
        for seconds in beside:
            time_passes(self.doings, seconds=0 if seconds is None else change.given["period"] + seconds)
            self.asks(message)

    # ---- asking as things are

    @rule(message=any_message)
    def asks(self, message: str) -> None:
        """With a fresh check where one is demanded."""
        if message in DISABLE:
            self.made.append((message, self.doings.a_check(MESSAGES[message])))
            self.ask(*self.made[-1])
        else:
            self.ask(message, None)

    @rule(message=sensitive)
    def asks_without_a_check(self, message: str) -> None:
        self.ask(message, None)

    @rule(message=st.sampled_from((*DISABLE, *SET_CLOCK)), said=st.sampled_from(SAID), right=st.booleans())
    def asks_with_a_check_that_says(self, message: str, said: Mapping[str, Any], right: bool) -> None:
        if right:
            self.doings.put_right(thresholds_too=True)
        now = self.world.now
        hops = [{"system": each} for each in said.get("through", CHAINS[0])]
        given = {"checked": now - said.get("ago", 0), "exp": now + said.get("last", 600), "chain": hops}
        about = MESSAGES.get(said.get("about", ""))
        self.made.append((message, self.doings.a_check(MESSAGES[message], about=about, **given)))
        time_passes(self.doings, seconds=said.get("later", 0))
        self.ask(*self.made[-1])

    @precondition(lambda self: self.made)
    @rule(which=one_of_the_last)
    def asks_with_a_check_made_before(self, which: int) -> None:
        self.ask(*self.made[-1 - which % len(self.made)])

    @precondition(lambda self: self.made)
    @rule(which=one_of_the_last, message=any_message)
    def asks_with_the_check_of_another(self, which: int, message: str) -> None:
        self.ask(message, self.made[-1 - which % len(self.made)][1])

    @rule(message=sensitive, other=sensitive)
    def asks_twice_at_once_with_one_check(self, message: str, other: str) -> None:
        self.made.append((message, self.doings.a_check(MESSAGES[message])))
        self.ask(*self.made[-1], and_then=other)

    @precondition(lambda self: self.given)
    @rule(which=one_of_the_last)
    def asks_the_very_same_again(self, which: int) -> None:
        ask, signature, message, offered = self.given[-1 - which % len(self.given)]
        before = self.doings.uses
        (outcome,) = sign_batch(self.doings.line(), [ask], self.doings.at)
        assert self.doings.uses == before
        if isinstance(outcome, GivenAgain):
            assert outcome.signature == signature
        else:
            assert self.world.unmet(message, offered, again=True), f"refused although every fact holds: {outcome}"
        saw("given again" if isinstance(outcome, GivenAgain) else "refused the second time")

    def ask(self, message: str, offered: Offered | None, *, and_then: str | None = None) -> None:
        """Ask, and judge what came of it; ``and_then`` beside it in one batch, with the same statement."""
        messages_ = [MESSAGES[each] for each in (message, and_then) if each is not None]
        asks = [self.doings.an_ask(each, offered) for each in messages_]
        before = self.doings.uses
        outcomes = sign_batch(self.doings.line(), asks, self.doings.at)
        signed = [isinstance(outcome, Concluded) for outcome in outcomes]
        assert self.doings.uses - before == sum(signed)
        for each, ask, outcome in zip(messages_, asks, outcomes, strict=True):
            self.judge(each, offered, outcome)
            if isinstance(outcome, Concluded):
                self.world.sign(each, offered)
                self.given.append((ask, outcome.signature, each, offered))

    def judge(self, message: Message, offered: Offered | None, outcome: Outcome) -> None:
        unmet = self.world.unmet(message, offered)
        if isinstance(outcome, Concluded):
            assert not unmet, f"signed although not: {', '.join(unmet)}"
            saw("signed " + ("with" if offered else "without") + " a check")
            return
        assert isinstance(outcome, GateShut), outcome
        if isinstance(outcome, ThresholdExceeded):
            self.world.quarantined.add((message.sha256, message.key))
        # Counts are kept by sixtieths of a period: at its edge there may be one too many a moment longer.
        at_the_edge = self.world.exceeds(message, self.world.blurred)
        assert unmet or at_the_edge, f"refused although every fact holds: {outcome}"
        saw("refused for " + (unmet[0] if len(unmet) == 1 else "several facts" if unmet else "the edge of a period"))


@pytest.mark.slow
@pytest.mark.timeout(8 * 3_600 if IS_LONG else 900)
def test_no_state_signs_without_every_demanded_fact_and_every_state_with_all_of_them_does() -> None:
    SEEN.clear()
    run_state_machine_as_test(Deployment, settings=PROFILE)
    assert SEEN["signed with a check"] >= MANY
    assert SEEN["signed without a check"] >= MANY
    assert SEEN["given again"]
    alone = [what for what in SEEN if what.startswith("refused for ") and not what.endswith(("facts", "period"))]
    assert len(alone) >= FACTS, alone
