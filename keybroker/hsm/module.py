"""The one thing the line needs of a Cryptographic Module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keybroker.gates.model import ModuleIdentity
from keybroker.ledger.model import Failure, Head, Intent, Result
from keybroker.policy.model import KeyRegister
from keybroker.terms import Finding, KeyLabel


class CryptographicModule(Protocol):
    """A token that holds keys and uses them under Intents.

    ``use`` takes durable Intents and nothing else: no handle, no digest, no octets. It spends each, does what its
    Content says (a signature with CKM_ECDSA over the digest that its record holds, PKCS#11 v3.0 §2.3.6; or a MAC, a
    decryption, a protected instruction), checks every result and answers each in order. It raises only what is wrong
    with the whole module, before any intent is spent.
    """

    @property
    def serial(self) -> str: ...

    @property
    def identity(self) -> ModuleIdentity:
        """What the module reports of itself now, and the site that the configuration says it is at."""
        ...

    def use(self, intents: Sequence[Intent]) -> list[Result | Failure]: ...

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
