"""Each noun of the line is made in one place, each foreign library has one door, and nothing has strayed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Module, calls_of, imports_of, modules

ASN1 = frozenset({"x509", "crl", "csr"})
"""Modules of asn1crypto, whose types for DER bear the same names as ours."""


@pytest.mark.parametrize(
    ("noun", "home"),
    [
        ("GbcsCommand", "keybroker/content"),
        ("AuditCheckpoint", "keybroker/content"),
        ("Decision", "keybroker/policy"),
        ("Permit", "keybroker/gates"),
        ("Intent", "keybroker/ledger"),
        ("GivenAgain", "keybroker/ledger"),
        ("Concluded", "keybroker/ledger"),
        ("Signature", "keybroker/hsm"),
        ("Product", "keybroker/hsm"),
        ("TbsCertificate", "keybroker/content"),
        ("TbsCertList", "keybroker/content"),
        ("CertificationRequestInfo", "keybroker/content"),
        ("InnerCommand", "keybroker/content"),
        ("ProtectedResponse", "keybroker/content"),
        ("EncryptedResponse", "keybroker/content"),
        ("PrepaymentTopUp", "keybroker/content"),
        ("ServiceRequest", "keybroker/content"),
        ("Smets1Instruction", "keybroker/content"),
        ("Smets1Response", "keybroker/content"),
        ("TlsHandshake", "keybroker/content"),
    ],
)
def test_each_noun_of_the_line_is_made_in_its_own_package_alone(noun: str, home: str) -> None:
    makers = [module.name for module in modules() for _ in calls_of(module, noun, but_of=ASN1)]
    assert makers, f"nobody makes a {noun}"
    assert [name for name in makers if not name.startswith(f"{home}/")] == []


@pytest.mark.parametrize(
    ("package", "doors"),
    [
        ("pkcs11", ("keybroker/hsm/token.py",)),
        (
            "ctypes",
            (
                "keybroker/hsm/dumps.py",
                "keybroker/hsm/function_list.py",
                "keybroker/hsm/session.py",
                "keybroker/hsm/wrapping_functions.py",
                "keybroker/hsm/person_functions.py",
                "keybroker/ceremony/guarded_memory.py",
            ),
        ),
        ("grpc", ("keybroker/server", "keybroker/cli", "keybroker/client")),
        ("sqlalchemy", ("keybroker/ledger", "keybroker/keys", "keybroker/config")),
        ("sqlite3", ("keybroker/ledger",)),
        ("lxml", ("keybroker/content", "keybroker/client/duis.py")),
    ],
)
def test_foreign_libraries_are_imported_at_their_doors_alone(package: str, doors: tuple[str, ...]) -> None:
    found = [f"{m.name}:{line}" for m in modules() for line in imports_of(m, package) if not m.is_in(*doors)]
    assert found == []


@pytest.mark.parametrize("place", ["keybroker/content", "keybroker/policy", "keybroker/gates", "keybroker/terms.py"])
@pytest.mark.parametrize("package", ["os", "pathlib", "socket", "subprocess", "time", "random", "secrets", "logging"])
def test_the_pure_part_asks_the_world_nothing(place: str, package: str) -> None:
    found = [f"{m.name}:{line}" for m in modules() if m.is_in(place) for line in imports_of(m, package)]
    assert found == []


@pytest.mark.parametrize(
    "place",
    [
        "keybroker/content",
        "keybroker/policy",
        "keybroker/gates",
        "keybroker/signing.py",
        "keybroker/ledger/record.py",
        "keybroker/ledger/merkle.py",
        "keybroker/ledger/verify.py",
        "keybroker/ledger/signatures.py",
    ],
)
def test_the_clock_is_never_read_where_time_is_a_parameter(place: str) -> None:
    found = [
        f"{m.name}:{line}"
        for m in modules()
        if m.is_in(place)
        for name in ("now", "utcnow", "today")
        for line in calls_of(m, name)
    ]
    assert found == []


def test_nothing_catches_broadly_outside_the_server() -> None:
    found = [f"{m.name}:{line}" for m in modules() if not m.is_in("keybroker/server") for line in _broad_catches(m)]
    assert found == []


def test_no_parameter_turns_a_rule_off() -> None:
    strayed = re.compile(r"^(skip_|force|disable_|no_check|unsafe|bypass)")
    found = [f"{m.name}: {name}" for m in modules() for name in _parameters(m) if strayed.match(name)]
    assert found == []


def test_no_parameter_has_a_secret_as_its_default() -> None:
    secret = re.compile(r"(^|_)(pin|password|secret|passphrase|scalar)$")
    found = [
        f"{m.name}: {name}" for m in modules() for name in _parameters_with_text_defaults(m) if secret.search(name)
    ]
    assert found == []


def test_no_module_is_named_for_nothing_in_particular() -> None:
    empty = {"utils", "util", "common", "core", "helpers", "helper", "services", "managers", "misc"}
    assert [m.name for m in modules() if empty & set(re.split(r"[/.]", m.name))] == []


def test_every_module_says_in_a_docstring_what_it_is_for() -> None:
    assert [m.name for m in modules() if m.tree.body and ast.get_docstring(m.tree) is None] == []


def test_dataclasses_are_frozen_or_say_in_words_that_they_are_spent() -> None:
    """Only an Intent changes: it is spent on use. Others hold what they were made with."""
    values = ("keybroker/content", "keybroker/policy", "keybroker/gates", "keybroker/terms.py")
    found = [f"{m.name}:{line}" for m in modules() if m.is_in(*values) for line in _unfrozen_dataclasses(m)]
    assert found == []


def _broad_catches(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler) or not _catches_anything(node):
            continue
        # What is raised again was not swallowed: cleaning up after anything is no catching.
        if not isinstance(node.body[-1], ast.Raise):
            yield node.lineno


def _catches_anything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _parameters(module: Module) -> Iterator[str]:
    for function in _functions(module):
        arguments = function.args
        yield from (each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])


def _parameters_with_text_defaults(module: Module) -> Iterator[str]:
    for function in _functions(module):
        positional = [*function.args.posonlyargs, *function.args.args]
        defaults = function.args.defaults
        pairs = [*zip(positional[len(positional) - len(defaults) :], defaults, strict=True)]
        pairs += [
            (a, d) for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d is not None
        ]
        yield from (
            a.arg for a, d in pairs if isinstance(d, ast.Constant) and isinstance(d.value, str | bytes) and d.value
        )


def _unfrozen_dataclasses(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith("dataclass") and "frozen=True" not in text:
                    yield node.lineno
