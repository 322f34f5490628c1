"""How does a new key come into the module and into use? SEC G5.13(b), G5.24(b)."""

from __future__ import annotations

from hashlib import sha256

from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import PlannedKey
from keybroker.clause import clause
from keybroker.hsm.generate import find_generated, generate_key
from keybroker.keys.acts import Act, ActivateKey, KeyGenerated, OrderKey
from keybroker.keys.life_acts import RenewKey
from keybroker.terms import EntityIdentifier, KeyLabel, PartyName, Provenance


def new_label(stage: Stage) -> KeyLabel:
    """Of the key that this ceremony makes: a successor's, where there is one."""
    key = stage.plan.keys[0]
    return KeyLabel(key.successor or key.label)


@clause("G5.13(b)", "G5.24(b)")
def make_key(stage: Stage) -> Done:
    """The module makes the key, or has made it already: nothing else may bear a label that this ceremony holds."""
    key, label = stage.plan.keys[0], new_label(stage)
    policy = stage.hall.line.policies[key.purpose]
    identity = find_generated(stage.hall.token, label, policy) or generate_key(stage.hall.token, label, policy)
    stage.room.digest("public key", sha256(identity).digest())
    generated = KeyGenerated(label=label, public_key=identity, provenance=Provenance.GENERATED)
    facts = {
        "key": label,
        "module": stage.hall.token.serial,
        "public_key": identity.hex(),
        "purpose": key.purpose.value,
    }
    return Done(facts={**facts}, acts=(_ordered(stage, key, label), generated))


def _ordered(stage: Stage, key: PlannedKey, label: KeyLabel) -> Act:
    """What renews a key speaks for the same EUI."""
    renews = None if key.successor is None else KeyLabel(key.label)
    held = None if renews is None else stage.hall.line.register.refresh().keys[renews]
    eui = EntityIdentifier.from_text(key.eui) if key.eui is not None else None if held is None else held.eui
    return OrderKey(label=label, purpose=key.purpose, party=PartyName(key.party), eui=eui, renews=renews)


def activate_key(stage: Stage) -> Done:
    label = new_label(stage)
    return Done(facts={"key": label}, acts=(ActivateKey(label=label),))


@clause("G5.13(b)", "G5.24(b)")
def switch_keys(stage: Stage) -> Done:
    """The successor is of use from the moment in which its predecessor is not."""
    key = stage.plan.keys[0]
    label, successor = KeyLabel(key.label), new_label(stage)
    return Done(facts={"key": label, "successor": successor}, acts=(RenewKey(label=label, successor=successor),))
