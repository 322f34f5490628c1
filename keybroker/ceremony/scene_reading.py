"""How is the scene read that a plan is judged against? From the ledger's tables, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from keybroker.ceremony.plan import Side
from keybroker.ceremony.scene import Scene
from keybroker.gates.people import PeopleSettings
from keybroker.keys.known import every_key
from keybroker.keys.standing import read_standing
from keybroker.ledger.ceremonies import busy_keys
from keybroker.ledger.reading import Reader
from keybroker.policy.model import Policy
from keybroker.terms import KeyPurpose


def read_scene(
    ledger: Reader,
    *,
    side: Side,
    serial: str,
    policies: Mapping[KeyPurpose, Policy],
    people: PeopleSettings,
    at: datetime,
) -> Scene:
    """Every key that was ever ordered, one that has no public key yet too. Raises: LedgerFault."""
    with ledger.read() as connection:
        return Scene(
            deployment=ledger.deployment,
            origin=ledger.origin,
            serial=serial,
            side=side,
            keys=every_key(connection),
            busy=busy_keys(connection),
            policies=policies,
            standing=read_standing(connection),
            people=people,
            at=at,
        )
