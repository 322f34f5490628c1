"""The key register as it is committed: what policy judges with, built once for each version of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from keybroker.keys.sessions import facts_of_sessions, keys_but_ended_sessions
from keybroker.keys.standing import read_standing
from keybroker.keys.trust import read_lists
from keybroker.ledger import tables
from keybroker.ledger.reading import Reader
from keybroker.ledger.store import from_seconds
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import CertificateFacts, KeyRegister, RegisteredKey, SessionFacts
from keybroker.policy.trust import Anchor
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, KeyState, PartyName, Provenance

_USED_BY_CERTIFICATE = frozenset({KeyState.ACTIVE, KeyState.SUSPENDED})


class Register:
    """Reads the register from the ledger. Every chain is verified up to an anchor, once for each version."""

    def __init__(self, ledger: Reader, anchors: Sequence[Anchor]) -> None:
        self._ledger = ledger
        self._anchors = tuple(anchors)
        self._lock = threading.Lock()
        self._last: KeyRegister | None = None
        self._unfit: Mapping[KeyLabel, str] = {}

    def current(self) -> KeyRegister:
        """The register as last read; the journal notices when it has moved since. Raises: LedgerFault."""
        return self._last or self.refresh()

    def refresh(self) -> KeyRegister:
        """The register as it is committed now. Raises: LedgerFault."""
        with self._lock, self._ledger.read() as connection:
            version = connection.execute(select(tables.head.c.register_version)).scalar_one()
            if self._last is None or self._last.version != version:
                self._last = self._read(connection, version)
            return self._last

    @property
    def unfit(self) -> Mapping[KeyLabel, str]:
        """Why the chains of some keys do not verify. Such a key is at best ``enrolling``, and signs nothing."""
        return self._unfit

    def _read(self, connection: Connection, version: int) -> KeyRegister:
        chains: dict[str, list[bytes]] = {}
        ordered = select(tables.certificate).order_by(tables.certificate.c.label, tables.certificate.c.position)
        for row in connection.execute(ordered):
            chains.setdefault(row.label, []).append(row.der)
        unfit: dict[KeyLabel, str] = {}
        sessions = facts_of_sessions(connection)
        rows = list(connection.execute(keys_but_ended_sessions()))
        states = {row.label: KeyState(row.state) for row in rows}
        keys = [
            self._key(row, chains.get(row.label, []), unfit, sessions.get(row.label))
            for row in rows
            # A session's key goes with its parent's: an operator who suspends that ends what stands on it.
            if row.label not in sessions or states.get(sessions[row.label].parent) is KeyState.ACTIVE
        ]
        self._unfit = unfit
        # A key that was only ordered has no public key: it cannot be judged, and is not in this register.
        return KeyRegister(
            version=version,
            keys={key.label: key for key in keys if key.public_key},
            lists=read_lists(connection, self._anchors),
            standing=read_standing(connection),
        )

    def _key(
        self, row: Any, chain: Sequence[bytes], unfit: dict[KeyLabel, str], session: SessionFacts | None
    ) -> RegisteredKey:
        label, state = KeyLabel(row.label), KeyState(row.state)
        facts: CertificateFacts | None = None
        if chain:
            try:
                revoked_at = None if row.revoked_at is None else from_seconds(row.revoked_at)
                facts = read_chain(chain, self._anchors, revoked_at=revoked_at)
            except CertificateUnfit as error:
                # Closed for this key, not for its neighbours.
                unfit[label] = error.sentence
                state = KeyState.ENROLLING if state in _USED_BY_CERTIFICATE else state
        eui = EntityIdentifier(row.eui) if row.eui else None
        return RegisteredKey(
            label=label,
            purpose=KeyPurpose(row.purpose),
            party=PartyName(row.party),
            state=state,
            provenance=Provenance(row.provenance or Provenance.GENERATED),
            public_key=row.public_key or b"",
            eui=facts.eui if facts else eui,
            certificate=facts,
            session=session,
            activated_at=None if row.activated_at is None else from_seconds(row.activated_at),
            uses_before=row.uses_before or 0,
        )
