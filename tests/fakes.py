"""The fake Cryptographic Module: keys of ``cryptography`` in memory, honest to ``CryptographicModule``.

It passes the same contract suite as SoftHSM and NSS (tests/hsm/test_contract.py). What it can do besides is what a real
module does badly: go away, sign with another key, fail after the key was used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.errors import ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.verify import Verifier
from keybroker.ledger.model import Failure, Head, Intent, Signature
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.terms import Finding, KeyLabel, RuleName


@dataclasses.dataclass(slots=True)
class FakeModule:
    """``away``: nothing can be reached. ``uses_then_fails``: the key is used and no answer comes. ``signs_wrongly``:
    by another key."""

    serial: str = "FAKE-0001"
    away: bool = False
    uses_then_fails: bool = False
    signs_wrongly: bool = False
    uses: int = 0
    _keys: list[tuple[str, ec.EllipticCurvePrivateKey, bool]] = dataclasses.field(default_factory=list)
    _head: Head | None = None

    def generate(self, label: str, *, weak: bool = False) -> bytes:
        """Make a key; gives its point (65 octets)."""
        return self.add(label, ec.generate_private_key(ec.SECP256R1()), weak=weak)

    def add(self, label: str, private_key: ec.EllipticCurvePrivateKey, *, weak: bool = False) -> bytes:
        """Take a key of the test's own; gives its point."""
        self._keys.append((label, private_key, weak))
        return _point(private_key)

    def sign(self, intents: Sequence[Intent]) -> list[Signature | Failure]:
        self._check_here()
        return [self._sign_one(intent) for intent in intents]

    def served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        self._check_here()
        return {label: self._finding(key) for label, key in register.keys.items()}

    def last_served(self, register: KeyRegister) -> Mapping[KeyLabel, Finding]:
        return {label: self._finding(key) for label, key in register.keys.items()}

    def read_anchor(self) -> Head | None:
        self._check_here()
        return self._head

    def write_anchor(self, head: Head) -> None:
        self._check_here()
        if self._head is not None and self._head.origin != head.origin:
            raise ModuleDisagrees("the module keeps the head of another ledger")
        if self._head is None or self._head.tree_size < head.tree_size:
            self._head = head

    def _check_here(self) -> None:
        if self.away:
            raise ModuleUnavailable("the module is away")

    def _finding(self, key: RegisteredKey) -> Finding:
        held = [(private_key, weak) for label, private_key, weak in self._keys if label == key.label]
        finding = Finding(rule=RuleName("key-served"), clause="G2.44", passed=True)
        if len(held) != 1:
            return dataclasses.replace(finding, passed=False, expected="exactly one key", found=str(len(held)))
        if _point(held[0][0]) != key.public_key:
            return dataclasses.replace(finding, passed=False, expected="the registered key", found="another")
        if held[0][1]:
            return dataclasses.replace(finding, passed=False, expected="a strong key", found="a weak one")
        return finding

    def _sign_one(self, intent: Intent) -> Signature | Failure:
        key = intent.spend().decision.key
        if not self._finding(key).passed:
            return self._failure(intent, ModuleDisagrees("the module does not hold the key that was judged"))
        (private_key,) = (private_key for label, private_key, _ in self._keys if label == key.label)
        if self.signs_wrongly:
            private_key = ec.generate_private_key(ec.SECP256R1())
        self.uses += 1
        if self.uses_then_fails:
            return self._failure(intent, ModuleUnavailable("the module went away", used=True))
        r, s = decode_dss_signature(private_key.sign(intent.digest, ec.ECDSA(Prehashed(SHA256()))))
        octets = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        try:
            Verifier(key.public_key).check(octets, intent.digest)
        except ModuleDisagrees as disagrees:
            return self._failure(intent, disagrees)
        return Signature(intent=intent, octets=octets, module_serial=self.serial)

    def _failure(self, intent: Intent, error: ModuleUnavailable | ModuleDisagrees) -> Failure:
        return Failure(intent=intent, error=error, module_serial=self.serial)


def _point(private_key: ec.EllipticCurvePrivateKey) -> bytes:
    return private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
