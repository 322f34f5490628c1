"""A rehearsal of every kind, ready to begin: what must have happened before has happened."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path

from keybroker.ceremony.plan import CeremonyKind, PlanFile
from keybroker.statement.approval import ApprovedMessage
from keybroker.terms import KeyPurpose
from tests.ceremony.killing import Story
from tests.ceremony.plans import a_key, a_plan
from tests.ceremony.shared import Rehearsed, of_generation
from tests.deployments import prepare_rehearsal

ACB = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND


def a_story(kind: CeremonyKind, directory: Path) -> Story:
    """On SoftHSM, in this directory; killed or not, ``finish`` comes to its end."""
    return STORIES[kind](directory)


def killed_stories(kind: CeremonyKind, directory: Path, deaths: int, chance: random.Random) -> Iterator[Story]:
    """As many as it takes for so many deaths at random instants; each came to its verified end."""
    for number in count():
        story = a_story(kind, directory / str(number))
        story.killed_at_random(deaths, chance, SECONDS[kind])
        story.finish()
        yield story
        deaths -= story.deaths
        if deaths <= 0:
            return


def _story(directory: Path, plan_file: PlanFile, messages: tuple[bytes, ...] = ()) -> Story:
    approved = tuple(ApprovedMessage(octets_sha256=sha256(each).hexdigest()) for each in messages)
    place = prepare_rehearsal(plan_file, directory, approved, max(1, len(messages)))
    return Story(directory=directory, plan=place.plan, sides=tuple(place.configurations))


def _made(directory: Path) -> Story:
    return _story(directory, a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "tls")))


def _renewed(directory: Path) -> Story:
    return _story(directory, a_plan(CeremonyKind.RENEW, a_key(ACB, "acb", successor="acb-2")))


def _transferred(directory: Path) -> Story:
    return _story(directory, a_plan(CeremonyKind.TRANSFER, a_key(KeyPurpose.COS_PARTY_TLS, "moved")))


def _destroyed(directory: Path) -> Story:
    return _story(directory, a_plan(CeremonyKind.DESTROY, a_key(ACB, "acb")))


def _split(directory: Path) -> Story:
    return _story(directory, Rehearsed(directory=directory).plan(CeremonyKind.SPLIT, "split-recovery"))


def _combined(directory: Path) -> Story:
    rehearsed = Rehearsed(directory=directory)
    rehearsed.split()
    given = rehearsed.given("combine-recovery")
    given.mkdir()
    messages = (rehearsed.message(1), rehearsed.message(2))
    for number, octets in enumerate(messages, start=1):
        (given / f"asked-{number}").write_bytes(octets)
    return _story(directory, rehearsed.plan(CeremonyKind.COMBINE, "combine-recovery"), messages)


def _shared_anew(directory: Path) -> Story:
    rehearsed = Rehearsed(directory=directory)
    rehearsed.split()
    return _story(directory, rehearsed.plan(CeremonyKind.RESHARE, "reshare-2", of_generation(2)))


def _proven(directory: Path) -> Story:
    rehearsed = Rehearsed(directory=directory)
    rehearsed.split()
    return _story(directory, rehearsed.plan(CeremonyKind.VERIFY_SHARES, "verify-recovery"))


STORIES: Mapping[CeremonyKind, Callable[[Path], Story]] = {
    CeremonyKind.GENERATE: _made,
    CeremonyKind.RENEW: _renewed,
    CeremonyKind.TRANSFER: _transferred,
    CeremonyKind.SPLIT: _split,
    CeremonyKind.COMBINE: _combined,
    CeremonyKind.RESHARE: _shared_anew,
    CeremonyKind.DESTROY: _destroyed,
    CeremonyKind.VERIFY_SHARES: _proven,
}

SECONDS: Mapping[CeremonyKind, float] = {
    CeremonyKind.GENERATE: 0.7,
    CeremonyKind.RENEW: 0.8,
    CeremonyKind.TRANSFER: 4.3,
    CeremonyKind.SPLIT: 4.7,
    CeremonyKind.COMBINE: 2.3,
    CeremonyKind.RESHARE: 6.9,
    CeremonyKind.DESTROY: 0.9,
    CeremonyKind.VERIFY_SHARES: 1.7,
}
"""About how long one takes when nobody is killed: deaths are spread over it."""
