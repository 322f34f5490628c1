"""What does keybroker consist of? A bill of materials in CycloneDX 1.6 JSON, the same for the same lock.

From requirements/runtime.txt and what the installed distributions say of themselves. No time and no
serial number that is drawn: two people who make it compare it octet by octet.
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from hashlib import sha256
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.supply_parts.checks import needs
from scripts.supply_parts.licences import licence_of
from scripts.supply_parts.locked import ROOT, Locked, read_lock

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.6.schema.json")


def bill_of_materials() -> dict[str, Any]:
    """Raises: ValueError for a lock that is no lock, or a distribution without a licence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {each.name: each for each in read_lock("runtime")}
    digest = sha256((ROOT / "requirements" / "runtime.txt").read_bytes()).hexdigest()
    own = _reference(project["name"], project["version"])
    direct = sorted(canonicalize_name(Requirement(text).name) for text in project["dependencies"])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(_NAMESPACE, f"{own} {digest}").urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": own,
            }
        },
        "components": [_component(each) for each in locked.values()],
        "dependencies": [
            {"ref": own, "dependsOn": [_reference(name, locked[name].version) for name in direct]},
            *(_depends(each, locked) for each in locked.values()),
        ],
    }


def _component(each: Locked) -> dict[str, Any]:
    reference = _reference(each.name, each.version)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference,
        "name": each.name,
        "version": each.version,
        "scope": "required" if each.marker is None else "optional",
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in each.sha256],
        "purl": reference,
    }
    if licence := licence_of(each.name):
        component["licenses"] = [{"expression": licence}]
    if each.marker is not None:
        component["properties"] = [{"name": "keybroker:installed-where", "value": each.marker}]
    return component


def _depends(each: Locked, locked: dict[str, Locked]) -> dict[str, Any]:
    names = [name for name in needs(each.name, locked) if name != each.name]
    return {
        "ref": _reference(each.name, each.version),
        "dependsOn": [_reference(name, locked[name].version) for name in names],
    }


def _reference(name: str, version: str) -> str:
    """A package URL (purl)."""
    return f"pkg:pypi/{name}@{version}"


def main() -> int:
    """The bill on standard output."""
    try:
        print(json.dumps(bill_of_materials(), indent=2, ensure_ascii=False))
    except ValueError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
