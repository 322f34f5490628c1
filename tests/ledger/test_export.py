"""What an evidence package holds, for whom, and when it is not made at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.steps import RENOUNCE, procedure
from keybroker.config.packaged import packaged_for_verifiers
from keybroker.errors import ConfigurationInvalid, LedgerUnavailable
from keybroker.ledger import export_files
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.export import Beside
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.export_files import appearing, packed, release
from keybroker.ledger.model import Entry, RecordKind
from keybroker.terms import KeyPurpose, PartyName
from tests import lists
from tests.ceremony.plans import a_key, a_plan
from tests.ledger import books, exported, tampering, test_kept
from tests.ledger.exported import PARTY, verify
from tests.ledger.tamper_many import verifier
from tests.situations import AT


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a ledger with every kind of record; nobody changes it."""
    directory = tmp_path_factory.mktemp("for-strangers")
    exported.fill(directory)
    return directory


@pytest.fixture(scope="session")
def whole(ledger: Path) -> Path:
    """The package of everything."""
    exported.package(ledger, ledger / "whole")
    return ledger / "whole"


def files(package: Path) -> dict[str, bytes]:
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*") if path.is_file()}


def found_in(package: Path, manifest_sha256: str | None = None) -> Any:
    """The verifier's report, made in this process."""
    report, _ = verifier().verify(package, manifest_sha256=manifest_sha256, vkeys=[], receipts=[])
    return report


def records(package: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (package / "records.ndjson").read_bytes().splitlines()]


# ---- refusals


def test_refuses_a_target_where_something_stands(tmp_path: Path) -> None:
    for name, make in (("directory", Path.mkdir), ("file", Path.touch)):
        make(tmp_path / name)
        with pytest.raises(ConfigurationInvalid, match="not written over"), appearing(tmp_path / name):
            pass
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ConfigurationInvalid, match="not written over"), appearing(tmp_path / "link"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file", "link"]


def _meanwhile(scratch: Path, target: Path) -> None:
    target.mkdir()
    (scratch / "package").mkdir()
    release(scratch / "package", target)


def _full_disk(scratch: Path, _target: Path) -> None:
    # /dev/full takes nothing: what a full disk does at the first write.
    (scratch / "half").write_bytes(b"half")
    Path("/dev/full").write_bytes(b"more")


def _interrupted(scratch: Path, _target: Path) -> None:
    (scratch / "half").write_bytes(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("happens", "raised", "left"),
    [
        (_meanwhile, ConfigurationInvalid, ["package"]),
        (_full_disk, LedgerUnavailable, []),
        (_interrupted, KeyboardInterrupt, []),
    ],
)
def test_leaves_nothing_of_a_package_that_is_not_made(
    tmp_path: Path, happens: Callable[[Path, Path], None], raised: type[BaseException], left: list[str]
) -> None:
    target = tmp_path / "package"
    with pytest.raises(raised):  # noqa: SIM117 - what is refused is what happens within
        with appearing(target) as scratch:
            happens(scratch, target)
    assert [path.name for path in tmp_path.iterdir()] == left


# ---- refusals, by the verifier


def _leave_out_all(act: dict[str, Any]) -> None:
    act["signatures"] = {}


def _leave_out_one(act: dict[str, Any]) -> None:
    del act["signatures"]["witness-1"]


def _name_nobody(act: dict[str, Any]) -> None:
    """As if the step needed nobody: the entry says so too."""
    entry = json.loads(act["entry"]) | {"people": []}
    act.update(entry=encode(entry).decode(), entry_sha256=sha256(encode(entry)).hexdigest(), signatures={})


@pytest.mark.parametrize("change", [_leave_out_all, _leave_out_one, _name_nobody])
def test_a_step_that_not_everybody_signed_who_must_is_found(
    whole: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    told = records(whole)
    (index,) = (at for at, each in enumerate(told) if each.get("body", {}).get("act") == "ConcludeCeremonyStep")
    change(told[index]["body"])
    package = tampering.rewritten("", _copied(whole, tmp_path), [encode(each) for each in told]).package
    wrong = verify(package, expect=3)["wrong"]
    assert (index, "signatures") in {(each["record"], each["field"]) for each in wrong}


@pytest.mark.parametrize("selection", [Selection(key="enrolled"), Selection(party=PARTY)])
def test_what_the_records_of_a_selection_tell_must_be_in_its_package(
    ledger: Path, tmp_path: Path, selection: Selection
) -> None:
    part = tmp_path / "part"
    exported.package(ledger, part, selection)
    told = json.loads((part / "keys.json").read_bytes())["keys"]
    for name, octets in (
        ("keys.json", encode({"keys": []})),
        ("keys.json", encode({"keys": [{**each, "party": "supplier-b"} for each in told]})),
        ("in_force.json", encode({"in_force": []})),
    ):
        whole = (part / name).read_bytes()
        (part / name).write_bytes(octets)
        exported.seal(part)
        assert name in {each["file"] for each in found_in(part).wrong}
        (part / name).write_bytes(whole)


def test_a_revocation_list_that_its_ca_did_not_sign_is_found_though_a_record_names_it(
    whole: Path, tmp_path: Path
) -> None:
    told, copy = records(whole), _copied(whole, tmp_path)
    act = next(each["body"] for each in reversed(told) if each.get("body", {}).get("act") == "TakeInRevocationList")
    name = f"revocation_lists/{act['issuer']}.crl"
    (copy / name).write_bytes(lists.sign(lists.compose(), scalar=5))
    act["sha256"] = sha256((copy / name).read_bytes()).hexdigest()
    report = found_in(tampering.rewritten("", copy, [encode(each) for each in told]).package)
    assert [(each["file"], each["field"]) for each in report.wrong] == [(name, "signature")]


def test_a_checkpoint_that_was_made_and_is_not_in_the_package_is_found(tmp_path: Path) -> None:
    test_kept.unpack("v10.sql", tmp_path)
    own = Beside(find_text=_any_text, files=packaged_for_verifiers())
    for name, beside, missing in (("without", exported.BESIDE, True), ("with", own, False)):
        exported.package(tmp_path, tmp_path / name, beside=beside)
        wrong = {each["file"] for each in found_in(tmp_path / name).wrong}
        assert ("checkpoints.ndjson" in wrong) is missing


def test_what_may_have_been_erased_is_counted_and_what_nobody_records_only_the_digest_holds(
    whole: Path, tmp_path: Path
) -> None:
    copy = _copied(whole, tmp_path)
    (copy / "octets.ndjson").write_bytes(b"")
    (copy / "summary.txt").write_bytes(b"another")
    exported.seal(copy)
    told = sha256((whole / "manifest.json").read_bytes()).hexdigest()
    report = found_in(copy)
    intents = sum(1 for each in records(whole) if each["kind"] == "intent")
    assert report.wrong == []
    assert report.remarks["uses whose octets are not here: erased, aged out, or never kept"] == intents
    assert [each["file"] for each in found_in(copy, told).wrong] == ["manifest.json"]


@pytest.mark.parametrize("kind", CeremonyKind)
def test_the_verifier_knows_who_signs_each_step(kind: CeremonyKind) -> None:
    module, plan = verifier(), a_plan(kind, a_key(KeyPurpose.RECOVERY_COMMAND, "recovery")).plan
    for step in (*procedure(plan), RENOUNCE):
        assert {*module.SIGNED_BY.get(step.name.value, module.TWO)} & {each.role for each in plan.people} == {
            each.role for each in plan.people if each.role in step.signed_by
        }, step.name


# ---- what it holds


def test_the_verifier_finds_nothing_wrong_with_everything(whole: Path) -> None:
    told = verify(whole, "--checkpoint-key", exported.vkey(), expect=0)
    assert (told["whole"], told["wrong"], told["under_checkpoint"]) == (True, [], told["tree_size"])
    assert len(told["open_intents"]) == 2  # as the ledger has it: two uses that were counted, and never ended
    assert {"signatures (ECDSA P-256)", "statements (JWS ES256)", "signatures of people (CMS)"} <= told[
        "checked"
    ].keys()


def test_the_same_ledger_selection_and_moment_give_the_same_octets(ledger: Path, whole: Path, tmp_path: Path) -> None:
    exported.package(ledger, tmp_path / "again")
    assert files(tmp_path / "again") == files(whole)
    archives = [packed(each, tmp_path / "target.tar") for each in (tmp_path / "again", _copied(whole, tmp_path))]
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_a_tar_file_verifies_as_its_directory_does(whole: Path, tmp_path: Path) -> None:
    archive = packed(_copied(whole, tmp_path), tmp_path / "target.tar")
    assert verify(archive, expect=0)["records"] == verify(whole, expect=0)["records"]
    with tarfile.open(archive) as tar:
        assert {member.mtime for member in tar.getmembers()} == {0}


def test_every_record_is_as_the_published_schema_says(whole: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads((whole / "record.schema.json").read_bytes()))
    assert {record["kind"]: [each.message for each in validator.iter_errors(record)] for record in records(whole)} == {
        kind: [] for kind in sorted({record["kind"] for record in records(whole)})
    }
    for spoil in ({"v": 2}, {"kind": "other"}, {"more": 1}, {"at": "yesterday"}):
        assert list(validator.iter_errors(records(whole)[0] | spoil))


def test_bears_the_verifier_and_the_schema_as_they_are_published(whole: Path) -> None:
    assert {name: files(whole)[name] for name in packaged_for_verifiers()} == dict(packaged_for_verifiers())


def test_says_who_made_it_when_how_and_of_what(whole: Path) -> None:
    manifest = json.loads((whole / "manifest.json").read_bytes())
    assert {name: manifest["exported"][name] for name in ("at", "by", "keybroker", "machine")} == {
        "at": "2026-01-15T12:00:00.000000Z",
        "by": "local:tests",
        "keybroker": "0.1.0",
        "machine": "tests.0123456789abcdef",
    }
    assert {each["name"] for each in manifest["files"]} == files(whole).keys() - {"manifest.json", "manifest.sha256"}


def test_says_of_which_digests_in_force_it_has_no_text(whole: Path) -> None:
    told = json.loads((whole / "in_force.json").read_bytes())["in_force"]
    assert {each["kind"] for each in told if not each["text"]} == {"configuration", "profile", "policy"}
    assert [each["purposes"] for each in told if each["text"]] == [["supplier-pre-command"]]


def test_the_summary_is_a_page_that_loads_nothing(whole: Path) -> None:
    page = (whole / "summary.html").read_text()
    assert "supplier-pre-command" in page
    assert not any(word in page for word in ("http", "src=", "<script"))
    assert "NOT_PERMITTED" in (whole / "summary.txt").read_text()


def test_what_was_aged_out_is_said_and_held_against_the_act_that_did_it(ledger: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ledger, tmp_path / "ledger"))
    aged = next(record["outcome"] for record in records(ledger / "whole") if record["kind"] == "release")
    age(copy, aged - 1, aged)
    body: dict[str, Json] = {"act": "AgeRecords", "actor": {"identity": "local:tests"}, "ranges": [[aged - 1, aged]]}
    with books.a_book(copy) as journal:
        journal.write([Entry(kind=RecordKind.ADMINISTRATIVE, party=PartyName(""), body=body)], at=AT)
    exported.package(copy, tmp_path / "aged")
    told = verify(tmp_path / "aged", "--checkpoint-key", exported.vkey(), expect=0)
    assert told["remarks"]["records that were aged out of the ledger"] == 2
    age(copy, 6, 6)
    exported.package(copy, tmp_path / "more")
    assert {each["file"] for each in verify(tmp_path / "more", expect=3)["wrong"]} >= {"leaves.txt"}


def age(ledger: Path, first: int, last: int) -> None:
    with sqlite3.connect(ledger / "ledger.sqlite") as connection:
        connection.execute("UPDATE record SET octets = x'' WHERE leaf_index BETWEEN ? AND ?", (first, last))
        connection.execute("DELETE FROM octets WHERE leaf_index BETWEEN ? AND ?", (first, last))
    connection.close()


# ---- selections


def _of_key(record: dict[str, Any]) -> bool:
    body = record.get("body", {})
    return "enrolled" in (record.get("key"), body.get("key"))


def _of_party(record: dict[str, Any]) -> bool:
    return bool(record["party"] == PARTY)


def _early(record: dict[str, Any]) -> bool:
    return bool(record["at"] < "2026-01-15T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("selection", "is_wanted"),
    [
        (Selection(key="enrolled"), _of_key),
        (Selection(party=PARTY), _of_party),
        (Selection(until=AT), _early),
        (Selection(since=AT - timedelta(minutes=1), until=AT), lambda _: False),
    ],
)
def test_a_selection_holds_what_was_asked_for_and_the_tree_still_verifies(
    ledger: Path, whole: Path, tmp_path: Path, selection: Selection, is_wanted: Callable[[dict[str, Any]], bool]
) -> None:
    exported.package(ledger, tmp_path / "part", selection)
    everything, part = records(whole), records(tmp_path / "part")
    assert [record for record in everything if is_wanted(record) and record not in part] == []
    assert len(part) < len(everything)
    told = verify(tmp_path / "part", "--checkpoint-key", exported.vkey(), expect=0)
    assert (told["tree_size"], told["is_whole"]) == (len(everything), False)


def test_a_partys_package_holds_nothing_of_another_and_no_configuration(ledger: Path, tmp_path: Path) -> None:
    exported.package(ledger, tmp_path / "part", Selection(party="supplier-b"), Beside(find_text=_any_text, files={}))
    kinds = {record["kind"] for record in records(tmp_path / "part")}
    assert kinds <= {"origin", "start", "stop", "administrative"}
    assert json.loads((tmp_path / "part/keys.json").read_bytes()) == {"keys": []}
    told = json.loads((tmp_path / "part/in_force.json").read_bytes())["in_force"]
    assert {each["text"] for each in told if each["kind"] == "configuration"} == {"withheld"}


def _any_text(_digest: str) -> bytes:
    return b"a text"


def _copied(package: Path, directory: Path) -> Path:
    return Path(shutil.copytree(package, directory / "copied"))


def test_a_name_is_written_once(tmp_path: Path) -> None:
    written = export_files.Files(tmp_path)
    written.add("a/b", [b"1", b"2"])
    with pytest.raises(FileExistsError):
        written.add("a/b", [b"3"])
    assert [(each.name, each.size) for each in written.written] == [("a/b", 2)]
