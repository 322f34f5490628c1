"""The room at a terminal: every question, whatever is typed at it, and that nothing hidden is ever shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.part import words
from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.room import Answered
from keybroker.ceremony.steps import Progress, Step, StepName
from keybroker.cli.ceremony_layout import COLUMNS, LINES, bar, cleaned, labelled, paragraphs, question_lines
from keybroker.cli.ceremony_pages import step_page, welcome_page
from keybroker.cli.ceremony_screens import KINDS, SCREENS
from keybroker.cli.ceremony_words import WordEntry
from keybroker.terms import KeyPurpose
from tests.ceremony import room_program
from tests.ceremony.plans import a_key, a_plan, written
from tests.ceremony.splitting import some_parts
from tests.ceremony.terminal import Answer, Conductor, Secret

SHARE = words(some_parts()[0])
SHARE_SAID = sha256(some_parts()[0].value).hexdigest()
FIRST_QUESTION = {
    "ask": r"How many\?",
    "file": r"The certificate\?",
    "hidden": r"PIN of your token \(not shown\)",
    "words": r"Word 1 of 33 \(not shown\)",
    "consent": "Type DESTROY to consent",
    "digest": "Press Enter when everybody has compared the plan digest",
    "steps": "Press Enter to begin step 1 of 3",
    "tell": "Press Enter to go on",
}


def _scenes(scenes: Sequence[str], answers: dict[str, Answer], directory: Path, *, plain: bool = True) -> Conductor:
    command = [sys.executable, "-m", "tests.ceremony.room_program", str(directory), *scenes]
    return Conductor(command, answers, plain=plain, width=COLUMNS, timeout=30)


def _played(scene: str, answers: dict[str, Answer], directory: Path, *, plain: bool = True) -> str:
    with _scenes([scene], answers, directory, plain=plain) as conductor:
        assert conductor.run() == 0, conductor.screen
        return conductor.screen


# -- refusals


def test_helps_at_every_question_and_rests_when_somebody_types_stop(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {question: ["help", "HELP ", "stop"] for question in FIRST_QUESTION.values()}
    with _scenes(list(FIRST_QUESTION), answers, tmp_path) as conductor:
        assert conductor.run() == room_program.PAUSED
        scenes = conductor.screen.split("PAUSED Stopped at the terminal. Nothing is lost.\n")
    assert [scene.count("At every question: help says more") for scene in scenes] == [2] * len(FIRST_QUESTION) + [0]


@pytest.mark.parametrize(("letter", "why"), [("d", "The input ended"), ("c", "Interrupted at the terminal")])
def test_rests_when_the_input_ends_or_somebody_presses_control_c(letter: str, why: str, tmp_path: Path) -> None:
    with _scenes(list(FIRST_QUESTION), {}, tmp_path) as conductor:
        for question in FIRST_QUESTION.values():
            conductor.to(question)
            conductor.send_control(letter)
        assert conductor.run() == room_program.PAUSED
        assert conductor.screen.count(f"\nPAUSED {why}") == len(FIRST_QUESTION)


def test_rests_when_somebody_presses_control_c_while_nothing_is_asked(tmp_path: Path) -> None:
    with _scenes(["digest", "at-work"], {}, tmp_path) as conductor:
        conductor.to(FIRST_QUESTION["digest"])
        conductor.give("")
        with pytest.raises(AssertionError, match="hangs"):
            conductor.to("a question that nobody asks", timeout=0.5)
        conductor.send_control("c")
        assert conductor.run() == room_program.PAUSED


def test_takes_nothing_but_the_exact_word_for_consent(tmp_path: Path) -> None:
    wrong = ["", "destroy", "DESTROY ", " DESTROY", "DESTROYED", "yes", "DESTROY DESTROY"]
    screen = _played("consent", {FIRST_QUESTION["consent"]: [*wrong, "DESTROY"]}, tmp_path)
    assert screen.count("That is not the word. Nothing was done.") == len(wrong)
    assert "RESULT consent" in screen


def test_consent_that_was_typed_before_it_was_asked_is_none(tmp_path: Path) -> None:
    with _scenes(["consent"], {}, tmp_path) as conductor:
        conductor.give("DESTROY")
        conductor.to(FIRST_QUESTION["consent"])
        conductor.give("stop")
        assert conductor.run() == room_program.PAUSED


def test_asks_again_after_an_answer_that_does_not_do(tmp_path: Path) -> None:
    screen = _played("ask", {FIRST_QUESTION["ask"]: ["many", "", "3"]}, tmp_path)
    assert "Expected a number, found many." in screen
    assert "RESULT 3" in screen


def test_asks_again_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.pem").write_bytes(b"12345")
    typed = ["absent.pem", "folder", "/dev/zero", "", "help", str(tmp_path / "a.pem")]
    screen = _played("file", {FIRST_QUESTION["file"]: typed}, tmp_path)
    assert screen.count("There is no file") == 3
    assert "The name of a file is asked for." in screen
    assert "where there is: a.pem." in " ".join(screen.split())
    assert "RESULT 5" in screen


def test_the_name_of_a_file_begins_at_the_ceremony_s_directory(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"12345")
    assert "RESULT 5" in _played("file", {FIRST_QUESTION["file"]: "a.pem"}, tmp_path)


def test_refuses_to_ask_for_a_secret_where_there_is_no_terminal(tmp_path: Path) -> None:
    for scene in ("hidden", "words"):
        command = [sys.executable, "-m", "tests.ceremony.room_program", str(tmp_path), scene]
        done = subprocess.run(command, input="12345678\n", capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == room_program.PAUSED
        assert "no terminal" in " ".join(done.stdout.split())
        assert "12345678" not in done.stdout + done.stderr


# -- what is hidden


@pytest.mark.parametrize("plain", [True, False])
def test_never_shows_what_is_hidden(plain: bool, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {FIRST_QUESTION["hidden"]: [Secret("wrong-8642"), "", Secret("13579 and more")]}
    screen = _played("hidden", answers, tmp_path, plain=plain)
    assert "The token does not take it." in screen
    assert sha256(b"13579 and more").hexdigest() in screen


@pytest.mark.parametrize("end", ["answer", "control-c", "SIGTERM", "SIGHUP", "control-backslash", "control-z"])
def test_the_terminal_echoes_again_whatever_ends_what_is_hidden(end: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.ceremony.room_program", str(tmp_path), "hidden"]
    shell = ["/bin/sh", "-c", 'trap : TERM HUP INT; "$@"; echo "status $?"; stty -a', "sh", *program]
    with Conductor(shell, {}, timeout=30) as conductor:
        conductor.to(FIRST_QUESTION["hidden"])
        assert not conductor.echoes
        match end:
            case "control-c":
                conductor.send_control("c")
            case "SIGTERM" | "SIGHUP":
                os.killpg(conductor.pid, signal.Signals[end])
            case _:
                # Neither stops or ends the process: both are letters of the line.
                if end.startswith("control"):
                    conductor.send_control("\\" if end == "control-backslash" else "z")
                conductor.give(Secret("13579"))
        conductor.run()
        assert ("status 0" if end == "answer" or end in ("control-z", "control-backslash") else "status 75") in (
            conductor.screen
        )
        assert " echo " in conductor.screen
        assert " -echo " not in conductor.screen


def test_takes_the_words_of_a_share_one_at_a_time_and_shows_how_far_it_is(tmp_path: Path) -> None:
    typed: dict[str, Answer] = {rf"Word {n} of 33": Secret(word) for n, word in enumerate(SHARE, 1)}
    screen = _played("words", typed, tmp_path)
    assert [f"{n} of 33 words taken" in screen for n in range(1, 34)] == [True] * 33
    assert f"RESULT {SHARE_SAID}" in screen


def test_takes_the_words_of_a_share_on_one_line_shortened_and_in_capitals(tmp_path: Path) -> None:
    line = Secret(" ".join(word[:4].upper() for word in SHARE))
    assert f"RESULT {SHARE_SAID}" in _played("words", {"Word 1 of 33": line}, tmp_path)


def test_tells_a_wrong_word_by_its_number_and_asks_for_it_alone(tmp_path: Path) -> None:
    line = Secret(" ".join([*SHARE[:6], "qqqqx", *SHARE[7:]]))
    screen = _played("words", {"Word 1 of 33": line, "Word 7 of 33": Secret(SHARE[6])}, tmp_path)
    assert "Not in the list of words: word 7." in screen
    assert f"RESULT {SHARE_SAID}" in screen


def test_words_that_are_no_share_together_are_corrected_by_number(tmp_path: Path) -> None:
    other = "academic" if SHARE[6] != "academic" else "acid"
    answers: dict[str, Answer] = {
        "Word 1 of 33": Secret(" ".join([*SHARE[:6], other, *SHARE[7:]])),
        "A number and its word, or all words again": Secret(f"7 {SHARE[6]}"),
    }
    screen = _played("words", answers, tmp_path)
    assert "together they are no share" in " ".join(screen.split())
    assert f"RESULT {SHARE_SAID}" in screen


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "Nothing was typed"),
        ("7", "A number alone"),
        ("34 acid", "words 1 to 33"),
        ("0 acid", "words 1 to 33"),
        ("33 acid acid", "words 1 to 33"),
        ("acid abc acid 9 zzzz", r"word 2 and 9"),
        ("acids", "word 1"),
    ],
)
def test_refuses_a_line_of_words_by_number_and_never_says_a_word(line: str, why: str) -> None:
    entry = WordEntry(33)
    with pytest.raises(Answered, match=why) as raised:
        entry.take(line)
    assert "acid" not in str(raised.value) + repr(entry)


@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_words_come_in_any_order_by_number(random: object, size: int) -> None:
    entry, places = WordEntry(33), list(range(33))
    getattr(random, "shuffle")(places)  # noqa: B009 - hypothesis has no public name for its kind of random
    for start in range(0, 33, size):
        entry.take(" ".join(f"{place + 1}. {SHARE[place]}" for place in places[start : start + size]))
    assert entry.missing is None
    assert entry.text() == " ".join(SHARE)


# -- what is shown


def test_shows_a_digest_as_hexadecimal_digits_and_words_and_nothing_after_it(tmp_path: Path) -> None:
    screen = _played("digest", {}, tmp_path)
    shown = screen.partition("Press Enter")[0]
    hexadecimal = room_program.DIGEST.hex()
    assert " ".join(hexadecimal[start : start + 8] for start in range(0, 64, 8)) in shown
    said = digest_words(room_program.DIGEST)
    rows = [line.split() for line in shown.rstrip().splitlines()[-8:]]
    assert rows == [list(said[start : start + 4]) for start in range(0, 32, 4)]


def test_never_shows_more_than_a_screen_and_what_it_shows_steers_no_terminal(tmp_path: Path) -> None:
    with _scenes(["tell"], {}, tmp_path) as conductor:
        assert conductor.run() == 0
        screens = conductor.screen.split(" > ")
        raw = conductor.raw
    assert max(len(screen.strip("\n").splitlines()) for screen in screens) <= LINES
    assert len(screens) > 3
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    assert r"a label \x1b[2J\x1b]0;owned\x07 that \r steers \u202e the \u5168 terminal" in " ".join(raw.split())
    assert [line for line in raw.splitlines() if "copies read [" in line][-1].endswith("] 100 of 100")
    assert raw.count("copies read [") == 5


def test_says_where_it_is_what_is_next_and_what_was_just_done(tmp_path: Path) -> None:
    screen = _played("steps", {}, tmp_path)
    first, second, third = screen.split("=" * COLUMNS)[2::2]
    assert "Just done" not in first
    assert f"Next          {SCREENS[StepName.DESTROY_COPIES].title}" in first
    assert "STEP 2 OF 3   destroy-copies" in screen
    assert f"Just done     {SCREENS[StepName.GATHER].title} (record 1)" in second
    assert "Next          nothing: it is the last step" in third
    assert "Press Enter to sign as ann > " in second


def test_welcomes_everybody_with_the_plan_and_says_that_a_rehearsal_is_one() -> None:
    key = a_key(KeyPurpose.RECOVERY_COMMAND, "recovery", public_key_sha256="0" * 64)
    plan_file = a_plan(CeremonyKind.SPLIT, key)
    page = welcome_page(plan_file, ())
    text = " ".join(" ".join(page).split())
    assert all(person.name in text for person in plan_file.plan.people)
    assert "2 of 3 shares" in text
    assert ", ".join(plan_file.plan.steps) in text
    assert "REHEARSAL" not in text
    rehearsed = written(plan_file.plan.model_copy(update={"rehearses": "1" * 64}))
    assert "THIS IS A REHEARSAL" in " ".join(welcome_page(rehearsed, ()))
    assert max(map(len, page)) <= COLUMNS


def test_a_plain_room_is_the_same_text_each_time_and_colour_is_all_that_a_terminal_adds(tmp_path: Path) -> None:
    with _scenes(["steps"], {}, tmp_path) as plain, _scenes(["steps"], {}, tmp_path, plain=False) as fancy:
        assert plain.run() == fancy.run() == 0
        assert "\x1b" not in plain.raw
        assert "\x1b[1m" in fancy.raw
        assert fancy.screen == plain.screen == _played("steps", {}, tmp_path)


def test_every_step_and_every_kind_of_ceremony_has_its_words() -> None:
    assert set(SCREENS) == set(StepName)
    assert set(KINDS) == set(CeremonyKind)


@pytest.mark.parametrize("name", StepName)
def test_the_page_of_every_step_fits_on_one_screen(name: StepName) -> None:
    step = Step(name=name)
    page = step_page(Progress(steps=(step, step), begun=True), step, "Wrap the key anew and give out (record 123456)")
    assert len(page) < LINES
    assert max(map(len, page)) <= COLUMNS


@given(st.text(), st.text())
def test_no_text_is_wider_than_a_line(one: str, other: str) -> None:
    lines = [*paragraphs(one), *paragraphs(one, 4, first="-"), *labelled([(one, other), ("short", one)])]
    assert all(len(line) <= COLUMNS for line in lines)
    assert all(len(line) + 3 <= COLUMNS for line in question_lines(one))
    assert cleaned(one).isprintable()


@given(st.text(max_size=200), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_progress_bar_is_one_line(what: str, done: int, more: int) -> None:
    line = bar(what, done, done + more)
    assert len(line) <= COLUMNS
    assert line.endswith(f"] {done} of {done + more}")
