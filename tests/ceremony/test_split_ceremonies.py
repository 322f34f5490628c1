"""A Recovery key is split, used by its quorum, shared anew and proven, in rehearsals on a real SoftHSM token."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations, count, pairwise
from pathlib import Path
from typing import Any

import pytest

from keybroker.ceremony.blobs import read_copy
from keybroker.ceremony.book import Held
from keybroker.ceremony.custody_child import opened_custody
from keybroker.ceremony.file_key import read_file_key
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.kept_sets import KeptSet, envelope_name, given_out, newest_set
from keybroker.ceremony.performing import Stage
from keybroker.ceremony.performing.handing_in import custodians, hand_in_envelope
from keybroker.ceremony.performing.joining import found_blob, held_by_quorum, opened_pair, trial_label
from keybroker.ceremony.performing.using import Message, use
from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.room import Paused
from keybroker.ceremony.share import read_share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_proof import proof_octets
from keybroker.content.decoding import decode
from keybroker.errors import NotPermitted, ShareUnfit
from keybroker.hsm.destruction import is_absent
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.verify import Verifier
from keybroker.keys.copies import copies_of
from keybroker.terms import ContentKind, CopyKind, KeyLabel, KeyState
from tests.ceremony.shared import Rehearsed, of_generation
from tests.ceremony.splitting import mistyped

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]
LABEL = KeyLabel("recovery")
_numbers = count(1)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """Two of three hold the Recovery key. Tests use it, prove it, share it anew; they do not lose it."""
    rehearsed = Rehearsed(directory=tmp_path_factory.mktemp("split"))
    rehearsed.split()
    return rehearsed


@pytest.fixture
def name() -> str:
    """Of a ceremony that nobody held yet."""
    return f"ceremony-{next(_numbers)}"


@pytest.fixture
def hall(split: Rehearsed, tmp_path: Path) -> Iterator[Hall]:
    with split.hall(tmp_path) as opened:
        yield opened


def facts(held: Held, step: str) -> Any:
    """Of the one key."""
    (key,) = json.loads(json.dumps(held.facts(step)))["keys"]
    return key


def counter() -> int:
    return 1_000 + next(_numbers)


def state(hall: Hall) -> KeyState:
    return hall.line.register.refresh().keys[LABEL].state


def a_stage(split: Rehearsed, hall: Hall, name: str = "split-recovery") -> Stage:
    return Stage(hall=hall, room=split.room, held=hall.book.get(name))


def words_of(split: Rehearsed, kept: KeptSet, custodian: str) -> str:
    """What stands on his paper."""
    key = read_file_key(split.directory / "people" / custodian, custodian, now=lambda: datetime.now(UTC))
    (envelope,) = split.directory.glob(f"*.here/{envelope_name(kept.share_set, custodian)}")
    return " ".join(read_share(key.open(envelope.read_bytes())).words)


class TestSplit:
    def test_no_module_and_no_file_holds_a_usable_key(self, split: Rehearsed, hall: Hall) -> None:
        assert state(hall) is KeyState.SPLIT
        assert is_absent(hall.token, LABEL)
        assert not [each for each in list_objects(hall.token) if each.label.startswith("recovery")]
        stage = a_stage(split, hall)
        hall.directory.mkdir(exist_ok=True)
        use(stage, hall.line, Message(key=LABEL, number=1, octets=split.message(counter())))
        assert "Not signed" in split.room.told[-1]
        assert not [*hall.directory.glob("*.signed")]

    def test_every_quorum_gives_the_key_back_and_no_smaller_one(self, split: Rehearsed, hall: Hall) -> None:
        stage = a_stage(split, hall)
        kept = given_out(stage.held, LABEL)
        assert kept is not None
        (key,) = stage.plan.keys
        split.room.answers = split.usual(split.directory)
        with opened_custody() as custody, opened_pair(hall.token, "every-quorum") as pair:
            custody.expect(kept.share_set)
            people = custodians(stage, kept.share_set)
            for person in people:
                hand_in_envelope(stage, custody, kept.share_set, person)
            blob, label = found_blob(stage, kept), trial_label(LABEL)
            for size in (1, 2):
                for group in combinations([person.name for person in people], size):
                    if size == 2:
                        with held_by_quorum(stage, key, blob, custody, group, pair, label=label):
                            assert hall.token.held_in_session == {label}
                        continue
                    with (
                        pytest.raises(ShareUnfit) as refused,
                        held_by_quorum(stage, key, blob, custody, group, pair, label=label),
                    ):
                        pass
                    assert refused.value.flaw == ShareFlaw.TOO_FEW
        assert is_absent(hall.token, label)

    def test_every_copy_and_every_share_is_known_to_the_register(self, hall: Hall) -> None:
        known = copies_of(hall.book.journal.ledger, LABEL)
        first = [each.copy for each in known if "generation-1" in each.copy.place or "generation 1" in each.copy.place]
        assert [each.kind for each in first] == [CopyKind.WRAPPED_BLOB] * 3 + [CopyKind.BACK_UP] * 3

    def test_it_claims_the_clause_only_where_the_pma_said_so(self, hall: Hall) -> None:
        held = hall.book.get("split-recovery")
        assert held.plan_file.plan.split is not None
        assert held.plan_file.plan.split.of_appendix_l
        assert facts(held, "destroy-in-module")["held_under"].startswith("split as Appendix L describes (G2.44B)")

    def test_nothing_secret_was_said_in_the_room(self, split: Rehearsed, hall: Hall) -> None:
        kept = newest_set(hall.book, LABEL)
        said = " ".join(split.room.told)
        for custodian in kept.envelopes:
            words = words_of(split, kept, custodian).split()
            assert not [first for first, second in pairwise(words) if f"{first} {second}" in said]


class TestCombine:
    @pytest.mark.clause("G2.56", "G2.60", "G2.61", shows="acceptance")
    def test_signs_what_is_approved_and_lets_the_key_go(self, split: Rehearsed, name: str) -> None:
        octets = split.message(counter())
        held = split.combine([octets], name=name)
        assert not [told for told in split.room.told if told.startswith("Not signed")]
        whole = (split.given(name) / "recovery.use-1.signed").read_bytes()
        digest = decode(ContentKind.COMMAND, octets, ()).sha256
        Verifier(self.point(split)).check(whole[-64:], digest)
        let_go = facts(held, "let-go")
        assert (let_go["absent"], let_go["times_used"]) == (True, 1)
        assert "reshare" in let_go["then"]
        with split.hall(split.given(name)) as hall:
            assert state(hall) is KeyState.SPLIT

    @staticmethod
    def point(split: Rehearsed) -> bytes:
        with split.hall(split.directory) as hall:
            return hall.line.register.refresh().keys[LABEL].public_key

    @pytest.mark.clause("G2.56", "G2.60", "G2.61", shows="refusal")
    def test_refuses_a_message_that_is_not_approved_and_goes_on(self, split: Rehearsed, name: str) -> None:
        approved, other = split.message(counter()), split.message(counter())
        given = split.given(name)
        given.mkdir()
        (given / "other").write_bytes(other)
        held = split.combine([approved], name=name, answers={"Message ": ["other", "asked-1"]})
        assert [told for told in split.room.told if told.startswith("Not signed")]
        assert facts(held, "let-go")["times_used"] == 1
        assert facts(held, "combine-and-use")["uses"][0]["message_sha256"] == sha256(approved).hexdigest()

    def test_signs_no_more_often_than_approved(self, split: Rehearsed, name: str) -> None:
        messages = [split.message(counter()) for _ in range(3)]
        held = split.combine(messages, uses=2, name=name)
        assert "Every use that was approved is taken." in split.room.told
        assert facts(held, "let-go")["times_used"] == 2

    def test_names_every_wrong_share_and_asks_again(self, split: Rehearsed, name: str, hall: Hall) -> None:
        kept = newest_set(hall.book, LABEL)
        words = words_of(split, kept, "custodian-3")
        (foreign,) = split.directory.glob(f"*.here/{envelope_name(kept.share_set, 'custodian-2')}")
        (own,) = split.directory.glob(f"*.here/{envelope_name(kept.share_set, 'custodian-1')}")
        wrong = {
            "Who hands in": ["custodian-3", "nobody", "custodian-1", "custodian-1", "custodian-3", "custodian-1"],
            "custodian-3: envelope or words": "words",
            "custodian-3 types": [words_of(split, kept, "custodian-2"), mistyped(words.split()), "zzzz", words],
            "Envelope of custodian-1": [str(foreign), str(own)],
        }
        held = split.combine([split.message(counter())], name=name, answers=wrong)
        assert facts(held, "combine-and-use")["quorums"] == [["custodian-1", "custodian-3"]]
        said = "\n".join(split.room.told)
        for told in (
            "is bound to custodian-2, not to custodian-3",
            "found another, or to somebody else",
            "custodian-1 handed in this share before",
            "together they are no share",
            "expected one of:",
        ):
            assert told in said, told

    def test_who_stops_loses_nothing_and_the_key_is_gone_meanwhile(self, split: Rehearsed, name: str) -> None:
        messages = [split.message(counter()), split.message(counter())]

        def stop(_question: str) -> str:
            raise Paused("somebody stopped.")

        answers: dict[str, Any] = {"Message 2": stop}
        with pytest.raises(Paused):
            split.combine(messages, name=name, answers=answers)
        first = (split.given(name) / "recovery.use-1.signed").read_bytes()
        with split.hall(split.given(name)) as hall:
            assert state(hall) is KeyState.COMBINED
            assert is_absent(hall.token, LABEL)
        held = split.combine(messages, name=name)
        assert (split.given(name) / "recovery.use-1.signed").read_bytes() == first
        combined = facts(held, "combine-and-use")
        assert (len(combined["quorums"]), len(combined["uses"])) == (2, 2)

    def test_what_was_signed_is_given_again_where_its_file_is_lost(self, split: Rehearsed, name: str) -> None:
        messages = [split.message(counter()), split.message(counter())]

        def lost(_question: str) -> str:
            (split.given(name) / "recovery.use-1.signed").unlink()
            raise Paused("somebody stopped.")

        answers: dict[str, Any] = {"Message 2": lost}
        with pytest.raises(Paused):
            split.combine(messages, name=name, answers=answers)
        held = split.combine(messages, name=name)
        assert (split.given(name) / "recovery.use-1.signed").exists()
        assert facts(held, "let-go")["times_used"] == 2


class TestProve:
    def test_says_fine_reshare_or_lost(self, split: Rehearsed) -> None:
        for lost, begins in ((0, "fine"), (1, "reshare now"), (2, "the key is lost")):
            answers: dict[str, Any] = {f"custodian-{number}: prove or lost": "lost" for number in range(1, lost + 1)}
            held = split.prove(name=f"proof-{lost}-{next(_numbers)}", answers=answers)
            found = facts(held, "prove-shares")
            assert found["stands"].startswith(begins)
            assert found["lost"] == [f"custodian-{number}" for number in range(1, lost + 1)]

    def test_takes_a_proof_of_who_is_not_here_and_refuses_anothers(self, split: Rehearsed, name: str) -> None:
        given = split.given(name)
        given.mkdir()
        with split.hall(given) as hall:
            share_set = newest_set(hall.book, LABEL).share_set
            for number in (2, 3):
                key = hall.keys[f"custodian-{number}"]
                (envelope,) = split.directory.glob(f"*.here/{envelope_name(share_set, key.name)}")
                share = read_share(key.open(envelope.read_bytes()))
                (given / f"{number}.p7s").write_bytes(key.sign(proof_octets(share, hall.now())))
                long_ago = datetime(2026, 1, 1, tzinfo=UTC)
                (given / f"old-{number}.p7s").write_bytes(key.sign(proof_octets(share, long_ago)))
        (given / "nothing").write_bytes(b"nothing")
        plan_file = split.plan(
            CeremonyKind.VERIFY_SHARES,
            name,
            lambda plan: plan.model_copy(
                update={"people": tuple(each for each in plan.people if each.name != "custodian-2")}
            ),
        )
        proofs = ["nothing", "3.p7s", "old-2.p7s", "2.p7s"]
        answers: dict[str, Any] = {"custodian-2 is not here": "proof", "Proof of": proofs}
        held = split.run(plan_file, answers)
        assert facts(held, "prove-shares")["lost"] == []
        assert sum(told.startswith("not so") for told in split.room.told) == 3


class TestReshare:
    def test_old_shares_are_known_and_new_ones_count(self, tmp_path: Path) -> None:
        rehearsed = Rehearsed(directory=tmp_path)
        rehearsed.split()
        old = {
            f"custodian-{each}": rehearsed.given("split-recovery") / f"recovery.generation-1.custodian-{each}.share"
            for each in (1, 2, 3)
        }
        kept = rehearsed.reshare(2, answers={"Old blob, site-b": "missing", "Old share of custodian-2": "missing"})
        retired = facts(kept, "retire-old-shares")
        assert "Rotate the key" in retired["then"]
        assert len(retired["missing"]) == 2
        answers: dict[str, Any] = {
            "Envelope of custodian-1": [str(old["custodian-1"]), rehearsed_envelope(rehearsed, "custodian-1")]
        }
        held = rehearsed.combine([rehearsed.message(1)], answers=answers)
        assert facts(held, "combine-and-use")["set_sha256"] == facts(kept, "reshare-key")["set_sha256"]
        assert [told for told in rehearsed.room.told if "old generation" in told]
        with rehearsed.hall(tmp_path) as hall:
            left = [each.copy.place for each in copies_of(hall.book.journal.ledger, LABEL) if each.destroyed is None]
            assert sorted(left)[:1] == ["share of custodian-1, generation 2"]
            assert [place for place in left if "generation-1" in place] == retired["missing"][:1]
            old_set = given_out(hall.book.get("split-recovery"), LABEL)
            assert old_set is not None
            assert [read_copy(copy) is None for copy in old_set.copies] == [True, False, True]
        with pytest.raises(NotPermitted, match="generation 3 or later"):
            rehearsed.run(rehearsed.plan(CeremonyKind.RESHARE, "reshare-again", of_generation(2)), {})


def rehearsed_envelope(rehearsed: Rehearsed, custodian: str) -> str:
    return str(rehearsed.given("reshare-2") / f"recovery.generation-2.{custodian}.share")


def test_paper_is_printed_and_read_back_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    rehearsed = Rehearsed(directory=tmp_path, threshold=2, count=2)
    printer, pages = tmp_path / "printer", list[str]()
    os.mkfifo(printer)
    reader = threading.Thread(target=lambda: pages.append(printer.read_text()), daemon=True)
    reader.start()

    def typed(_question: str) -> str:
        reader.join(10)
        lines = pages[0].split("-" * 78)[1].split()
        return " ".join(word for word in lines if not word.isdecimal())

    answers: dict[str, Any] = {
        "Printer for the share of custodian-1": [str(tmp_path / "file"), str(printer)],
        "custodian-1 reads his paper back": ["academic " * 33, typed],
    }
    (tmp_path / "file").touch()
    held = rehearsed.run(rehearsed.plan(CeremonyKind.SPLIT, "split-recovery", of_generation(1)), answers)
    # The plan does not say that this split is that of Appendix L.
    assert facts(held, "destroy-in-module")["held_under"] == "wrapped, quorum-held: G2.44 stands"
    assert [each["paper"] for each in facts(held, "open-shares")["opened"]] == [True, False]
    words = " ".join(typed("").split()[:4])
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and words.encode() in file.read_bytes()]
