"""Is everything in this live deployment one party's? SEC G2.20(c), G2.25, G3.14: what is not stops the start.

A party is a User or a DCC Individual Live System. Callers, keys, the ledger, the token, this node and those who state
evidence: each belongs to the party that the configuration names, or the broker does not start.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from keybroker.clause import clause
from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, NotPermitted
from keybroker.gates.module_agreement import members_of
from keybroker.ledger.model import Head
from keybroker.policy.model import KeyRegister
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import Location
from keybroker.statement.standing import Standing
from keybroker.terms import Caller

_CLAUSES = "G2.25, G3.14, G2.20(c)"

OTHERS_STATE = frozenset(
    {
        StatementKind.THRESHOLD_NOTIFICATION,
        StatementKind.QUARANTINE_ACTION,
        StatementKind.QUARANTINE_REPORT,
        StatementKind.COMMITTEE_OPINION,
        StatementKind.DEVICE_CATEGORY,
        StatementKind.RECOVERY_REVOCATION,
        StatementKind.APPROVAL,
    }
)
"""What somebody else must be able to state: Users to the DCC (SEC G6.1(a)(iii), G6.3), the DCC to Users (G6.1(a)(ii)),
the Security Sub-Committee, the SMKI PMA (SEC G2.22I), and whoever keeps the SMETS1 Supporting Requirements and the SMKI
Recovery Procedure."""


class Anchored(Protocol):
    """A token that keeps the ledger's head."""

    def read_anchor(self) -> Head | None: ...


@clause("G2.20(c)", "G2.25", "G3.14")
def strange_callers(callers: Iterable[Caller], party: str) -> list[str]:
    return [f"caller {caller.identity} of {caller.party}" for caller in callers if caller.party != party]


@clause("G2.20(c)", "G2.25", "G3.14")
def strange_keys(register: KeyRegister, party: str) -> list[str]:
    return [f"key {key.label} of {key.party}" for key in register.keys.values() if key.party != party]


@clause("G2.20(c)", "G2.25", "G3.14")
def strange_evidence(standing: Standing, party: str, *, node: str, serial: str, at: datetime) -> list[str]:
    """``node`` is this node's identity, ``serial`` its module's, and every member behind its slot is ours too."""
    ours = {("node", node), *(("module", member) for member in members_of(serial, standing))}
    strangers = [
        f"attester {attester.name} of {attester.party}"
        for attester in standing.attesters.values()
        if attester.party != party
        and attester.withdrawn_at is None
        and at < attester.until
        and not attester.kinds <= OTHERS_STATE
    ]
    strangers += [
        f"{location.of} {location.subject} of {location.party} (statement {statement.sha256.hex()[:16]})"
        for statement, location in standing.of(Location, at)
        if (location.of, location.subject) in ours and location.party != party
    ]
    return strangers


# G2.20(c): "each DCC Individual Live System is Separated from each other such System." G2.25: "no resources which form
# part of the DCC Live Systems also form part of any User Systems." G3.14: "no resources which form part of its User
# Systems also form part of the DCC Live Systems."
def told_strangers(party: str, strangers: Iterable[str]) -> str:
    return f"this live deployment is {party}'s alone (SEC {_CLAUSES}), found {', '.join(strangers)}"


@clause("G2.20(c)", "G2.25", "G3.14")
def check_own_attester(own: str, party: str, kinds: frozenset[StatementKind]) -> None:
    """Before it is enrolled: the next start would stop for it. ``own`` is empty in a test deployment.

    Raises: NotPermitted.
    """
    if own and party != own and not kinds <= OTHERS_STATE:
        only = ", ".join(sorted(OTHERS_STATE))
        told = f"this live deployment is {own}'s alone (SEC {_CLAUSES}): {party} states {only} at most"
        raise NotPermitted(told)


# SEC G6.3(a): a User sets the thresholds on what is its own; G6.6: "The DCC shall [...] set" those of the DCC.
@clause("G6.6A")
def check_own_thresholds(own: str, octets: bytes, standing: Standing, *, of_the_dcc: bool) -> None:
    """Before a notification is taken in: those that the keys here are held to are set by their own party alone.

    Others may notify theirs beside (``OTHERS_STATE``). ``own`` is empty in a test deployment. Raises: NotPermitted.
    """
    try:
        said = read_compact(octets)
    except StatementUnfit:
        return  # whoever takes it in says what is wrong with it, and records that
    attester = standing.attesters.get(said.kid)
    sets_the_dccs = said.claims.get("user") is None
    if own and attester is not None and attester.party != own and sets_the_dccs is of_the_dcc:
        whose = "the DCC's own" if of_the_dcc else "a User's"
        told = f"{whose} thresholds in {own}'s live deployment are set by {own} alone (SEC G6.3, G6.6, {_CLAUSES})"
        raise NotPermitted(f"{told}, found a notification by {attester.name} of {attester.party}")


@clause("G2.20(c)", "G2.25", "G3.14")
def read_own_anchor(token: Anchored, *, origin: str, party: str) -> Head | None:
    """The head that the token keeps. ``party`` is empty in a test deployment, where a later check says what is wrong.

    Raises: ConfigurationInvalid in a live deployment whose token keeps another ledger's head; ModuleFault.
    """
    try:
        anchor = token.read_anchor()
    except ModuleDisagrees as error:
        if not party:
            raise
        raise _another_ledgers(party, error.sentence) from error
    if party and anchor is not None and anchor.origin != origin:
        raise _another_ledgers(party, f"it keeps the head of ledger {anchor.origin}, this one is {origin}")
    return anchor


def _another_ledgers(party: str, found: str) -> ConfigurationInvalid:
    told = f"the token of {party}'s live deployment serves no other ledger (SEC {_CLAUSES}): {found}"
    return ConfigurationInvalid(told, where="module.token_serial")
