"""``keybroker ceremony rehearse``: the same plan, the same steps, on SoftHSM in a throw-away deployment, all TEST.

What cannot be the same is put in its place and said: the modules' serials, the ledgers, the people's certificates, the
keys of the same names. Rehearsed again in the same directory, a combine finds the key that was split there; what it may
sign is then every message of the key's purpose to the Devices that are stood in for, a few times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile, PlannedKey, PlannedModule, Side, read_plan
from keybroker.ceremony.plan_writing import plan_text
from keybroker.ceremony.scene import Scene
from keybroker.cli.ceremony_hall import scene_of
from keybroker.cli.dev.ceremony_cast import StandIn, approve, make_cast, retire, write_people
from keybroker.cli.dev.deployment import (
    DEFAULT_KEYS,
    Child,
    create_deployment,
    in_a_process,
    is_deployment,
    open_deployment,
)
from keybroker.cli.dev.plan import DEVICES, DevKey
from keybroker.cli.dev.second_pki import trust_the_other
from keybroker.cli.dev.statements import to_devices
from keybroker.config import Configuration, read_configuration
from keybroker.statement.approval import ApprovedMessage
from keybroker.terms import EntityIdentifier

_VALID = timedelta(days=30)
FEW_USES = 3
"""Of a combined key, where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Where it takes place: the deployments' configurations by side, the people's file, the plan in its place."""

    configurations: Mapping[Side, Path]
    people: Path
    plan: Path


def prepare_rehearsal(
    plan_file: PlanFile,
    directory: Path,
    messages: tuple[ApprovedMessage, ...] = (),
    uses: int = FEW_USES,
    *,
    child: Child = in_a_process,
) -> Rehearsal:
    """Make what is missing, and have the plan in its place approved on every side.

    ``messages`` are what a combined key may sign, so many ``uses`` in all; none: whatever stand-in Devices may be told.
    ``child`` begins the process that makes a side's keys.

    Raises: KeybrokerError.
    """
    plan, people = plan_file.plan, directory / "people.toml"
    written = directory / f"{plan.name}.plan.toml"
    configurations = {side: _deployment(plan, directory, side, child) for side in _sides(plan)}
    if written.exists():
        return Rehearsal(configurations=configurations, people=people, plan=written)
    roles = {person.name: person.role for person in plan.people}
    cast: dict[str, StandIn] = {}
    for path in configurations.values():
        cast = make_cast(read_configuration(path), directory / "people", roles)
    write_people(people, directory / "people")
    text = plan_text(_in_place(plan_file, configurations, cast))
    for path in configurations.values():
        configuration = read_configuration(path)
        approved = messages or _any_message(plan, configuration)
        approve(configuration, read_plan(text.encode()), approved, uses)
    written.write_text(text, encoding="utf-8")
    return Rehearsal(configurations=configurations, people=people, plan=written)


def _any_message(plan: Plan, configuration: Configuration) -> tuple[ApprovedMessage, ...]:
    """Each Message Code of the keys' purposes, to the Devices that are stood in for; none where no key is combined."""
    if plan.kind is not CeremonyKind.COMBINE:
        return ()
    codes = {code for key in plan.keys for code in configuration.policies[key.purpose].message_codes}
    return tuple(to_devices(codes, DEVICES.values()))


def _sides(plan: Plan) -> tuple[Side, ...]:
    return (Side.SOURCE, Side.DESTINATION) if plan.kind is CeremonyKind.TRANSFER else (Side.HERE,)


def _deployment(plan: Plan, directory: Path, side: Side, child: Child) -> Path:
    place = directory / side.value
    if is_deployment(place):
        return open_deployment(place).config_path
    makes = plan.kind is CeremonyKind.GENERATE or side is Side.DESTINATION
    keys = () if makes else tuple(map(_dev_key, plan.keys))
    origin = f"keybroker.example/rehearsal/{side.value}/TEST"
    deployment = create_deployment(place, keys=keys, origin=origin, child=child)
    if plan.kind is CeremonyKind.DESTROY:
        retire(deployment, [key.label for key in plan.keys])
    if side is Side.DESTINATION:
        trust_the_other(deployment, directory / Side.SOURCE.value)
    return deployment.config_path


def _dev_key(key: PlannedKey) -> DevKey:
    """As the development deployment makes a key of this purpose, under the plan's name and party."""
    like = next(each for each in DEFAULT_KEYS if each.purpose is key.purpose)
    eui = like.eui if key.eui is None else EntityIdentifier.from_text(key.eui)
    return replace(like, label=key.label, party=key.party, eui=eui)


def _in_place(plan_file: PlanFile, configurations: Mapping[Side, Path], cast: Mapping[str, StandIn]) -> Plan:
    """The plan, with what stands here in the place of what will stand in the room."""
    plan = plan_file.plan
    scenes = {side: scene_of(read_configuration(path), side) for side, path in configurations.items()}
    first = scenes[next(iter(scenes))]
    changed = {
        "keys": tuple(_key(key, plan, first) for key in plan.keys),
        "modules": tuple(
            PlannedModule(side=side, serial=scene.serial, ledger=scene.origin) for side, scene in scenes.items()
        ),
        "people": tuple(
            person.model_copy(
                update={
                    "signing_sha256": cast[person.name].signing_sha256,
                    "receiving_sha256": cast[person.name].receiving_sha256 if person.receiving_sha256 else None,
                }
            )
            for person in plan.people
        ),
        "rehearses": plan_file.sha256.hex(),
        "valid_from": first.at - timedelta(hours=1),
        "valid_until": first.at + _VALID,
    }
    return plan.model_copy(update=changed)


def _key(key: PlannedKey, plan: Plan, scene: Scene) -> PlannedKey:
    if plan.kind is CeremonyKind.GENERATE:
        return key
    held = scene.keys[key.label]
    return key.model_copy(update={"public_key_sha256": held.fingerprint, "party": held.party})
