"""Against ceremonies: whoever conducts one or holds a share, and means ill."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.custody_child import opened_custody
from keybroker.ceremony.custody_request import OfferedAs
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.judging import judge_plan
from keybroker.ceremony.plan import CeremonyKind, Condition, PlanFile, Side, read_plan
from keybroker.ceremony.room import Paused
from keybroker.ceremony.scene import Scene
from keybroker.ceremony.share import encode_share
from keybroker.cli.acting import acting
from keybroker.cli.ceremony_hall import scene_of
from keybroker.config import read_configuration, reading
from keybroker.errors import LedgerBroken, ModuleDisagrees, NotPermitted
from keybroker.hsm.destruction import is_absent
from keybroker.keys.administration import administer
from keybroker.keys.copies import copies_of
from keybroker.keys.life_acts import AddCopy, CeremonyWord, Copy
from keybroker.ledger import audit
from keybroker.ledger.canonical_json import decode
from keybroker.ledger.ceremony_form import BEGIN, END
from keybroker.ledger.durable import write_durably
from keybroker.ledger.journal import Journal
from keybroker.ledger.verify_ceremonies import Ceremonies
from keybroker.statement.approval import Approval
from keybroker.statement.approval import Condition as Demanded
from keybroker.statement.statement import Statement
from keybroker.terms import CopyKind, KeyLabel, KeyPurpose, KeyState
from tests.attacks.one_key import LABEL, facts
from tests.ceremony.at_terminal import KEYBROKER
from tests.ceremony.killing import Story
from tests.ceremony.plans import NOTHING, a_key, a_plan
from tests.ceremony.shared import RECOVERY, Rehearsed
from tests.ceremony.splitting import some_shares
from tests.ceremony.terminal import Conductor
from tests.ceremony.test_transfer import a_transfer_plan
from tests.deployments import prepare_rehearsal
from tests.keys import living
from tests.keys.restoring import enrol
from tests.ledger import books
from tests.lives import live
from tests.situations import AT

# ---- the word of a ceremony


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        yield journal


FORGED: dict[str, CeremonyWord] = {
    "another ceremony": replace(living.WORD, ceremony="never-held"),
    "an entry that nobody signed": replace(living.WORD, entry=b"\xe0" * 32),
    "no entry at all": replace(living.WORD, entry=bytes(32)),
}


@pytest.mark.parametrize("word", FORGED.values(), ids=FORGED)
def test_refuses_an_act_by_the_word_of(journal: Journal, word: CeremonyWord) -> None:
    living.open_ceremony(journal, living.LABEL)
    living.do(journal, *living.TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match="a ceremony's word"):
        administer(journal, living.ACTOR, living.SPLIT, AT, ceremony=word)
    assert living.state_of(journal) is KeyState.ACTIVE


def test_refuses_an_act_on_a_key_that_the_ceremony_does_not_hold(journal: Journal) -> None:
    living.open_ceremony(journal, living.NEXT)
    living.do(journal, *living.TO[KeyState.ACTIVE])
    with pytest.raises(NotPermitted, match="under way with contingency"):
        administer(journal, living.ACTOR, living.SPLIT, AT, ceremony=living.WORD)


def test_verifying_finds_an_act_by_an_entry_that_was_not_the_last(journal: Journal) -> None:
    living.open_ceremony(journal, living.LABEL)
    living.do(journal, *living.TO[KeyState.SPLIT])
    audit.verify(journal.ledger, AT)
    records = [decode(each.octets) for each in audit.read_records(journal.ledger, 0, 100)]
    with pytest.raises(LedgerBroken, match="the word of a-ceremony's last entry"):
        audited([by_a_forged_word(record) for record in records])


def test_verifying_finds_a_ceremony_that_ended_before_its_last_step() -> None:
    plan = 'kind = "split"\nsteps = ["gather", "close"]\n'
    begun = {"act": BEGIN, "ceremony": "one", "keys": ["recovery"], "plan": plan, "side": "here"}
    begun["plan_sha256"] = sha256(plan.encode()).hexdigest()
    with pytest.raises(LedgerBroken, match="the end of one after"):
        audited([{"body": begun}, {"body": {"act": END, "ceremony": "one"}}])


def audited(records: Sequence[dict[str, Any]]) -> None:
    seen = Ceremonies()
    for index, record in enumerate(records):
        if "body" in record:
            seen.administer(index, record)


def by_a_forged_word(record: dict[str, Any]) -> dict[str, Any]:
    act = record.get("body")
    word = act.get("ceremony") if isinstance(act, dict) else None
    if not isinstance(act, dict) or not isinstance(word, dict):
        return record
    return {**record, "body": {**act, "ceremony": {**word, "entry": "e0" * 32}}}


# ---- a plan, and who approves it


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanFile, Scene]:
    plan_file = a_plan(CeremonyKind.SPLIT, a_key(*RECOVERY))
    rehearsal = prepare_rehearsal(plan_file, tmp_path_factory.mktemp("judged"))
    return read_plan(rehearsal.plan.read_bytes()), scene_of(
        read_configuration(rehearsal.configurations[Side.HERE]), Side.HERE
    )


def amiss(plan_file: PlanFile, scene: Scene) -> list[str]:
    return [finding.found for finding in judge_plan(plan_file, scene) if finding.reason == "APPROVAL_NOT_ON_RECORD"]


def approved(scene: Scene, change: Any) -> Scene:
    statements = tuple(
        change(each) if isinstance(each.payload, Approval) else each for each in scene.standing.statements
    )
    return replace(scene, standing=replace(scene.standing, statements=statements))


@pytest.mark.hsm
@pytest.mark.parametrize("name", ["admin-1", "witness-1", "officer-1", "custodian-1"])
def test_refuses_an_approval_by_somebody_who_has_another_part_in_it(judged: tuple[PlanFile, Scene], name: str) -> None:
    plan_file, scene = judged
    assert amiss(plan_file, scene) == []
    assert name in {person.name for person in plan_file.plan.people}
    (why, *_) = amiss(plan_file, approved(scene, lambda said: replace(said, attester=name)))
    assert f"by {name}, who is" in why


@pytest.mark.hsm
def test_refuses_a_condition_of_other_words_under_the_same_name(judged: tuple[PlanFile, Scene]) -> None:
    plan_file, scene = judged

    def under(said: Statement) -> Statement:
        demanded = Demanded(id="couriers", words="Two couriers travel with the package.")
        return replace(said, payload=said.payload.model_copy(update={"conditions": [demanded]}))

    softer = Condition(id="couriers", words="A parcel service will do.")
    plan = plan_file.plan.model_copy(update={"conditions": (softer,)})
    (why, *_) = amiss(PlanFile(plan=plan, octets=plan_file.octets), approved(scene, under))
    assert why == "under a condition that is not in the plan: couriers"


@pytest.mark.hsm
@pytest.mark.parametrize("change", [{"withdrawn_at": AT}, {"until": AT}], ids=["withdrawn", "lapsed"])
def test_refuses_a_certificate_that_stands_no_more_though_the_person_has_another(
    judged: tuple[PlanFile, Scene], change: dict[str, Any]
) -> None:
    plan_file, scene = judged
    stolen = plan_file.plan.people[0].signing_sha256
    own = scene.standing.attesters[stolen]
    attesters = {**scene.standing.attesters, stolen: replace(own, **change), "new": replace(own, kid="new")}
    spoilt = replace(scene, standing=replace(scene.standing, attesters=attesters))
    found = {finding.reason for finding in judge_plan(plan_file, spoilt) if not finding.passed}
    assert found == {"PERSON_NOT_ENROLLED"}


@pytest.mark.hsm
def test_refuses_to_take_a_key_that_was_destroyed_here_under_another_label(tmp_path: Path) -> None:
    rehearsal = prepare_rehearsal(a_transfer_plan(), tmp_path)
    sides = (Side.SOURCE, Side.DESTINATION)
    source, destination = (scene_of(read_configuration(rehearsal.configurations[side]), side) for side in sides)
    plan_file = read_plan(rehearsal.plan.read_bytes())
    assert all(finding.passed for finding in judge_plan(plan_file, destination))
    (label,) = (key.label for key in plan_file.plan.keys)
    burnt = replace(source.keys[label], label="burnt", state=KeyState.DESTROYED)
    found = judge_plan(plan_file, replace(destination, keys={"burnt": burnt}))
    assert [finding.reason for finding in found if not finding.passed] == ["KEY_WAS_HERE"]


# ---- shares and files


def test_refuses_to_print_a_share_on_a_terminal_or_where_nothing_is_printed() -> None:
    share, *_ = some_shares()
    master, slave = os.openpty()
    with opened_custody() as custody, closing(os.fdopen(master, "rb", buffering=0)) as seen:
        custody.expect(share.share_set)
        custody.offer("ann", seal(encode_share(share), custody.certificate, secrets.token_bytes), OfferedAs.SHARE)
        for printer in (os.ttyname(slave), "/dev/null"):
            with pytest.raises(ModuleDisagrees, match="found a terminal or a log"):
                custody.print_share("ann", printer)
        os.set_blocking(seen.fileno(), False)
        assert seen.read(1) is None
    os.close(slave)


def test_writes_to_no_file_that_somebody_put_in_the_way(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"somebody's")
    (tmp_path / f".a.key.{os.getpid()}").symlink_to(other)
    write_durably(tmp_path / "a.key", b"secret", private=True)
    assert other.read_bytes() == b"somebody's"
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.hsm
@pytest.mark.timeout(120)
def test_whoever_conducts_leaves_no_memory_on_disk(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "tls")).octets)
    command: list[str | Path] = [KEYBROKER, "ceremony", "rehearse", plan, "--directory", tmp_path / "here"]
    with Conductor(command, {}) as conductor:
        conductor.to("Press Enter")
        limits = Path(f"/proc/{conductor.pid}/limits").read_text()
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]


# ---- a copy that nobody counts


@pytest.mark.hsm
@pytest.mark.timeout(300)
def test_refuses_to_split_a_key_that_stands_whole_elsewhere(tmp_path: Path) -> None:
    rehearsed = Rehearsed(directory=tmp_path)
    prepare_rehearsal(rehearsed.plan(CeremonyKind.SPLIT, "split-recovery"), tmp_path)
    member = Copy(kind=CopyKind.HA_MEMBER, place="member-2")
    add(rehearsed, AddCopy(label=LABEL, copy=member))
    with pytest.raises(NotPermitted, match="stands whole elsewhere too"):
        rehearsed.split()
    with rehearsed.hall(rehearsed.given("split-recovery")) as hall:
        assert not is_absent(hall.token, LABEL)


def add(rehearsed: Rehearsed, act: AddCopy) -> None:
    configuration = read_configuration(rehearsed.deployment.config_path)
    with acting(configuration, "operator") as (journal, actor):
        administer(journal, actor, act, configuration.clock.now())


@pytest.mark.hsm
@pytest.mark.timeout(300)
def test_the_blob_of_a_broken_attempt_is_a_copy_to_be_accounted_for(tmp_path: Path) -> None:
    rehearsed = Rehearsed(directory=tmp_path)
    plan_file = rehearsed.plan(CeremonyKind.SPLIT, "split-recovery")
    story = Story(directory=tmp_path, plan=prepare_rehearsal(plan_file, tmp_path).plan)
    assert story.life(Side.HERE, dies_at="share-key:done") == -9
    left = {sha256(file.read_bytes()).digest() for file in (tmp_path / "media").rglob("*.blob")}
    elsewhere = count(1)

    def another(_question: str) -> str:
        place = tmp_path / "other media" / str(next(elsewhere))
        place.mkdir(parents=True)
        return str(place)

    rehearsed.run(plan_file, {"Directory for copy": another})
    with reading(read_configuration(rehearsed.deployment.config_path)) as ledger:
        live = {each.copy.sha256 for each in copies_of(ledger, LABEL) if each.destroyed is None}
        audit.verify(ledger, read_configuration(rehearsed.deployment.config_path).clock.now())
    assert len(left) == 1
    assert left <= live


@pytest.mark.hsm
@pytest.mark.timeout(300)
def test_a_search_of_an_empty_directory_shows_nothing_of_a_blob_that_stands_elsewhere(tmp_path: Path) -> None:
    rehearsed, blob = Rehearsed(directory=tmp_path), tmp_path / "vault" / "gone.blob"
    key = a_key(KeyPurpose.COS_PARTY_TLS, "gone", public_key_sha256=NOTHING)
    plan_file = a_plan(CeremonyKind.DESTROY, key, name="destroy-gone")
    prepare_rehearsal(plan_file, tmp_path)
    for directory in ("vault", "empty", "planted"):
        (tmp_path / directory).mkdir()
    for file in (blob, tmp_path / "planted" / "another"):
        file.write_bytes(b"what a module wrapped")
    copy = Copy(kind=CopyKind.WRAPPED_BLOB, place=f"site-a: {blob}", sha256=sha256(blob.read_bytes()).digest())
    add(rehearsed, AddCopy(label=KeyLabel("gone"), copy=copy))
    answers: dict[str, Any] = {
        "all the copies": "ALL",
        "Where to search": [str(tmp_path / "empty"), str(tmp_path / "planted"), "done"],
        "How was": "trust me",
    }
    held = rehearsed.run(plan_file, answers)
    (told,) = [each for each in facts(held, "destroy-copies")["copies"] if each["kind"] == "wrapped-blob"]
    assert told["shown_by"] == "the word of those who sign"


@pytest.mark.hsm
@pytest.mark.timeout(120)
def test_a_ledger_of_ceremonies_alone_is_not_relied_on_without_its_head(tmp_path: Path) -> None:
    rehearsed = Rehearsed(directory=tmp_path)
    with pytest.raises(Paused):
        rehearsed.run(a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "tls")), {}, pause_at="make-key")
    live("tests.attacks.taking_the_head", [str(rehearsed.deployment.config_path)], seconds=60).check_returncode()
    with pytest.raises(LedgerBroken, match="its head is not in the token any more"), rehearsed.hall(tmp_path):
        pass
