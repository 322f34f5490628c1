"""Are module, node, caller's system and people in the United Kingdom? SEC G3.23, G3.24."""

from __future__ import annotations

from keybroker.clause import clause
from keybroker.gates.located import Place, Whereabouts
from keybroker.gates.look import Look
from keybroker.gates.model import Looked, ModuleIdentity, Node
from keybroker.gates.module_agreement import members_of
from keybroker.statement.standing import Standing
from keybroker.terms import Finding


# SEC G3.23: the module in which keys are held and Pre-Commands signed "is located, operated, configured, tested and
# maintained in the United Kingdom by User Personnel who are located in the United Kingdom." This node and the caller's
# system handle what is signed, so they are looked at with it (G3.25(c)).
def uk_location(look: Look) -> Looked:
    """Every place that the use depends on; the same for every use of the key by this caller in a batch."""
    key, caller = look.use.key, look.use.caller
    names = (key.label, key.party, caller.party, caller.system)
    return Looked(finding=look.once(*names, find=lambda: _finding(look)))


def _finding(look: Look) -> Finding:
    whereabouts = Whereabouts.of(look.standing, party=look.use.key.party, at=look.at)
    places = places_of(look)
    for place in places:
        if (short := whereabouts.why_not(place)) is not None:
            return short.shuts(look)
    until = min(whereabouts.until(place) for place in places)
    return look.passed(
        expected="module, node, caller's system and their people in the United Kingdom, and evidence of it in force",
        found=f"{', '.join(map(str, places))} in GB, until {until:%Y-%m-%dT%H:%M:%SZ}",
    )


@clause("G3.23", "G3.24")
def places_of(look: Look) -> tuple[Place, ...]:
    """Every member behind the module's slot, this node, and the caller's system; acts on each since it was stated."""
    evidence, caller = look.evidence, look.use.caller
    system = f"{caller.party}/{caller.system}"
    return (
        *fixed_places(look.use.key.label, evidence.module, evidence.surroundings.node, look.standing),
        Place(of="system", subject=system, acted_on=frozenset({f"system:{system}"})),
    )


def fixed_places(label: str, module: ModuleIdentity, node: Node, standing: Standing) -> tuple[Place, ...]:
    """Those that every use of the key depends on, whoever asks."""
    return (
        *(
            Place(
                of="module",
                subject=serial,
                site=module.site,
                acted_on=frozenset({f"module:{serial}", f"key:{label}", f"key:{label}:second"}),
            )
            for serial in members_of(module.serial, standing)
        ),
        Place(
            of="node",
            subject=node.identity,
            site=node.site,
            acted_on=frozenset({f"node:{node.identity}", *_OF_THE_NODE}),
        ),
    )


_OF_THE_NODE = ("configuration", "ledger", "ledger:second")
"""Whoever orders a reload, a retention or a restore maintains the broker on this node (``PersonAct.subject``)."""
