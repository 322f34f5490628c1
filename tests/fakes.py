"""The fake Cryptographic Module: keys of ``cryptography`` in memory, honest to ``CryptographicModule``.

It passes the same contract suite as SoftHSM and NSS (tests/hsm/test_contract.py). What it can do besides is what a real
module does badly: go away, sign with another key, fail after the key was used. Its session (``FakeSession``) has what
no token at hand has, CKD_SHA256_KDF_SP800, and so runs the strategy in-module-kdf.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.use import UseKind
from keybroker.content.uses import use_of
from keybroker.errors import KeybrokerError, ModuleDisagrees, ModuleUnavailable, ProtectionInvalid
from keybroker.gates.key_served import served
from keybroker.gates.model import ModuleIdentity
from keybroker.hsm.connection import Derived
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.processing import Processing
from keybroker.hsm.profile import Profile, read_profile
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.return_values import CallFailed, return_value
from keybroker.hsm.verify import Verifier
from keybroker.ledger.model import Failure, Head, Intent, Product, Result, Signature
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.terms import Finding, KeyLabel

_Key = ec.EllipticCurvePrivateKey | bytes
_SOFTHSM = Path(__file__).parent.parent / "hsm_profiles" / "softhsm2.toml"


@dataclasses.dataclass(slots=True)
class FakeModule:
    """``away``: nothing can be reached. ``uses_then_fails``: the key is used and no answer comes. ``signs_wrongly``:
    by another key. What it reports of itself is a good module's of level 3, each string to be set."""

    serial: str = "FAKE-0001"
    manufacturer: str = "Example Modules"
    model: str = "EM-3"
    firmware_version: str = "7.4"
    hardware_version: str = "2.0"
    library: str = "Example Modules Cryptoki 3.0"
    level: int = 3
    site: str = "test-site"
    away: bool = False
    uses_then_fails: bool = False
    signs_wrongly: bool = False
    uses: int = 0
    _keys: list[tuple[str, _Key, bytes, bool]] = dataclasses.field(default_factory=list)
    _authentication: dict[str, bytes] = dataclasses.field(default_factory=dict)
    _head: Head | None = None

    @property
    def identity(self) -> ModuleIdentity:
        return ModuleIdentity(
            manufacturer=self.manufacturer,
            model=self.model,
            serial=self.serial,
            firmware_version=self.firmware_version,
            hardware_version=self.hardware_version,
            library=self.library,
            level=self.level,
            site=self.site,
        )

    def generate(self, label: str, *, weak: bool = False) -> bytes:
        """Make a key; gives its point (65 octets)."""
        return self.add(label, ec.generate_private_key(ec.SECP256R1()), weak=weak)

    def add(self, label: str, private_key: ec.EllipticCurvePrivateKey, *, weak: bool = False) -> bytes:
        """Take a key of the test's own; gives its point."""
        self._keys.append((label, private_key, _point(private_key), weak))
        return _point(private_key)

    def add_secret(self, label: str, key: bytes, *, authentication: bytes | None = None) -> bytes:
        """Take an AES key (16 octets), with its DLMS authentication key; gives its CKA_ID (20 octets)."""
        identity = secrets.token_bytes(20)
        self._keys.append((label, key, identity, False))
        if authentication is not None:
            self._authentication[label] = authentication
        return identity

    def weaken(self) -> None:
        """Every key gets weaker attributes than its purpose demands."""
        self._keys[:] = [(label, key, identity, True) for label, key, identity, _ in self._keys]

    def use(self, intents: Sequence[Intent]) -> list[Result | Failure]:
        self._check_here()
        return [self._use_one(intent) for intent in intents]

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
        if self._head is not None and self._head.tree_size > head.tree_size:
            raise ModuleDisagrees(f"the ledger has {head.tree_size} records, the module remembers more")
        if self._head is None or self._head.tree_size < head.tree_size:
            self._head = head

    def _check_here(self) -> None:
        if self.away:
            raise ModuleUnavailable("the module is away")

    def _finding(self, key: RegisteredKey) -> Finding:
        held = [(identity, weak) for label, _, identity, weak in self._keys if label == key.label]
        finding = served("G2.44")
        if len(held) != 1:
            return dataclasses.replace(finding, passed=False, expected="exactly one key", found=str(len(held)))
        if held[0][0] != key.public_key:
            return dataclasses.replace(finding, passed=False, expected="the registered key", found="another")
        if held[0][1]:
            return dataclasses.replace(finding, passed=False, expected="a strong key", found="a weak one")
        return finding

    def _use_one(self, intent: Intent) -> Result | Failure:
        decision = intent.spend().decision
        if not self._finding(decision.key).passed:
            return self._failure(intent, ModuleDisagrees("the module does not hold the key that was judged"))
        (key,) = (key for label, key, _, _ in self._keys if label == decision.key.label)
        self.uses += 1
        if self.uses_then_fails:
            return self._failure(intent, ModuleUnavailable("the module went away", used=True))
        try:
            if decision.content.use_kind is UseKind.SIGNATURE:
                return self._signature(intent, key, decision.key)
            return self._product(intent, key, decision.key)
        except (ModuleDisagrees, ProtectionInvalid) as error:
            return self._failure(intent, error)

    def _signature(self, intent: Intent, key: _Key, registered: RegisteredKey) -> Signature:
        if self.signs_wrongly:
            key = ec.generate_private_key(ec.SECP256R1())
        if isinstance(key, bytes):
            raise ModuleDisagrees("a symmetric key signs nothing")
        octets = _sign(key, intent.digest)
        Verifier(registered.public_key).check(octets, intent.digest)
        return Signature(intent=intent, octets=octets, module_serial=self.serial)

    def _product(self, intent: Intent, key: _Key, registered: RegisteredKey) -> Product:
        content = intent.permit.decision.content
        session = FakeSession()
        held = HeldKey(
            handle=session.hold(key),
            identity=registered.public_key,
            authentication=self._authentication.get(registered.label),
        )
        outputs = Processing(session, fake_profile()).process(use_of(content, intent.counter, registered.eui), held)
        kept = content.use_kind.result_is_kept
        return Product(intent=intent, outputs=outputs, module_serial=self.serial, kept=kept)

    def _failure(self, intent: Intent, error: KeybrokerError) -> Failure:
        return Failure(intent=intent, error=error, module_serial=self.serial)


def fake_profile(strategy: MacStrategy = MacStrategy.IN_MODULE_KDF, **mac: object) -> Profile:
    """SoftHSM's profile but for the way keys are agreed."""
    profile = read_profile(_SOFTHSM.read_bytes(), name="softhsm2")
    changes = {"strategy": strategy, "agreed_secrets": 0, "agreed_secret_seconds": 0} | mac
    return dataclasses.replace(profile, mac=profile.mac.model_copy(update=changes))


@dataclasses.dataclass(slots=True)
class FakeSession:
    """A session as ``hsm.connection`` has it, on the host. ``fails``: this call answers with this return value;
    ``wrongly``: ciphertexts and tags come out with one bit changed. ``calls`` are their names in order."""

    fails: dict[str, int] = dataclasses.field(default_factory=dict)
    wrongly: bool = False
    calls: list[str] = dataclasses.field(default_factory=list)
    objects: dict[int, _Key] = dataclasses.field(default_factory=dict)
    _made: int = 0

    def hold(self, key: _Key) -> int:
        self._made += 1
        self.objects[self._made] = key
        return self._made

    def sign(self, key: int, digest: bytes) -> bytes:
        self._call("C_SignInit", "C_Sign")
        private_key = self.objects[key]
        assert isinstance(private_key, ec.EllipticCurvePrivateKey)
        return _sign(private_key, digest)

    def agree(self, base_key: int, peer: bytes, *, kdf: int, shared: bytes, derived: Derived) -> int:
        self._call("C_DeriveKey")
        private_key = self.objects[base_key]
        assert isinstance(private_key, ec.EllipticCurvePrivateKey)
        z = private_key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer))
        match kdf, derived:
            case 0x01, Derived.SECRET:
                return self.hold(z)
            case 0x10, Derived.AES_KEY:
                return self.hold(hashlib.sha256(bytes(3) + b"\x01" + z + shared).digest()[:16])
        raise CallFailed(return_value(0x71), call="C_DeriveKey")

    def concatenate(self, base_key: int, octets: bytes, *, octets_first: bool) -> int:
        self._call("C_DeriveKey")
        base = self._secret(base_key)
        return self.hold(octets + base if octets_first else base + octets)

    def hash_to_aes_key(self, base_key: int) -> int:
        self._call("C_DeriveKey")
        return self.hold(hashlib.sha256(self._secret(base_key)).digest()[:16])

    def generate_aes_key(self) -> int:
        self._call("C_GenerateKey")
        return self.hold(secrets.token_bytes(16))

    def destroy(self, handle: int) -> None:
        self._call("C_DestroyObject")
        del self.objects[handle]

    def seal(self, key: int, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        self._call("C_EncryptInit", "C_Encrypt")
        sealed = AESGCM(self._secret(key)).encrypt(iv, plaintext, authenticated)[: len(plaintext) + tag_octets]
        return bytes([sealed[0] ^ 1]) + sealed[1:] if self.wrongly else sealed

    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        self._call("C_DecryptInit", "C_Decrypt")
        tag = sealed[-tag_octets:]
        decryptor = Cipher(AES128(self._secret(key)), GCM(iv, tag, min_tag_length=tag_octets)).decryptor()
        decryptor.authenticate_additional_data(authenticated)
        try:
            return decryptor.update(sealed[:-tag_octets]) + decryptor.finalize()
        except InvalidTag as error:
            raise CallFailed(return_value(0x40), call="C_Decrypt") from error

    def digest_with_key(self, before: bytes, key: int, after: bytes) -> bytes:
        self._call("C_DigestInit", "C_DigestKey")
        return hashlib.sha256(before + self._secret(key) + after).digest()

    def _secret(self, handle: int) -> bytes:
        key = self.objects[handle]
        assert isinstance(key, bytes)
        return key

    def _call(self, *names: str) -> None:
        for name in names:
            self.calls.append(name)
            if name in self.fails:
                raise CallFailed(return_value(self.fails[name]), call=name)


def _sign(private_key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    r, s = decode_dss_signature(private_key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _point(private_key: ec.EllipticCurvePrivateKey) -> bytes:
    return private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
