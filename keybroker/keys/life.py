"""May a key be renewed, split, moved or destroyed, and what does the register say of it then? In the turn of an act.

SEC G5.13, G5.24: the whole of its life; G2.22G (what may leave its module), G2.44B (what may be split).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, assert_never

from sqlalchemy import select, update

from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.keys.copies import check_all_destroyed, check_copy
from keybroker.keys.life_acts import (
    ActivateTransferred,
    AddCopy,
    BeginTransfer,
    CeremonyWord,
    CombineKey,
    CompromiseKey,
    ConfirmCopyDestroyed,
    DestroyKey,
    DistributeKey,
    InstallKey,
    KeyImported,
    KeyTransferred,
    LabelKey,
    LifeAct,
    RejoinKey,
    RenewKey,
    RenounceKey,
    SplitKey,
    SupersedeKey,
)
from keybroker.ledger import tables
from keybroker.ledger.ceremonies import busy_keys, last_entry
from keybroker.ledger.life_form import SUCCESSOR
from keybroker.ledger.turn import Turn
from keybroker.policy.certificates import read_end_entity
from keybroker.policy.obligations import OBLIGATIONS, SPLIT_INTO_PARTS
from keybroker.terms import Export, KeyLabel, KeyPurpose, KeyState, Provenance

LEAST_QUORUM, MOST_PARTS = 2, 16
"""SEC G2.44B: parts of which one is enough are no parts. SLIP-39 writes 16 at most."""
_SHA256_OCTETS = 32
_LONGEST_USES = 2**53
_is_serial = re.compile(r"[!-~]([ -~]{0,62}[!-~])?").fullmatch
_is_ceremony = re.compile(r"[a-z0-9-]{1,63}").fullmatch
_key, _certificate = tables.key, tables.certificate


@clause("G5.13(a)", "G5.24(a)")
def check_word(turn: Turn, word: CeremonyWord, label: KeyLabel) -> None:
    """Is it that of a ceremony that is under way with this key, and of the entry that its people signed last? Raises:
    NotPermitted."""
    if not _is_ceremony(word.ceremony) or len(word.entry) != _SHA256_OCTETS:
        raise NotPermitted("a ceremony's word is its name ([a-z0-9-]{1,63}) and SHA-256 of its entry (32 octets)")
    if busy_keys(turn.connection).get(label) != word.ceremony:
        raise NotPermitted(f"a ceremony's word is of one that is under way with {label}; {word.ceremony} is not")
    if last_entry(turn.connection, word.ceremony) != word.entry.hex():
        raise NotPermitted(f"a ceremony's word is of the entry that was signed last in it: {word.ceremony} has another")


@clause("G2.22G", "G5.13(a)", "G5.24(a)")
def check_life(turn: Turn, act: LifeAct, row: Any) -> None:
    """``row`` is the key's in the register. Raises: NotPermitted, CertificateUnfit."""
    match act:
        case LabelKey() | InstallKey():
            _check_serial(act.module)
        case DistributeKey():
            _check_digest(act.sha256)
        case RenewKey():
            _check_renewal(turn, act, row)
        case SplitKey():
            _check_split(act, KeyPurpose(row.purpose))
        case CombineKey() | RejoinKey() | SupersedeKey() | CompromiseKey():
            pass
        case BeginTransfer():
            _check_leaves(act.label, KeyPurpose(row.purpose))
        case KeyImported():
            _check_leaves(act.label, KeyPurpose(row.purpose))
            _check_serial(act.module)
            if not 0 <= act.uses < _LONGEST_USES:
                raise NotPermitted("expected how often its source used the key: 0 or more")
        case ActivateTransferred():
            _check_digest(act.suspension)
        case KeyTransferred():
            _check_digest(act.proof)
        case DestroyKey():
            _check_digest(act.transcript)
            check_all_destroyed(turn, act.label)
        case RenounceKey():
            check_all_destroyed(turn, act.label)
        case AddCopy() | ConfirmCopyDestroyed():
            check_copy(turn, act)
        case _:
            assert_never(act)


def values_of(act: LifeAct) -> Mapping[str, Any]:
    """What the register says of the key afterwards, beside its state."""
    if not isinstance(act, KeyImported):
        return {}
    return {
        "public_key": act.public_key,
        "provenance": Provenance.UNWRAPPED.value,
        "activated_at": None if act.activated_at is None else int(act.activated_at.timestamp()),
        "uses_before": act.uses,
    }


def successor_before(turn: Turn, act: RenewKey) -> KeyState:
    """The state from which the successor becomes active. Raises: NotPermitted."""
    row = _row(turn, act.successor)
    if row is None:
        raise NotPermitted(f"the register has no key {act.successor}; order it first, as what renews {act.label}")
    before = KeyState(row.state)
    if before not in SUCCESSOR:
        raise NotPermitted(
            f"RenewKey needs the successor {act.successor} to be generated or enrolling, found {before.value}"
        )
    return before


@clause("G5.13(b)", "G5.24(b)")
def renew(turn: Turn, act: RenewKey, seconds: int) -> None:
    """The successor is active; in the very statement that makes it so it is known as what renews the other."""
    values = {"state": KeyState.ACTIVE.value, "renews": act.label, "activated_at": seconds}
    turn.connection.execute(update(_key).where(_key.c.label == act.successor).values(values))


@clause("G5.13(b)", "G5.24(b)")
def check_order_of_successor(turn: Turn, label: KeyLabel, renews: KeyLabel, purpose: KeyPurpose, party: str) -> None:
    """Is there a key to renew, of the same purpose and party, and no other that renews it? Raises: NotPermitted."""
    row = _row(turn, renews)
    if row is None or row.state not in (KeyState.ACTIVE, KeyState.SUSPENDED):
        raise NotPermitted(f"{label} is to renew {renews}: expected a key that is active or suspended")
    if (row.purpose, row.party) != (purpose, party):
        raise NotPermitted(f"{label} is to renew {renews}: expected a {row.purpose} key of {row.party}")
    waiting = (_key.c.renews == renews) & (_key.c.state != KeyState.RETIRED.value)
    if other := turn.connection.execute(select(_key.c.label).where(waiting)).scalar():
        raise NotPermitted(f"{other} is to renew {renews} already; retire it first")


def check_not_beside(turn: Turn, row: Any) -> None:
    """A successor becomes active in the place of what it renews, never beside it. Raises: NotPermitted."""
    before = None if row.renews is None else _row(turn, row.renews)
    if before is not None and before.state in (KeyState.ACTIVE, KeyState.SUSPENDED):
        raise NotPermitted(f"{row.label} renews {row.renews}: it becomes active in its place (keybroker keys renew)")


def _check_renewal(turn: Turn, act: RenewKey, row: Any) -> None:
    successor = _row(turn, act.successor)
    if act.successor == act.label or successor is None:
        raise NotPermitted(f"the register has no key {act.successor} that could renew {act.label}")
    if (successor.purpose, successor.party) != (row.purpose, row.party):
        raise NotPermitted(
            f"a key is renewed by one like it: expected a {row.purpose} key of {row.party}, found"
            f" a {successor.purpose} key of {successor.party}"
        )
    if successor.renews not in (None, act.label):
        raise NotPermitted(f"{act.successor} was ordered to renew {successor.renews}, not {act.label}")
    if (before := _eui(turn, row)) != (after := _eui(turn, successor)):
        raise NotPermitted(f"a key is renewed by one that speaks for the same EUI: expected {before}, found {after}")


def _eui(turn: Turn, row: Any) -> str:
    own = select(_certificate.c.der).where(_certificate.c.label == row.label, _certificate.c.position == 0)
    der = turn.connection.execute(own).scalar()
    if der is not None:
        return str(read_end_entity(der).eui or "none")
    return "none" if row.eui is None else row.eui.hex("-").upper()


# SEC G2.44B: "it being split into multiple parts as described in Appendix L", of a Recovery Private Key and of the
# Contingency Private Key alone.
def _check_split(act: SplitKey, purpose: KeyPurpose) -> None:
    if purpose not in SPLIT_INTO_PARTS:
        raise NotPermitted(f"a {purpose} key is not split: expected a Recovery or Contingency key (G2.44B)")
    if not LEAST_QUORUM <= act.quorum <= act.parts <= MOST_PARTS:
        raise NotPermitted(
            f"expected a quorum of {LEAST_QUORUM} or more of at most {MOST_PARTS} parts,"
            f" found {act.quorum} of {act.parts} (G2.44B)"
        )


def _check_leaves(label: KeyLabel, purpose: KeyPurpose) -> None:
    if OBLIGATIONS[purpose].export is not Export.WRAPPED:
        raise NotPermitted(f"{label} never leaves its module: a {purpose} key is not transferred (G2.22G)")


def _check_serial(serial: str) -> None:
    if not _is_serial(serial):
        raise NotPermitted("a module is named by its serial: 1 to 64 printable ASCII characters")


def _check_digest(octets: bytes) -> None:
    if len(octets) != _SHA256_OCTETS:
        raise NotPermitted(f"expected SHA-256 ({_SHA256_OCTETS} octets), found {len(octets)} octets")


def _row(turn: Turn, label: str) -> Any:
    return turn.connection.execute(select(_key).where(_key.c.label == label)).one_or_none()
