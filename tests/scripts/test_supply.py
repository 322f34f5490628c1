"""The locks, the licences and the bill of materials: what is refused, and that two people make the same bill."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from scripts.supply_parts import audit, bill_form
from scripts.supply_parts.bill import bill_of_materials
from scripts.supply_parts.checks import find_wrong
from scripts.supply_parts.licences import is_allowed, licence_of
from scripts.supply_parts.locked import ROOT, read_lock

HASH = f" \\\n    --hash=sha256:{'ab' * 32}"

NO_LOCK = {
    "a range": f"alembic>=1.0{HASH}",
    "no hash": "alembic==1.0",
    "another digest": f"alembic==1.0{HASH.replace('sha256', 'md5')}",
    "a URL": f"alembic @ https://example.com/alembic.whl{HASH}",
    "an editable": "-e .",
    "an index": "--extra-index https://example.com",
    "a hash cut short": f"alembic==1.0{HASH[:-2]}",
}


@pytest.mark.parametrize("what", NO_LOCK)
def test_refuses_a_lock_that_has(tmp_path: Path, what: str) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text(f"typer==0.1{HASH}\n{NO_LOCK[what]}\n")
    with pytest.raises(ValueError, match="expected name==version with a SHA-256"):
        read_lock("runtime", tmp_path)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "MIT AND GPL-2.0-only", "AGPL-3.0-or-later OR SSPL-1.0", "LicenseRef-Proprietary", ""]
)
def test_refuses_a_licence_that_asks_for_more_than_names(licence: str) -> None:
    assert not is_allowed(licence)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 OR GPL-2.0-only", "Apache-2.0 AND BSD-2-Clause"])
def test_accepts_a_licence_where_one_of_its_choices_is_on_the_list(licence: str) -> None:
    assert is_allowed(licence)


def test_what_is_locked_is_what_is_asked_for_under_licences_that_are_allowed() -> None:
    assert find_wrong() == []


def test_the_bill_names_every_locked_distribution_with_version_hashes_and_licence() -> None:
    components = {each["name"]: each for each in bill_of_materials()["components"]}
    assert {(name, each["version"]) for name, each in components.items()} == {
        (each.name, each.version) for each in read_lock("runtime")
    }
    assert all(each["hashes"] for each in components.values())
    # What another platform alone has is not installed here, and its licence is not told.
    assert {name for name, each in components.items() if "licenses" not in each} == {
        name for name, each in components.items() if licence_of(name) is None and each["scope"] == "optional"
    }


def test_the_bill_is_a_graph_of_what_it_names() -> None:
    bill = bill_of_materials()
    named = {each["bom-ref"] for each in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in bill["dependencies"]} == named
    assert {to for each in bill["dependencies"] for to in each["dependsOn"]} < named


def test_two_people_make_the_same_bill() -> None:
    command = [sys.executable, "-m", "scripts.supply_parts.bill"]
    made = {subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(made) == 1
    assert json.loads(made.pop()) == bill_of_materials()


Bill = dict[str, Any]
NO_BILL: dict[str, tuple[Callable[[Bill], object], str]] = {
    "no form": (lambda bill: bill.pop("bomFormat"), "'bomFormat' is a required property"),
    "another version": (lambda bill: bill.update(specVersion="1.4"), "'1.6' was expected"),
    "a serial number that is none": (lambda bill: bill.update(serialNumber="1"), "serialNumber: '1' does not match"),
    "a field of no form": (lambda bill: bill.update(vulnerability=[]), "'vulnerability' was unexpected"),
    "a component without a version": (lambda bill: bill["components"][3].pop("version"), "components[3]: 'version' is"),
    "a component without a licence": (
        lambda bill: _required(bill).pop("licenses"),
        "'licenses' is a required property",
    ),
    "a component without a hash": (
        lambda bill: bill["components"][3].update(hashes=[]),
        "hashes: [] should be non-empty",
    ),
    "another digest": (lambda bill: bill["components"][0]["hashes"][0].update(alg="MD5"), "'SHA-256' was expected"),
    "a digest cut short": (lambda bill: bill["components"][0]["hashes"][0].update(content="ab"), "does not match"),
    "a component twice": (lambda bill: bill["components"].append({**bill["components"][0], "version": "0"}), "2 times"),
    "a component that nothing tells of": (lambda bill: bill["dependencies"].pop(), "found 0"),
    "what is not named": (lambda bill: bill["components"].pop(), "is not named"),
    "another package": (lambda bill: bill["components"][0].update(purl="pkg:pypi/another@1"), "expected the purl"),
}


def _required(bill: Bill) -> Bill:
    return next(each for each in bill["components"] if each["scope"] == "required")


@pytest.fixture(scope="module")
def bill() -> Bill:
    return bill_of_materials()


@pytest.mark.parametrize("what", NO_BILL)
def test_refuses_a_bill_that_has(bill: Bill, what: str) -> None:
    spoil, sentence = NO_BILL[what]
    spoilt = deepcopy(bill)
    spoil(spoilt)
    assert any(sentence in each for each in bill_form.find_unfit(spoilt))


def test_the_bill_has_every_field_that_is_asked_for_and_no_other(bill: Bill, tmp_path: Path) -> None:
    assert bill_form.find_unfit(bill) == []
    (tmp_path / "bill").write_text(json.dumps(bill))
    assert bill_form.main([str(tmp_path / "bill")]) == 0


@pytest.mark.skipif(
    not importlib.util.find_spec("cyclonedx"), reason="no cyclonedx here (.venv-proof): NOT VALIDATED BY IT"
)
def test_the_bill_is_valid_cyclonedx_to_its_own_library_too() -> None:
    validation = importlib.import_module("cyclonedx.validation.json")
    schema = importlib.import_module("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bill_of_materials())) is None


KNOWN: Sequence[dict[str, Any]] = [{"id": "CVE-0000-0001", "fix_versions": ["2.0"]}]


def test_a_known_vulnerability_is_told_and_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.tell({"typer": KNOWN}, 2) == audit.FOUND
    assert capsys.readouterr().out == "WRONG: typer: CVE-0000-0001, mended in 2.0\n"
    assert audit.tell({}, 2) == audit.CLEAN


def test_a_database_that_does_not_answer_in_time_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.vulnerabilities(0.001) == audit.NOT_AUDITED
    assert capsys.readouterr().err.startswith("NOT AUDITED: ")
