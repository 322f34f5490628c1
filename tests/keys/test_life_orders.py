"""Whose orders an act on a key needs: of two people where a clause or a policy says, and in which roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.errors import PersonMayNotAct
from keybroker.keys.acts import Act
from keybroker.keys.administration import administer, told_act
from keybroker.keys.orders import Ordered
from keybroker.ledger import audit
from keybroker.ledger.journal import Journal
from keybroker.policy.model import Policy
from keybroker.policy.settings import LifeSettings
from keybroker.terms import KeyPurpose, KeyState
from tests.keys import living
from tests.keys.living import ACTOR, COMPROMISE, GONE, LABEL, NEXT, RETIRE, TO, do, state_of, two_orders
from tests.keys.restoring import FIRST, PEOPLE, enrol, order_of, vouch_for
from tests.ledger import books
from tests.situations import AT, a_policy


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        living.open_ceremony(journal, LABEL, NEXT)
        yield journal


def given(act: Act, how: str) -> Ordered | None:
    first = order_of(told_act(act), FIRST)
    match how:
        case "none":
            return None
        case "one":
            return Ordered(order=first, people=PEOPLE)
        case _:
            return Ordered(order=first, second=order_of(told_act(act), FIRST), people=PEOPLE)


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize("act", [COMPROMISE, GONE], ids=lambda act: type(act).__name__)
@pytest.mark.parametrize("how", ["none", "one", "one person's, twice"])
def test_refuses_what_two_people_order_by_fewer(journal: Journal, act: Act, how: str) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(PersonMayNotAct, match="the orders of two people"):
        administer(journal, ACTOR, act, AT, given(act, how))
    assert state_of(journal) is KeyState.ACTIVE
    do(journal, act)
    audit.verify(journal.ledger, AT)


def test_a_policy_has_two_people_order_more_and_never_fewer(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    packaged = a_policy(living.PURPOSE)
    stricter = replace(packaged.settings, life=LifeSettings(two_people=frozenset({"RetireKey"})))
    policies = {living.PURPOSE: replace(packaged, settings=stricter)}
    with pytest.raises(PersonMayNotAct, match="the orders of two people"):
        administer(journal, ACTOR, RETIRE, AT, policies=policies)
    with pytest.raises(PersonMayNotAct, match="the orders of two people"):
        administer(journal, ACTOR, COMPROMISE, AT, policies={living.PURPOSE: packaged})
    administer(journal, ACTOR, RETIRE, AT, two_orders(RETIRE), policies=policies)
    assert state_of(journal) is KeyState.RETIRED


def ordered_in(*roles: str, two_people: bool = False) -> dict[KeyPurpose, Policy]:
    """A policy that has people in these roles retire a key."""
    packaged = a_policy(living.PURPOSE)
    two = frozenset({"RetireKey"}) if two_people else frozenset[str]()
    life = LifeSettings(two_people=two, roles={"RetireKey": frozenset(roles)})
    return {living.PURPOSE: replace(packaged, settings=replace(packaged.settings, life=life))}


@pytest.mark.parametrize("two_people", [False, True])
def test_refuses_the_order_of_an_administrator_where_a_policy_names_another_role(
    journal: Journal, *, two_people: bool
) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    policies = ordered_in("key-manager", two_people=two_people)
    with pytest.raises(PersonMayNotAct, match="key-manager"):
        administer(journal, ACTOR, RETIRE, AT, two_orders(RETIRE), policies=policies)
    assert state_of(journal) is KeyState.ACTIVE


def test_an_act_whose_roles_a_policy_names_is_ordered_by_somebody(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    with pytest.raises(PersonMayNotAct, match="the order of a person"):
        administer(journal, ACTOR, RETIRE, AT, policies=ordered_in("key-manager"))
    # What the policy does not name is an administrator's, and nobody's order where no clause demands one.
    administer(journal, ACTOR, living.SUSPEND, AT, policies=ordered_in("key-manager"))


def test_who_has_the_role_that_a_policy_names_orders_what_an_administrator_would(journal: Journal) -> None:
    do(journal, *TO[KeyState.ACTIVE])
    # From now on the first of them is no administrator.
    vouch_for(journal, FIRST, "operator", role="key-manager")
    order = Ordered(order=order_of(told_act(RETIRE), FIRST), people=PEOPLE)
    with pytest.raises(PersonMayNotAct, match="administrator"):
        administer(journal, ACTOR, RETIRE, AT, order)
    administer(journal, ACTOR, RETIRE, AT, order, policies=ordered_in("key-manager", "deputy"))
    assert state_of(journal) is KeyState.RETIRED
