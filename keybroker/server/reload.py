"""What may change while the broker runs, and by whose order? Policies and callers, by that of a person who may act.

All else needs a restart, and is then refused here. SEC G3.23, G3.24: a reload is an administrative act.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from keybroker.config import Configuration, Works, build_journal, build_ledger, check_one_party, reading
from keybroker.errors import ConfigurationInvalid, KeybrokerError, PersonMayNotAct
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import refusals_recorded
from keybroker.keys.reload import Reload, check_reload_ordered, record_reload, told_reload
from keybroker.server.standing import Standing, limits_of
from keybroker.signing import Line
from keybroker.terms import CallerKind, PartyName

SUPERVISOR = "supervisor"
"""By whose pen a refusal is recorded: no worker was asked."""
_NEEDS_RESTART = (
    *("deployment", "node", "people", "time", "server", "limits", "module", "ledger", "anchors"),
    *("anomalies", "checkpoints", "witnesses"),
)


def check_reloadable(old: Configuration, new: Configuration) -> None:
    """Raises: ConfigurationInvalid naming what cannot change while the broker runs."""
    changed = [name for name in _NEEDS_RESTART if getattr(old.file, name) != getattr(new.file, name)]
    if old.profile.sha256 != new.profile.sha256 or old.anchors != new.anchors:
        changed.append("module.profile or anchors")
    # What the token's keys are held against was read when it was opened.
    changed += [
        f"policy {purpose}: export or module"
        for purpose, policy in new.policies.items()
        if (policy.export, policy.module) != (old.policies[purpose].export, old.policies[purpose].module)
    ]
    if changed:
        raise ConfigurationInvalid(
            f"a reload changes callers and policies; a restart is needed for {', '.join(changed)}"
        )


def check_ordered(old: Configuration, new: Configuration) -> None:
    """By the ledger as it is, before any worker is asked. What is in force already needs no order.

    Raises: PersonMayNotAct (recorded), ConfigurationInvalid, LedgerFault.
    """
    if old.sources.digest == new.sources.digest:
        return
    asked, at = _asked(old, new), old.clock.now()
    try:
        with reading(old) as ledger:
            check_reload_ordered(ledger, asked, at)
    except PersonMayNotAct:
        _check_and_record(old, asked, at)


def _check_and_record(old: Configuration, asked: Reload, at: datetime) -> None:
    """The same with a pen in hand, which is taken up for a refusal alone.

    Raises: PersonMayNotAct (recorded), LedgerFault.
    """
    ledger, _, journal = build_ledger(old, worker=SUPERVISOR)
    try:
        actor = Actor(identity=f"worker:{journal.worker}", kind=CallerKind.BROKER, party=PartyName(""))
        body = told_reload(asked.digest)
        refusals_recorded(journal, actor, body, at, lambda: check_reload_ordered(ledger, asked, at))
    finally:
        journal.close()
        ledger.close()


def reloaded(old: Configuration, new: Configuration, works: Works, *, worker: str) -> tuple[Works, Standing]:
    """The works and the Standing under the new configuration, recorded; the old journal is closed. Runs on the signer
    thread.

    Raises: ConfigurationInvalid, PersonMayNotAct, LedgerFault; the old then stands as it was.
    """
    check_reloadable(old, new)
    check_one_party(new, works.register.refresh())
    if old.sources.digest == new.sources.digest:
        return works, standing_of(old, works)
    journal = build_journal(new, works.ledger, worker=worker)
    try:
        record_reload(journal, _asked(old, new), new.clock.now())
    except KeybrokerError:
        journal.close()
        raise
    works.journal.close()
    line = Line(
        deployment=new.deployment,
        ledger_origin=new.ledger_origin,
        policies=new.policies,
        register=works.register,
        journal=journal,
        module=works.line.module,
        anchors=new.anchors,
        device_anchors=new.device_anchors,
        surroundings=works.line.surroundings,
    )
    changed = replace(works, line=line, journal=journal)
    return changed, standing_of(new, changed)


def _asked(old: Configuration, new: Configuration) -> Reload:
    return Reload(digest=new.sources.digest, policies=old.policies, people=old.people)


def standing_of(configuration: Configuration, works: Works) -> Standing:
    return Standing(
        line=works.line, callers=configuration.callers, limits=limits_of(configuration), clock=configuration.clock
    )
