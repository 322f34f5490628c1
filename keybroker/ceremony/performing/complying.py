"""Does the system to which keys come comply with what their purposes demand? SEC G2.22I(b)(ii).

The gates that look at module and place are looked at before anything is offered; at each use they judge again, with
all others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.gates.readiness import Outlook, shut_gates
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.statement.payloads import ModuleClassification, ModuleValidation
from keybroker.statement.standing import Standing
from keybroker.terms import KeyLabel, KeyState, PartyName, Provenance

_OF_THE_SYSTEM = frozenset({"validated-module", "information-classification-module", "uk-location"})


# SEC G2.22I(b)(ii): "the system to which the Secret Key Material and any other associated information is transferred
# complies with the requirements of Section G".
@clause("G2.22I(b)(ii)")
def check_complies(stage: Stage) -> tuple[str, ...]:
    """What was found of each key's purpose, one line each. Raises: NotPermitted, with all that is amiss."""
    hall, at = stage.hall, stage.hall.now()
    standing = hall.line.register.refresh().standing
    outlook = Outlook(
        deployment=hall.line.deployment,
        module=hall.token.identity,
        # Whether the ledger may be spent from is a question at each use, and none about the system.
        surroundings=replace(hall.line.surroundings.seen(at), rolled_back="", unwitnessed=""),
        standing=standing,
        at=at,
    )
    found: list[str] = []
    amiss: list[str] = []
    for key in stage.plan.keys:
        policy = _of_the_system(hall.line.policies[key.purpose])
        amiss += (f"{key.label}: {shut}" for shut in shut_gates(_as_if_here(key), policy, outlook))
        found.append(f"{key.label}: {', '.join(gate.gate for gate in policy.gates) or 'no gate of the system'}, open")
    if amiss:
        raise NotPermitted(f"this system may not hold these keys (G2.22I(b)(ii)): {'; '.join(amiss)}")
    return tuple(found)


def _of_the_system(policy: Policy) -> Policy:
    return replace(policy, gates=tuple(gate for gate in policy.gates if gate.gate in _OF_THE_SYSTEM))


def _as_if_here(key: PlannedKey) -> RegisteredKey:
    """It has yet to come; these gates look at its purpose, party and label."""
    return RegisteredKey(
        label=KeyLabel(key.label),
        purpose=key.purpose,
        party=PartyName(key.party),
        state=KeyState.INSTALLED,
        provenance=Provenance.UNWRAPPED,
        public_key=b"",
        eui=None,
        certificate=None,
    )


def module_evidence(stage: Stage) -> tuple[str, ...]:
    """SHA-256 of the statements in force about this module."""
    register = stage.hall.line.register.refresh()
    return _about(register.standing, stage.hall.token.serial, stage.hall.now())


def _about(standing: Standing, serial: str, at: datetime) -> tuple[str, ...]:
    validations = [statement for statement, said in standing.of(ModuleValidation, at) if serial in said.module.members]
    classifications = standing.of(ModuleClassification, at)
    classified = [statement for statement, said in classifications if serial in said.module.members]
    return tuple(statement.sha256.hex() for statement in (*validations, *classified))
