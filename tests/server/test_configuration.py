"""keybroker.toml: unknown, missing or mistyped refuses, and names file and key; a live deployment is one party's."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.config import (
    Configuration,
    build_ledger,
    check_head_is_kept,
    check_one_party,
    packaged_profile,
    read_accepted_configuration,
    read_configuration,
)
from keybroker.config.file import PinTable
from keybroker.config.latch import find_latch, latch, unlatch
from keybroker.config.pin import given, pin_from
from keybroker.errors import ConfigurationInvalid, LedgerBroken
from keybroker.policy.model import KeyRegister
from keybroker.server.reload import check_reloadable
from keybroker.statement.kind import StatementKind
from keybroker.statement.standing import Standing
from keybroker.statement.statement import read_statement
from keybroker.terms import DeploymentKind
from tests.server.test_authn import CERTIFICATE
from tests.situations import a_key
from tests.statement.attested import DAY, ORIGIN, Attests, a_location

CALLER = """
[[caller]]
identity = "uri:urn:a"
party = "supplier-a"
system = "head-end"
kind = "user-system"
user_roles = ["IS"]
euis = ["90-B3-D5-1F-30-01-00-00"]
operations = ["SignPreCommand"]
keys = ["supplier-a"]
"""

GOOD = f"""
[deployment]
kind = "test"
part = "test"
system = "user-systems"
ledger_origin = "keybroker.example/tests/TEST"
data_directory = "data"
[node]
name = "test-node"
site = "test-site"
[people]
cooling_off_days = 180
[server]
listen = "127.0.0.1:8443"
metrics = "127.0.0.1:9443"
certificate = "server.pem"
private_key = "server.key"
client_anchors = "anchors.pem"
log = "json"
[limits]
message_octets = 65536
batch_items = 1024
queued_items = 4096
deadline_seconds = 30
connection_age_seconds = 3600
connection_grace_seconds = 30
drain_seconds = 20
[module]
profile = "softhsm2"
library = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "a"
token_serial = "b"
site = "test-site"
sessions = 1
[module.pin]
environment = "KEYBROKER_PIN"
[module.environment]
SOFTHSM2_CONF = "softhsm2.conf"
[ledger]
url = "sqlite:///ledger.sqlite"
request_ids_kept_days = 30
anchor_seconds = 10
[anchors]
certificates = []
test_certificates = ["anchor.pem"]
{CALLER}"""

TIME = """[time]
source = "time.example:123"
largest_difference_seconds = 1.0
read_every_seconds = 60
reading_counts_seconds = 300
timeout_seconds = 2
"""

LIVE = [
    ("[anchors]", f"{TIME}[anchors]"),
    ('kind = "test"', 'kind = "live"\nparty = "supplier-a"'),
    ('certificates = []\ntest_certificates = ["anchor.pem"]', 'certificates = ["anchor.pem"]\ntest_certificates = []'),
]


def write(directory: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (directory / "anchor.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    file = directory / "keybroker.toml"
    file.write_text(text)
    return file


def read(directory: Path, *changes: tuple[str, str]) -> Configuration:
    return read_configuration(write(directory, *changes))


def keys_of(table: dict[str, object], path: str = "") -> list[str]:
    """Every key of GOOD, dotted."""
    keys = []
    for name, value in table.items():
        if isinstance(value, dict):
            keys += keys_of(value, f"{path}{name}.")
        elif not isinstance(value, list) or not value or not isinstance(value[0], dict):
            keys.append(f"{path}{name}")
    return keys


OPTIONAL = {"module.environment.SOFTHSM2_CONF"}
DEMANDED = [key for key in keys_of(tomllib.loads(GOOD)) if key not in OPTIONAL]


@pytest.mark.parametrize("key", DEMANDED)
def test_refuses_a_file_without_a_key_that_is_demanded(tmp_path: Path, key: str) -> None:
    section, _, name = key.rpartition(".")
    head, _, rest = GOOD.partition(f"[{section}]\n")
    lines = rest.splitlines(keepends=True)
    gone = next(index for index, line in enumerate(lines) if line.startswith(f"{name} ="))
    (tmp_path / "keybroker.toml").write_text(f"{head}[{section}]\n{''.join(lines[:gone] + lines[gone + 1 :])}")
    with pytest.raises(ConfigurationInvalid, match=r"keybroker\.toml") as refused:
        read_configuration(tmp_path / "keybroker.toml")
    assert section in refused.value.sentence


@pytest.mark.parametrize("line", [line for line in CALLER.splitlines() if "=" in line])
def test_refuses_a_caller_without_a_key_that_is_demanded(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=rf"caller\.0\.{line.split()[0]}"):
        read(tmp_path, (f"{line}\n", ""))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[limits]", "unknown = 1\n[limits]", "server.unknown"),
        ("[limits]", "[surprise]\nx = 1\n[limits]", "surprise"),
        ("sessions = 1", "sessions = 1\npin_value = '1234'", "module.pin_value"),
        ("sessions = 1", 'sessions = "1"', "module.sessions"),
        ("sessions = 1", "sessions = 1.0", "module.sessions"),
        ("sessions = 1", "sessions = true", "module.sessions"),
        ("sessions = 1", "sessions = 0", "module.sessions"),
        ('kind = "test"', 'kind = "staging"', "deployment.kind"),
        ('kind = "test"', 'kind = "live"', "G2.25, G3.14, G2.20"),
        ('kind = "test"', 'kind = "test"\nparty = "supplier-a"', "live deployment only"),
        ('kind = "test"', 'kind = "test"\nfixed_clock = 2016-01-01T00:00:00', "deployment.fixed_clock"),
        ("certificates = []", 'certificates = ["anchor.pem"]', "only under anchors listed as test"),
        ('log = "json"', 'log = "xml"', "server.log"),
        ('listen = "127.0.0.1:8443"', 'listen = "127.0.0.1"', "server.listen"),
        ("queued_items = 4096", "queued_items = 2047", "limits.queued_items"),
        ('environment = "KEYBROKER_PIN"', "", "exactly one of"),
        ('environment = "KEYBROKER_PIN"', 'environment = "A"\nprompt = true', "exactly one of"),
        ('environment = "KEYBROKER_PIN"', "prompt = false", "exactly one of"),
        ('environment = "KEYBROKER_PIN"', 'credential = "../etc/passwd"', "module.pin.credential"),
        ('profile = "softhsm2"', 'profile = "no-such-device"', "no profile no-such-device"),
        ('test_certificates = ["anchor.pem"]', 'test_certificates = ["gone.pem"]', "gone.pem"),
        ('test_certificates = ["anchor.pem"]', 'test_certificates = ["keybroker.toml"]', "no PEM certificate"),
        ('identity = "uri:urn:a"', 'identity = "urn:a"', "caller.0.identity"),
        ('identity = "uri:urn:a"', 'identity = "sha256:AA"', "caller.0.identity"),
        ('kind = "user-system"', 'kind = "broker"', "the broker itself is no caller"),
        ('operations = ["SignPreCommand"]', 'operations = ["SignDigest"]', "caller.0.operations"),
        ('user_roles = ["IS"]', 'user_roles = ["XX"]', "caller.0.user_roles"),
        ('euis = ["90-B3-D5-1F-30-01-00-00"]', 'euis = ["90-B3"]', "caller.0.euis"),
        (CALLER, CALLER + CALLER, "stands twice"),
        ("[deployment]", "[deployment", "is not TOML"),
        ("[anchors]", '[policies]\ndirectory = "data"\n[anchors]', "polic"),
    ],
)
def test_refuses_and_names_file_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        read(tmp_path, (old, new))
    assert says in refused.value.sentence


def test_never_shows_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        read(tmp_path, ("sessions = 1", 'sessions = "hunter2"'))
    assert "hunter2" not in refused.value.sentence


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.parametrize(
    "change",
    [
        ('kind = "live"', 'kind = "live"\nfixed_clock = 2016-01-01T00:00:00Z'),
        ("test_certificates = []", 'test_certificates = ["anchor.pem"]'),
        ('party = "supplier-a"\nsystem', 'party = "supplier-b"\nsystem'),
    ],
    ids=["fixed clock", "test anchor", "a caller of another party"],
)
def test_live_refuses(tmp_path: Path, change: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationInvalid):
        read(tmp_path, *LIVE, change)


def test_live_refuses_a_clock_that_is_compared_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"keybroker\.toml: .*time: a live deployment.*G2\.46-G2\.47"):
        read(tmp_path, *LIVE, (TIME, ""))


def test_refuses_to_compare_a_clock_that_stands_still(tmp_path: Path) -> None:
    stopped = ('kind = "test"', 'kind = "test"\nfixed_clock = 2016-01-01T00:00:00Z')
    with pytest.raises(ConfigurationInvalid, match="stands still"):
        read(tmp_path, stopped, ("[anchors]", f"{TIME}[anchors]"))


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
def test_live_refuses_a_key_of_another_party(tmp_path: Path) -> None:
    live = read(tmp_path, *LIVE)
    stranger = a_key(party="supplier-b")
    with pytest.raises(ConfigurationInvalid, match=r"G2.25, G3.14, G2.20\(c\).*key "):
        check_one_party(live, KeyRegister(version=1, keys={stranger.label: stranger}))


def a_register(live: Configuration, of: str, subject: str, party: str) -> KeyRegister:
    """In which an officer of this party states where a thing of the same party is."""
    now = live.clock.now()
    officer = Attests(name="officer", not_before=now - DAY, not_after=now + 2 * DAY)
    attester = officer.attester(frozenset({StatementKind.LOCATION}), party=party, since=now - DAY, until=now + DAY)
    environment = {"standard": "ISO/IEC 27001", "reference": "IS 1", "expires": int((now + DAY).timestamp())}
    said = a_location(subject, of, at=now, party=party, people=["alice"], environment=environment)
    enrolled = {attester.kid: attester}
    stated = read_statement(officer.state(said), enrolled, kind=StatementKind.LOCATION, origin=ORIGIN, at=now)
    return KeyRegister(version=1, keys={}, standing=Standing(attesters=enrolled, statements=(stated,)))


def attested_for(register: KeyRegister, party: str) -> KeyRegister:
    """The same statements, of attesters of this party."""
    attesters = {each.kid: replace(each, party=party) for each in register.standing.attesters.values()}
    return replace(register, standing=replace(register.standing, attesters=attesters))


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.parametrize("of", ["node", "module"])
def test_live_refuses_a_node_or_module_and_an_attester_of_another_party(tmp_path: Path, of: str) -> None:
    live = read(tmp_path, *LIVE)
    subject = {"node": live.node.identity, "module": live.file.module.token_serial}[of]
    check_one_party(live, a_register(live, of, subject, "supplier-a"))
    strange = a_register(live, of, subject, "supplier-b")
    for register, found in ((attested_for(strange, "supplier-a"), of), (strange, "attester officer")):
        with pytest.raises(ConfigurationInvalid, match=rf"G2\.25, G3\.14, G2\.20\(c\).*{found} .*of supplier-b"):
            check_one_party(live, register)


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="acceptance")
def test_reads_a_good_file(tmp_path: Path) -> None:
    test, live = read(tmp_path), read(tmp_path, *LIVE)
    assert (test.deployment, live.deployment) == (DeploymentKind.TEST, DeploymentKind.LIVE)
    assert [anchor.test for anchor in (*test.anchors, *live.anchors)] == [True, False]
    assert test.data_directory == tmp_path / "data"
    assert test.ledger_url == f"sqlite:///{tmp_path}/data/ledger.sqlite"
    assert test.sha256 != live.sha256
    assert set(test.in_force.policies) == set(test.policies)


def test_a_test_deployment_may_stop_its_clock(tmp_path: Path) -> None:
    stopped = read(tmp_path, ('kind = "test"', 'kind = "test"\nfixed_clock = 2016-01-01T00:00:00Z'))
    assert stopped.clock.now() == stopped.clock.now() == datetime(2016, 1, 1, tzinfo=UTC)
    assert read(tmp_path).clock.now().year > 2016


def test_live_refuses_a_token_that_cannot_keep_the_ledgers_head(tmp_path: Path) -> None:
    profile = ('profile = "softhsm2"', 'profile = "yubihsm2"')
    check_head_is_kept(read(tmp_path, profile))
    check_head_is_kept(read(tmp_path, *LIVE))
    with pytest.raises(ConfigurationInvalid, match=r"module\.profile.*head cannot be kept"):
        check_head_is_kept(read(tmp_path, *LIVE, profile))


# ---- what was accepted


def test_what_was_accepted_is_read_again_whatever_became_of_the_files(tmp_path: Path) -> None:
    accepted = read(tmp_path)
    accepted.data_directory.mkdir()
    accepted.accept()
    accepted.accept()
    for name in ("keybroker.toml", "anchor.pem"):
        (tmp_path / name).write_text("spoilt")
    assert read_accepted_configuration(accepted.accepted) == accepted
    assert accepted.accepted.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{}", b'{"path": 1, "octets": "", "policies": [], "anchors": {}}', b"\xff"]
)
def test_refuses_an_accepted_configuration_that_is_not_as_it_was_kept(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "accepted").write_bytes(octets)
    for file in (tmp_path / "accepted", tmp_path / "missing"):
        with pytest.raises(ConfigurationInvalid, match="data_directory"):
            read_accepted_configuration(file)


def test_a_ledger_is_opened_only_as_what_it_was_born(tmp_path: Path) -> None:
    ledger, _, journal = build_ledger(read(tmp_path), worker="a")
    journal.close()
    ledger.close()
    with pytest.raises(ConfigurationInvalid, match="born in a test deployment"):
        build_ledger(read(tmp_path, *LIVE), worker="a")
    with pytest.raises(LedgerBroken, match="origin"):
        build_ledger(read(tmp_path, ("keybroker.example/tests/TEST", "keybroker.example/other/TEST")), worker="a")


def test_finds_the_packaged_profiles() -> None:
    assert b"softhsm2" in packaged_profile("softhsm2")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("batch_items = 1024", "batch_items = 1023", "limits"),
        ("sessions = 1", "sessions = 2", "module"),
        ("anchor_seconds = 10", "anchor_seconds = 11", "ledger"),
        ('log = "json"', 'log = "console"', "server"),
    ],
)
def test_a_reload_refuses_what_needs_a_restart(tmp_path: Path, old: str, new: str, says: str) -> None:
    before = read(tmp_path)
    check_reloadable(before, read(tmp_path, ('party = "supplier-a"', 'party = "supplier-b"')))
    with pytest.raises(ConfigurationInvalid, match=says):
        check_reloadable(before, read(tmp_path, (old, new)))


# ---- the PIN


def test_pin_refuses_an_empty_or_missing_source(tmp_path: Path) -> None:
    for table in (
        PinTable(environment="KEYBROKER_TEST_NOT_SET"),
        PinTable(credential="pin"),
        PinTable(file_descriptor=999),
    ):
        with pytest.raises(ConfigurationInvalid):
            pin_from(table)()


def test_pin_from_a_file_descriptor_is_read_once_and_kept() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"12345678\n")
    os.close(writing)
    pin = pin_from(PinTable(file_descriptor=reading))
    assert [pin(), pin()] == ["12345678", "12345678"]


def test_pin_from_environment_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pin").write_text("12345678\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("KEYBROKER_TEST_PIN", "87654321")
    assert pin_from(PinTable(credential="pin"))() == "12345678"
    assert pin_from(PinTable(environment="KEYBROKER_TEST_PIN"))() == "87654321"


def test_pin_never_shows_itself() -> None:
    pin = given("12345678")
    assert pin() == "12345678"
    assert "1234" not in f"{pin!r} {pin}"


def test_the_latch_outlives_whoever_set_it(tmp_path: Path) -> None:
    assert find_latch(tmp_path) is None
    latch(tmp_path, "the PIN is wrong")
    assert find_latch(tmp_path) == "the PIN is wrong"
    unlatch(tmp_path)
    unlatch(tmp_path)
    assert find_latch(tmp_path) is None
