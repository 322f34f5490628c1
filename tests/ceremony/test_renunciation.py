"""A transfer is no dead end: a destination gives it back, its source begins anew, and never do two use a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.aborting import Ends, why_not_ended
from keybroker.ceremony.package import Flaw, PackageUnfit, read_renunciation
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.steps import RENOUNCE, Progress, WrongOrder, own_steps
from keybroker.ceremony.transcript_page import make_page
from keybroker.ceremony.transcript_verifying import TranscriptUnfit, verify_transcript
from tests.ceremony.made import a_plan, a_transcript
from tests.ceremony.packed import (
    KEY,
    a_package,
    a_proof,
    a_renunciation,
    an_offer,
    offered,
    packed,
    renounced_key,
    the_plan,
)
from tests.ceremony.test_package import refused, signed_by_a_stranger, spoilt, unapproved, unsigned

SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION
OTHER = "cd" * 32
ANOTHER_PLAN = a_plan(CeremonyKind.TRANSFER, keys=[KEY], reason="Another reason.")
RENOUNCED = a_renunciation()
NO_PACKAGE: Mapping[str, Mapping[str, Any]] = {"renounce": {"package": None}}


def renunciation(octets: bytes) -> object:
    return read_renunciation(octets, the_plan(), offer_sha256=offered().entry_sha256, package_sha256=packed().sha256)


def of(**changes: Any) -> bytes:
    return a_renunciation({"renounce": changes})


@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (b"", Flaw.UNREADABLE),
        (a_renunciation() + b"\n", Flaw.UNREADABLE),
        (
            a_transcript(ANOTHER_PLAN, side=DESTINATION, steps=3, state="aborted", ends=(RENOUNCE,)),
            Flaw.ANOTHER_CEREMONY,
        ),
        (a_package(), Flaw.ANOTHER_SIDE),
        (an_offer(), Flaw.NOT_YET),
        (an_offer(state="aborted"), Flaw.NOT_YET),
        (a_proof(), Flaw.NOT_YET),
        (spoilt(a_renunciation(), unsigned), Flaw.NOT_SHOWN),
        (spoilt(a_renunciation(), signed_by_a_stranger), Flaw.NOT_SHOWN),
        (spoilt(a_renunciation(), unapproved), Flaw.NOT_SHOWN),
        # It says that it renounced, and goes on; or it was using the keys already.
        (a_renunciation(state="open"), Flaw.NOT_SHOWN),
        (a_renunciation(state="done"), Flaw.NOT_SHOWN),
        (a_renunciation(steps=5), Flaw.NOT_SHOWN),
        # It offered nothing, so nothing was given to it.
        (a_renunciation(steps=2), Flaw.NOT_SHOWN),
        (of(offer=OTHER), Flaw.ANOTHER_OFFER),
        (of(offer=None), Flaw.ANOTHER_OFFER),
        (of(package=OTHER), Flaw.ANOTHER_OFFER),
        (of(serial="FAKE-0003"), Flaw.ANOTHER_MODULE),
        (of(keys=[]), Flaw.OTHER_KEYS),
        (of(keys=[renounced_key(), renounced_key()]), Flaw.OTHER_KEYS),
        (of(keys=[renounced_key(key="other")]), Flaw.OTHER_KEYS),
        (of(keys=[renounced_key(public_key_sha256=OTHER)]), Flaw.OTHER_KEYS),
        (of(more=1), Flaw.UNREADABLE),
    ],
)
def test_refuses_a_renunciation(octets: bytes, flaw: Flaw) -> None:
    refused(lambda: renunciation(octets), flaw)


def test_refuses_a_renunciation_of_an_offer_that_was_not_answered_from_here() -> None:
    sha256 = packed().sha256
    octets = a_renunciation()
    refused(
        lambda: read_renunciation(octets, the_plan(), offer_sha256=OTHER, package_sha256=sha256), Flaw.ANOTHER_OFFER
    )
    # A package was imported where none was signed for.
    offer = offered().entry_sha256
    refused(lambda: read_renunciation(octets, the_plan(), offer_sha256=offer, package_sha256=None), Flaw.ANOTHER_OFFER)


@settings(max_examples=60)
@given(chance=st.data())
def test_whatever_octet_of_a_renunciation_is_changed_is_caught(chance: st.DataObject) -> None:
    octets = RENOUNCED
    place = chance.draw(st.integers(0, len(octets) - 1))
    other = chance.draw(st.integers(1, 255))
    changed = octets[:place] + bytes([octets[place] ^ other]) + octets[place + 1 :]
    with pytest.raises(PackageUnfit):
        renunciation(changed)


@pytest.mark.parametrize("octets", [RENOUNCED, a_renunciation(NO_PACKAGE, steps=3)], ids=["imported", "offered"])
def test_a_good_renunciation_is_read_and_is_a_transcript_that_anybody_verifies(octets: bytes) -> None:
    assert renunciation(octets)
    verified = verify_transcript(octets)
    assert (verified.state, verified.complete, verified.entries[-1].step) == ("aborted", False, "renounce")
    assert "renounce" in make_page(octets)


def test_refuses_a_renunciation_at_the_source_of_a_transcript() -> None:
    with pytest.raises(TranscriptUnfit):
        verify_transcript(a_package(state="aborted", ends=(RENOUNCE,)))


def ended(steps: int, *, given: bytes | None = None, begun: bool = False, compromised: bool = False) -> Ends | str:
    """May the source, with so many steps concluded, be ended?"""
    progress = Progress(steps=own_steps(the_plan().plan, SOURCE), concluded=steps, begun=begun)
    entries = verify_transcript(a_package(steps=min(steps, 5))).entries
    return why_not_ended(the_plan(), progress, entries, given, compromised=compromised)


def test_a_source_is_ended_before_it_wraps_by_nobodys_word_and_after_it_by_a_renunciation() -> None:
    assert ended(4) == Ends()
    assert isinstance(ended(4, given=a_renunciation()), str)
    for steps, begun in ((4, True), (5, False), (5, True)):
        assert isinstance(ended(steps, begun=begun), str)
        assert "not relied on" in str(ended(steps, begun=begun, given=a_proof()))
        assert ended(steps, begun=begun, compromised=True) == Ends(compromised=True)
        good = ended(steps, begun=begun, given=a_renunciation(NO_PACKAGE, steps=3))
        assert isinstance(good, Ends)
        assert good.renounced is not None
    # All is settled: the key was destroyed on a proof.
    assert "not relied on" in str(ended(4, begun=True, given=a_renunciation()))


@pytest.mark.parametrize(("concluded", "begun"), [(0, False), (2, False), (4, True), (5, False), (6, False)])
def test_a_destination_renounces_what_it_offered_and_nothing_that_it_may_use(concluded: int, begun: bool) -> None:
    progress = Progress(steps=own_steps(the_plan().plan, DESTINATION), concluded=concluded, begun=begun)
    with pytest.raises(WrongOrder):
        progress.renounce()


def test_what_a_destination_had_begun_is_given_up_for_the_renunciation() -> None:
    steps = own_steps(the_plan().plan, DESTINATION)
    for concluded, begun in ((2, True), (3, False), (3, True), (4, False)):
        renounced = Progress(steps=steps, concluded=concluded, begun=begun).renounce()
        assert renounced.next == RENOUNCE
        assert renounced.conclude(RENOUNCE).is_done
        with pytest.raises(WrongOrder):
            renounced.abort()
        with pytest.raises(WrongOrder):
            renounced.renounce()
