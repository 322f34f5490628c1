"""Whatever is done to a key and its successor, in whatever order: only listed transitions, never two usable, all told.

A second ledger is the system to which the key may be transferred: at most one of the two can use it at any instant.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keybroker.errors import NotPermitted
from keybroker.keys.acts import TRANSITIONS, Act, ResumeKey
from keybroker.keys.history import history_of
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.ledger.life_form import IN_A_CEREMONY, LIFE, RENEW, SUCCESSOR, TWO_PEOPLE
from keybroker.terms import KeyLabel, KeyState
from tests.keys import living
from tests.keys.living import LABEL, NEXT
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.situations import AT

USABLE = frozenset({KeyState.ACTIVE, KeyState.COMBINED})
ACTS: tuple[Act, ...] = (
    *(living.ORDER, living.GENERATED, living.LABELLED, living.DISTRIBUTED, living.INSTALLED, living.ACTIVATE),
    *(living.SUSPEND, ResumeKey(label=LABEL, because="found"), living.RETIRE, living.SUPERSEDE, living.RENEW),
    *(living.SPLIT, living.COMBINE, living.REJOIN, living.TRANSFER, living.COMPROMISE, living.DESTROY),
    *(living.ADD, living.GONE, living.BLOB_GONE, *living.successor()),
    *(living.ActivateKey(label=NEXT), living.SuspendKey(label=NEXT, because="x"), ResumeKey(label=NEXT, because="x")),
    *(living.RetireKey(label=NEXT, because="x"),),
)
NAMES = {act: f"{type(act).__name__} {act.label}" for act in ACTS}


class Life(RuleBasedStateMachine):
    """``expected`` is what a reader of the table of transitions alone would say."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.journal, self.elsewhere = self._book(), self._book()
        self.expected: dict[KeyLabel, KeyState | None] = {LABEL: None, NEXT: None}
        self.done: dict[KeyLabel, list[str]] = {LABEL: [], NEXT: []}
        self.at = AT

    def _book(self) -> Journal:
        directory = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        journal = self.open.enter_context(books.a_book(directory))
        enrol(journal)
        living.open_ceremony(journal, LABEL, NEXT)
        return journal

    @initialize()
    def order(self) -> None:
        self.do(living.ORDER)
        self.do(living.GENERATED)

    @rule(act=st.sampled_from(ACTS))
    def do(self, act: Act) -> None:
        self.at += timedelta(seconds=1)
        before = self.expected[act.label]
        fits = before in TRANSITIONS[type(act)]
        try:
            living.do(self.journal, act, at=self.at)
        except NotPermitted:
            # Whatever else there is to refuse, the state is the one before.
            return
        assert fits, NAMES[act]
        self._went(act.label, act, TRANSITIONS[type(act)][before])
        if isinstance(act, living.RenewKey):
            assert self.expected[NEXT] in SUCCESSOR
            self._went(NEXT, act, KeyState.ACTIVE)

    def _went(self, label: KeyLabel, act: Act, after: KeyState) -> None:
        self.expected[label] = after
        self.done[label].append(type(act).__name__)

    @precondition(lambda self: self.expected[LABEL] is KeyState.TRANSFERRING)
    @rule()
    def arrive(self) -> None:
        """The source has suspended it for ever: the destination imports it and uses it, then the source says so."""
        if living.state_of(self.elsewhere) is None:
            living.do(self.elsewhere, living.ORDER, living.IMPORTED, living.ACTIVATED_HERE, at=self.at)
        self.do(living.TRANSFERRED)

    @invariant()
    def never_two_usable(self) -> None:
        states = [living.state_of(self.journal, LABEL), living.state_of(self.journal, NEXT)]
        assert states == [self.expected[LABEL], self.expected[NEXT]]
        assert sum(state in USABLE for state in states) <= 1
        assert not (states[0] in USABLE and living.state_of(self.elsewhere) in USABLE)

    @invariant()
    def every_step_is_told(self) -> None:
        for label, acts in self.done.items():
            history = history_of(self.journal.ledger, label)
            assert [each.act for each in history] == acts
            for each in history:
                leads = SUCCESSOR if each.act == RENEW and label == NEXT else LIFE[each.act]
                assert leads[each.before] is each.after
                assert AT < each.at <= self.at
                assert each.actor == living.ACTOR.identity
                assert (each.ceremony is None) is (each.act not in IN_A_CEREMONY)
                assert len(each.people) == (2 if each.act in TWO_PEOPLE else 0)

    def teardown(self) -> None:
        for journal in (self.journal, self.elsewhere):
            audit.verify(journal.ledger, self.at)
        self.open.close()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=8, stateful_step_count=25)
