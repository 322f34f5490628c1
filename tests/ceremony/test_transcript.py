"""A transcript verifies as a whole or not at all: whatever is changed in it, left out of it or put into it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.plan import CeremonyKind, Role, Side, read_plan
from keybroker.ceremony.steps import own_steps
from keybroker.ceremony.transcript_verifying import TranscriptUnfit, verify_transcript
from keybroker.terms import DeploymentKind
from tests.ceremony import made
from tests.ceremony.made import BEGAN, a_plan, a_transcript, an_approval, as_dict, as_octets
from tests.ceremony.transcript_cases import (
    CASES,
    GOOD,
    LIVE_LEDGER,
    OPEN,
    SPLIT,
    TRANSFER,
    approved,
    changed,
    payload,
    record_changed,
    split_approval,
)

Path = tuple[str | int, ...]


def refused(octets: bytes, why: str | None = None) -> None:
    with pytest.raises(TranscriptUnfit, match=why):
        verify_transcript(octets)


@pytest.mark.parametrize(("spoilt", "why"), CASES.values(), ids=CASES)
def test_refuses_a_transcript_that_is_not_of_this_ceremony_whole(spoilt: Callable[[], bytes], why: str) -> None:
    refused(spoilt(), why)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value in it, and where it stands; what holds others too."""
    if path:
        yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from leaves(member, (*path, name))


def put(whole: Any, path: Path, value: Any) -> bytes:
    copy = json.loads(json.dumps(whole))
    at = copy
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return as_octets(copy)


def others(value: Any) -> Iterator[Any]:
    """Values that are a little different."""
    match value:
        case str():
            yield value[:-1]
            yield value + "A"
            for place in {0, len(value) // 3, len(value) // 2, len(value) - 1}:
                yield value[:place] + ("b" if value[place] != "b" else "c") + value[place + 1 :]
        case int():
            yield value - 1000
            yield str(value)
        case list():
            yield value[:-1] if value else ["a"]
            yield [*value, *value[:1]] if value else [{}]
        case dict():
            yield {**value, "more": "a"}
            yield dict(list(value.items())[1:])
    yield None


def is_taken(octets: bytes) -> bool:
    try:
        verify_transcript(octets)
    except TranscriptUnfit:
        return False
    return True


def is_earlier(whole: dict[str, Any], path: Path, value: Any) -> bool:
    """One with fewer steps, of a ceremony that is under way: it was so at an earlier moment."""
    fewer = path == ("steps",) and isinstance(value, list) and whole["steps"][: len(value)] == value
    return fewer and whole["state"] == "open"


@pytest.mark.clause("G5.13(a)", "G5.24(a)", shows="refusal")
@pytest.mark.parametrize("octets", [GOOD, OPEN], ids=["done", "open"])
def test_refuses_every_field_changed_left_out_or_doubled(octets: bytes) -> None:
    whole = as_dict(octets)
    fields = list(leaves(whole))
    assert len(fields) > 80
    for path, value in fields:
        for other in others(value):
            taken = is_taken(put(whole, path, other))
            assert not taken or is_earlier(whole, path, other), (
                f"{path}: {str(other)[:80]} was taken for {str(value)[:80]}"
            )


@settings(max_examples=300)
@given(st.integers(0, len(OPEN) - 1), st.integers(1, 255))
def test_refuses_every_octet_changed(place: int, change: int) -> None:
    spoilt = bytearray(OPEN)
    spoilt[place] ^= change
    if without_indexes(bytes(spoilt)) != without_indexes(OPEN):
        refused(bytes(spoilt))


def without_indexes(octets: bytes) -> Any:
    """Which place a record has in the ledger, the ledger says: see the test of that."""
    try:
        whole = as_dict(octets)
        for step in whole["steps"]:
            for which in ("begun", "concluded"):
                step[which]["leaf_index"] = int(step[which]["leaf_index"]) and 0
    except (ValueError, KeyError, TypeError):
        return None
    return whole if as_octets(as_dict(octets)) == octets else None


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_arbitrary_octets_are_refused_and_nothing_else(octets: bytes) -> None:
    refused(octets)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.data(), JSON)
def test_any_other_value_in_any_place_is_refused_and_nothing_else(data: st.DataObject, value: Any) -> None:
    whole = small()
    path, before = data.draw(st.sampled_from(list(leaves(whole))))
    if value != before and path[-1] != "leaf_index" and not is_earlier(whole, path, value):
        refused(put(whole, path, value))


@cache
def small() -> dict[str, Any]:
    return as_dict(OPEN)


@settings(max_examples=200)
@given(JSON)
def test_a_record_that_says_anything_else_is_refused_and_nothing_else(value: Any) -> None:
    refused(record_changed("begun", lambda read: read.update(body=value)))
    refused(record_changed("begun", lambda read: read.update(at=value)))


SIDES = [(kind, side) for kind in CeremonyKind for side in (Side if kind is CeremonyKind.TRANSFER else [Side.HERE])]


@pytest.mark.parametrize(("kind", "side"), [each for each in SIDES if each != (CeremonyKind.TRANSFER, Side.HERE)])
def test_takes_every_kind_as_far_as_it_is(kind: CeremonyKind, side: Side) -> None:
    plan_file = read_plan(a_plan(kind))
    steps = own_steps(plan_file.plan, side)
    for number in range(len(steps)):
        verified = verify_transcript(a_transcript(plan_file.octets, side=side, steps=number))
        assert (len(verified.entries), verified.complete, verified.state) == (number, False, "open")
    verified = verify_transcript(a_transcript(plan_file.octets, side=side))
    assert (verified.plan, verified.plan_sha256) == (plan_file.plan, plan_file.sha256.hex())
    assert (verified.complete, verified.state) == (True, "done")
    assert [entry.step for entry in verified.entries] == [step.name.value for step in steps]
    assert {name for _, name in verified.signed_at} == {each.name for each in plan_file.plan.people}


def test_takes_what_was_aborted() -> None:
    verified = verify_transcript(a_transcript(SPLIT, steps=3, state="aborted"))
    assert (verified.state, verified.complete) == ("aborted", False)


def test_takes_a_live_ceremony() -> None:
    plan = a_plan(CeremonyKind.SPLIT, modules=[{"side": "here", "serial": "1", "ledger": LIVE_LEDGER}])
    assert verify_transcript(a_transcript(plan, deployment=DeploymentKind.LIVE)).complete


def test_gives_the_approvals_of_this_plan_alone() -> None:
    mine, other = split_approval(), split_approval(plan_sha256="ab" * 32)
    verified = verify_transcript(approved(other, mine))
    assert [each.compact for each in verified.approvals] == [mine["statement"]]


def test_takes_a_later_approval_in_the_place_of_one_that_lapsed() -> None:
    first = split_approval(exp=int((BEGAN + timedelta(minutes=9)).timestamp()))
    second = split_approval(iat=int((BEGAN + timedelta(minutes=8)).timestamp()))
    assert verify_transcript(approved(first, second)).complete


def test_takes_views_that_name_no_plan() -> None:
    others = [each for each in as_dict(OPEN)["approvals"] if '"about":"views"' not in payload(each)]
    views = an_approval(read_plan(TRANSFER), about="views", committee="security-sub-committee", plan_sha256=None)
    assert verify_transcript(a_transcript(TRANSFER, side=Side.SOURCE, given=[*others, views])).complete


def test_the_place_of_a_record_is_for_the_ledger_to_say_and_only_its_order_is_seen_here() -> None:
    later = changed(lambda t: t["steps"][-1]["concluded"].update(leaf_index=9_999))
    assert verify_transcript(later) == verify_transcript(GOOD)


def test_that_a_ceremony_was_aborted_is_the_word_of_who_made_the_transcript() -> None:
    assert verify_transcript(changed(lambda t: t.update(state="aborted"), OPEN)).state == "aborted"


def test_who_signs_each_step_is_in_the_plan_by_role() -> None:
    transcript = as_dict(GOOD)
    plan = read_plan(SPLIT).plan
    for step, given_step in zip(own_steps(plan, Side.HERE), transcript["steps"], strict=True):
        expected = {name for role in step.signed_by for name in made.ROLES[Role(role)]}
        assert set(given_step["signatures"]) == expected
        assert (
            sha256(given_step["entry"].encode()).hexdigest()
            in base64.b64decode(given_step["concluded"]["octets"]).decode()
        )
