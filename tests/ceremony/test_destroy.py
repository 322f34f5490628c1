"""Every copy of a key is destroyed: searched for where a search shows it, signed for where none does."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.erasing import erase_file, find_file
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.transcript_verifying import verify_transcript
from keybroker.cli.acting import acting
from keybroker.config import read_configuration, reading
from keybroker.keys.administration import administer
from keybroker.keys.copies import copies_of
from keybroker.keys.history import history_of
from keybroker.keys.life_acts import AddCopy, Copy
from keybroker.terms import CopyKind, KeyLabel, KeyPurpose, KeyState
from tests.ceremony.conducting import outputs
from tests.ceremony.killing import Story
from tests.ceremony.plans import NOTHING, a_key, a_plan
from tests.deployments import prepare_rehearsal

LABEL = KeyLabel("gone")
BLOB = b"what a module wrapped, once"
FILE = Copy(kind=CopyKind.WRAPPED_BLOB, place="vault/wrapped.json", sha256=sha256(BLOB).digest())
MEMBER = Copy(kind=CopyKind.HA_MEMBER, place="member-2")


def a_story(directory: Path) -> Story:
    """A retired key, of which a wrapped copy and one in another module are known."""
    plan_file = a_plan(CeremonyKind.DESTROY, a_key(KeyPurpose.COS_PARTY_TLS, LABEL, public_key_sha256=NOTHING))
    place = prepare_rehearsal(plan_file, directory)
    (directory / "vault").mkdir()
    for name in ("wrapped.json", "the same elsewhere"):
        (directory / "vault" / name).write_bytes(BLOB)
    (directory / "vault" / "another.json").write_bytes(b"something else")
    configuration = read_configuration(place.configurations[Side.HERE])
    with acting(configuration, "operator") as (journal, actor):
        for copy in (FILE, MEMBER):
            administer(journal, actor, AddCopy(label=LABEL, copy=copy), configuration.clock.now())
    return Story(directory=directory, plan=place.plan, sides=tuple(place.configurations))


def check_gone(story: Story) -> None:
    with reading(read_configuration(story.directory / "here" / "keybroker.toml")) as ledger:
        copies, last = copies_of(ledger, LABEL), history_of(ledger, LABEL)[-1]
    assert (last.act, last.after) == ("DestroyKey", KeyState.DESTROYED)
    assert {(each.copy.kind.value, each.searched) for each in copies} == {
        ("module", True),
        ("wrapped-blob", True),
        ("ha-member", False),
    }
    assert [file.name for file in (story.directory / "vault").iterdir()] == ["another.json"]


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="acceptance")
@pytest.mark.hsm
def test_every_copy_is_accounted_for_and_the_transcript_says_how(tmp_path: Path) -> None:
    story = a_story(tmp_path)
    story.finish()
    check_gone(story)
    transcript = outputs(tmp_path, story.plan_file, Side.HERE) / f"{story.plan_file.plan.name}.transcript.json"
    entries = {entry.step: entry for entry in verify_transcript(transcript.read_bytes()).entries}
    told = copies_told(entries["destroy-copies"].facts)
    assert told["module"]["shown_by"] == told["wrapped-blob"]["shown_by"] == "a search"
    assert "2 overwritten and removed" in told["wrapped-blob"]["how"]
    assert told["ha-member"]["shown_by"] == "the word of those who sign"
    assert told["ha-member"]["how"].startswith("hsm factoryreset")
    assert all(each["cannot_be_proven"] for each in told.values())
    assert entries["confirm-destruction"].facts["transcript"] == entries["destroy-copies"].sha256


def copies_told(facts: Any) -> dict[str, Any]:
    (key,) = json.loads(json.dumps(dict(facts)))["keys"]
    return {each["kind"]: each for each in key["copies"]}


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="acceptance")
@pytest.mark.hsm
@pytest.mark.timeout(300)
def test_killed_while_copies_go_it_comes_to_its_end(tmp_path: Path) -> None:
    story = a_story(tmp_path)
    for instant in ("count-copies:done", "destroy-copies:done", "confirm-destruction:done"):
        assert story.life(Side.HERE, dies_at=instant) == -9
    story.finish()
    check_gone(story)


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="acceptance")
def test_a_file_is_found_by_its_digest_alone_and_erased(tmp_path: Path) -> None:
    file, deep = tmp_path / "a.json", tmp_path / "below" / "under another name"
    deep.parent.mkdir()
    for each in (file, deep):
        each.write_bytes(BLOB)
    (tmp_path / "link").symlink_to(file)
    digest = sha256(BLOB).hexdigest()
    assert find_file(tmp_path, digest) == (file, deep)
    for each in (file, deep, file):
        erase_file(each)
    assert find_file(tmp_path, digest) == ()


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="refusal")
def test_a_directory_that_cannot_be_read_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        find_file(tmp_path / "missing", "00")
