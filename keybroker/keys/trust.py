"""Which ARLs and CRLs does the broker rely on? One current list for each issuer, taken in by an act that is recorded.

They stand beside the register and share its version: whoever judged by an older list judges anew. An issuer is known as
an anchor, by the chain of a registered key, or by the certificates that came with its list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select

from keybroker.content.der import read_members
from keybroker.content.signed_object import encode as encode_element
from keybroker.errors import NotPermitted
from keybroker.keys.acts import Actor
from keybroker.ledger import tables
from keybroker.ledger.canonical_json import Json, encode
from keybroker.ledger.claim_form import NUMBER_OCTETS
from keybroker.ledger.journal import Entry, Journal, RecordKind
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Receipt
from keybroker.ledger.record import moment
from keybroker.ledger.turn import Turn
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.revocation import Currency, currency, read_revocation_list, to_be_signed
from keybroker.policy.trust import Anchor, RevocationList

_SEQUENCE = 0x30


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldList:
    """A row of the table: ``relied_on`` is None where the list does not verify any more, and ``unfit`` says why."""

    issuer_identity: bytes
    number: int
    relied_on: RevocationList | None
    unfit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A list to be taken in, and the certificates that came with it: its issuer's first, the anchor left out."""

    actor: Actor
    der: bytes
    chain: tuple[bytes, ...]
    anchors: tuple[Anchor, ...]
    at: datetime


def take_in_revocation_list(
    journal: Journal, actor: Actor, der: bytes, anchors: Sequence[Anchor], at: datetime, *, chain: Sequence[bytes] = ()
) -> Receipt:
    """Verify an ARL or CRL under an anchor, a CA of some key's chain, or ``chain``; and rely on it from now on.

    ``chain`` is the certificate of its issuer, then that one's issuers (DER): where nothing else knows the CA.
    Raises: CertificateUnfit for one that does not verify, NotPermitted for one that is older than what is held or not
    current (both recorded), LedgerFault.
    """
    offer = _Offer(actor=actor, der=der, chain=tuple(chain), anchors=tuple(anchors), at=at)
    try:
        return journal.ledger.transact(lambda turn: _take_in(journal, turn, offer))
    except (NotPermitted, CertificateUnfit) as refusal:
        body: dict[str, Json] = {**_told(offer), "reason": refusal.reason, "sentence": refusal.sentence}
        journal.write([Entry(kind=RecordKind.REFUSAL, party=actor.party, body=body)], at=at)
        raise


def read_lists(connection: Connection, anchors: Sequence[Anchor]) -> Mapping[bytes, RevocationList]:
    """The lists that are relied on, by the identity of their issuer; one that does not verify any more is not held."""
    # Closed for whoever stands on it: without a list nobody is relied on.
    held = held_lists(connection, anchors)
    return {each.issuer_identity: each.relied_on for each in held if each.relied_on is not None}


def held_lists(connection: Connection, anchors: Sequence[Anchor]) -> list[HeldList]:
    """Every list that was taken in last for its issuer, verified anew."""
    known = _known_issuers(connection, anchors)
    return [
        _held(row.issuer, int.from_bytes(row.number, "big"), row.der, _members(row.chain), known, anchors)
        for row in connection.execute(select(tables.revocation_list))
    ]


def warning(held: HeldList, at: datetime) -> str:
    """What an operator should do about a held list now; empty where nothing."""
    if held.relied_on is None:
        return f"does not verify any more: {held.unfit}"
    match currency(held.relied_on, at):
        case Currency.CURRENT:
            return ""
        case Currency.ENDING:
            return f"take in the next one before {held.relied_on.next_update.isoformat()}"
        case Currency.STALE:
            return "stale: nothing that this CA issued is relied on; take in the next one"
        case Currency.NOT_YET:
            return "not yet current: nothing that this CA issued is relied on before thisUpdate"


def _held(
    issuer: bytes,
    number: int,
    der: bytes,
    chain: tuple[bytes, ...],
    known: tuple[bytes, ...],
    anchors: Sequence[Anchor],
) -> HeldList:
    try:
        relied_on = read_revocation_list(der, _with_chain(known, chain, anchors))
        if (relied_on.issuer_identity, relied_on.number) != (issuer, number):
            raise CertificateUnfit("revocation list: expected the one of its row")  # noqa: TRY301 - told like the others
    except CertificateUnfit as error:
        return HeldList(issuer_identity=issuer, number=number, relied_on=None, unfit=error.sentence)
    return HeldList(issuer_identity=issuer, number=number, relied_on=relied_on, unfit="")


def _known_issuers(connection: Connection, anchors: Sequence[Anchor]) -> tuple[bytes, ...]:
    """Every CA that may issue a list: the anchors, and whoever stands in the chain of a registered key, an OCA's own
    certificate among them. DER, each once; those that are no CA issue nothing.
    """
    own = tables.certificate.c
    chained = connection.execute(select(own.der).distinct().order_by(own.der)).scalars()
    return tuple(dict.fromkeys([anchor.der for anchor in anchors] + list(chained)))


def _with_chain(known: tuple[bytes, ...], chain: tuple[bytes, ...], anchors: Sequence[Anchor]) -> tuple[bytes, ...]:
    """The CA that came with its list counts once its chain leads to an anchor. Raises: CertificateUnfit."""
    if not chain:
        return known
    read_chain(chain, anchors, revoked_at=None)
    return (*known, chain[0])


def _take_in(journal: Journal, turn: Turn, offer: _Offer) -> Receipt:
    known = _known_issuers(turn.connection, offer.anchors)
    held = read_revocation_list(offer.der, _with_chain(known, offer.chain, offer.anchors))
    if not held.this_update <= offer.at <= held.next_update:
        span = f"{held.this_update.isoformat()} to {held.next_update.isoformat()}"
        raise NotPermitted(f"the list is for {span}, it is {offer.at.isoformat()}")
    _check_newer(turn, held, offer.der)
    table = tables.revocation_list
    row = {
        "issuer": held.issuer_identity,
        "number": held.number.to_bytes(NUMBER_OCTETS, "big"),
        "der": offer.der,
        "chain": encode_element(_SEQUENCE, b"".join(offer.chain)) if offer.chain else b"",
    }
    turn.connection.execute(delete(table).where(table.c.issuer == held.issuer_identity))
    turn.connection.execute(insert(table).values(row))
    body: dict[str, Json] = {
        **_told(offer),
        "issuer": held.issuer_identity.hex(),
        "number": str(held.number),
        "next_update": moment(held.next_update),
        "register_version": turn.move_register(),
    }
    entry = Entry(kind=RecordKind.ADMINISTRATIVE, party=offer.actor.party, body=body)
    octets = encode(journal.writer.entry(entry, offer.at))
    return turn.append(kind=entry.kind.value, party=entry.party, octets=octets, leaf_hash=leaf_hash(octets))


def _check_newer(turn: Turn, held: RevocationList, der: bytes) -> None:
    """CRLNumber never falls, and names one list alone (RFC 5280 section 5.2.3)."""
    table = tables.revocation_list
    before = turn.connection.execute(select(table).where(table.c.issuer == held.issuer_identity)).one_or_none()
    if before is None:
        return
    number = int.from_bytes(before.number, "big")
    if held.number < number:
        raise NotPermitted(f"CRLNumber never falls: {number} is held, found {held.number}")
    if held.number == number and to_be_signed(der) != to_be_signed(before.der):
        raise NotPermitted(f"another list of CRLNumber {number} is held; they cannot both be right")


def _members(sequence: bytes) -> tuple[bytes, ...]:
    members = read_members(sequence, 0, len(sequence)) if sequence else []
    return tuple(sequence[member.offset : member.end] for member in members)


def _told(offer: _Offer) -> dict[str, Json]:
    actor = offer.actor
    told: dict[str, Json] = {
        "act": "TakeInRevocationList",
        "actor": {"identity": actor.identity, "kind": actor.kind.value, "party": actor.party},
        "sha256": sha256(offer.der).hexdigest(),
    }
    if offer.chain:
        told["chain"] = [sha256(der).hexdigest() for der in offer.chain]
    return told
