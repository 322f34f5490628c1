"""What README and docs/ name exists: files, what is defined in them, and tests.

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
from tests.architecture.sources import PACKAGE, ROOT, committed_files

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_quoted = re.compile(r"`([^`\n]+)`")
_reference = re.compile(r"(?P<path>[\w.*/<>-]+?)(?:(?:::|: ?)(?P<name>[A-Za-z_][\w.]*)(?:\[[^\]]*\])?)?").fullmatch
_module = re.compile(r"(?:keybroker|scripts|tests)(?:\.[A-Za-z_]\w*)+").fullmatch
_link = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_command = re.compile(r"keybroker ([a-z][a-z0-9-]*)\b").match
_test = re.compile(r"test_\w+").fullmatch
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


def test_the_page_about_time_names_every_gate_that_relies_on_it_and_no_other() -> None:
    page = (ROOT / "docs" / "operations" / "time.md").read_text()
    listed = re.search(r"every gate that relies on time is\s+shut\*\*: ([^.]+)\.", page)
    assert listed is not None
    assert set(_quoted.findall(listed[1])) == {name for name, gate in EXISTING_GATES.items() if gate.relies_on_time}
