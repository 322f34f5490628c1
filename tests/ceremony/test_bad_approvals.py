"""An approval of which anything was changed is refused, or makes no plan fit: bit by bit, and field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.ceremony.judging import judge_plan
from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side
from keybroker.ceremony.scene import Scene
from keybroker.cli.acting import acting
from keybroker.cli.ceremony_hall import scene_of
from keybroker.cli.dev.evidence import Attests, read_attests
from keybroker.cli.dev.statements import OFFICER, common
from keybroker.errors import StatementRefused
from keybroker.gates.people import PeopleSettings
from keybroker.keys.acts import Actor
from keybroker.keys.evidence import add_statement
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.statement.approval import Approval
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import KeyPurpose
from tests.ceremony.plans import a_key, a_plan
from tests.ceremony.spoilt import prepared
from tests.statement.attested import encoded, parts

pytestmark = pytest.mark.hsm
OTHER = "cd" * 32


@dataclass
class Approved:
    """A transfer with all its approvals, and the ledger that takes statements in."""

    plan_file: PlanFile
    scene: Scene
    journal: Journal
    actor: Actor
    people: PeopleSettings
    officer: Attests

    def add(self, octets: bytes) -> Receipt:
        return add_statement(self.journal, self.actor, octets, StatementKind.APPROVAL, self.people, self.scene.at)

    def fresh(self, about: str) -> bytes:
        """One that was never taken in, and is as good as the one that was."""
        now = common(self.scene.origin, self.scene.at, StatementKind.APPROVAL)
        return self.officer.state(Approval.model_validate(self.held(about).payload.model_dump() | dict(now)))

    def held(self, about: str) -> Statement:
        (found,) = [each for each, said in self.scene.standing.of(Approval, self.scene.at) if said.about == about]
        return found

    def is_fit(self, about: str, octets: bytes) -> bool:
        """With this in the place of what is held. Raises: StatementUnfit."""
        standing = self.scene.standing
        read = read_statement(
            octets, standing.attesters, kind=StatementKind.APPROVAL, origin=self.scene.origin, at=self.scene.at
        )
        held = self.held(about)
        changed = replace(standing, statements=tuple(read if each is held else each for each in standing.statements))
        return all(each.passed for each in judge_plan(self.plan_file, replace(self.scene, standing=changed)))

    def resigned(self, octets: bytes, **changes: Any) -> bytes:
        """Rightly signed by the very attester; what is None is left out."""
        header, payload, _ = parts(octets)
        said = {name: value for name, value in (json.loads(payload) | changes).items() if value is not None}
        signing_input = encoded(header) + b"." + encoded(json.dumps(said).encode())
        return signing_input + b"." + encoded(self.officer.sign(signing_input))


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Approved]:
    directory: Path = tmp_path_factory.mktemp("approved")
    spoilt = prepared(a_plan(CeremonyKind.TRANSFER, a_key(KeyPurpose.COS_PARTY_TLS, "moved")), directory)
    spoilt.side = Side.SOURCE
    configuration = spoilt.configuration
    scene = replace(scene_of(configuration, Side.HERE), side=Side.SOURCE)
    with acting(configuration, "operator") as (journal, actor):
        yield Approved(
            plan_file=spoilt.story.plan_file,
            scene=scene,
            journal=journal,
            actor=actor,
            people=configuration.people,
            officer=read_attests(configuration.path.parent / "evidence", OFFICER),
        )


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.data())
def test_an_approval_of_which_one_bit_was_changed_is_not_taken_in(approved: Approved, chance: st.DataObject) -> None:
    good = approved.fresh("transfer")
    place, bit = chance.draw(st.integers(0, len(good) - 1)), chance.draw(st.integers(0, 7))
    spoilt = good[:place] + bytes([good[place] ^ (1 << bit)]) + good[place + 1 :]
    with pytest.raises(StatementRefused):
        approved.add(spoilt)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.data())
def test_an_approval_that_was_cut_or_made_longer_is_not_taken_in(approved: Approved, chance: st.DataObject) -> None:
    good = approved.fresh("transfer")
    place, more = chance.draw(st.integers(0, len(good) - 1)), chance.draw(st.binary(max_size=3))
    spoilt = good[:place] + more + good[place + chance.draw(st.integers(1, 3)) :]
    if spoilt != good:
        with pytest.raises(StatementRefused):
            approved.add(spoilt)


def later(at: datetime) -> int:
    return int(at.timestamp()) + 3600


CHANGED: dict[str, tuple[str, Callable[[Approved], Any]]] = {
    "about": ("transfer", lambda _: "mechanism"),
    "about what the DCC says": ("requisite", lambda _: "replaced-contract"),
    "committee": ("transfer", lambda _: "dcc"),
    "plan_sha256": ("transfer", lambda _: OTHER),
    "plan_sha256 left out": ("transfer", lambda _: None),
    "keys": ("transfer", lambda _: [OTHER]),
    "keys left out": ("transfer", lambda _: []),
    "source": ("transfer", lambda _: "somewhere"),
    "destination": ("transfer", lambda _: "somewhere"),
    "destination of the mechanism": ("mechanism", lambda _: "somewhere"),
    "mechanism": ("mechanism", lambda _: "luna-cloning"),
    "mechanism of the transfer": ("transfer", lambda _: "luna-cloning"),
    "views": ("transfer", lambda _: "SSC of another day"),
    "views left out": ("mechanism", lambda _: None),
    "reference of the views": ("views", lambda _: "SSC of another day"),
    "conditions": ("transfer", lambda _: [{"id": "witness", "words": "The auditor is in the room."}]),
    "aud": ("transfer", lambda _: "keybroker.example/elsewhere/TEST"),
    "iat": ("transfer", lambda it: later(it.scene.at)),
    "exp": ("transfer", lambda it: int(it.scene.at.timestamp())),
    "exp left out": ("transfer", lambda _: None),
    "reference left out": ("transfer", lambda _: None),
    "nonce left out": ("transfer", lambda _: None),
    "messages": ("transfer", lambda _: [{"octets_sha256": OTHER}]),
    "uses": ("transfer", lambda _: 1),
}
"""Named by the field that is changed, in which approval, and to what."""


@pytest.mark.parametrize(("name", "about", "to"), [(name, *rest) for name, rest in CHANGED.items()], ids=CHANGED)
def test_an_approval_of_anything_else_is_refused_or_makes_no_plan_fit(
    approved: Approved, name: str, about: str, to: Callable[[Approved], Any]
) -> None:
    good = approved.fresh(about)
    changed = {name.split()[0]: to(approved)}
    header, payload, signature = parts(good)
    unsigned = json.dumps(json.loads(payload) | changed).encode()
    with pytest.raises(StatementRefused):
        approved.add(b".".join(encoded(each) for each in (header, unsigned, signature)))
    try:
        fit = approved.is_fit(about, approved.resigned(good, **changed))
    except StatementUnfit:
        return
    assert not fit


def test_every_field_is_changed_above() -> None:
    assert {name.split()[0] for name in CHANGED} == set(Approval.model_fields)


def test_a_good_one_is_fit_and_taken_in_once(approved: Approved) -> None:
    good = approved.fresh("transfer")
    assert approved.is_fit("transfer", good)
    # Which one it is, and where it is on record, binds it to no plan.
    for name in ("nonce", "reference"):
        assert approved.is_fit("transfer", approved.resigned(good, **{name: "A" * 32}))
    approved.add(good)
    with pytest.raises(StatementRefused, match="never used"):
        approved.add(good)
