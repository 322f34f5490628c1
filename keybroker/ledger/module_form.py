"""How does a record tell that a person acted on the module itself? SEC G3.23, G3.24. Pure."""

from __future__ import annotations

from keybroker.ledger.canonical_json import Json

UNLATCH = "UnlatchModule"
"""The act, in records and orders."""


def unlatching(serial: str) -> dict[str, Json]:
    """What the record says of it, and what its order names: the token's serial, as the configuration has it."""
    return {"act": UNLATCH, "module": serial}


def module_subject(serial: object) -> str:
    """What such an act acts on (``PersonAct.subject``)."""
    return f"module:{serial}"
