"""The one thing the line needs of a Cryptographic Module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keybroker.ledger.model import Failure, Head, Intent, Signature
from keybroker.policy.model import KeyRegister
from keybroker.terms import Finding, KeyLabel


class CryptographicModule(Protocol):
    """A token that holds private keys and signs under Intents.

    ``sign`` takes durable Intents and nothing else: no handle, no digest, no octets. It spends each, signs the digest
    that its record holds with CKM_ECDSA (PKCS#11 v3.0 §2.3.6), verifies every result with the register's public key
    and answers each in order. It raises only what is wrong with the whole module, before any intent is spent.
    """

    @property
    def serial(self) -> str: ...

    def sign(self, intents: Sequence[Intent]) -> list[Signature | Failure]: ...

    def served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        """Per registered key: is it in the module, the same public key, with attributes at least as strong as its
        purpose demands?"""
        ...

    def last_served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        """The same as last found, without asking the module; nothing of a key that was not looked for yet."""
        ...

    def read_anchor(self) -> Head | None:
        """The last head of the ledger kept in the token, None where none was ever written."""
        ...

    def write_anchor(self, head: Head) -> None: ...
