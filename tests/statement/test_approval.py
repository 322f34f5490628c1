"""What an approval may say: by whom, of which plan and keys, and what belongs to which occasion; refusals first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keybroker.statement.approval import MOST_KEYS, MOST_USES, Approval
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import read_statement
from tests.statement.attested import AT, ORIGIN, Attests, common

PMA = Attests(name="smki-pma", party="smki")
KEY, ANOTHER, PLAN = "11" * 32, "22" * 32, "33" * 32
DEVICES = ["02-7E-57-00-00-0D-00-01", "02-7E-57-00-00-0D-00-02"]
TO_DEVICES = {"code": "0x0108", "devices": DEVICES}
MOVED = {"source": "dsp-1", "destination": "dsp-2", "mechanism": "pkcs11-wrap"}
PLANNED: dict[str, Any] = {"committee": "smki-pma", "reference": "PMA 7", "plan_sha256": PLAN, "keys": [KEY]}
GOOD: dict[str, dict[str, Any]] = {
    "transfer": {**PLANNED, **MOVED, "views": "SSC 3"},
    "mechanism": {**PLANNED, **MOVED, "views": "SSC 3"},
    "views": {**PLANNED, **MOVED, "committee": "security-sub-committee"},
    "replaced-contract": {**PLANNED, "committee": "dcc"},
    "requisite": {**PLANNED, "committee": "dcc"},
    "generate": {**PLANNED, "keys": []},
    "combine": {**PLANNED, "messages": [TO_DEVICES, {"octets_sha256": "44" * 32}], "uses": 2},
    **dict.fromkeys(("renew", "split", "split-of-appendix-l", "reshare", "verify-shares", "destroy"), PLANNED),
}
ABSENT = object()


def an_approval(about: str, **changes: Any) -> Approval:
    """``ABSENT`` leaves out what is there."""
    said = common(StatementKind.APPROVAL) | {"about": about, "conditions": []} | GOOD[about] | changes
    return Approval.model_validate({name: value for name, value in said.items() if value is not ABSENT})


_OF_A_TRANSFER, _OF_A_USE = "source, destination and mechanism of a transfer", "messages and uses where a key"
_ONE_PLAN, _KEYS, _VIEWS = "of one exact plan", "expected keys", "expected views where a transfer"
_MESSAGE = "expected octets_sha256, or code and devices"
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a transfer that the Security Sub-Committee approves": (
        "transfer",
        {"committee": "security-sub-committee"},
        "transfer of the smki-pma",
    ),
    "a use that the DCC approves itself": ("combine", {"committee": "dcc"}, "combine of the smki-pma"),
    "views of the SMKI PMA": ("views", {"committee": "smki-pma"}, "views of the security-sub-committee"),
    "a contract that the SMKI PMA replaces": ("replaced-contract", {"committee": "smki-pma"}, "of the dcc"),
    "a committee that there is not": ("split", {"committee": "panel"}, "committee"),
    "no reference": ("split", {"reference": ABSENT}, "reference"),
    "no conditions, not even none": ("split", {"conditions": ABSENT}, "conditions"),
    "no plan": ("split", {"plan_sha256": ABSENT}, _ONE_PLAN),
    "a transfer without its plan": ("transfer", {"plan_sha256": ABSENT}, _ONE_PLAN),
    "a plan by name": ("split", {"plan_sha256": "split-2026-1"}, "plan_sha256"),
    "no key": ("destroy", {"keys": []}, _KEYS),
    "a use of no key": ("combine", {"keys": []}, _KEYS),
    "a key that is still to be made": ("generate", {"keys": [KEY]}, _KEYS),
    "one key twice": ("destroy", {"keys": [KEY, KEY]}, "keys: expected each of them once"),
    "a key by its label": ("destroy", {"keys": ["recovery"]}, "keys"),
    "too many keys": ("destroy", {"keys": [f"{n:064x}" for n in range(MOST_KEYS + 1)]}, "keys"),
    "a transfer from nowhere": ("transfer", {"source": ABSENT}, _OF_A_TRANSFER),
    "a transfer to nowhere": ("mechanism", {"destination": ABSENT}, _OF_A_TRANSFER),
    "a transfer by no mechanism": ("views", {"mechanism": ABSENT}, _OF_A_TRANSFER),
    "a transfer to where it is": ("transfer", {"destination": "dsp-1"}, "another destination than the source"),
    "a split to somewhere": ("split", MOVED, _OF_A_TRANSFER),
    "a transfer without views": ("transfer", {"views": ABSENT}, _VIEWS),
    "views after views": ("views", {"views": "SSC 2"}, _VIEWS),
    "a split after views": ("split", {"views": "SSC 2"}, _VIEWS),
    "a use of no message": ("combine", {"messages": ABSENT}, _OF_A_USE),
    "a use of an empty list of messages": ("combine", {"messages": []}, "messages"),
    "a use without end": ("combine", {"uses": ABSENT}, _OF_A_USE),
    "no use": ("combine", {"uses": 0}, "uses"),
    "too many uses": ("combine", {"uses": MOST_USES + 1}, "uses"),
    "a use that is true": ("combine", {"uses": True}, "uses"),
    "a split for some messages": ("split", {"messages": [TO_DEVICES], "uses": 1}, _OF_A_USE),
    "a message of nothing": ("combine", {"messages": [{}]}, _MESSAGE),
    "a Message Code to every Device": ("combine", {"messages": [{"code": "0x0108"}]}, _MESSAGE),
    "whatever goes to a Device": ("combine", {"messages": [{"devices": DEVICES}]}, _MESSAGE),
    "octets, and a Message Code too": ("combine", {"messages": [TO_DEVICES | {"octets_sha256": "44" * 32}]}, _MESSAGE),
    "no Device": ("combine", {"messages": [TO_DEVICES | {"devices": []}]}, "devices"),
    "a Device twice": ("combine", {"messages": [TO_DEVICES | {"devices": DEVICES[:1] * 2}]}, "devices: expected each"),
    "a condition twice": ("split", {"conditions": [{"id": "a", "words": "b"}] * 2}, "conditions: expected each"),
    "a condition without words": ("split", {"conditions": [{"id": "a"}]}, "conditions"),
    "what nobody knows": ("split", {"quorum": 1}, "quorum"),
}


@pytest.mark.parametrize(("about", "changes", "told"), REFUSED.values(), ids=REFUSED)
def test_refuses(about: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        an_approval(about, **changes)


@pytest.mark.parametrize("about", GOOD)
def test_takes_what_belongs_to_each_occasion(about: str) -> None:
    condition = {"id": "witness", "words": "The auditor is in the room."}
    statement = read_statement(
        PMA.state(an_approval(about, conditions=[condition])),
        {PMA.kid: PMA.attester()},
        kind=StatementKind.APPROVAL,
        origin=ORIGIN,
        at=AT,
    )
    said = statement.payload
    assert isinstance(said, Approval)
    assert (said.about, [each.words for each in said.conditions]) == (about, [condition["words"]])


def test_refuses_an_occasion_that_there_is_not() -> None:
    said = common(StatementKind.APPROVAL) | PLANNED | {"about": "everything", "conditions": []}
    with pytest.raises(ValidationError, match="about"):
        Approval.model_validate(said)


def test_views_and_the_use_of_a_key_that_is_held_whole_may_be_on_no_plan() -> None:
    assert an_approval("views", plan_sha256=ABSENT).plan_sha256 is None
    assert an_approval("combine", plan_sha256=ABSENT).plan_sha256 is None


@given(
    st.sampled_from(sorted(GOOD)),
    st.fixed_dictionaries(
        {},
        optional={
            "committee": st.sampled_from(["smki-pma", "security-sub-committee", "dcc"]),
            "keys": st.lists(st.sampled_from([KEY, ANOTHER]), max_size=3),
            "plan_sha256": st.sampled_from([PLAN, ABSENT]),
            "uses": st.one_of(st.just(ABSENT), st.integers(-1, MOST_USES + 1)),
            "messages": st.sampled_from([ABSENT, [], [TO_DEVICES]]),
            "views": st.sampled_from([ABSENT, "SSC 3"]),
            "source": st.sampled_from([ABSENT, "dsp-1", "dsp-2"]),
        },
    ),
)
def test_nothing_that_is_taken_allows_a_use_without_messages_number_and_decision(
    about: str, changes: dict[str, Any]
) -> None:
    try:
        said = an_approval(about, **changes)
    except ValidationError:
        return
    if said.uses is not None or said.messages is not None:
        assert said.about == "combine"
        assert said.committee == "smki-pma"
        assert 1 <= (said.uses or 0) <= MOST_USES
        assert said.messages
        assert said.keys
    assert said.plan_sha256 is not None or said.about in ("combine", "views")
