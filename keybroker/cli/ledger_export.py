"""``keybroker ledger export``: an evidence package for a stranger (docs/evidence-package.md). SEC G2.27, G2.30.

The ledger is verified first: a package is made of one that is whole. That it was made is a record itself, durable
before the package appears under its name: who, what was asked for, and the digest of its manifest.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.acting import acting
from keybroker.cli.moments import read_day_or_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_json
from keybroker.config import Configuration, read_configuration
from keybroker.config.packaged import packaged_for_verifiers
from keybroker.keys.administration import Actor
from keybroker.keys.register import Register
from keybroker.ledger.audit import verify
from keybroker.ledger.export import Beside, Making, Package, make_package
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.export_files import appearing, packed, release
from keybroker.ledger.export_form import told_export
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Entry, Receipt, RecordKind
from keybroker.terms import PartyName

Target = Annotated[
    Path, typer.Option("--output", "-o", help="Where it appears: a directory, or one file where the name ends in .tar.")
]
Since = Annotated[str | None, typer.Option("--from", help="Records from this day or moment on (ISO 8601).")]
Until = Annotated[str | None, typer.Option("--until", help="Records before this day or moment.")]
OfKey = Annotated[str | None, typer.Option("--key", help="What concerns the key with this label.")]
OfParty = Annotated[str | None, typer.Option("--party", help="What is this party's.")]


def export(
    config: Config,
    output: Target,
    since: Since = None,
    until: Until = None,
    key: OfKey = None,
    party: OfParty = None,
    as_json: Json = False,
) -> None:
    """Make an evidence package: everything, a period, what concerns a key, or what is a party's.

    A stranger verifies it with the file verify_evidence.py that it holds, and nothing of ours. Nothing is written over.
    Exit status 0 when it is there; 3 when the ledger is broken or the disk is full, and then nothing is left.
    """
    selection = _selection(since, until, key, party)
    if output.exists() or output.is_symlink():
        raise typer.BadParameter(f"expected a name where nothing stands, found {output}", param_hint="--output")
    configuration = read_configuration(config)
    with acting(configuration, "operator") as (journal, actor):
        _check_known(journal, configuration, key)
        verify(journal.ledger, configuration.clock.now())
        with appearing(output) as scratch:
            directory = scratch / "package"
            directory.mkdir()
            making = _making(configuration, actor)
            package = make_package(journal.ledger, directory, selection, making, _beside(configuration))
            ready = packed(directory, output)
            receipt = _record(journal, actor, selection, package, making)
            release(ready, output)
    _show(output, package, receipt, as_json=as_json)


def _selection(since: str | None, until: str | None, key: str | None, party: str | None) -> Selection:
    asked = (since is not None or until is not None, key is not None, party is not None)
    if sum(asked) > 1:
        raise typer.BadParameter("expected a period, a key or a party, and one of them alone", param_hint="--key")
    selection = Selection(
        since=None if since is None else read_day_or_moment(since, param="--from"),
        until=None if until is None else read_day_or_moment(until, param="--until"),
        key=key,
        party=party,
    )
    if selection.since is not None and selection.until is not None and selection.since >= selection.until:
        raise typer.BadParameter("expected --until later than --from", param_hint="--until")
    return selection


def _check_known(journal: Journal, configuration: Configuration, key: str | None) -> None:
    register = Register(journal.ledger, configuration.anchors).refresh()
    if key is not None and key not in register.keys:
        raise typer.BadParameter(f"expected a key of the register, found {key}", param_hint="--key")


def _making(configuration: Configuration, actor: Actor) -> Making:
    return Making(
        identity=actor.identity,
        machine=configuration.node.identity,
        version=version("keybroker"),
        at=configuration.clock.now(),
    )


def _beside(configuration: Configuration) -> Beside:
    return Beside(find_text=configuration.find_text_in_force, files=packaged_for_verifiers())


def _record(journal: Journal, actor: Actor, selection: Selection, package: Package, making: Making) -> Receipt:
    """Raises: LedgerFault, and then no package appears."""
    body = told_export(actor.identity, selection, package.head, package.manifest_sha256)
    entry = Entry(kind=RecordKind.READ, party=PartyName(selection.party or ""), body=body)
    (receipt,) = journal.write([entry], at=making.at)
    return receipt


def _show(output: Path, package: Package, receipt: Receipt, *, as_json: bool) -> None:
    facts = {
        "package": str(output),
        "manifest_sha256": package.manifest_sha256,
        "records": package.records,
        "tree_size": package.head.tree_size,
        "root_hash": package.head.root_hash,
    }
    if as_json:
        show_json({**facts, "without_text": package.without_text, "files": package.files, "receipt": receipt})
        return
    show_facts({**facts, "record": receipt.leaf_index})
    if package.without_text:
        console().print(f"no text was kept of {len(package.without_text)} digests in force; in_force.json names them")
    console().print("give its manifest_sha256 to whoever verifies it, by another way than the package itself")
