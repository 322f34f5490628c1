"""``keybroker custodian``: what a Key Custodian does alone, once a year, and what it never shows."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pexpect
import pytest

from keybroker.ceremony.custody import Custodian, everything_held, held_by, open_share, read_custodian
from keybroker.ceremony.custody_making import FileMaker
from keybroker.ceremony.custody_renewal import renew_receiving
from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.share import Share, encode_share, make_shares
from keybroker.ceremony.share_proof import check_proof, proof_octets
from keybroker.ceremony.share_set import make_share_set
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.split_key import split
from keybroker.ceremony.token_request import At
from keybroker.cli.custodian_asking import PinAsked
from keybroker.cli.custodian_directory import holder_now, own_keys
from keybroker.errors import CmsUnfit, LedgerUnavailable
from tests.ceremony.people import TestPerson
from tests.cli import command
from tests.cli.command import run, run_here
from tests.hsm.tokens import PIN, make_softhsm

run_json = command.run_json
NAMES = ("ada", "ben", "cai")
OFFICER = TestPerson(
    name="officer",
    now=lambda: datetime.now(UTC),
    lasts=datetime.now(UTC).replace(year=2040) - datetime(2026, 1, 15, 12, tzinfo=UTC),
)
ENV = {"COLUMNS": "80", "LINES": "24"}


def shares(generation: int = 1, names: tuple[str, ...] = NAMES) -> tuple[Share, ...]:
    """Two of three."""
    key = secrets.token_bytes(32)
    parts = split(key, threshold=2, count=3, draw=secrets.token_bytes)
    share_set = make_share_set(
        parts,
        wrapping_key=key,
        custodians=names,
        ceremony="split-2026",
        key="recovery-1",
        purpose="recovery-command",
        public_key_sha256="ab" * 32,
        generation=generation,
        blobs=["cd" * 32],
    )
    return make_shares(parts, share_set)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Ada, in files; ``share`` is hers."""

    directory: Path
    share: Share

    @property
    def custodian(self) -> Custodian:
        return read_custodian(self.directory)

    def envelope(self, octets: bytes | None = None, *, name: str = "share.cms") -> Path:
        file = self.directory.parent / name
        whole = encode_share(self.share) if octets is None else octets
        file.write_bytes(seal(whole, self.custodian.receiving_certificate, secrets.token_bytes))
        return file

    def json(self, *arguments: object, expect: int = 0) -> Any:
        # What opens a share, or makes a key, guards the memory of its process: not of this one.
        how = run_here if arguments[0] == "show" or expect == 2 else run
        return command.run_json("custodian", *arguments, "--directory", self.directory, env=ENV, expect=expect, how=how)

    def key(self) -> PersonKey:
        return own_keys(self.directory, self.custodian, no_pin())


def no_pin() -> PinAsked:
    return PinAsked(environment=None, file_descriptor=None, credential=None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template") / "ada"
    run_json("custodian", "enrol", "ada", "--test-files", directory)
    return directory


@pytest.fixture
def ada(template: Path, tmp_path: Path) -> Enrolled:
    shutil.copytree(template, tmp_path / "ada")
    return Enrolled(tmp_path / "ada", shares()[0])


# --- enrol and show


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ada",), "a token"),
        (("ada", "--library", "/x.so"), "all three"),
        (("ada", "--library", "/x.so", "--token-label", "a", "--token-serial", "1"), "your own directory"),
        (("ada", "--test-files", "{}", "--library", "/x.so", "--token-label", "a", "--token-serial", "1"), "a token"),
        (("ada", "--library", "/x", "--token-label", "a", "--token-serial", "1", "--environment", "X"), "NAME=VALUE"),
    ],
)
def test_refuses_to_enrol_without_one_place_for_the_keys(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    given = [each.format(tmp_path / "own") for each in arguments]
    assert told in run_json("custodian", "enrol", *given, expect=2, how=run_here)["error"]["sentence"]


def test_refuses_to_enrol_somebody_else_over_a_custodian(ada: Enrolled) -> None:
    told = run_json("custodian", "enrol", "ben", "--test-files", ada.directory, expect=2)["error"]["sentence"]
    assert "ada is enrolled" in told


@pytest.mark.parametrize("act", ["show", "renew", "hand-back"])
def test_refuses_a_directory_in_which_nobody_is_enrolled(act: str, tmp_path: Path) -> None:
    more = {"renew": ("--word", "renew"), "hand-back": ("-o", str(tmp_path / "proof"))}.get(act, ())
    error = run_json("custodian", act, "--directory", tmp_path, *more, expect=78, how=run_here)["error"]
    assert "nobody was enrolled" in error["sentence"]


def test_offers_no_way_to_sign_a_file() -> None:
    assert run("custodian", "sign", "x").returncode == 2
    assert " sign " not in run("custodian", "--help").stdout


def test_enrols_in_files_for_the_owner_alone_and_tells_what_the_operator_enrols(ada: Enrolled) -> None:
    shown = ada.json("show")
    certificate, receiving = (bytes.fromhex(shown[each]) for each in ("certificate", "receiving_certificate"))
    assert shown["certificate_sha256"] == sha256(certificate).hexdigest()
    assert shown["certificate_words"] == list(digest_words(sha256(certificate).digest()))
    assert shown["receiving_sha256"] == sha256(receiving).hexdigest()
    check_receiving(receiving, certificate)
    assert b"ada TEST" in certificate
    for file in ("custodian.json", "signing.key", "receiving-1.key"):
        assert stat.S_IMODE((ada.directory / file).stat().st_mode) == 0o600
    assert {"signing.pem", "receiving.pem"} <= {each.name for each in ada.directory.iterdir()}


def test_what_is_shown_fits_a_console_of_80_by_24(tmp_path: Path) -> None:
    done = run("custodian", "enrol", "ada", "--test-files", tmp_path / "ada", env=ENV)
    lines = (done.stderr + done.stdout).splitlines()
    assert done.returncode == 0
    assert len([line for line in lines if str(tmp_path) not in line]) <= 23
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80


# --- check and receive


def test_checks_a_share_and_says_whose_it_is_and_never_the_share(ada: Enrolled) -> None:
    envelope = ada.envelope()
    shown = ada.json("check", envelope)
    assert shown == {
        "custodian": "ada",
        "key": "recovery-1",
        "purpose": "recovery-command",
        "ceremony": "split-2026",
        "set_sha256": ada.share.set_sha256.hex(),
        "generation": 1,
        "share": 1,
        "of": 3,
        "needed": 2,
        "signed_by": "nobody",
        "intact": True,
    }
    done = run("custodian", "check", envelope, "--directory", ada.directory, env=ENV)
    words = set((done.stdout + done.stderr).lower().split())
    assert len(words & set(ada.share.words)) <= 1, "a word of the share, but for one that is a word of ours"
    assert list(everything_held(ada.directory)) == []


def test_refuses_the_share_of_another_custodian(ada: Enrolled) -> None:
    envelope = ada.envelope(encode_share(shares()[1]))
    error = ada.json("check", envelope, expect=1)["error"]
    assert (error["reason"], error["flaw"]) == ("SHARE_UNFIT", "SHARE_OF_ANOTHER_CUSTODIAN")


def test_refuses_what_is_no_share(ada: Enrolled) -> None:
    assert ada.json("receive", ada.envelope(b"{}"), expect=1)["error"]["reason"] == "SHARE_UNFIT"


@pytest.mark.parametrize("place", [0, 300, -1])
def test_refuses_an_envelope_that_was_changed_and_keeps_nothing(place: int, ada: Enrolled) -> None:
    envelope = ada.envelope()
    octets = bytearray(envelope.read_bytes())
    octets[place] ^= 1
    envelope.write_bytes(octets)
    assert ada.json("receive", envelope, expect=1)["error"]["reason"] == "CMS_UNFIT"
    assert list(everything_held(ada.directory)) == []


def test_refuses_a_signed_share_without_the_certificate_of_who_signed_it_or_with_anothers(ada: Enrolled) -> None:
    envelope = ada.envelope(OFFICER.sign(encode_share(ada.share)))
    assert "who signed the share" in ada.json("check", envelope, expect=1)["error"]["sentence"]
    other = ada.directory / "signing.pem"
    assert ada.json("check", envelope, "--sender", other, expect=1)["error"]["reason"] == "CMS_UNFIT"
    unsigned = ada.envelope(name="unsigned.cms")
    assert "a signed share" in ada.json("check", unsigned, "--sender", other, expect=1)["error"]["sentence"]


def test_receives_a_signed_share_and_keeps_it_for_the_owner_alone(ada: Enrolled, tmp_path: Path) -> None:
    OFFICER.write(tmp_path / "officer")
    envelope = ada.envelope(OFFICER.sign(encode_share(ada.share)))
    sender = tmp_path / "officer" / "signing.pem"
    ada.json("receive", envelope, "--sender", sender)
    shown = ada.json("receive", envelope, "--sender", sender)
    assert shown["signed_by"] == sha256(OFFICER.certificate).hexdigest()
    (held,) = held_by(ada.directory, ada.custodian)
    assert (held.share, held.sender) == (shown["held"], OFFICER.certificate)
    assert held.envelope.read_bytes() == envelope.read_bytes()
    assert stat.S_IMODE(held.envelope.stat().st_mode) == 0o600
    assert ada.json("show")["held"] == [f"{ada.share.set_sha256.hex()[:16]}-1"]
    ada.json("hand-back", "-o", tmp_path / "proof.p7s")


# --- hand back


def test_refuses_to_hand_back_what_is_not_held_or_one_of_several(ada: Enrolled, tmp_path: Path) -> None:
    proof = tmp_path / "proof.p7s"
    assert "(none)" in ada.json("hand-back", "-o", proof, expect=2)["error"]["sentence"]
    for generation in (1, 2):
        ada.json("receive", ada.envelope(encode_share(shares(generation)[0])))
    assert "expected one of the shares" in ada.json("hand-back", "-o", proof, expect=2)["error"]["sentence"]
    assert not proof.exists()


def test_hands_back_a_signed_proof_in_which_the_share_does_not_stand(ada: Enrolled, tmp_path: Path) -> None:
    ada.json("receive", ada.envelope())
    ada.json("hand-back", "-o", tmp_path / "proof.p7s")
    octets = (tmp_path / "proof.p7s").read_bytes()
    proof = check_proof(octets, share_set=ada.share.share_set, certificate=ada.custodian.certificate)
    assert (proof.custodian, proof.index) == ("ada", 1)
    assert not any(word.encode() in octets for word in ada.share.words if len(word) > 4)


AT = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"custodian": "ben"},
        {"index": 2},
        {"index": 9},
        {"index": "1"},
        {"check": "00" * 32},
        {"check": None},
        {"set_sha256": "00" * 32},
        {"at": "tomorrow"},
        {"at": 5},
        {"more": 1},
    ],
)
def test_refuses_a_proof_that_says_anything_else(change: dict[str, Any]) -> None:
    share, person = shares()[0], TestPerson(name="ada")
    said = json.loads(proof_octets(share, AT)) | change
    octets = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(CmsUnfit):
        check_proof(person.sign_at(octets, AT), share_set=share.share_set, certificate=person.certificate)


@pytest.mark.parametrize("octets", [b"", b"[]", b"null", b"{}", b"[" * 4000, b'{ "at":1}'])
def test_refuses_a_proof_that_is_none(octets: bytes) -> None:
    person = TestPerson(name="ada")
    with pytest.raises(CmsUnfit):
        check_proof(person.sign_at(octets, AT), share_set=shares()[0].share_set, certificate=person.certificate)


def test_refuses_a_proof_for_another_set_or_by_another_key() -> None:
    share, person = shares()[0], TestPerson(name="ada")
    der = person.sign_at(proof_octets(share, AT), AT)
    assert check_proof(der, share_set=share.share_set, certificate=person.certificate).at == AT
    with pytest.raises(CmsUnfit, match="another set"):
        check_proof(der, share_set=shares(2)[0].share_set, certificate=person.certificate)
    with pytest.raises(CmsUnfit, match="certificate"):
        check_proof(der, share_set=share.share_set, certificate=TestPerson(name="ben").certificate)


# --- renew


@pytest.mark.parametrize("word", [(), ("--word", "yes"), ("--word", "Renew")])
def test_refuses_to_renew_without_the_exact_word(word: tuple[str, ...], ada: Enrolled) -> None:
    assert "expected --word renew" in ada.json("renew", *word, expect=2)["error"]["sentence"]
    assert ada.custodian.number == 1


def test_renews_the_receiving_key_and_what_is_held_and_destroys_the_old_key(ada: Enrolled, tmp_path: Path) -> None:
    envelope = ada.envelope()
    before = ada.custodian
    ada.json("receive", envelope)
    shown = ada.json("renew", "--word", "renew")
    after = ada.custodian
    assert (after.number, after.signing) == (2, before.signing)
    assert shown["receiving_certificate"] == after.receiving.certificate != before.receiving.certificate
    (held,) = everything_held(ada.directory)
    assert open_share(held.envelope.read_bytes(), ada.key(), sender=None).words == ada.share.words
    assert not (ada.directory / "receiving-1.key").exists()
    assert ada.json("check", envelope, expect=1)["error"]["reason"] == "CMS_UNFIT"
    ada.json("hand-back", "-o", tmp_path / "proof.p7s")


class Interrupted(Exception):
    pass


@dataclass(frozen=True, slots=True)
class StoppingMaker:
    """A maker that stops before or after the old key is destroyed, or after the new one was made."""

    of: FileMaker
    stops: str

    def make_signing(self, holder: Any) -> At:
        return self.of.make_signing(holder)

    def make_receiving(self, holder: Any, signing: At, number: int) -> At:
        made = self.of.make_receiving(holder, signing, number)
        if self.stops == "made":
            raise Interrupted
        return made

    def destroy(self, key: At) -> None:
        if self.stops == "destroying":
            raise Interrupted
        self.of.destroy(key)
        if self.stops == "destroyed":
            raise Interrupted


@pytest.mark.parametrize("stops", ["made", "sealed", "switched", "destroying", "destroyed"])
def test_a_renewal_that_was_interrupted_leaves_every_share_to_be_opened_and_is_done_again(
    stops: str, ada: Enrolled
) -> None:
    ada.json("receive", ada.envelope())

    def keys(whose: Custodian) -> PersonKey:
        return own_keys(ada.directory, whose, no_pin())

    def draw(octets: int) -> bytes:
        if stops == "sealed":
            raise Interrupted
        return secrets.token_bytes(octets)

    if stops == "switched":
        # The file cannot be replaced by a directory: the switch is what fails.
        (ada.directory / f".custodian.json.{os.getpid()}").mkdir()
    with pytest.raises((Interrupted, LedgerUnavailable)):
        renew_receiving(
            ada.directory,
            ada.custodian,
            holder=holder_now("ada", 1),
            maker=StoppingMaker(FileMaker(directory=ada.directory), stops),
            keys=keys,
            draw=draw,
        )
    (held,) = held_by(ada.directory, ada.custodian)
    assert open_share(held.envelope.read_bytes(), ada.key(), sender=None).words == ada.share.words
    if stops == "switched":
        (ada.directory / f".custodian.json.{os.getpid()}").rmdir()
    number = ada.custodian.number
    ada.json("renew", "--word", "renew")
    (held,) = everything_held(ada.directory)
    assert open_share(held.envelope.read_bytes(), ada.key(), sender=None).words == ada.share.words
    keys_left = [each.name for each in ada.directory.glob("receiving-*.key")]
    assert keys_left == [f"receiving-{number + 1}.key"]


# --- in the room, at a terminal, with a token


def test_the_keys_of_a_directory_sign(ada: Enrolled) -> None:
    signed = ada.key().sign(b"{}")
    assert verify(signed, certificates={"ada": ada.custodian.certificate}).octets == b"{}"


@pytest.mark.hsm
def test_a_custodian_does_everything_alone_at_a_terminal_with_a_token(tmp_path: Path) -> None:
    token = make_softhsm(tmp_path / "token", "ada-token")
    directory = tmp_path / "own"

    def spawn(*arguments: object) -> pexpect.spawn[str]:
        words = ["-m", "keybroker.cli.main", "custodian", *map(str, arguments), "--directory", str(directory)]
        return pexpect.spawn(
            sys.executable, words, env=os.environ | {"TERM": "dumb"}, dimensions=(24, 80), encoding="utf-8", timeout=60
        )

    def shown(child: pexpect.spawn[str]) -> str:
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, child.before
        return str(child.before)

    enrol = spawn(
        *("enrol", "ada", "--library", token.library, "--token-label", token.label, "--token-serial", token.serial),
        *("--environment", f"SOFTHSM2_CONF={token.environment['SOFTHSM2_CONF']}"),
    )
    enrol.expect("Enter alone: help")
    enrol.sendline("")
    enrol.expect("which you set when you got it")
    enrol.expect("Enter alone: help")
    enrol.sendline("not-the-pin")
    enrol.expect("tries left here: 2")
    enrol.expect("few tries are left")
    enrol.sendline(PIN)
    screen = shown(enrol)
    assert "signing certificate" in screen
    assert PIN not in screen

    share = shares()[0]
    envelope = tmp_path / "share.cms"
    envelope.write_bytes(
        seal(encode_share(share), read_custodian(directory).receiving_certificate, secrets.token_bytes)
    )
    receive = spawn("receive", envelope)
    receive.expect("Enter alone: help")
    receive.sendline(PIN)
    assert "intact" in shown(receive)

    renew = spawn("renew")
    renew.expect('Type exactly "renew"')
    renew.sendline("help")
    renew.expect("If it is interrupted, start it again")
    renew.sendline("Renew")
    renew.expect("not the word")
    renew.sendline("renew")
    renew.expect("Enter alone: help")
    renew.sendline(PIN)
    assert "done" in shown(renew)

    hand_back = spawn("hand-back", "-o", tmp_path / "proof.p7s")
    hand_back.expect("Enter alone: help")
    hand_back.sendline(PIN)
    shown(hand_back)
    certificate = read_custodian(directory).certificate
    check_proof((tmp_path / "proof.p7s").read_bytes(), share_set=share.share_set, certificate=certificate)


@pytest.mark.hsm
def test_the_pin_comes_from_the_environment_and_a_wrong_one_is_tried_once(tmp_path: Path) -> None:
    token = make_softhsm(tmp_path / "token", "ada-token")
    arguments = (
        *("custodian", "enrol", "ada", "--directory", tmp_path / "own", "--library", token.library),
        *("--token-label", token.label, "--token-serial", token.serial),
        *("--environment", f"SOFTHSM2_CONF={token.environment['SOFTHSM2_CONF']}", "--pin-environment", "ADAS_PIN"),
    )
    error = run_json(*arguments, env={"ADAS_PIN": "wrong-pin"}, expect=78)["error"]
    assert error["reason"] == "PERSON_PIN_WRONG"
    assert run_json(*arguments, env={"ADAS_PIN": PIN})["keys"] == f"token ada-token ({token.serial})"
