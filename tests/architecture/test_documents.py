"""What README and docs/ name exists: files, what is defined in them, and for every rule, gate and clause its tests.

In backticks stand paths from the top of the tree or of the package (``*`` and ``<word>`` for any), ``path::name`` or
``path: name`` for what a file defines, and names of tests. Blocks of code are not looked at.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from keybroker.cli.main import COMMANDS
from keybroker.gates import EXISTING_GATES
from keybroker.policy.rules import RULES
from tests.architecture.sources import PACKAGE, ROOT, committed_files
from tests.policy.every_refusal import every_rule_refused, refused_by_topic
from tests.policy.test_rules import ACCEPTED
from tests.situations import packaged_policies

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ASSURANCE = ROOT / "docs" / "assurance.md"

_quoted = re.compile(r"`([^`\n]+)`")
_reference = re.compile(r"(?P<path>[\w.*/<>-]+?)(?:(?:::|: ?)(?P<name>[A-Za-z_][\w.]*)(?:\[[^\]]*\])?)?").fullmatch
_module = re.compile(r"(?:keybroker|scripts|tests)(?:\.[A-Za-z_]\w*)+").fullmatch
_link = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_command = re.compile(r"keybroker ([a-z][a-z0-9-]*)\b").match
_test = re.compile(r"test_\w+").fullmatch
_holder = re.compile(r"`(keybroker/[\w/]+\.py)(?:::([\w.]+))?`")
# Words in capitals are often another library's (and reasons have a test of their own).
_identifier = re.compile(r"[a-z]+(?:_[a-z0-9]+)+|[A-Z][a-z]+(?:[A-Z][a-z]+)+").fullmatch


@cache
def tops() -> frozenset[str]:
    """The first words of paths that can be ours: directories of the tree, and of the package."""
    inside = [path.relative_to(ROOT).parts for path in committed_files()]
    return frozenset({parts[0] for parts in inside if len(parts) > 1} | {p[1] for p in inside if p[0] == "keybroker"})


def found(path: str) -> list[Path]:
    """The files or directories that a document means by ``path``."""
    pattern = re.sub(r"<[\w-]+>", "*", path)
    if "/" not in pattern:
        return [file for file in committed_files() if Path(file.name).match(pattern)]
    pattern = pattern.rstrip("/")
    return [each for top in (ROOT, PACKAGE) for each in top.glob(pattern)]


@cache
def defined(file: Path) -> frozenset[str]:
    """What a Python file defines: its own names, and ``Class.name`` of its classes."""
    return frozenset(_names(ast.parse(file.read_bytes()).body))


def _names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.ClassDef():
                yield prefix + node.name
                yield from _names(node.body, f"{prefix}{node.name}.")
            case ast.Assign():
                yield from (prefix + target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name() as target):
                yield prefix + target.id
            case _:
                pass


@cache
def functions(file: Path) -> frozenset[str]:
    """The functions of a Python file, and ``Class.name`` of its methods: what holds a clause."""
    return frozenset(_functions(ast.parse(file.read_bytes()).body))


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.ClassDef():
                yield from _functions(node.body, f"{prefix}{node.name}.")
            case _:
                pass


@cache
def words() -> frozenset[str]:
    """Every word of every committed file that is no document."""
    texts = (file.read_text(errors="replace") for file in committed_files() if file.suffix != ".md")
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def is_path(path: str) -> bool:
    return path.split("/")[0] in tops() if "/" in path else path.endswith(".py")


def wrong_with(quoted: str) -> str | None:
    """What is wrong with what stands in backticks, None where nothing is or where it names nothing of ours."""
    if (command := _command(quoted)) and command[1] not in COMMANDS:
        return f"no command {command[1]}"
    if _test(quoted) and not any(quoted in defined(file) for file in (ROOT / "tests").rglob("test_*.py")):
        return "no such test"
    # A counter's metric ends in _total, which its library puts there.
    if _identifier(quoted) and not {quoted, quoted.removesuffix("_total")} & words():
        return "nothing has this name"
    if _module(quoted) and not quoted.endswith(".toml") and not _is_importable(quoted):
        return "no such module"
    reference = _reference(quoted)
    if reference is None or not is_path(reference["path"]):
        return None
    files = found(reference["path"])
    if not files:
        return "no such file"
    name = reference["name"]
    return None if name is None or any(_holds(file, name) for file in files) else f"{name} is not in it"


def _holds(file: Path, name: str) -> bool:
    return name in defined(file) if file.suffix == ".py" else file.is_file() and name in file.read_text()


def _is_importable(dotted: str) -> bool:
    if dotted.startswith("keybroker.v1."):  # a name of the API
        last = dotted.rpartition(".")[2]
        return any(re.search(rf"\b{last}\b", proto.read_text()) for proto in (ROOT / "protos").rglob("*.proto"))
    path = ROOT.joinpath(*dotted.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    spec = importlib.util.find_spec(dotted.rpartition(".")[0])
    return spec is not None and spec.origin is not None and dotted.rpartition(".")[2] in Path(spec.origin).read_text()


@pytest.mark.parametrize(
    "quoted",
    [
        "content/no_such_file.py",
        "tests/no_such_directory/",
        "signing.py: no_such_function",
        "keybroker/signing.py::no_such_function",
        "tests/policy/test_rules.py::test_no_such_test",
        "policies/*.toml: no_such_key",
        "hsm_profiles/no-such-<device>.toml",
        "test_no" + "_such_test",
        "no_such" + "_name",
        "NoSuch" + "Class",
        "keybroker.no_such_module",
        "keybroker.v1.NoSuchService",
        "keybroker nosuchcommand",
    ],
)
def test_a_document_that_names_what_is_not_there_is_noticed(quoted: str) -> None:
    assert wrong_with(quoted) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_what_a_document_names_exists(document: Path) -> None:
    prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    assert {quoted: wrong for quoted in _quoted.findall(prose) if (wrong := wrong_with(quoted))} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_what_a_document_links_to_exists(document: Path) -> None:
    links = _link.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading of docs/assurance.md: first cell to the others."""
    _, _, below = ASSURANCE.read_text().partition(f"\n## {heading}\n")
    section = below.partition("\n## ")[0]
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in table[2:]}


def test_assurance_says_of_every_rule_its_clause_its_function_and_what_it_refuses_and_accepts() -> None:
    assert every_rule_refused() == set(RULES)
    told = rows("Every rule")
    assert {name: cells[0] for name, cells in told.items()} == {name: rule.clause for name, rule in RULES.items()}
    assert {name: cells[1].strip("`").partition("::")[2] for name, cells in told.items()} == {
        name: name.replace("-", "_") for name in RULES
    }


def test_assurance_says_how_the_rules_of_every_content_refuse_and_accept() -> None:
    edge = {case.rule for case in ACCEPTED}
    own = refused_by_topic()["test_rules"]
    told = {name: tuple(cells[2:]) for name, cells in rows("Every rule").items() if name in own}
    assert told == {name: ("its cases", "good, edge" if name in edge else "good") for name in own}


def test_assurance_names_a_refusing_and_an_accepting_test_for_the_rules_of_one_kind_of_content() -> None:
    own = refused_by_topic()["test_rules"]
    for name, (_, _, refusing, accepting) in rows("Every rule").items():
        if name not in own:
            assert "::test_" in refusing, name
            assert "::test_" in accepting, name


def test_assurance_names_a_refusing_and_an_accepting_test_for_every_gate() -> None:
    named = {gate.gate for policy in packaged_policies().values() for gate in policy.gates}
    assert set(rows("Every gate")) == named >= set(EXISTING_GATES)
    for gate, (_, _, refusing, accepting) in rows("Every gate").items():
        assert "::test_" in refusing, gate
        assert "::test_" in accepting, gate


def holders(held_by: str) -> list[str]:
    """What is wrong with the cell that says which functions hold something; nothing where each path names one."""
    named = _holder.findall(held_by)
    wrong = [f"{path}: {name or 'a file alone'}" for path, name in named if name not in functions(ROOT / path)]
    return wrong if named else ["no function at all"]


@pytest.mark.parametrize(
    "held_by",
    [
        "",
        "`policies/user-xml.toml`, gate `uk-location`",
        "`keybroker/gates/uk_location.py`",
        "`keybroker/gates/uk_location.py::uk_location`, `keybroker/gates/located.py`",
        "`keybroker/gates/located.py::Whereabouts`",
        "`keybroker/gates/located.py::UNITED_KINGDOM`",
        "`keybroker/gates/uk_location.py::no_such_function`",
    ],
)
def test_a_clause_that_no_function_holds_is_noticed(held_by: str) -> None:
    assert holders(held_by) != []


@pytest.mark.parametrize(("heading", "column"), [("Every gate", 1), ("Clauses", 0)])
def test_assurance_names_the_functions_that_hold_every_gate_and_every_clause(heading: str, column: int) -> None:
    assert {name: wrong for name, cells in rows(heading).items() if (wrong := holders(cells[column]))} == {}


@pytest.mark.parametrize(
    "clause",
    [
        "G1.2",
        "G1.3",
        "G2.20(b)",
        "G2.20(c)",
        *(f"G2.22B({letter})" for letter in "abcd"),
        *(f"G2.22{letter}" for letter in "FG"),
        *(f"G2.22H({letter})" for letter in "ab"),
        *(f"G2.22I({place})" for place in ("a", "a)(i", "a)(ii", "b)(i", "b)(ii")),
        "G2.23",
        "G2.24",
        "G2.25",
        *(f"G2.44({letter})" for letter in "abcdef"),
        *(f"G2.44A({letter})" for letter in "abcd"),
        "G2.44B(a)",
        "G2.44B(b)",
        "G2.45",
        "G2.46",
        "G2.47",
        "G2.56(a)",
        "G2.56(b)",
        "G2.57",
        "G2.58",
        "G2.59",
        *(f"{clause}({letter})" for clause in ("G2.60", "G2.61") for letter in "abc"),
        "G3.12",
        "G3.13",
        "G3.14",
        "G3.22",
        "G3.23",
        "G3.23(a)(iii)",
        "G3.24",
        *(f"G3.25({letter})" for letter in "abc"),
        "G3.29(a)",
        "G3.29(b)",
        *(f"G4.{number}" for number in range(1, 9)),
        *(f"{clause}({letter})" for clause in ("G5.13", "G5.24") for letter in "abc"),
        *(f"G6.{number}" for number in range(1, 11)),
        "G6.4A",
        "G6.6A",
    ],
)
def test_assurance_names_a_refusing_and_an_accepting_test_for_every_clause_that_shapes_the_line(clause: str) -> None:
    told = [
        cells for clauses, cells in rows("Clauses").items() if re.search(rf"{re.escape(clause)}(?![\dA-Z])", clauses)
    ]
    assert told, clause
    for _, refusing, accepting in told:
        assert "::test_" in refusing
        assert "::test_" in accepting
