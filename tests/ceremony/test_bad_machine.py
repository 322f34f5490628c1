"""A machine that fails in the middle of a ceremony: a full disk, a module that is full, read-only, or taken away.

Whatever was being written, it ends with a sentence that says so; nothing that was concluded is lost, nothing stands by
half, and on a good machine the same ceremony comes to its verified end.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.errors import ModuleFault
from keybroker.terms import KeyPurpose, KeyState
from tests import faults
from tests.ceremony.conducting import PAUSED
from tests.ceremony.plans import a_key, a_plan
from tests.ceremony.spoilt import Spoilt, prepared
from tests.ceremony.stories import a_story

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(600)]
FULL, READ_ONLY, GONE = "0x31", "0xe2", "0x32"
_NO_ROOM = "the module has no room for this now; ask again later"
_AN_OPERATOR = "the module needs an operator before it can be used"
_numbers = count(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a deployment whose module fails where a switch says so, and in which every test makes a key of its own."""
    directory = tmp_path_factory.mktemp("place")
    first = prepared(a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "first")), directory)
    first.failing_module(directory / "switches")
    return directory


@pytest.fixture
def made(place: Path) -> Spoilt:
    label = f"tls-{next(_numbers)}"
    return prepared(a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, label)), place)


def fails(spoilt: Spoilt, switches: Path, fault: faults.Fault, concerned: str, *, after: int = 0) -> str:
    """One life while the fault is on; what was said."""
    preloaded = {} if fault == "module" else faults.environment(switches)
    faults.set_fault(switches, fault, concerned, after=after)
    try:
        status, said = spoilt.process(preloaded)
    finally:
        faults.clear_fault(switches, fault)
    assert status == 1, said
    return said


@pytest.mark.parametrize(
    ("value", "function", "told"),
    [
        (FULL, "C_GenerateKeyPair;", _NO_ROOM),
        (READ_ONLY, "C_GenerateKeyPair;", _AN_OPERATOR),
        (GONE, "C_GenerateKeyPair;", "ModuleUnavailable"),
        (FULL, "C_CreateObject;", _NO_ROOM),
    ],
    ids=["full", "read-only", "gone", "no room for the ledger's head"],
)
def test_a_key_that_the_module_does_not_make_is_not_there_by_half(
    made: Spoilt, place: Path, value: str, function: str, told: str
) -> None:
    said = fails(made, place / "switches", "module", f"{value} {function}")
    assert told in said
    assert "make-key" not in made.concluded()
    made.story.finish()


def test_a_destination_that_cannot_take_the_key_takes_it_later_and_only_once(tmp_path: Path) -> None:
    story = a_story(CeremonyKind.TRANSFER, tmp_path)
    for side in (Side.SOURCE, Side.DESTINATION, Side.SOURCE):
        assert story.life(side) == PAUSED
    destination, switches = Spoilt(story=story, side=Side.DESTINATION), tmp_path / "switches"
    destination.failing_module(switches)
    for value, after, told in ((FULL, 0, _NO_ROOM), (FULL, 1, _NO_ROOM), (READ_ONLY, 1, _AN_OPERATOR)):
        said = fails(destination, switches, "module", f"{value} C_UnwrapKey;", after=after)
        assert told in said
        assert story.state(Side.DESTINATION, "moved") is None
        assert story.state(Side.SOURCE, "moved") is KeyState.TRANSFERRING
    tokens = destination.deployment.directory / "tokens"

    def removed() -> None:
        tokens.rename(tokens.with_name("away"))

    with pytest.raises(ModuleFault):
        destination.life(when={"Carry ": removed})
    tokens.with_name("away").rename(tokens)
    assert story.state(Side.DESTINATION, "moved") is None
    story.finish()
    assert story.state(Side.DESTINATION, "moved") is KeyState.ACTIVE


def test_a_key_that_the_module_does_not_destroy_is_not_called_split(tmp_path: Path) -> None:
    story = a_story(CeremonyKind.SPLIT, tmp_path)
    spoilt, switches = Spoilt(story=story), tmp_path / "switches"
    spoilt.failing_module(switches)
    story.life(Side.HERE, dies_at="read-back-blobs:concluded")
    fails(spoilt, switches, "module", f"{READ_ONLY} C_DestroyObject;")
    assert spoilt.concluded()[-1] == "read-back-blobs"
    assert story.state(Side.HERE, "recovery") is KeyState.ACTIVE
    story.finish()
    assert story.state(Side.HERE, "recovery") is KeyState.SPLIT


def test_a_disk_that_is_full_loses_no_share_no_blob_and_no_transcript(tmp_path: Path) -> None:
    story = a_story(CeremonyKind.SPLIT, tmp_path)
    spoilt, switches = Spoilt(story=story), tmp_path / "switches"
    for written, step in (
        ("transcript.json", "gather"),
        ("copy-2.blob", "check-module"),
        ("custodian-2.share", "check-module"),
        ("transcript.json", "share-key"),
    ):
        said = fails(spoilt, switches, "write", written)
        assert "cannot be written (No space left on device); " in said
        assert "make room, then resume" in said
        assert spoilt.concluded()[-1] == step
    assert not [*tmp_path.rglob("*.here/.*"), *tmp_path.rglob("media/*/*/.*")]
    story.finish()


@pytest.mark.parametrize("after", [2, 25, 60])
def test_a_disk_that_is_full_under_the_ledger_ends_the_life_and_not_the_ceremony(
    made: Spoilt, place: Path, after: int
) -> None:
    said = fails(made, place / "switches", "write", "ledger.sqlite", after=after)
    assert "LedgerUnavailable" in said or "OutcomeUnknown" in said
    made.story.finish()
