"""The verifier needs nothing of ours, and an assessor can read it: one file, from top to bottom."""

from __future__ import annotations

import ast
import sys

from tests.architecture.sources import ROOT

VERIFIER = ROOT / "verifier" / "verify_evidence.py"


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(VERIFIER.read_bytes()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}


def test_it_opens_no_connection_starts_no_process_and_writes_no_file() -> None:
    text = VERIFIER.read_text()
    imported = {
        alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
    }
    assert imported.isdisjoint({"socket", "subprocess", "urllib", "http", "os", "shutil", "tempfile"})
    assert not any(word in text for word in ('"wb"', '"w"', '"ab"', "write_bytes", "write_text", "eval(", "exec("))


def test_every_check_says_what_it_checks() -> None:
    functions = [node for node in ast.parse(VERIFIER.read_bytes()).body if isinstance(node, ast.FunctionDef)]
    assert [each.name for each in functions if each.name.startswith("check_") and not ast.get_docstring(each)] == []
