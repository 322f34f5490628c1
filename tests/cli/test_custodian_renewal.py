"""``keybroker custodian renew``: once a year, and whenever it stops, every share that is held can be opened."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.custody import Custodian, everything_held, held_by, open_share
from keybroker.ceremony.custody_making import FileMaker
from keybroker.ceremony.custody_renewal import renew_receiving
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.token_request import At
from keybroker.cli.custodian_directory import holder_now, own_keys
from keybroker.errors import LedgerUnavailable
from tests.cli.enrolled import Enrolled, no_pin


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
