"""A case of a rule: the one good situation, what is spoilt in it, and what the finding must tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from keybroker.content.model import GbcsCommand
from keybroker.policy.model import Policy
from keybroker.policy.settings import LifeSettings
from keybroker.policy.trust import RevocationList, Trust
from keybroker.terms import KeyPurpose
from tests import messages
from tests.situations import AT, a_content, a_policy

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
ACB = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND
CONTINGENCY = KeyPurpose.CONTINGENCY_COMMAND
SECOND = timedelta(seconds=1)
CA = bytes(32)
CELL = messages.der(0x04, messages.DEVICE.octets)
UNKNOWN_PARTY = (messages.SUPPLIER, 77)


def a_list(**changes: Any) -> RevocationList:
    """A current list of the CA, which names nobody."""
    held = RevocationList(issuer_identity=CA, number=1, this_update=AT - SECOND, next_update=AT + SECOND, revoked={})
    return replace(held, **changes)


def trusting(held: RevocationList) -> Trust:
    return Trust(lists={held.issuer_identity: held})


def living(**settings: Any) -> Policy:
    """The policy of the Supplier's keys, with a life of so many days or uses."""
    packaged = a_policy()
    return replace(packaged, settings=replace(packaged.settings, life=LifeSettings(**settings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A rule, what is spoilt, and what the finding must tell."""

    rule: str
    spoilt: dict[str, Any]
    found: str
    purpose: KeyPurpose = SUPPLIER
    offset: int | None = None
    passes: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.found or 'pass'} ({self.purpose})"


def a_command(purpose: KeyPurpose = SUPPLIER, **changes: Any) -> GbcsCommand:
    content = a_content(purpose, **changes)
    assert isinstance(content, GbcsCommand)
    return content


def of_code(purpose: KeyPurpose, **changes: Any) -> GbcsCommand:
    """A good Command whose row of the Message Code table says something else."""
    command = a_command(purpose)
    return replace(command, message_code=replace(command.message_code, **changes))
