"""Is what may affect the supply of energy signed with a Supply Sensitive Check, and not without? SEC G3.25."""

from __future__ import annotations

from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import confirmed, read_attests
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import Broker
from keybroker.errors import Refusal
from keybroker.terms import EntityIdentifier
from scripts.quickstart_parts.telling import Telling

_OPEN_LOAD_SWITCH, _VARIANT = 0x0050, "7.2"


def is_signed_when_checked(
    broker: Broker, deployment: Deployment, key: str, parties: tuple[EntityIdentifier, EntityIdentifier], tell: Telling
) -> bool:
    """Refused as it is, signed with the statement of the supplier's own check system. ``parties``: from, to."""
    user, device = parties
    counter = 1_700_000_000_001
    octets = sample_pre_command(user, device, counter, code=_OPEN_LOAD_SWITCH)
    tell.step("A Pre-Command that disconnects supply (ECS43): only with a Supply Sensitive Check")
    try:
        broker.sign_pre_command(key=key, octets=octets)
    except Refusal as refusal:
        tell.refused(f"{refusal.reason} {refusal.clause}: without a statement")
    else:
        return False
    check = read_attests(deployment.directory / "evidence", f"{key}/check")
    statement = confirmed(
        check,
        octets,
        variant=_VARIANT,
        user=user,
        device=device,
        counter=counter,
        confirmed_by="rule: one premises, asked by its customer",
    )
    signed = broker.sign_pre_command(key=key, octets=octets, supply_sensitive_checks=[statement])
    tell.good(f"signed with the statement of {check.name}, which is spent with it; record {signed.receipt.leaf_index}")
    return True
