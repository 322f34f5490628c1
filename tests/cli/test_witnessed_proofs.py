"""``keybroker ledger check-proof --witness``: a proof counts only where every witness that is named cosigned it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.note import NoteSignature, write_note
from keybroker.ledger.note_keys import cosigned_message, write_vkey
from keybroker.ledger.proof_form import TlogProof, write_proof
from tests.cli.command import run_here, run_json
from tests.witness.scene import LEDGER_KEY, History
from tests.witness.test_asking import KEY, PRIVATE, STRANGER, STRANGERS

HONEST, SIZE, INDEX = History(), 9, 4
NOTE = HONEST.note(SIZE)
GOOD = KEY.signature(1_700_000_000, PRIVATE.sign(cosigned_message(NOTE.body, 1_700_000_000)))
BY_A_STRANGER = STRANGER.signature(5, STRANGERS.sign(cosigned_message(NOTE.body, 5)))
FALSE = KEY.signature(5, STRANGERS.sign(cosigned_message(NOTE.body, 5)))


def options(directory: Path, *cosignatures: NoteSignature, witness: str = write_vkey(KEY)) -> list[object]:
    note = replace(NOTE, signatures=(*NOTE.signatures, *cosignatures))
    proof = TlogProof(leaf_index=INDEX, hashes=tuple(HONEST.inclusion(INDEX, SIZE)), note=write_note(note))
    file = directory / "record.tlog-proof"
    file.write_bytes(write_proof(proof))
    leaf = leaf_hash(f"record {INDEX}".encode()).hex()
    keys = ("--ledger-key", write_vkey(LEDGER_KEY), "--witness", witness)
    return ["ledger", "check-proof", file, "--leaf-hash", leaf, *keys]


@pytest.mark.parametrize(
    "cosignatures",
    [(), (BY_A_STRANGER,), (FALSE,), (GOOD, FALSE)],
    ids=["none", "a stranger's", "a false", "one false"],
)
def test_refuses_a_proof_whose_checkpoint_has_no_good_cosignature(
    cosignatures: tuple[NoteSignature, ...], tmp_path: Path
) -> None:
    error = run_json(*options(tmp_path, *cosignatures), expect=1, how=run_here)["error"]
    assert error["reason"] == "NOTE_UNFIT"


def test_refuses_a_witness_that_is_the_ledger(tmp_path: Path) -> None:
    assert run_here(*options(tmp_path, GOOD, witness=write_vkey(LEDGER_KEY))).returncode == 2


def test_says_who_cosigned_it_and_when(tmp_path: Path) -> None:
    said = run_json(*options(tmp_path, BY_A_STRANGER, GOOD), how=run_here)
    assert (said["included"], said["cosigned"]) == (True, ["witness.example/w1 2023-11-14T22:13:20+00:00"])
    plain = run_here(*options(tmp_path, GOOD))
    assert (plain.returncode, "2023-11-14" in plain.stdout) == (0, True)
