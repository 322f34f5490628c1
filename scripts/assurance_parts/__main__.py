"""Makes docs/assurance.md and docs/section-g.md; or checks them; or prints the case with the results of a run.

Exit status: 0 done; 1 a page is not what would be made, or a claim is not shown by the run; 2 usage; 78 the source is
not as it should be.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.assurance_parts.case import Case, read_case
from scripts.assurance_parts.page import assurance_page, heading_of
from scripts.assurance_parts.results import Run, read_run
from scripts.assurance_parts.section_g import read_numbers, read_section_g
from scripts.assurance_parts.section_page import section_page

ROOT = Path(__file__).parents[2]
SHOWN = 40
"""Lines of a difference that are printed: who must make the pages again need not read them all."""


def pages(root: Path, case: Case) -> dict[Path, str]:
    """Every page that is committed, and what stands in it."""
    numbers = read_numbers(root)
    return {
        root / "docs" / "assurance.md": assurance_page(case),
        root / "docs" / "section-g.md": section_page(read_section_g(root), numbers, case),
    }


def drifted(made: dict[Path, str]) -> Iterator[str]:
    """The difference between each page as it stands and as it would be made; nothing where there is none."""
    for path, text in made.items():
        stands = path.read_text(encoding="utf-8") if path.exists() else ""
        yield from difflib.unified_diff(stands.splitlines(), text.splitlines(), str(path), "as made", lineterm="", n=0)


def not_shown(case: Case, run: Run) -> dict[str, list[str]]:
    """Claims, rules and gates of which the run shows no refusal or no acceptance, or a test failed: what is wrong."""
    told = [(f"{heading_of(a.claim.clauses)}: {a.claim.claim}", a.refuses, a.accepts) for a in case.argued]
    told += [(held.name, held.refuses, held.accepts) for held in (*case.rules, *case.gates)]
    wrong = {
        name: [*_wrong("refusal", refuses, run), *_wrong("acceptance", accepts, run)] for name, refuses, accepts in told
    }
    return {name: each for name, each in wrong.items() if each}


def _wrong(what: str, tests: Iterable[str], run: Run) -> Iterator[str]:
    ended = {test: run.of(test) for test in tests if "::" in test}
    failed = {test: end for test, end in ended.items() if end.failed}
    if failed or not any(end.passed for end in ended.values()):
        yield f"no {what} shown: " + ", ".join(f"{test} ({end})" for test, end in (failed or ended).items())


def main() -> int:
    arguments = _arguments()
    case = read_case(ROOT)
    if arguments.results is not None:
        return _with_results(case, read_run(arguments.results), arguments.output)
    made = pages(ROOT, case)
    if arguments.check:
        difference = list(drifted(made))
        print("\n".join([*difference[:SHOWN], "run scripts/make_assurance"] if difference else ["as made"]))
        return 1 if difference else 0
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


def _with_results(case: Case, run: Run, output: Path | None) -> int:
    page = assurance_page(case, run)
    if output is None:
        sys.stdout.write(page)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    wrong = not_shown(case, run)
    for name, told in wrong.items():
        print(f"{name}: {'; '.join(told)}", file=sys.stderr)
    number = len(case.argued) + len(case.rules) + len(case.gates)
    print(f"{number - len(wrong)} of {number} claims, rules and gates shown by the run", file=sys.stderr)
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/make_assurance", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where a page would be another")
    parser.add_argument("--results", type=Path, help="of pytest --junitxml: print the case with how each test ended")
    parser.add_argument("--output", type=Path, help="with --results: the file to write instead of printing")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tomllib.TOMLDecodeError, ValueError, OSError) as error:
        print(f"scripts/make_assurance: {error}", file=sys.stderr)
        sys.exit(78)
