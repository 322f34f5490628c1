"""Who is here, is this the module, and are all conditions met? The first steps of every ceremony, and its last."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256

from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import Condition
from keybroker.clause import clause
from keybroker.ledger.canonical_json import Json


def gather(stage: Stage) -> Done:
    """Everybody in the plan is here, compares its digest, and signs it."""
    plan = stage.plan
    stage.room.tell("Everybody compares the plan's digest with the one on his own paper. Each then signs it.")
    stage.room.digest("plan", stage.held.plan_file.sha256)
    people: list[Json] = [
        {"name": person.name, "role": person.role.value, "signing_sha256": person.signing_sha256}
        for person in plan.people
    ]
    return Done(facts={"people": people, "reason": plan.reason, "requested_by": plan.requested_by})


def check_module(stage: Stage) -> Done:
    """What the module says of itself now, for everybody to compare with the plan and with its label."""
    told = asdict(stage.hall.token.identity)
    stage.room.facts(told)
    around = stage.hall.line.surroundings.seen(stage.hall.now())
    facts: dict[str, Json] = {"module": {name: told[name] for name in sorted(told)}, "node": around.node.identity}
    if around.clock.why_not:
        stage.room.tell(f"The clock cannot be relied on: {around.clock.why_not}")
    facts["clock"] = around.clock.why_not or "agrees with its source"
    return Done(facts=facts)


@clause("G2.22I(b)(i)")
def tick_conditions(stage: Stage) -> Done:
    """SEC G2.22I(b)(i): "in compliance with any conditions that may be specified by the SMKI PMA in its approval"."""
    ticked: list[Json] = []
    for number, condition in enumerate(stage.plan.conditions, start=1):
        stage.room.facts({f"condition {number}": condition.words})
        shown = stage.room.ask_file(f"What shows {condition.id}?", _help(condition), lambda octets: octets)
        ticked.append({"condition": condition.id, "shown_sha256": sha256(shown).hexdigest()})
        stage.room.progress("conditions", number, len(stage.plan.conditions))
    return Done(facts={"conditions": ticked})


def _help(condition: Condition) -> str:
    return (
        f"The name of a file that shows that {condition.id} is met: a signed report, a photograph. Its digest goes into"
        " the transcript; keep the file with it."
    )


def close(stage: Stage) -> Done:
    """Everybody signs that it is over, and what came out of it."""
    outputs: list[Json] = [
        {"name": file.name, "sha256": sha256(file.read_bytes()).hexdigest()}
        for file in sorted(stage.hall.directory.iterdir())
        if file.is_file() and not file.name.startswith(".") and ".transcript." not in file.name
    ]
    stage.room.facts({str(each["name"]): each["sha256"] for each in outputs if isinstance(each, dict)})
    return Done(facts={"outputs": outputs})
