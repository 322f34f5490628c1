"""Two tokens in one directory of SoftHSM, the security officer of the first, and keys that travel between them."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from keybroker.hsm.generate import generate_key
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.security_officer import Officer, child_process
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping import wrap_key
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, Provenance
from tests.hsm.intents import a_register
from tests.hsm.registered import a_bare_key
from tests.hsm.tokens import ROOT, SO_PIN, TokenPlace, add_softhsm_token, make_softhsm, opened
from tests.situations import a_policy

COMMAND = KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND
AGREEMENT = KeyPurpose.ACCESS_CONTROL_BROKER_MAC
SYMMETRIC = KeyPurpose.CONTINGENCY_SYMMETRIC
SMETS1 = KeyPurpose.DCO_SMETS1
PROFILE_TEXT = (ROOT / "hsm_profiles" / "softhsm2.toml").read_text()
HASHES: dict[WrapMechanism, type[HashAlgorithm]] = {
    WrapMechanism.RSA_OAEP_SHA1: SHA1,
    WrapMechanism.RSA_OAEP_SHA256: SHA256,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    source: Token
    destination: Token
    place: TokenPlace

    def officer(self, pin: str = SO_PIN) -> Officer:
        """Of the source."""
        return an_officer(self.place, pin)

    def wrapped(self, label: str, purpose: KeyPurpose, spki: bytes, *, authentication: bool = False) -> WrappedKey:
        """A new key of the source, wrapped to this recipient."""
        policy = a_policy(purpose)
        generate_key(self.source, KeyLabel(label), policy, signs_request=False, authentication=authentication)
        return wrap_key(self.source, KeyLabel(label), policy, recipient_spki=spki, officer=self.officer())


def an_officer(place: TokenPlace, pin: str = SO_PIN) -> Officer:
    return Officer(
        child_process(lambda: pin, place.environment),
        profile_name="softhsm2",
        profile=PROFILE_TEXT,
        library=place.library,
        token_label=place.label,
        token_serial=place.serial,
    )


@contextmanager
def a_transfer(directory: Path) -> Iterator[Transfer]:
    place = make_softhsm(directory, "source")
    add_softhsm_token(place.environment, "destination")
    with opened(place) as source:
        destination = place.open(token_label="destination", token_serial=_serial("destination"))
        yield Transfer(source=source, destination=destination, place=place)
        destination.close()


def _serial(label: str) -> str:
    shown = subprocess.run(["softhsm2-util", "--show-slots"], check=True, capture_output=True, text=True).stdout
    (slot,) = (each for each in shown.split("\nSlot ") if f" {label} " in each.replace("\n", " "))
    return slot.split("Serial number:")[1].split()[0]


def sealed_to(spki: bytes, octets: bytes, oaep: WrapMechanism = WrapMechanism.RSA_OAEP_SHA1) -> bytes:
    """RSA-OAEP on the host, as the process does that puts a quorum's shares together."""
    key = load_der_public_key(spki)
    assert isinstance(key, rsa.RSAPublicKey)
    return key.encrypt(octets, padding.OAEP(padding.MGF1(HASHES[oaep]()), HASHES[oaep](), None))


def opened_by(private: rsa.RSAPrivateKey, octets: bytes) -> bytes:
    sha1 = HASHES[WrapMechanism.RSA_OAEP_SHA1]
    return private.decrypt(octets, padding.OAEP(padding.MGF1(sha1()), sha1(), None))


def a_recipient(bits: int = 3072, exponent: int = 65537) -> tuple[rsa.RSAPrivateKey, bytes]:
    """A pair of the host: a ceremony's short-lived process, or a stranger."""
    private = rsa.generate_private_key(exponent, bits)
    return private, private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


PAIR = "transfer-1"
"""Of the destination, where a module of tests shares one."""


def unwrapped(transfer: Transfer, wrapped: WrappedKey, *, in_session: bool = False, pair: str = PAIR) -> RegisteredKey:
    """Unwrapped at the destination; gives the key as its register would hold it."""
    policy = a_policy(wrapped.purpose)
    made = unwrap_key(transfer.destination, wrapped, policy, pair=pair, label=wrapped.label, in_session=in_session)
    assert (made.identity, made.in_session) == (wrapped.identity, in_session)
    key = a_bare_key(wrapped.label, wrapped.identity, wrapped.purpose)
    return dataclasses.replace(key, provenance=Provenance.UNWRAPPED)


_versions = count(7000)


def served(token: Token, *keys: RegisteredKey) -> bool:
    return all(found.passed for found in token.served(a_register(*keys, version=next(_versions))).values())


def labels(token: Token) -> set[str]:
    return {each.label for each in list_objects(token)}
