"""What does the record of an export say? Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.model import Head

EXPORT = "ExportLedger"
"""The operation, in a record of kind ``read``."""


def told_export(actor: Mapping[str, Json], selection: Selection, head: Head, manifest_sha256: str) -> dict[str, Json]:
    """``actor`` made it, as acts tell of him; ``head`` is of the tree in it, ``manifest_sha256`` in hexadecimal."""
    return {
        **actor,
        "looked_at": {
            "manifest_sha256": manifest_sha256,
            "root_hash": head.root_hash.hex(),
            "selection": selection.told(),
            "tree_size": head.tree_size,
        },
        "operation": EXPORT,
    }
