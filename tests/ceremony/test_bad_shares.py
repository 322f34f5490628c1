"""Shares that are not the right ones, envelopes that were spoilt, an officer who mistypes: each is named, and recorded.

What is brought is asked for again; the room goes on to the verified end, with the shares that are the right ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.file_key import read_file_key
from keybroker.ceremony.part import words
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.room import Paused
from keybroker.ceremony.share import read_share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.hsm.pin import PinWrong
from keybroker.terms import KeyState
from tests.ceremony.splitting import mistyped, some_parts
from tests.ceremony.spoilt import Spoilt
from tests.ceremony.stories import a_story

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Spoilt:
    """A combine that is ready to begin, of a key that is split two of three."""
    return Spoilt(story=a_story(CeremonyKind.COMBINE, tmp_path_factory.mktemp("combined")))


def words_of(spoilt: Spoilt, custodian: str) -> str:
    """What stands on his paper."""
    directory = spoilt.story.directory
    key = read_file_key(directory / "people" / custodian, custodian, now=lambda: datetime.now(UTC))
    return " ".join(read_share(key.open(envelope_of(spoilt, custodian).read_bytes())).words)


def envelope_of(spoilt: Spoilt, custodian: str) -> Path:
    (found,) = spoilt.story.directory.glob(f"split-recovery.here/*.generation-1.{custodian}.share")
    return found


def test_every_wrong_share_is_named_recorded_and_asked_for_again(combined: Spoilt) -> None:
    spoilt_file = combined.story.directory / "spoilt.share"
    octets = bytearray(envelope_of(combined, "custodian-1").read_bytes())
    octets[-20] ^= 1
    spoilt_file.write_bytes(octets)
    right = words_of(combined, "custodian-3")
    of_another_set = " ".join(words(some_parts(threshold=2)[0]))
    answers: dict[str, Any] = {
        "Who hands in": ["custodian-3", "custodian-3", "custodian-3", "custodian-3", "custodian-1"],
        "custodian-3: envelope or words": "words",
        "custodian-3 types": [of_another_set, words_of(combined, "custodian-2"), mistyped(right.split()), right],
        "Envelope of custodian-1": [
            str(spoilt_file),
            str(envelope_of(combined, "custodian-2")),
            str(envelope_of(combined, "custodian-1")),
        ],
    }
    held = combined.life(answers=answers)
    assert [(each["by"], each["flaw"]) for each in combined.refusals()] == [
        ("custodian-3", ShareFlaw.ANOTHER_SET),
        ("custodian-3", ShareFlaw.WRONG_CUSTODIAN),
        ("custodian-3", ShareFlaw.CHECKSUM),
        ("custodian-3", ShareFlaw.DUPLICATE),
        ("custodian-1", "CMS_UNFIT"),
        ("custodian-1", "CMS_UNFIT"),
    ]
    assert not any(
        f"{one} {two}" in each["sentence"]
        for each in combined.refusals()
        for one, two in zip(right.split(), right.split()[1:], strict=False)
    )
    assert held.state == "done"
    combined.story.verified(Side.HERE)
    assert combined.story.state(Side.HERE, "recovery") is KeyState.SPLIT


def test_an_officer_who_mistypes_and_an_envelope_that_is_lost_cost_one_life_each(tmp_path: Path) -> None:
    spoilt = Spoilt(story=a_story(CeremonyKind.SPLIT, tmp_path))
    with pytest.raises(PinWrong, match="the module refuses the security officer's PIN; it is not tried again"):
        spoilt.life(answers={"Security officer's PIN": "9999"})
    assert spoilt.concluded() == ["gather", "check-module"]
    assert spoilt.story.state(Side.HERE, "recovery") is KeyState.ACTIVE

    def stays_away(_question: str) -> str:
        raise Paused("custodian-2 looks for his envelope.")

    def lost() -> None:
        file = spoilt.directory / "recovery.generation-1.custodian-2.share"
        file.rename(tmp_path / "found.share")

    with pytest.raises(Paused, match="looks for his envelope"):
        spoilt.life(when={"concluded share-key": lost}, answers={"Envelope of custodian-2": stays_away})
    assert spoilt.concluded()[-1] == "share-key"
    assert spoilt.story.state(Side.HERE, "recovery") is KeyState.ACTIVE
    held = spoilt.life(answers={"Envelope of custodian-2": str(tmp_path / "found.share")})
    assert held.state == "done"
    spoilt.story.verified(Side.HERE)
    assert spoilt.story.state(Side.HERE, "recovery") is KeyState.SPLIT
