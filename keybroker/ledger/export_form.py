"""What does the record of an export say? Pure."""

from __future__ import annotations

from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.model import Head, Json

EXPORT = "ExportLedger"
"""The operation, in a record of kind ``read``."""


def told_export(identity: str, selection: Selection, head: Head, manifest_sha256: str) -> dict[str, Json]:
    """``identity`` is of who made the package; ``head`` that of the tree in it, ``manifest_sha256`` in hexadecimal."""
    return {
        "actor": identity,
        "looked_at": {
            "manifest_sha256": manifest_sha256,
            "root_hash": head.root_hash.hex(),
            "selection": selection.told(),
            "tree_size": head.tree_size,
        },
        "operation": EXPORT,
    }
