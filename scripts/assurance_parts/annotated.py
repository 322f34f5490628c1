"""Which functions hold a clause, and which tests show it, as their decorators say? Read from the source, not run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keybroker.clause import NUMBER

Shows = Literal["refusal", "acceptance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """``name`` is ``path::function`` or ``path::Class.function``; ``shows`` is None of what is no test."""

    name: str
    numbers: frozenset[str]
    shows: Shows | None


def annotations_in(root: Path, *places: str) -> tuple[Annotation, ...]:
    """Every annotation in the Python files below the places, sorted by file and line.

    Raises: ValueError when a decorator says what is no clause, or a marker not what its test shows.
    """
    files = (path for place in places for path in sorted((root / place).rglob("*.py")))
    return tuple(found for path in files for found in _of_file(path, path.relative_to(root).as_posix()))


def _of_file(path: Path, name: str) -> Iterator[Annotation]:
    text = path.read_text(encoding="utf-8")
    if "clause(" in text:
        yield from _of_body(ast.parse(text).body, f"{name}::")


def _of_body(body: list[ast.stmt], prefix: str) -> Iterator[Annotation]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for decorator in node.decorator_list:
                    yield from _of_decorator(decorator, prefix + node.name)
            case ast.ClassDef():
                yield from _of_body(node.body, f"{prefix}{node.name}.")
            case _:
                pass


def _of_decorator(decorator: ast.expr, name: str) -> Iterator[Annotation]:
    match decorator:
        case ast.Call(func=ast.Name(id="clause"), args=numbers, keywords=[]):
            yield Annotation(name=name, numbers=_numbers(numbers, name), shows=None)
        case ast.Call(func=ast.Attribute(attr="clause"), args=numbers, keywords=keywords):
            yield Annotation(name=name, numbers=_numbers(numbers, name), shows=_shows(keywords, name))
        case _:
            pass


def _numbers(arguments: list[ast.expr], name: str) -> frozenset[str]:
    found = [argument.value if isinstance(argument, ast.Constant) else None for argument in arguments]
    numbers = frozenset(number for number in found if isinstance(number, str) and NUMBER.fullmatch(number))
    if not numbers or len(numbers) != len(found):
        raise ValueError(f"{name}: a clause is annotated with numbers, each once, such as 'G2.60(a)'; found {found}")
    return numbers


def _shows(keywords: list[ast.keyword], name: str) -> Shows:
    match [(keyword.arg, keyword.value) for keyword in keywords]:
        case [("shows", ast.Constant(value="refusal"))]:
            return "refusal"
        case [("shows", ast.Constant(value="acceptance"))]:
            return "acceptance"
        case _:
            raise ValueError(f"{name}: the marker says shows='refusal' or shows='acceptance'")
