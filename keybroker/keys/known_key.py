"""What does the register say of a key, whatever its state? A value: ``known.py`` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.gates.approvals import fingerprint_of
from keybroker.terms import KeyPurpose, KeyState, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key as the register has it. ``public_key`` is empty while it is only ordered."""

    label: str
    purpose: KeyPurpose
    party: str
    state: KeyState
    provenance: Provenance
    public_key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of its public key (65 octets), or of a secret key's CKA_ID."""
        return fingerprint_of(self.public_key) if self.public_key else ""
