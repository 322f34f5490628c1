"""The package's own modules as syntax trees, generated code left out, and the files of the tree."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "keybroker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """``name`` is the path below the repository's top, with slashes."""

    name: str
    tree: ast.Module

    def is_in(self, *places: str) -> bool:
        return any(self.name == place or self.name.startswith(place.rstrip("/") + "/") for place in places)


@cache
def modules() -> tuple[Module, ...]:
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "pb" not in path.relative_to(PACKAGE).parts[:1]]
    return tuple(
        Module(name=path.relative_to(ROOT).as_posix(), tree=ast.parse(path.read_bytes(), str(path))) for path in paths
    )


def calls_of(module: Module, name: str, *, but_of: frozenset[str] = frozenset()) -> Iterator[int]:
    """The lines where ``name(...)`` or ``x.name(...)`` is called, but where x is of ``but_of``."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and name in _called(node.func) and _owner(node.func) not in but_of:
            yield node.lineno


def imports_of(module: Module, package: str) -> Iterator[int]:
    """The lines where ``package`` or something below it is imported, anywhere in the file."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        if any(name == package or name.startswith(f"{package}.") for name in names):
            yield node.lineno


def committed_files() -> list[Path]:
    """What git holds, or would hold with the next commit; every file outside .venv where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        hidden = {".git", ".venv", "__pycache__"}
        return [path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.parts)]
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def _owner(function: ast.expr) -> str:
    match function:
        case ast.Attribute(value=ast.Name(id=owner)):
            return owner
        case _:
            return ""


def _called(function: ast.expr) -> tuple[str, ...]:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return (name,)
        case _:
            return ()
