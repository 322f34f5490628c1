"""A ledger with rows in every table: the kept one, and a cosignature, keys of sessions, a revoked certificate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from keybroker.content.decoding import decode
from keybroker.gates import open_gates
from keybroker.keys.acts import (
    ActivateKey,
    EnrolCertificate,
    OrderKey,
    RetireKey,
    RevokeCertificate,
    SessionKeyDestroyed,
    SessionKeyMade,
)
from keybroker.keys.administration import Actor, KeyGenerated, administer
from keybroker.ledger import tables
from keybroker.ledger.cosignatures import keep_cosignature
from keybroker.ledger.journal import Journal
from keybroker.ledger.note import read_note
from keybroker.ledger.note_keys import CosignatureKey, cosigned_message
from keybroker.server.session_beginning import Beginning, act_of
from keybroker.terms import (
    ContentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    PartyName,
    Provenance,
    RequestId,
)
from tests.dcc_uses import SMETS1_EUI, a_dcc_caller, a_dcc_key, decided
from tests.keys.restoring import ACTOR
from tests.ledger import books, kept_book
from tests.ledger.kept_evidence import Kept
from tests.policy import chains
from tests.situations import AT, a_point, evidence_of, packaged_policies

ENROLLED, PARENT, TLS = KeyLabel("enrolled"), KeyLabel("s1sp-smets1"), KeyLabel("smets1-tls")
DEVICE = EntityIdentifier.from_text("90-B3-D5-1F-30-0C-00-02")
_WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = CosignatureKey(name="witness.example/w", public_key=_WITNESS.public_key().public_bytes_raw())


def fill(directory: Path) -> None:
    kept_book.make(directory, more)


def more(kept: Kept) -> None:
    cosign(kept.journal)
    revoke(kept)
    keep_sessions(kept)


def cosign(journal: Journal) -> None:
    """The checkpoint that is there, by a witness whose signature verifies."""
    with journal.ledger.read() as connection:
        row = connection.execute(select(tables.checkpoint)).one()
    at = int(AT.timestamp())
    signature = _WITNESS.sign(cosigned_message(read_note(row.note).body, at))
    keep_cosignature(journal.ledger, tree_size=row.tree_size, line=WITNESS.signature(at, signature), at=at)


def revoke(kept: Kept) -> None:
    """A key's certificate, which stays where it is."""
    own = chains.a_private_key(chains.ORGANISATION_KEY).public_key().public_numbers()
    point = b"\x04" + own.x.to_bytes(32, "big") + own.y.to_bytes(32, "big")
    chain = (chains.Plan().make(), chains.an_issuing_ca())
    order(kept, OrderKey(label=ENROLLED, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=kept_book.PARTY), point)
    kept.act(EnrolCertificate(label=ENROLLED, chain=chain, anchors=(chains.TEST_ROOT,)))
    kept.act(ActivateKey(label=ENROLLED))
    kept.act(RevokeCertificate(label=ENROLLED, revoked_at=AT, because="the key's owner asked for it"))


def keep_sessions(kept: Kept) -> None:
    """One that is over, one that lasts."""
    party = PartyName("dcc")
    order(kept, OrderKey(label=PARENT, purpose=KeyPurpose.S1SP_SMETS1, party=party, eui=SMETS1_EUI), bytes(range(20)))
    kept.act(ActivateKey(label=PARENT))
    over = begin_session(kept.journal, 1)
    kept.act(RetireKey(label=over, because="it ended"))
    administer(kept.journal, ACTOR, SessionKeyDestroyed(label=over), AT)
    begin_session(kept.journal, 2)


def order(kept: Kept, act: OrderKey, public_key: bytes) -> None:
    """And the key is made."""
    kept.act(act)
    made = KeyGenerated(label=act.label, public_key=public_key, provenance=Provenance.GENERATED)
    administer(kept.journal, ACTOR, made, AT)


def begin_session(journal: Journal, number: int) -> KeyLabel:
    """On a handshake of its own; its key is made."""
    key, caller = a_dcc_key(KeyPurpose.SMETS1_TLS, public_key=a_point()), a_dcc_caller(TLS)
    content = decode(ContentKind.TLS_HANDSHAKE, b"\x01" + bytes([number]) * 32)
    permit = open_gates(decided(content, key), evidence_of(key))
    (signed,) = books.sign(journal, books.a_request(f"handshake-{number}", permit))
    asked = Beginning(
        request_id=RequestId(f"session-{number}"),
        parent=PARENT,
        device=DEVICE,
        handshake=signed.receipt.leaf_index,
        sha256=bytes([number]) * 32,
    )
    policy, identifier = packaged_policies()[KeyPurpose.S1SP_SMETS1], bytes([number]) * 20
    begun = act_of(policy, caller, asked, identifier=identifier, broker="run-1", at=AT + timedelta(microseconds=7))
    actor = Actor(identity=caller.identity, kind=caller.kind, party=caller.party)
    for act in (begun, SessionKeyMade(label=begun.label)):
        administer(journal, actor, act, AT + timedelta(microseconds=7))
    return begun.label
