"""What may change while the broker runs? Policies and callers. All else needs a restart, and is then refused here."""

from __future__ import annotations

from keybroker.config import Configuration, Works, build_journal, check_one_party
from keybroker.errors import ConfigurationInvalid, KeybrokerError
from keybroker.ledger.model import Entry, RecordKind
from keybroker.server.standing import Standing, limits_of
from keybroker.signing import Line
from keybroker.terms import PartyName

_NEEDS_RESTART = ("deployment", "server", "limits", "module", "ledger", "anchors")


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


def reloaded(old: Configuration, new: Configuration, works: Works, *, worker: str) -> tuple[Works, Standing]:
    """The works and the Standing under the new configuration, recorded; the old journal is closed. Runs on the signer
    thread.

    Raises: ConfigurationInvalid, LedgerFault; the old then stands as it was.
    """
    check_reloadable(old, new)
    check_one_party(new, works.register.refresh())
    journal = build_journal(new, works.ledger, worker=worker)
    entry = Entry(kind=RecordKind.ADMINISTRATIVE, party=PartyName(""), body={"worker": worker, "act": "reload"})
    try:
        journal.write([entry], at=new.clock.now())
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
    )
    changed = Works(line=line, register=works.register, journal=journal, ledger=works.ledger, token=works.token)
    return changed, standing_of(new, changed)


def standing_of(configuration: Configuration, works: Works) -> Standing:
    return Standing(
        line=works.line, callers=configuration.callers, limits=limits_of(configuration), clock=configuration.clock
    )
