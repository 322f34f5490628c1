"""Who acts where somebody runs keybroker at the machine, and with which pen?"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from keybroker.config import Configuration, build_ledger
from keybroker.keys.administration import Actor
from keybroker.ledger.journal import Journal
from keybroker.terms import CallerKind, PartyName


@contextmanager
def acting(configuration: Configuration, party: str) -> Iterator[tuple[Journal, Actor]]:
    """A pen of our own, beside the broker's workers'; the actor is who runs this process."""
    actor = operator(configuration, party)
    ledger, _, journal = build_ledger(configuration, worker="operator")
    try:
        yield journal, actor
    finally:
        ledger.close()


def operator(configuration: Configuration, party: str) -> Actor:
    """Who runs this process, for the deployment's party or the one given."""
    whose = configuration.file.deployment.party or party
    return Actor(identity=f"local:{_user()}", kind=CallerKind.OPERATOR, party=PartyName(whose))


def _user() -> str:
    """The name of the real user id, which no variable of the environment changes; its number where it has no name."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
