"""``keybroker ledger key``, ``checkpoint``, ``prove``, ``check-proof``: can anybody hold the ledger to what it shows?

``checkpoint`` and ``prove`` ask the broker, as a caller. ``key`` reads the broker's own configuration and ledger, and
``check-proof`` nothing but the files that it is given: it needs no broker, no network and no trust in either.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.connection import open_broker
from keybroker.cli.octets import check_writable, write_outputs
from keybroker.cli.options import Anchors, Certificate, Config, Json, Output, PrivateKey, Target
from keybroker.cli.output import console, show_facts, show_json
from keybroker.config import read_configuration, reading
from keybroker.content.checkpoint import decode_checkpoint
from keybroker.errors import ConfigurationInvalid
from keybroker.keys.register import Register
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.note import Note, read_note
from keybroker.ledger.note_keys import CosignatureKey, EcdsaNoteKey, read_vkey, write_vkey
from keybroker.ledger.proof_form import TlogProof, check_proof, read_proof, write_proof
from keybroker.terms import KeyLabel

LedgerKey = Annotated[
    str, typer.Option(envvar="KEYBROKER_LEDGER_KEY", help="The ledger's verifier key, from its operator.")
]


def register(group: typer.Typer) -> None:
    group.command("key")(key)
    group.command("checkpoint")(checkpoint)
    group.command("prove")(prove)
    group.command("check-proof")(check)


def key(config: Config, as_json: Json = False) -> None:
    """The ledger's verifier key (C2SP signed-note): hand it to whoever verifies checkpoints, by a way of its own."""
    configuration = read_configuration(config)
    table = configuration.file.checkpoints
    if table is None:
        raise ConfigurationInvalid("expected [checkpoints], found none: no checkpoint is signed", where=str(config))
    with reading(configuration) as ledger:
        held = Register(ledger, configuration.anchors).refresh().keys.get(KeyLabel(table.key))
    if held is None or len(held.public_key) != 65:
        raise ConfigurationInvalid(f"expected the key {table.key}, with a public key; found none", where="checkpoints")
    vkey = write_vkey(EcdsaNoteKey(name=configuration.ledger_origin, point=held.public_key))
    if as_json:
        show_json({"key": table.key, "origin": configuration.ledger_origin, "ledger_key": vkey})
        return
    print(vkey)


def checkpoint(
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    tree_size: Annotated[int, typer.Option(min=0, help="The one over exactly so many records; 0: the last.")] = 0,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """A checkpoint that the broker signed, as it is: compare it with somebody else's. Verifies nothing."""
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        note = broker.get_checkpoint(tree_size)
    if output is not None:
        write_outputs(output, [note])
    read = read_note(note)
    said = decode_checkpoint(read.body)
    facts = {
        "origin": said.origin,
        "tree_size": said.tree_size,
        "root_hash": said.root_hash,
        "signatures": [each.name for each in read.signatures],
    }
    if as_json:
        show_json({**facts, "note": note.decode()})
        return
    show_facts(facts)
    print(note.decode(), end="")


def prove(
    leaf_index: Annotated[int, typer.Argument(min=0, help="The record's leaf index, from its receipt.")],
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """A proof that a record is in the ledger, in one file (C2SP tlog-proof), to be checked without the broker."""
    check_writable(output)
    with open_broker(target, certificate, private_key, anchors) as broker:
        note = broker.get_checkpoint()
        size = decode_checkpoint(read_note(note).body).tree_size
        found = broker.get_inclusion_proof(leaf_index, size)
    written = write_proof(TlogProof(leaf_index=leaf_index, hashes=found.hashes, note=note))
    if output is not None:
        write_outputs(output, [written])
    facts = {"record": leaf_index, "leaf_hash": found.leaf_hash, "tree_size": size}
    if as_json:
        show_json({**facts, "proof": written.decode()})
    elif output is not None:
        show_facts({**facts, "proof": output})
    else:
        print(written.decode(), end="")


def check(
    proof: Annotated[Path, typer.Argument(help="The proof, a file.", exists=True, dir_okay=False)],
    ledger_key: LedgerKey,
    record: Annotated[
        Path | None, typer.Option(help="The record, canonical JSON as it was hashed.", exists=True, dir_okay=False)
    ] = None,
    leaf: Annotated[
        str | None, typer.Option("--leaf-hash", help="Or its leaf hash, from the receipt: 64 digits.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(help="Verifier key of a witness that must have cosigned it; once for each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a proof offline. Exit status 0: the record is in a tree that the ledger's key signed, and every --witness
    cosigned; 1: not shown.
    """
    hashed = _leaf(record, leaf)
    read = read_proof(proof.read_bytes())
    said = check_proof(read, hashed, read_vkey(ledger_key))
    cosigned = [_cosigned(read_note(read.note), vkey) for vkey in witness or ()]
    facts = {
        "record": read.leaf_index,
        "origin": said.origin,
        "tree_size": said.tree_size,
        "signatures": [each.name for each in read_note(read.note).signatures],
        "cosigned": cosigned,
    }
    if as_json:
        show_json({"included": True, **facts})
        return
    console().print("included", style="bold green")
    show_facts(facts)


def _cosigned(note: Note, vkey: str) -> str:
    """By whom, and when. Raises: NoteUnfit where it is not; ContentMalformed."""
    key = read_vkey(vkey)
    if not isinstance(key, CosignatureKey):
        raise typer.BadParameter("expected the verifier key of a witness (type 04)", param_hint="--witness")
    return f"{key.name} {datetime.fromtimestamp(key.cosigned_at(note), UTC).isoformat()}"


def _leaf(record: Path | None, leaf: str | None) -> bytes:
    if (record is None) is (leaf is None):
        raise typer.BadParameter("expected --record or --leaf-hash, one of them")
    if record is not None:
        return leaf_hash(record.read_bytes())
    try:
        octets = bytes.fromhex(leaf or "")
    except ValueError as error:
        raise typer.BadParameter(f"expected hexadecimal digits, found {leaf}", param_hint="--leaf-hash") from error
    if len(octets) != 32:
        raise typer.BadParameter(f"expected 32 octets, found {len(octets)}", param_hint="--leaf-hash")
    return octets
