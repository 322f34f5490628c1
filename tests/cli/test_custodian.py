"""``keybroker custodian``: what a Key Custodian does alone, and what it never shows."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.custody import everything_held, held_by
from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.person_certificate import check_receiving
from keybroker.ceremony.share import encode_share
from keybroker.ceremony.share_proof import check_proof, proof_octets
from keybroker.errors import CmsUnfit
from tests.ceremony.people import TestPerson
from tests.cli.command import run, run_here, run_json
from tests.cli.enrolled import ENV, Enrolled, shares

OFFICER = TestPerson(
    name="officer",
    now=lambda: datetime.now(UTC),
    lasts=datetime.now(UTC).replace(year=2040) - datetime(2026, 1, 15, 12, tzinfo=UTC),
)


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
    # "check" is a word of SLIP-39 and a name in every proof: two in a row are looked for.
    assert not [pair for pair in pairwise(ada.share.words) if " ".join(pair).encode() in octets]
    assert not [pair for pair in pairwise(ada.share.words) if json.dumps(pair)[1:-1].encode() in octets]


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
