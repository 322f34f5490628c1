"""Which changes of the code does no test notice? mutmut makes them and runs, we draw the sample and tell the survivors.

mutmut changes what functions do: comparisons, operators, constants, arguments, returns. Tables and constants of
modules it leaves alone. Its runs are forks of a process in which every module is loaded, so a change of what runs while
a module is loaded goes unnoticed there: whoever survived is asked again in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "mutation"
PACKAGES = ("content", "policy", "gates")
_EVERY_GATE, _RULES = "tests/gates/test_every_gate.py", "tests/policy/test_rules.py"
READ_THE_SOURCES = (
    f"{_EVERY_GATE}::test_every_reason_that_the_gates_can_give_has_its_case_and_every_case_its_reason",
    f"{_EVERY_GATE}::test_every_file_of_the_gates_that_gives_reasons_is_looked_at",
    f"{_EVERY_GATE}::test_the_ledger_gives_no_other_reason_than_those_found_down_the_line",
    f"{_EVERY_GATE}::test_every_reason_for_which_a_person_may_not_act_has_its_case",
    f"{_RULES}::test_every_rule_in_the_rules_files_is_listed_quotes_its_clause_and_is_followed_by_its_function",
)
"""Tests that look for words in the code itself: in mutmut's copy every change stands beside the original."""
_QUIETLY = ("-p", "no:cacheprovider", "--timeout=0")
_TEXT = re.compile(r'(\b(?:expected|found|remedy|source)=)?f?"([^"]*)"')
NOTICED, SURVIVED, UNTESTED = (1, 3), 0, (5, 33)
"""Exit statuses of mutmut's runs of pytest: failed or ended by a fault; passed; no test touches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """Numbers of one package. ``other``: ended in another way, by taking too long most of all, which is noticed too;
    ``noticed_later``: by the second asking; ``words``: survived, and differs in a sentence for people alone.
    """

    package: str
    mutants: int
    tried: int
    noticed: int
    noticed_later: int
    survived: int
    words: int
    untested: int
    other: int


def main(arguments: Sequence[str]) -> int:
    """Answers 0 however many survive: what a survivor means is for a person to say."""
    parser = argparse.ArgumentParser(prog="scripts/mutate")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of: {', '.join(PACKAGES)}")
    parser.add_argument("--sample", type=int, help="so many of each package; all where it is not given")
    parser.add_argument("--seed", type=int, default=1, help="draws the sample (1)")
    parser.add_argument("--module", action="append", help="of the package, such as axdr.py; several may be named")
    parser.add_argument("--tests", action="append", help="run these files of tests alone; several may be named")
    parser.add_argument("--beyond", action="append", help="other tests that survivors meet, such as tests/attacks")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.packages) - set(PACKAGES)):
        parser.error(f"no package {', '.join(unknown)}; expected some of {', '.join(PACKAGES)}")
    done = []
    for package in asked.packages or PACKAGES:
        tests = asked.tests or [f"tests/{package}"]
        prepare(package, modules=asked.module or ["*"], tests=tests)
        done.append(mutate(package, asked.sample, asked.seed, again=[*tests, *(asked.beyond or ())]))
    print(json.dumps([asdict(each) for each in done]))
    return 0


def mutate(package: str, sample: int | None, seed: int, *, again: Sequence[str]) -> Mutated:
    # Of a name that nobody bears mutmut makes all mutants, and learns which test touches what; then it finds none.
    learnt = run("mutmut", "run", "--max-children", "1", "nobody", may_fail=True)
    if "failed to collect stats" in learnt:
        raise SystemExit(f"mutate: the tests fail as they are, or in mutmut's copy: {PLACE / 'log'}")
    names = sorted(statuses())
    drawn = names if sample is None else random.Random(seed).sample(names, min(sample, len(names)))  # noqa: S311
    run("mutmut", "run", "--max-children", "2", *drawn, may_fail=True)
    ended = {name: status for name, status in statuses().items() if name in set(drawn)}
    if None in ended.values():
        raise SystemExit(f"mutate: mutmut ended before it had tried what was drawn of {package}: {PLACE / 'log'}")
    left = sorted(name for name, status in ended.items() if status == SURVIVED or status in UNTESTED)
    changes = {name: change_of(name) for name in left}
    words = [name for name, changed in changes.items() if ended[name] == SURVIVED and only_words(changed)]
    later = ask_again([name for name in left if name not in words], again)
    for name, changed in changes.items():
        if name not in later:
            how = "survived" if ended[name] == SURVIVED else "no test touches it"
            tell(name, changed, f"{how}, words for people" if name in words else how)
    remaining = [status for name, status in ended.items() if name not in later]
    counted = Mutated(
        package=package,
        mutants=len(names),
        tried=len(ended),
        noticed=sum(status in NOTICED for status in remaining),
        noticed_later=len(later),
        survived=sum(status == SURVIVED for status in remaining) - len(words),
        words=len(words),
        untested=sum(status in UNTESTED for status in remaining),
        other=sum(status not in (*NOTICED, SURVIVED, *UNTESTED) for status in remaining),
    )
    print(json.dumps(asdict(counted)), flush=True)
    return counted


def prepare(package: str, *, modules: Sequence[str], tests: Sequence[str]) -> None:
    """A copy of what git holds, that mutates these modules alone and runs these tests alone."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (PLACE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, PLACE / name)
    also = sorted(path.name for path in PLACE.iterdir() if path.is_dir() and path.name != "keybroker")
    with (PLACE / "pyproject.toml").open("a") as settings:
        settings.write(
            "\n[tool.mutmut]\n"
            'source_paths = ["keybroker"]\n'
            f"only_mutate = {json.dumps([f'keybroker/{package}/{module}' for module in modules])}\n"
            f"also_copy = {json.dumps(also)}\n"
            f"pytest_add_cli_args_test_selection = {json.dumps(list(tests))}\n"
            f"pytest_add_cli_args = {json.dumps([*_QUIETLY, *(f'--deselect={test}' for test in READ_THE_SOURCES)])}\n"
        )


def ask_again(names: Sequence[str], tests: Sequence[str]) -> frozenset[str]:
    """Those that are noticed in a process in which the change is there from its first line on, and in its children."""
    if not names:
        return frozenset()
    # What fails in mutmut's copy with nothing changed would notice everything.
    failing = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", run_tests("", tests, "-rfE").stdout, re.MULTILINE)
    spared = [f"--deselect={test}" for test in (*READ_THE_SOURCES, *failing)]
    if run_tests("", tests, "-x", *spared).returncode:
        raise SystemExit(f"mutate: the tests do not pass in mutmut's copy as it is: {PLACE / 'mutants'}")
    with ThreadPoolExecutor(os.cpu_count()) as side_by_side:
        ended = list(side_by_side.map(lambda name: run_tests(name, tests, "-x", *spared).returncode, names))
    # Where a module cannot even be loaded, pytest ends with a status of its own.
    return frozenset(name for name, status in zip(names, ended, strict=True) if status != SURVIVED)


def run_tests(name: str, tests: Sequence[str], *how: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "pytest", "-q", "--rootdir=.", *_QUIETLY, *how, *tests)
    environment = os.environ | {"MUTANT_UNDER_TEST": name}
    return subprocess.run(command, cwd=PLACE / "mutants", env=environment, capture_output=True, text=True, check=False)


def statuses() -> dict[str, int | None]:
    """Each mutant's name and how its tests ended; None where it was not tried."""
    found: dict[str, int | None] = {}
    for file in (PLACE / "mutants").rglob("*.meta"):
        found |= json.loads(file.read_text())["exit_code_by_key"]
    return found


def change_of(name: str) -> tuple[str, ...]:
    """What was taken away, line by line, and what was put there."""
    return tuple(line for line in run("mutmut", "show", name).splitlines() if re.match(r"[-+](?![-+])", line))


def only_words(changed: Sequence[str]) -> bool:
    """Do both differ in a sentence that people read, and in nothing else?"""
    gone, come = (_TEXT.sub(told, "".join(line[1:] for line in changed if line[0] == sign)) for sign in "-+")
    return "SENTENCE" in gone and re.sub(r"\bNone\b", "SENTENCE", come) == gone


def told(text: re.Match[str]) -> str:
    """A sentence: several words, or what stands as a refusal's ``expected``; the name of a clause is none."""
    stands_as, said = text[1] or "", text[2]
    is_sentence = (stands_as or " " in said) and not re.search(r"\b[Gg]\d", said)
    return f"{stands_as}SENTENCE" if is_sentence else text[0]


def tell(name: str, changed: Sequence[str], how: str) -> None:
    """File, line of the original, and the change."""
    print(f"{where(name, changed)}: {how} ({name})")
    print("".join(f"    {line}\n" for line in changed), end="", flush=True)


def where(name: str, changed: Sequence[str]) -> str:
    """``path:line`` of the first line that was taken away, looked for in the original."""
    module = name.rpartition("__mutmut_")[0].rpartition(".")[0]
    path = Path(*module.split(".")).with_suffix(".py")
    path = path if (ROOT / path).is_file() else Path(*module.split(".")) / "__init__.py"
    gone = next((line[1:].strip() for line in changed if line.startswith("-")), "")
    lines = (ROOT / path).read_text().splitlines()
    return f"{path}:{next((number for number, line in enumerate(lines, 1) if line.strip() == gone), 0)}"


def run(*command: str, may_fail: bool = False) -> str:
    tool = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run([tool, *command[1:]], cwd=PLACE, capture_output=True, text=True, check=False)
    with (PLACE / "log").open("a") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode and not may_fail:
        raise SystemExit(f"mutate: {' '.join(command[:2])} ended with {done.returncode}: {PLACE / 'log'}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
