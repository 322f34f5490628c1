"""Where are the witnesses asked, and does the ledger extend what they remember? Asked before anything is served.

A witness's last checkpoint bears its own signature and the ledger's, so what it says is believed where both verify. One
that does not answer stops no start: whether anything is spent without it, the gates say (``config/witnessed.py``).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from keybroker.config.checkpoints_table import WitnessesTable
from keybroker.content.checkpoint import decode_checkpoint
from keybroker.errors import ConfigurationInvalid, LedgerBroken
from keybroker.keys.register import Register
from keybroker.ledger.note_keys import EcdsaNoteKey
from keybroker.ledger.proofs import root_hash
from keybroker.ledger.reading import Reader
from keybroker.ledger.tree import Tree, leaves_of
from keybroker.terms import KeyPurpose
from keybroker.witness.asking import NoAnswer, WitnessPlace, ask_last

Told = Callable[[str, str], None]
"""Of a witness, by name, why it could not be asked."""


def places_of(table: WitnessesTable | None, anchors: Callable[[str], bytes]) -> tuple[WitnessPlace, ...]:
    """``anchors`` gives a PEM file's octets. Raises: ConfigurationInvalid for one that holds no certificate."""
    if table is None:
        return ()
    return tuple(
        WitnessPlace(
            url=each.url,
            key=each.key,
            timeout_seconds=table.timeout_seconds,
            context=None if each.anchors is None else _context(each.anchors, anchors(each.anchors)),
        )
        for each in table.witness
    )


def check_remembered(ledger: Reader, register: Register, places: Sequence[WitnessPlace], told: Told) -> None:
    """Does the ledger extend what each witness cosigned last?

    Raises: LedgerBroken where it does not (invariant 5); LedgerUnavailable.
    """
    if not places:
        return
    keys = [
        EcdsaNoteKey(name=ledger.origin, point=key.public_key)
        for key in register.refresh().keys.values()
        if key.purpose is KeyPurpose.AUDIT_CHECKPOINT and key.public_key
    ]
    tree = Tree(leaves_of(ledger))
    for place in places:
        try:
            # A ledger that knows no key of its own cannot have been shown: the witness's word is enough to stop.
            last = ask_last(place, ledger.origin, keys or None, datetime.now(UTC))
        except NoAnswer as refused:
            told(place.key.name, refused.why)
            continue
        if last is not None:
            checkpoint = decode_checkpoint(last.body)
            _check_extends(ledger, tree, place.key.name, checkpoint.tree_size, checkpoint.root_hash)


def _check_extends(ledger: Reader, tree: Tree, witness: str, size: int, root: bytes) -> None:
    if size > (there := ledger.size()):
        raise LedgerBroken(
            f"the ledger was rolled back: witness {witness} cosigned {size} records, found {there}; an earlier database"
            " file was put back: put the newest one back (after a restore that two people ordered: make a new witness)"
        )
    if (found := root_hash(size, tree.subtree(size))) != root:
        raise LedgerBroken(
            f"the ledger does not extend what witness {witness} cosigned: at {size} records expected root {root.hex()},"
            f" found {found.hex()}; another database file was put in its place"
        )


def _context(name: str, octets: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=octets.decode("ascii"))
    except (UnicodeDecodeError, ssl.SSLError) as error:
        raise ConfigurationInvalid(f"{name} holds no PEM certificate", where="witnesses.witness.anchors") from error
