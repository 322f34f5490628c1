"""What else can be done to a key, from its labelling to its destruction: one frozen type an act. SEC G5.13, G5.24.

``ledger/life_form.py`` says from which state to which each leads, and which of them two people order, or a ceremony
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import moment
from keybroker.terms import CopyKind, KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyWord:
    """In the place of orders: the ceremony that does the act, and SHA-256 of its entry that its people signed."""

    ceremony: str
    entry: bytes

    def told(self) -> dict[str, Json]:
        return {"entry": self.entry.hex(), "name": self.ceremony}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Where a key can be found. ``place``: a module's serial, or site and file name; ``sha256``: of its octets (32),
    empty where there are none to be seen.
    """

    kind: CopyKind
    place: str
    sha256: bytes = b""

    def told(self) -> dict[str, Json]:
        return {"kind": self.kind.value, "place": self.place, "sha256": self.sha256.hex()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelKey:
    """It bears its label in this module (serial), beside the CKA_ID ``identifier``."""

    label: KeyLabel
    module: str
    identifier: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributeKey:
    """What of it was handed out, and to whom: its public key in a request or certificate, a wrapped copy. ``sha256`` is
    of the octets (32).
    """

    label: KeyLabel
    what: str
    to: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallKey:
    """It is in place in this module (serial), which is a copy to be accounted for one day."""

    label: KeyLabel
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersedeKey:
    """Another key has taken its place already. ``because`` is kept in the record."""

    label: KeyLabel
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewKey:
    """Its successor takes its place: it is superseded and the successor active at one instant."""

    label: KeyLabel
    successor: KeyLabel
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitKey:
    """It stands in ``parts`` parts, ``quorum`` of which make it whole again (G2.44B)."""

    label: KeyLabel
    quorum: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineKey:
    """A quorum holds it in a session of the ceremony."""

    label: KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class RejoinKey:
    """The session in which it was whole has ended; it stands in parts again."""

    label: KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTransfer:
    """It is suspended for ever, so that ``to`` (another system) may use it (G2.22G)."""

    label: KeyLabel
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTransferred:
    """The other system uses it; ``proof`` is SHA-256 of what it signed to say so (32)."""

    label: KeyLabel
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImported:
    """The module (serial) unwrapped it; it is inert. ``public_key`` as in ``KeyGenerated``.

    ``activated_at`` and ``uses``: since when, and how often, the system it came from used it.
    """

    label: KeyLabel
    public_key: bytes
    module: str
    activated_at: datetime | None
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RenounceKey:
    """What was imported is destroyed, every copy of it is accounted for, and it was never used here."""

    label: KeyLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateTransferred:
    """From now on it is used here; ``suspension`` is SHA-256 of what its source signed when it suspended it (32)."""

    label: KeyLabel
    suspension: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyKey:
    """Every copy is accounted for; ``transcript`` is SHA-256 of the transcript of its destruction (32)."""

    label: KeyLabel
    transcript: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromiseKey:
    """Somebody else has it, or may have it: it is good for nothing but to be destroyed."""

    label: KeyLabel
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCopy:
    """A copy of it is there."""

    label: KeyLabel
    copy: Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmCopyDestroyed:
    """A copy is there no more. ``how`` it was erased; ``searched``: a search of the place found it no more."""

    label: KeyLabel
    copy: Copy
    how: str
    searched: bool


LifeAct = (
    LabelKey
    | DistributeKey
    | InstallKey
    | SupersedeKey
    | RenewKey
    | SplitKey
    | CombineKey
    | RejoinKey
    | BeginTransfer
    | KeyTransferred
    | KeyImported
    | RenounceKey
    | ActivateTransferred
    | DestroyKey
    | CompromiseKey
    | AddCopy
    | ConfirmCopyDestroyed
)


def told(act: LifeAct) -> dict[str, Json]:
    """What records say of it beside its name and the key's, and what an order for it names."""
    match act:
        case LabelKey():
            return {"identifier": act.identifier.hex(), "module": act.module}
        case DistributeKey():
            return {"recipient": act.to, "sha256": act.sha256.hex(), "what": act.what}
        case InstallKey():
            return {"module": act.module}
        case SupersedeKey() | CompromiseKey():
            return {"because": act.because}
        case RenewKey():
            return {"because": act.because, "successor": act.successor}
        case SplitKey():
            return {"parts": act.parts, "quorum": act.quorum}
        case BeginTransfer():
            return {"recipient": act.to}
        case KeyTransferred():
            return {"proof": act.proof.hex()}
        case KeyImported():
            return _told_imported(act)
        case ActivateTransferred():
            return {"suspension": act.suspension.hex()}
        case DestroyKey():
            return {"transcript": act.transcript.hex()}
        case AddCopy():
            return {"copy": act.copy.told()}
        case ConfirmCopyDestroyed():
            return {"copy": act.copy.told(), "how": act.how, "searched": act.searched}
        case CombineKey() | RejoinKey() | RenounceKey():
            return {}
        case _:
            assert_never(act)


def _told_imported(act: KeyImported) -> dict[str, Json]:
    return {
        "activated_at": None if act.activated_at is None else moment(act.activated_at),
        "module": act.module,
        "public_key": act.public_key.hex(),
        "uses": act.uses,
    }
