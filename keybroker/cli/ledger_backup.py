"""``keybroker ledger backup|backups|open-backup``: the ledger for those alone who may put it back. SEC G2.16.

A back-up is made while the broker serves. docs/operations/backup.md tells the whole way, docs/operations/restore.md
what follows where one is put back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Annotated

import typer

from keybroker.ceremony.enveloped_data import receiving_key_of, seal
from keybroker.ceremony.file_key import FileKey
from keybroker.cli.acting import acting
from keybroker.cli.custodian_asking import passphrase
from keybroker.cli.octets import read_der
from keybroker.cli.options import Config, Json
from keybroker.cli.output import console, show_facts, show_json, show_table
from keybroker.cli.progress import progress_of
from keybroker.config import Configuration, read_configuration, reading
from keybroker.errors import ConfigurationInvalid
from keybroker.keys.upkeep import RecordedBackUp, back_ups, record_back_up
from keybroker.ledger.backing_up import open_back_up, write_back_up
from keybroker.ledger.backup_form import Header
from keybroker.ledger.upkeep_form import days_ago

_To = Annotated[
    list[Path] | None,
    typer.Option(
        "--to",
        help="A recipient's certificate (RSA, 3072 bits), beside those of [backup] in the configuration.",
        exists=True,
        dir_okay=False,
    ),
]
_New = Annotated[Path, typer.Option("--output", "-o", help="A file that is not there yet.", dir_okay=False)]


def backup(config: Config, output: _New, to: _To = None, as_json: Json = False) -> None:
    """Copy the ledger as it is now, sealed to its recipients alone, and record it. The broker may serve meanwhile."""
    configuration = read_configuration(config)
    recipients = _recipients(configuration, to or [])
    with acting(configuration, "operator") as (journal, actor), progress_of("copying the ledger", "pages") as progress:
        sealing = partial(seal, draw=token_bytes)
        at = configuration.clock.now()
        backed_up = write_back_up(journal.ledger, output, recipients, sealing, at, progress=progress)
        receipt = record_back_up(journal, actor, backed_up, configuration.clock.now())
    facts = {
        "record": receipt.leaf_index,
        "file": output,
        "octets": backed_up.octets,
        "sha256": backed_up.sha256,
        "tree_size": backed_up.tree_size,
        "root_hash": backed_up.root_hash,
        "recipients": list(backed_up.recipients),
    }
    if as_json:
        show_json(facts)
        return
    console().print("backed up", style="bold green")
    show_facts(facts)
    console().print("Keep the file at another site, and its sha256 apart from it: docs/operations/backup.md.")


def backups(config: Config, as_json: Json = False) -> None:
    """Every back-up that the records tell of."""
    configuration = read_configuration(config)
    with reading(configuration) as ledger:
        found = back_ups(ledger)
    now, table = configuration.clock.now(), configuration.file.backup
    days = days_ago(now, int(found[-1].at.timestamp())) if found else None
    late = table is not None and (days is None or days >= table.warn_after_days)
    if as_json:
        show_json({"late": late, "backups": [_facts(each) for each in found]})
        return
    show_table(
        ("record", "at", "records", "octets", "sha256", "recipients"),
        [
            (
                each.leaf_index,
                each.at,
                each.backed_up.tree_size,
                each.backed_up.octets,
                each.backed_up.sha256,
                len(each.backed_up.recipients),
            )
            for each in found
        ],
    )
    if late:
        console(stderr=True).print("the last back-up is older than [backup] allows, or there is none", style="bold red")


def open_backup(
    file: Annotated[Path, typer.Argument(help="The back-up.", exists=True, dir_okay=False)],
    certificate: Annotated[
        Path, typer.Option(help="Your receiving certificate, PEM or DER.", exists=True, dir_okay=False)
    ],
    key: Annotated[Path, typer.Option(help="Its private key, PEM; a passphrase is asked for.", dir_okay=False)],
    output: _New,
    as_json: Json = False,
) -> None:
    """Open a back-up with a recipient's key into a database file, on whatever machine. It needs no configuration.

    What comes out is the ledger in plain: put it in its place and go on as docs/operations/restore.md says.
    """
    der = _one(certificate)
    own = FileKey(
        name="recipient",
        certificate=der,
        receiving_certificate=der,
        signing_key=key,
        receiving_key=key,
        now=lambda: datetime.now(UTC),
        passphrase=passphrase,
    )
    header = open_back_up(file, output, lambda told: own.open(told.envelope_for(der)))
    facts = {"output": output, **_told(header)}
    if as_json:
        show_json(facts)
        return
    console().print("opened; it is the ledger that its head names", style="bold green")
    show_facts(facts)


def _recipients(configuration: Configuration, to: list[Path]) -> list[bytes]:
    """Raises: ConfigurationInvalid, CmsUnfit."""
    table = configuration.file.backup
    configured = [] if table is None else [configuration.beside(name) for name in table.recipients]
    if not configured and not to:
        raise ConfigurationInvalid(
            "a back-up is encrypted to somebody: name the certificates of its recipients, or give --to (SEC G2.16)",
            where="backup.recipients",
        )
    found = [_one(each) for each in (*configured, *to)]
    for each in found:
        receiving_key_of(each)
    return found


def _one(file: Path) -> bytes:
    try:
        (der,) = read_der([file])
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid("expected one certificate, PEM or DER", where=str(file)) from error
    return der


def _facts(found: RecordedBackUp) -> dict[str, object]:
    told = {name: value for name, value in found.backed_up.told().items() if name != "act"}
    return {"record": found.leaf_index, "at": found.at, **told}


def _told(header: Header) -> dict[str, object]:
    names = ("origin", "deployment", "at", "tree_size", "root_hash", "octets", "sha256")
    return {name: getattr(header, name) for name in names}
