"""Profiles are read strictly, and each says what was tried."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.profile import read_profile
from keybroker.hsm.profile_sections import QuorumAdapter, TransferAdapter
from keybroker.hsm.return_values import Meaning
from tests.hsm.tokens import ROOT

FILES = sorted((ROOT / "hsm_profiles").glob("*.toml"))
GOOD = (ROOT / "hsm_profiles" / "softhsm2.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('name = "softhsm2"', 'name = "another"', "another"),
        ('title = "', 'titel = "', "title"),
        ("signing = 1", 'signing = "1"', "signing"),
        ("signing = 1", "signing = 0", "signing"),
        ("in_process = true", "in_process = 1", "in_process"),
        ("in_process = true\n", "", "in_process"),
        ("[sessions]", "[sessions]\nextra = 1", "extra"),
        ("[sessions]", "[sesions]", "sessions"),
        ("untold_attributes = []", 'untold_attributes = ["SENSITIVE"]', "SENSITIVE"),
        ("untold_attributes = []", 'untold_attributes = ["NO_SUCH"]', "NO_SUCH"),
        ("level = 0", "level = 5", "level"),
        ('iv_chosen_by = "caller"', 'iv_chosen_by = "chance"', "iv_chosen_by"),
        ('also_tag_wrong = ["CKR_GENERAL_ERROR"]', 'also_tag_wrong = ["CKR_NO_SUCH"]', "CKR_NO_SUCH"),
        ('strategy = "digest-key"', 'strategy = "digest-keys"', "strategy"),
        ('strategy = "digest-key"', 'strategy = "vendor-program"', "named with its hash"),
        ('program = ""', 'program = "agree"', "named with its hash"),
        ('program_sha256 = ""', 'program_sha256 = "00"', "program_sha256"),
        ('strategy = "digest-key"', 'strategy = "in-module-kdf"', "no Z to keep"),
        ("agreed_secrets = 64", "agreed_secrets = 5000", "agreed_secrets"),
        ('adapter = "pkcs11-wrap"', 'adapter = "by-hand"', "adapter"),
        ('adapter = "pkcs11-wrap"', 'adapter = "none"', "nothing else has any"),
        ('adapter = "pkcs11-wrap"', 'adapter = "luna-cloning"', "nothing else has any"),
        ('key_wrap = "AES_KEY_WRAP_PAD"', 'key_wrap = ""', "needs all three"),
        ('key_wrap = "AES_KEY_WRAP_PAD"', 'key_wrap = "AES_CBC"', "key_wrap"),
        ('oaep = ["RSA_OAEP_SHA1"]', "oaep = []", "needs all three"),
        ('oaep = ["RSA_OAEP_SHA1"]', 'oaep = ["RSA_PKCS"]', "oaep"),
        ('payloads_taken = ["raw", "pkcs8", "pkcs8-zero-padded"]', "payloads_taken = []", "needs all three"),
        ('payload = "pkcs8-zero-padded"', 'payload = "sec1"', "payload"),
        ('trusted_by = "security-officer"', 'trusted_by = "user"', "trusted_by"),
        ("unwrap_attributes = []", 'unwrap_attributes = ["VALUE"]', "unwrap_attributes"),
        ("commands = []", 'commands = ["clone"]', "maker's commands"),
        ("[quorum]\nadapter", "[quorums]\nadapter", "quorum"),
        ('[quorum]\nadapter = "none"', '[quorum]\nadapter = "m-of-n"', "quorum.adapter"),
        ('[quorum]\nadapter = "none"', '[quorum]\nadapter = "luna-m-of-n"', "commands of all four"),
        ("split = []", 'split = ["split"]', "commands of all four"),
        ("join = []\n", "", "quorum.join"),
        ("let_go = []", 'let_go = [""]', "quorum.let_go"),
        ("replace = []", 'replace = "changepw"', "quorum.replace"),
        ("[return_values.meanings]", '[return_values.meanings]\nCKR_NO_SUCH = "transient"', "CKR_NO_SUCH"),
        ("[return_values.meanings]", '[return_values.meanings]\nCKR_DEVICE_ERROR = "perhaps"', "perhaps"),
        ("manufacturer = 'SoftHSM'", "manufacturer = '('", "regular expression"),
        ("[library]", "[library", "TOML"),
    ],
)
def test_refuses_a_profile_with_one_thing_wrong(old: str, new: str, word: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationInvalid, match=word):
        read_profile(GOOD.replace(old, new, 1).encode(), name="softhsm2")


def test_refuses_a_profile_that_is_not_utf8() -> None:
    with pytest.raises(ConfigurationInvalid):
        read_profile(b"\xff", name="softhsm2")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_shipped_profile_is_read_and_says_what_was_tried(path: Path) -> None:
    octets = path.read_bytes()
    profile = read_profile(octets, name=path.stem)
    assert profile.sha256 == hashlib.sha256(octets).digest()
    assert set(profile.tried) == {
        "library", "token", "sessions", "keys", "objects", "aes_gcm", "mac", "wrapping", "quorum", "validation",
        "return_values",
    }  # fmt: skip
    assert all(profile.tried.values()) == (profile.name in {"softhsm2", "nss-softokn"})


def test_what_people_conduct_has_commands_that_say_they_are_recalled_and_nothing_else_has_any() -> None:
    read = [read_profile(path.read_bytes(), name=path.stem) for path in FILES]
    conducted = {profile.name: profile.wrapping for profile in read if profile.wrapping.adapter.is_conducted}
    assert set(conducted) == {"thales-luna-7", "entrust-nshield", "aws-cloudhsm"}
    for wrapping in conducted.values():
        assert wrapping.commands
        assert (wrapping.tried, wrapping.notes.startswith("RECALLED, not tried")) == (False, True)
    wraps = {profile.name for profile in read if profile.wrapping.adapter is TransferAdapter.PKCS11_WRAP}
    assert wraps == {"softhsm2", "nss-softokn"}


def test_a_makers_quorum_has_commands_that_say_they_are_recalled_and_the_others_have_none() -> None:
    read = [read_profile(path.read_bytes(), name=path.stem) for path in FILES]
    own = {profile.name: profile.quorum for profile in read if profile.quorum.adapter is not QuorumAdapter.NONE}
    assert {name: quorum.adapter for name, quorum in own.items()} == {
        "thales-luna-7": QuorumAdapter.LUNA_M_OF_N,
        "entrust-nshield": QuorumAdapter.NSHIELD_CARD_SET,
        "utimaco-securityserver": QuorumAdapter.UTIMACO_MBK,
    }
    for quorum in own.values():
        assert all((quorum.split, quorum.join, quorum.let_go, quorum.replace))
        assert (quorum.tried, quorum.notes.startswith("RECALLED, not tried")) == (False, True)
    assert all("slip39" in profile.quorum.notes for profile in read if profile.name not in own)


def test_only_software_tokens_hold_the_gil() -> None:
    read = [read_profile(path.read_bytes(), name=path.stem) for path in FILES]
    assert {profile.name for profile in read if profile.sessions.in_process} == {"softhsm2", "nss-softokn"}
    assert all(profile.sessions.signing == 1 for profile in read if profile.sessions.in_process)


def test_a_profile_may_say_that_a_return_value_means_busy() -> None:
    path = ROOT / "hsm_profiles" / "aws-cloudhsm.toml"
    profile = read_profile(path.read_bytes(), name="aws-cloudhsm")
    assert profile.return_values == {"CKR_DEVICE_ERROR": Meaning.TRANSIENT}
