"""What was a key at a moment of the ledger, as the records before it tell? For judging its uses once more. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from keybroker.ledger.canonical_json import Json
from keybroker.ledger.verify_life_rows import KeyRow
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import CertificateFacts, RegisteredKey, SessionFacts
from keybroker.policy.trust import Anchor
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The chain (DER, end entity first) that the record at leaf index ``since`` enrolled for a key."""

    since: int
    der: tuple[bytes, ...]


def key_at(
    row: KeyRow, chain: Chain | None, anchors: tuple[Anchor, ...], session: SessionFacts | None = None
) -> RegisteredKey:
    """The key as the register had it. ``chain``: what was enrolled for it then, None where that is not at hand."""
    revoked_at = _moment(row.revoked_at)
    facts = None if chain is None else _facts(chain, anchors, revoked_at)
    told = None if row.eui is None else EntityIdentifier.from_text(row.eui)
    return RegisteredKey(
        label=KeyLabel(row.label),
        purpose=KeyPurpose(row.purpose),
        party=PartyName(row.party),
        state=KeyState(row.state),
        provenance=Provenance(row.provenance or Provenance.GENERATED),
        public_key=bytes.fromhex(row.public_key or ""),
        eui=told if facts is None else facts.eui,
        certificate=facts,
        activated_at=_moment(row.activated_at),
        uses_before=row.uses_before or 0,
        session=session,
    )


def session_of(act: Mapping[str, Json], began: datetime) -> SessionFacts:
    """What the act ``BeginSession`` tells of a session's key; it was made at that moment or soon after."""
    return SessionFacts(
        parent=KeyLabel(str(act["parent"])),
        device=EntityIdentifier.from_text(str(act["device"])),
        handshake=int(str(act["handshake"])),
        made_at=began,
        until=datetime.fromisoformat(str(act["until"])),
    )


def chain_is_known(enrolled: int | None, key: RegisteredKey) -> bool:
    """Is it known what certificate the key had? That it had none is known too, where no record ever enrolled one."""
    return enrolled is None or key.certificate is not None


@lru_cache(maxsize=256)
def _facts(chain: Chain, anchors: tuple[Anchor, ...], revoked_at: datetime | None) -> CertificateFacts | None:
    try:
        return read_chain(chain.der, anchors, revoked_at=revoked_at)
    except CertificateUnfit:
        # Under an anchor that is not trusted any more: what the broker of that day read nobody can tell by it.
        return None


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
