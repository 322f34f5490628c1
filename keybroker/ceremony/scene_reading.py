"""How is the scene read that a plan is judged against? From the ledger's tables, at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from keybroker.ceremony.plan import CeremonyKind, Side, read_plan
from keybroker.ceremony.scene import Scene
from keybroker.gates.people import PeopleSettings
from keybroker.hsm.profile_sections import QuorumAdapter
from keybroker.keys.known import every_key
from keybroker.keys.standing import read_standing
from keybroker.ledger.ceremonies import busy_keys, done_plans
from keybroker.ledger.reading import Reader
from keybroker.policy.model import Policy
from keybroker.terms import KeyPurpose


def read_scene(
    ledger: Reader,
    *,
    side: Side,
    serial: str,
    quorum: QuorumAdapter,
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
            quorum=quorum,
            split_by=_split_by(done_plans(connection, CeremonyKind.SPLIT.value)),
            keys=every_key(connection),
            busy=busy_keys(connection),
            policies=policies,
            standing=read_standing(connection),
            people=people,
            at=at,
        )


def _split_by(texts: Sequence[str]) -> dict[str, str]:
    """Of the plans of splits. A key is split once in its life, and its later shares come by the same mechanism."""
    plans = [read_plan(text.encode()).plan for text in texts]
    return {key.label: plan.split.mechanism for plan in plans if plan.split is not None for key in plan.keys}
