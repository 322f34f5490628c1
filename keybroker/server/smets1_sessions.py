"""When does a key for one TLS session with a SMETS1 Device begin and end? SEC G2.44A(d). On the signer thread.

In an order that no crash spoils: the ledger knows a key (label, CKA_ID) before the module makes it, and lets nobody use
it before it is made and recorded; at the end the ledger lets nobody use it any more, then the module destroys it, then
that is recorded. What is left between is swept: at the start, and every few seconds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import final

from keybroker.errors import LedgerFault, ModuleFault, NotPermitted, OutcomeUnknown, RequestRepeated
from keybroker.hsm.session_keys import destroy_session_key, draw_identifier, make_session_key
from keybroker.hsm.token_module import Token
from keybroker.keys.acts import Actor, RetireKey, SessionKeyDestroyed, SessionKeyMade
from keybroker.keys.administration import administer
from keybroker.keys.sessions import HeldSession, find_by_label, find_by_request, not_destroyed, request_name
from keybroker.ledger.model import Receipt
from keybroker.ledger.store import Ledger
from keybroker.policy.model import Policy
from keybroker.server.logging import Logger
from keybroker.server.reading import record_refusal
from keybroker.server.session_beginning import (
    Beginning,
    Begun,
    act_of,
    check_beginning,
    given_again,
    receipt_of,
    stranger,
)
from keybroker.server.standing import Current, Standing
from keybroker.terms import Caller, CallerKind, KeyLabel, KeyState, Operation, RequestId


@final
class Sessions:
    """Makes and destroys session keys. ``broker`` is this run of the broker: no session outlives it."""

    def __init__(self, current: Current, token: Token, *, broker: str, log: Logger) -> None:
        self._current = current
        self._token = token
        self._broker = broker
        self._log = log

    # ---- asked by callers

    def begin(self, caller: Caller, asked: Beginning) -> Begun:
        """Raises: NotPermitted, RequestRepeated, OutcomeUnknown (in progress), ModuleFault, LedgerFault."""
        standing = self._current.standing
        try:
            policy = check_beginning(standing, caller, asked)
            before = find_by_request(_ledger(standing), request_name(asked.parent, asked.request_id))
            if before is not None:
                return given_again(standing, before, caller, asked)
        except (NotPermitted, RequestRepeated) as refusal:
            record_refusal(standing, caller, (caller.identity,), Operation.BEGIN_SMETS1_SESSION, refusal, 1)
            raise
        return self._make(standing, policy, caller, asked)

    def end(self, caller: Caller, label: KeyLabel, request_id: RequestId) -> Receipt:
        """The record of the destruction. A session that ended before gives the same one.

        Raises: NotPermitted; OutcomeUnknown (it is being made); LedgerFault; ModuleFault: the key serves no more, and
        is destroyed when the module is back.
        """
        standing = self._current.standing
        session = find_by_label(_ledger(standing), label)
        if session is None or session.party != caller.party or session.facts.parent not in caller.keys:
            refusal = stranger()
            record_refusal(standing, caller, (caller.identity,), Operation.END_SMETS1_SESSION, refusal, 1)
            raise refusal
        if self._is_in_the_making(standing, session):
            raise OutcomeUnknown("the session's key is being made at this moment; ask again")
        actor = Actor(identity=caller.identity, kind=caller.kind, party=caller.party)
        self._end(standing, session, actor, because=f"{Operation.END_SMETS1_SESSION} {request_id}")
        ended = find_by_label(_ledger(standing), label)
        return receipt_of(standing, None if ended is None else ended.destroyed)

    # ---- by itself

    def sweep(self) -> None:
        """End what is over, and destroy what has ended: now, or when the module is back."""
        standing = self._current.standing
        try:
            for session in not_destroyed(_ledger(standing)):
                if self._is_in_the_making(standing, session):
                    continue
                because = self._why_over(standing, session)
                if because or session.state is KeyState.RETIRED:
                    self._sweep(standing, session, because)
        except LedgerFault as fault:
            self._log.warning("session keys not swept", reason=fault.reason, why=fault.sentence)

    def _sweep(self, standing: Standing, session: HeldSession, because: str) -> None:
        worker = standing.line.journal.worker
        actor = Actor(identity=f"broker:{worker}", kind=CallerKind.BROKER, party=session.party)
        try:
            self._end(standing, session, actor, because=because)
            self._log.info("session key destroyed", key=session.label, why=because)
        except ModuleFault as fault:
            self._log.warning("session key not destroyed yet", key=session.label, why=fault.sentence)

    def _why_over(self, standing: Standing, session: HeldSession) -> str:
        """Empty while the session lasts."""
        if session.broker != self._broker:
            return "the broker started anew"
        if standing.clock.now() >= session.facts.until:
            return "the session's longest time is over"
        if session.parent_state is not KeyState.ACTIVE:
            return f"its parent {session.facts.parent} is {session.parent_state}"
        if session.state is KeyState.ORDERED:
            return f"its making was not finished by {session.worker}"
        return ""

    def _is_in_the_making(self, standing: Standing, session: HeldSession) -> bool:
        """Another worker may be about to make it, so what is destroyed now might be there a moment later. When that
        worker has died, or is we ourselves (who make none at this moment), nobody is.
        """
        journal = standing.line.journal
        return session.made is None and session.worker != journal.worker and journal.ledger.is_alive(session.worker)

    # ---- making and ending

    def _make(self, standing: Standing, policy: Policy, caller: Caller, asked: Beginning) -> Begun:
        journal, at = standing.line.journal, standing.clock.now()
        actor = Actor(identity=caller.identity, kind=caller.kind, party=caller.party)
        identifier = draw_identifier(self._token, policy, standing.line.register.refresh())
        act = act_of(policy, caller, asked, identifier=identifier, broker=self._broker, at=at)
        administer(journal, actor, act, at)
        try:
            make_session_key(self._token, act.label, policy, identifier)
            receipt = administer(journal, actor, SessionKeyMade(label=act.label), standing.clock.now())
        except (ModuleFault, NotPermitted):
            # Not permitted: an operator retired it meanwhile.
            self._end_unmade(standing, act.label, actor)
            raise
        return Begun(key=act.label, until=act.until, receipt=receipt, given_again=False)

    def _end_unmade(self, standing: Standing, label: KeyLabel, actor: Actor) -> None:
        """What cannot be destroyed now is swept later."""
        session = find_by_label(_ledger(standing), label)
        if session is not None:
            with suppress(ModuleFault):
                self._end(standing, session, actor, because="it was not made")

    def _end(self, standing: Standing, session: HeldSession, actor: Actor, *, because: str) -> None:
        """Nobody may use it; it is destroyed; that is written down. Another worker may be doing the same."""
        journal, label = standing.line.journal, session.label
        if session.destroyed is not None:
            return
        if session.state is not KeyState.RETIRED:
            with suppress(NotPermitted):
                administer(journal, actor, RetireKey(label=label, because=because), standing.clock.now())
        destroy_session_key(self._token, label, session.public_key, standing.line.register.refresh())
        with suppress(NotPermitted):
            administer(journal, actor, SessionKeyDestroyed(label=label), standing.clock.now())


def _ledger(standing: Standing) -> Ledger:
    return standing.line.journal.ledger
