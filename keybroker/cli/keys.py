"""``keybroker keys``: which keys are there, and how is a new one made?

``list`` and ``show`` ask the broker, as a caller, and mark the keys of a test deployment. ``generate``, ``request``,
``enrol``, ``revoke``, ``activate``, ``suspend``, ``resume``, ``retire``, ``renew``, ``supersede``, ``compromise``,
``distribute`` and ``copies`` are acts of the operator at the machine, with the broker's own configuration; each is
recorded. ``report`` and ``history`` read the register beside the broker, ``inventory`` the module too.
"""

from __future__ import annotations

import base64
from typing import Annotated

import typer

from keybroker.cli import key_acts, key_copies, key_life, key_renew, key_request, keys_inventory, keys_report
from keybroker.cli.connection import open_broker
from keybroker.cli.options import Anchors, Certificate, Json, PrivateKey, Target
from keybroker.cli.output import show_facts, show_json, show_table
from keybroker.client import Key


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The key register.", no_args_is_help=True)
    group.command("list")(list_keys)
    group.command("show")(show)
    key_acts.register(group)
    key_request.register(group)
    key_renew.register(group)
    key_life.register(group)
    key_copies.register(group)
    keys_inventory.register(group)
    keys_report.register(group)
    app.add_typer(group, name="keys")


def list_keys(
    target: Target, certificate: Certificate, private_key: PrivateKey, anchors: Anchors, as_json: Json = False
) -> None:
    """The keys that this caller may know of."""
    with open_broker(target, certificate, private_key, anchors) as broker:
        keys = broker.list_keys()
    if as_json:
        show_json({"keys": keys})
        return
    rows = [
        (key.label, _deployment(key), key.purpose, key.party, key.state, key.eui, key.unusable_because or "usable")
        for key in keys
    ]
    show_table(("key", "deployment", "purpose", "party", "state", "EUI", "now"), rows)


def show(
    key: Annotated[str, typer.Argument(help="The key's label in the register.")],
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    as_json: Json = False,
) -> None:
    """A key, its public key and its certificates (PEM)."""
    with open_broker(target, certificate, private_key, anchors) as broker:
        found = broker.get_public_key(key)
    if as_json:
        show_json(found)
        return
    about = found.key
    show_facts(
        {
            "key": about.label,
            "deployment": _deployment(about),
            "purpose": about.purpose,
            "party": about.party,
            "state": about.state,
            "EUI": about.eui,
            "not before": about.not_before,
            "not after": about.not_after,
            "now": about.unusable_because or "usable",
            "warnings": "; ".join(about.warnings) or "none",
        }
    )
    if found.subject_public_key_info:
        print(_pem("PUBLIC KEY", found.subject_public_key_info), end="")
    for der in found.certificates:
        print(_pem("CERTIFICATE", der), end="")


def _deployment(key: Key) -> str:
    # In capitals: nobody should take a test key for a live one.
    return "TEST" if key.test else "live"


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
