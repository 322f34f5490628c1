"""Is this file a bill of materials as we write one? What we use of CycloneDX 1.6, held to a schema of our own.

    python -m scripts.supply_parts.bill_form FILE

The schema (``bill.schema.json``) demands every field that we write, in the form that CycloneDX gives it, and permits no
other. Whether it is CycloneDX to the last rule, its own library says, where it is at hand (``.venv-proof``).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMA = Path(__file__).with_name("bill.schema.json")


def find_unfit(bill: Mapping[str, Any]) -> list[str]:
    """A sentence for each: where, and what is wrong. Empty where it is one."""
    validator = jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text()))
    unfit = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(bill)]
    return unfit or list(_no_graph(bill))


def _no_graph(bill: Mapping[str, Any]) -> Iterator[str]:
    """What the schema cannot say: everything is named once, and depends on what is named."""
    components = [bill["metadata"]["component"], *bill["components"]]
    named = Counter(each["bom-ref"] for each in components)
    told = Counter(each["ref"] for each in bill["dependencies"])
    yield from (f"{name} is named {times} times" for name, times in named.items() if times > 1)
    yield from (f"expected once what {name} depends on, found {told[name]}" for name in named if told[name] != 1)
    for each in bill["dependencies"]:
        yield from (f"{name} is not named" for name in (each["ref"], *each["dependsOn"]) if name not in named)
    yield from (f"expected the purl {each['bom-ref']}" for each in components if each["purl"] != each["bom-ref"])


def main(arguments: Sequence[str]) -> int:
    (file,) = arguments
    unfit = find_unfit(json.loads(Path(file).read_text()))
    for sentence in unfit:
        print(f"WRONG: {sentence}")
    return int(bool(unfit))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
