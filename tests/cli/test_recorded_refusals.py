"""What a command at the machine refuses to take in is on record: in a live deployment of one party, without a token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import QuarantineAction, QuarantineReport, ThresholdNotification
from keybroker.statement.threshold_files import (
    REPORT_COLUMNS,
    read_report,
    write_actions,
    write_report,
    write_thresholds,
)
from tests.cli import command
from tests.cli.command import run_here
from tests.server.test_configuration import LIVE, write
from tests.statement.attested import Attests, common

run_json = partial(command.run_json, how=run_here)
OWN, OTHER = "supplier-a", "supplier-b"
USER = "90-B3-D5-1F-30-01-00-00"
DAY = timedelta(days=1)
COUNT = {"measure": "critical", "variant": "7.2", "period_seconds": 60, "warning": 1, "quarantine": 2}
FLAW = "STATEMENT_PAYLOAD_MALFORMED"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Supplier A's live deployment; its broker never ran."""
    return {"KEYBROKER_CONFIG": str(write(tmp_path, *LIVE))}


@pytest.fixture(scope="module")
def one_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same, for tests that all leave it as it was, but for a refusal."""
    return {"KEYBROKER_CONFIG": str(write(tmp_path_factory.mktemp("live"), *LIVE))}


@pytest.fixture
def officer(tmp_path: Path) -> Attests:
    return somebody(OWN)


def somebody(party: str) -> Attests:
    now = datetime.now(UTC)
    return Attests(name=f"{party}/thresholds", party=party, not_before=now - DAY, not_after=now + 400 * DAY)


def enrol(who: Attests, kinds: str, env: dict[str, str], *, expect: int = 0) -> dict[str, Any]:
    file = Path(env["KEYBROKER_CONFIG"]).with_name("attester.pem")
    file.write_bytes(who.x509.public_bytes(Encoding.PEM))
    until = (datetime.now(UTC) + DAY).isoformat()
    options = ("--party", who.party, "--kinds", kinds, "--until", until)
    answer: dict[str, Any] = run_json("evidence", "enrol", who.name, file, *options, env=env, expect=expect)
    return answer


def a_notification(**changes: Any) -> ThresholdNotification:
    said = {"user": USER, "part": "test", "sequence": 1, "guidance": "G", "thresholds": [COUNT]}
    kind = StatementKind.THRESHOLD_NOTIFICATION
    return ThresholdNotification.model_validate(common(kind, at=datetime.now(UTC)) | said | changes)


def an_action(record: int) -> QuarantineAction:
    said = {"user": USER, "record": record, "octets_sha256": "0a" * 32, "action": "delete"}
    kind = StatementKind.QUARANTINE_ACTION
    return QuarantineAction.model_validate(common(kind, at=datetime.now(UTC)) | said)


def an_actions_file(record: int) -> bytes:
    said = an_action(record)
    line = {"user_id": said.user, "octets_sha256": said.octets_sha256, "action": said.action}
    return write_actions([{"record": str(record), **line}])


A_REPORT = write_report([dict.fromkeys(REPORT_COLUMNS, "1")])


def a_report(**changes: Any) -> QuarantineReport:
    """The signature of ``A_REPORT``."""
    kind = StatementKind.QUARANTINE_REPORT
    return QuarantineReport.model_validate(common(kind, at=datetime.now(UTC)) | read_report(A_REPORT) | changes)


def in_files(directory: Path, octets: bytes, *statements: bytes) -> Path:
    """A file of the procedures, its detached signature beside it."""
    file = directory / "file.csv"
    file.write_bytes(octets)
    (directory / "file.csv.jws").write_bytes(b"\n".join(statements) + b"\n")
    return file


def last(env: dict[str, str]) -> dict[str, Any]:
    """The ledger's last record; and the ledger is whole."""
    (shown,) = run_json("ledger", "tail", "-n", 1, env=env)["records"]
    assert run_json("ledger", "verify", env=env)["whole"]
    record: dict[str, Any] = shown["record"]
    return record


def check_recorded(error: dict[str, Any], env: dict[str, str], act: str) -> dict[str, Any]:
    """The refusal that was told is the one that is on record, last."""
    record = last(env)
    body: dict[str, Any] = record["body"]
    assert (record["kind"], record["party"], body["act"]) == ("refusal", OWN, act)
    assert (body["reason"], body["sentence"]) == (error["reason"], error["sentence"])
    assert body.get("flaw") == error.get("flaw")
    return body


def sequences_held(env: dict[str, str]) -> list[int]:
    return [each["sequence"] for each in run_json("thresholds", "show", env=env)["notifications"]]


# ---- the procedures' files


ALTERED = write_thresholds(a_notification(thresholds=[COUNT | {"quarantine": 3}]))


@pytest.mark.parametrize(
    ("octets", "sign", "told"),
    [
        (ALTERED, lambda who: who.state(a_notification()), "exactly this file"),
        (write_thresholds(a_notification()), lambda who: who.state(a_notification(sequence=2)), "exactly this file"),
        (write_thresholds(a_notification()), lambda who: who.state(an_action(7)), "malformed"),
        (write_thresholds(a_notification(user=None)), lambda who: who.state(a_notification()), "exactly this file"),
    ],
    ids=["an altered file", "the signature of another file", "a statement of another kind", "another's User ID"],
)
def test_a_thresholds_file_that_its_signature_does_not_sign_is_refused_on_record(
    octets: bytes, sign: Callable[[Attests], bytes], told: str, env: dict[str, str], officer: Attests, tmp_path: Path
) -> None:
    enrol(officer, "threshold-notification", env)
    file = in_files(tmp_path, octets, sign(officer))
    error = run_json("thresholds", "import", "thresholds", file, env=env, expect=1)["error"]
    body = check_recorded(error, env, "TakeInThresholds")
    assert (body["reason"], body["flaw"], told in body["sentence"]) == ("STATEMENT_REFUSED", FLAW, True)
    assert sequences_held(env) == []


def test_a_file_beside_what_is_no_statement_is_refused_on_record(env: dict[str, str], tmp_path: Path) -> None:
    file = in_files(tmp_path, write_thresholds(a_notification()), b"hello")
    enrol(somebody(OWN), "threshold-notification", env)
    error = run_json("thresholds", "import", "thresholds", file, env=env, expect=1)["error"]
    assert check_recorded(error, env, "TakeInThresholds")["flaw"] == "STATEMENT_NOT_COMPACT"


def test_an_actions_file_that_its_signature_does_not_sign_is_refused_on_record(
    env: dict[str, str], officer: Attests, tmp_path: Path
) -> None:
    enrol(officer, "threshold-notification", env)
    file = in_files(tmp_path, an_actions_file(7), officer.state(an_action(8)))
    error = run_json("thresholds", "import", "actions", file, env=env, expect=1)["error"]
    body = check_recorded(error, env, "ActOnQuarantined")
    assert (body["reason"], body["flaw"]) == ("STATEMENT_REFUSED", FLAW)


A_FILE = write_thresholds(a_notification())
NOT_TAKEN_IN: dict[str, tuple[str, bytes, bytes | None, str]] = {
    "thresholds that are none": ("thresholds", b"nonsense", b"x", "thresholds file, found one that is none"),
    "actions that are none": ("actions", b"nonsense", b"x", "actions file, found one that is none"),
    "a report that is none": ("report", b"nonsense", b"x", "report file, found one that is none"),
    "a line too short": ("actions", an_actions_file(7) + b"7,8\r\n", b"x y", "4 fields in every line"),
    "a number that is none": ("actions", an_actions_file(7).replace(b"7,", b"+7,", 1), b"x", "a decimal number"),
    "thresholds without a signature": ("thresholds", A_FILE, None, "of 1 statements beside the file, found none"),
    "a report without a signature": ("report", A_REPORT, None, "of 1 statements beside the file, found none"),
    "an empty signature": ("thresholds", A_FILE, b"", "of 1 statements beside the file, found one of 0"),
    "two for one": ("report", A_REPORT, b"x y", "of 1 statements beside the file, found one of 2"),
    "one for two": ("actions", an_actions_file(7) + b"8,u,00,delete\r\n", b"x", "of 2 statements"),
}
ACTS = {"thresholds": "TakeInThresholds", "actions": "ActOnQuarantined", "report": "CheckQuarantineReport"}


@pytest.mark.parametrize("name", NOT_TAKEN_IN)
def test_a_file_that_is_none_or_not_signed_line_by_line_is_refused_on_record(
    name: str, one_env: dict[str, str], tmp_path: Path
) -> None:
    which, octets, signature, told = NOT_TAKEN_IN[name]
    file = tmp_path / "file.csv"
    file.write_bytes(octets)
    if signature is not None:
        (tmp_path / "file.csv.jws").write_bytes(signature)
    error = run_json("thresholds", "import", which, file, env=one_env, expect=1)["error"]
    body = check_recorded(error, one_env, ACTS[which])
    assert (body["reason"], body["flaw"], told in body["sentence"]) == ("STATEMENT_REFUSED", FLAW, True)


def test_a_report_that_its_signature_does_not_sign_is_refused_on_record(
    env: dict[str, str], officer: Attests, tmp_path: Path
) -> None:
    enrol(officer, "quarantine-report", env)
    for said in (a_report(communications=2), a_report(file_sha256="00" * 32), an_action(7)):
        file = in_files(tmp_path, A_REPORT, officer.state(said))
        error = run_json("thresholds", "import", "report", file, env=env, expect=1)["error"]
        assert check_recorded(error, env, "CheckQuarantineReport")["flaw"] == FLAW
    file = in_files(tmp_path, A_REPORT, somebody("dcc").state(a_report()))
    error = run_json("thresholds", "import", "report", file, env=env, expect=1)["error"]
    assert check_recorded(error, env, "CheckQuarantineReport")["flaw"] == "ATTESTER_UNKNOWN"


# ---- another party's


def test_a_report_of_the_dcc_is_checked_and_told_whose_it_is(env: dict[str, str], tmp_path: Path) -> None:
    dcc = somebody("dcc")
    enrol(dcc, "quarantine-report", env)
    file = in_files(tmp_path, A_REPORT, dcc.state(a_report()))
    found = run_json("thresholds", "import", "report", file, env=env)
    assert (found["attester"], found["party"], found["communications"]) == (dcc.name, "dcc", 1)
    body = last(env)["body"]
    assert (body["act"], body["file_sha256"]) == ("CheckQuarantineReport", a_report().file_sha256)
    assert (body["attester"], body["communications"]) == (dcc.name, 1)


def test_thresholds_of_another_party_are_refused_on_record(env: dict[str, str], tmp_path: Path) -> None:
    other = somebody(OTHER)
    enrol(other, "threshold-notification", env)
    statement, file = other.state(a_notification()), tmp_path / "notification.jws"
    file.write_bytes(statement)
    given = in_files(tmp_path, write_thresholds(a_notification()), statement)
    for arguments in (("notify", file), ("import", "thresholds", given)):
        error = run_json("thresholds", *arguments, env=env, expect=1)["error"]
        body = check_recorded(error, env, "TakeInThresholds")
        assert (body["reason"], f"set by {OWN} alone" in body["sentence"]) == ("NOT_PERMITTED", True)
        assert f"found a notification by {other.name} of {OTHER}" in body["sentence"]
    assert sequences_held(env) == []


def test_an_attester_of_another_party_is_refused_on_record(env: dict[str, str]) -> None:
    error = enrol(somebody(OTHER), "location,threshold-notification", env, expect=1)["error"]
    body = check_recorded(error, env, "EnrolAttester")
    assert (body["reason"], body["party"]) == ("NOT_PERMITTED", OTHER)
    assert body["kinds"] == ["location", "threshold-notification"]
    assert run_json("evidence", "attesters", env=env)["attesters"] == []


def test_a_renewal_of_nobody_is_refused_on_record(env: dict[str, str], officer: Attests, tmp_path: Path) -> None:
    file = tmp_path / "attester.pem"
    file.write_bytes(officer.x509.public_bytes(Encoding.PEM))
    renew = ("evidence", "renew", officer.name, file, "--until", "2099-01-01")
    error = run_json(*renew, env=env, expect=1)["error"]
    body = check_recorded(error, env, "EnrolAttester")
    assert (body["reason"], body["name"]) == ("NOT_PERMITTED", officer.name)


# ---- its own


def test_what_its_own_party_states_is_taken_in_by_command_and_by_file(
    env: dict[str, str], officer: Attests, tmp_path: Path
) -> None:
    enrol(officer, "threshold-notification", env)
    first, second = a_notification(), a_notification(sequence=2)
    (tmp_path / "first.jws").write_bytes(officer.state(first))
    run_json("thresholds", "notify", tmp_path / "first.jws", env=env)
    file = in_files(tmp_path, write_thresholds(second), officer.state(second))
    (receipt,) = run_json("thresholds", "import", "thresholds", file, env=env)["receipts"]
    assert (last(env)["kind"], sequences_held(env)) == ("administrative", [2, 1])
    assert run_json("ledger", "tail", "-n", 1, env=env)["records"][0]["leaf_index"] == receipt["leaf_index"]
