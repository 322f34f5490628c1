"""Does this module hold the key, now? Proven by a use of it that can be no message's, over a nonce that others drew.

Digital Signing keys prove it by their Certificate Signing Request, on the line. What stands here is for the others.

Key Agreement: ECDH with a witness's fresh key, then the one-step KDF whose OtherInfo begins with our own words; GBCS's
begins with 60857406080300 (handbook 1.8), so no message has ever been protected under the key that comes out. The
witness computes the same on the host: what it verifies is that the holder of the public key answered this nonce.

Symmetric: an AES-GCM tag over our own words and the nonce. Its initialisation vector begins with FF. Those of messages
begin with a system title: an EUI-64 of one device or party, whose first octet is even (IEEE 802: FF is a group
address), or three letters of ASCII (IEC 62056-5-3); so none is shared with a message, and none repeats, for
eleven octets are drawn in the module and never given to it (a repeated one gives the authentication key away, SP
800-38D §8). Only another holder of the key can check it, and does so in its module.

SEC G2.22G, G2.22I(b): both sides of a transfer; nothing here decides whether one may be.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.clause import clause
from keybroker.content.use import Agreement
from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.agreed_secrets import AgreedSecrets
from keybroker.hsm.agreement import agreed_key
from keybroker.hsm.connection import Connection
from keybroker.hsm.galois import ModuleGalois, TagWrong
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.profile import Profile
from keybroker.hsm.token_module import Token
from keybroker.policy.model import Policy
from keybroker.terms import KeyAlgorithm, KeyLabel

DOMAIN = b"keybroker possession v1"
NONCE_OCTETS = 32
TAG_OCTETS = 16
_DRAWN_OCTETS = 11
_IV_OCTETS = 12


def prove_agreement(token: Token, label: KeyLabel, policy: Policy, witness_public: bytes, nonce: bytes) -> bytes:
    """The tag (16 octets) by the key of this label; ``witness_public`` is a fresh point (65 octets), ``nonce`` 32.

    Raises: ModuleDisagrees, also for a witness that is not on P-256; ModuleFault.
    """
    _check_asked(policy, KeyAlgorithm.ECDH, nonce)
    with token.exclusively() as connection:
        held = _held_pair(connection, label)
        return agreement_tag(connection, token.profile, held, witness_public, nonce)


@clause("G2.22I(b)")
def check_agreement(public_point: bytes, witness_private: ec.EllipticCurvePrivateKey, nonce: bytes, tag: bytes) -> None:
    """The witness's side, on the host. Raises: ProtectionInvalid."""
    witness_public = witness_private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_point)
    except ValueError as error:
        raise ProtectionInvalid("the public key whose possession was to be proven is not on P-256") from error
    z = witness_private.exchange(ec.ECDH(), theirs)
    information = _other_information(public_point, witness_public, nonce)
    key = hashlib.sha256(b"\x00\x00\x00\x01" + z + information).digest()[:16]
    expected = AESGCM(key).encrypt(bytes(_IV_OCTETS), b"", _authenticated(nonce))
    if not hmac.compare_digest(expected, tag):
        raise ProtectionInvalid("the proof is not one by the private key of this public key over this nonce")


def prove_symmetric(token: Token, label: KeyLabel, policy: Policy, nonce: bytes) -> bytes:
    """Eleven octets drawn in the module and the tag: 27 octets. Raises: ModuleFault, ModuleDisagrees among them."""
    _check_asked(policy, KeyAlgorithm.AES_GCM, nonce)
    with token.exclusively() as connection:
        return symmetric_proof(connection, _held_secret(connection, label), nonce)


def check_symmetric(token: Token, label: KeyLabel, policy: Policy, nonce: bytes, proof: bytes) -> None:
    """By the same key in this module. Raises: ProtectionInvalid; ModuleFault."""
    _check_asked(policy, KeyAlgorithm.AES_GCM, nonce)
    with token.exclusively() as connection:
        check_symmetric_proof(connection, token.profile, _held_secret(connection, label), nonce, proof)


def agreement_tag(
    connection: Connection, profile: Profile, held: HeldKey, witness_public: bytes, nonce: bytes
) -> bytes:
    """``prove_agreement`` by a key that was found already. Raises: CallFailed; ModuleDisagrees."""
    # Nothing of it is kept: the witness's key lives for this one proof.
    secrets = AgreedSecrets(connection.login_session(), most=0, seconds=0)
    agreement = Agreement(
        peer=witness_public, other_information=_other_information(held.identity, witness_public, nonce)
    )
    with agreed_key(profile.mac.strategy, secrets, held, agreement, also_tag_wrong=frozenset()) as agreed:
        # The key is of this nonce alone, so one initialisation vector is as good as another.
        return agreed.seal(bytes(_IV_OCTETS), _authenticated(nonce), b"", TAG_OCTETS)


def symmetric_proof(connection: Connection, key: int, nonce: bytes) -> bytes:
    """``prove_symmetric`` by the key of this handle. Raises: CallFailed; ModuleDisagrees."""
    drawn = connection.random(_DRAWN_OCTETS)
    return drawn + connection.login_session().seal(key, b"\xff" + drawn, _authenticated(nonce), b"", TAG_OCTETS)


def check_symmetric_proof(connection: Connection, profile: Profile, key: int, nonce: bytes, proof: bytes) -> None:
    """``check_symmetric`` by the key of this handle. Raises: ProtectionInvalid; CallFailed."""
    drawn, tag = proof[:_DRAWN_OCTETS], proof[_DRAWN_OCTETS:]
    if len(tag) != TAG_OCTETS:
        raise ProtectionInvalid("a proof has 27 octets")
    wrong = frozenset(profile.aes_gcm.also_tag_wrong)
    galois = ModuleGalois(session=connection.login_session(), key=key, also_tag_wrong=wrong)
    try:
        # Opened and not made again: what is sealed under a vector that somebody else chose is given to nobody.
        galois.open(b"\xff" + drawn, _authenticated(nonce), tag, TAG_OCTETS)
    except TagWrong as error:
        raise ProtectionInvalid("the proof is not one by this key over this nonce") from error


def _other_information(public_point: bytes, witness_public: bytes, nonce: bytes) -> bytes:
    return DOMAIN + hashlib.sha256(public_point + witness_public + nonce).digest()


def _authenticated(nonce: bytes) -> bytes:
    return DOMAIN + nonce


def _check_asked(policy: Policy, algorithm: KeyAlgorithm, nonce: bytes) -> None:
    if policy.algorithm is not algorithm:
        raise ConfigurationInvalid(f"a key for {policy.purpose} proves nothing by {algorithm}")
    if len(nonce) != NONCE_OCTETS:
        raise ConfigurationInvalid(f"a nonce has {NONCE_OCTETS} octets, found {len(nonce)}")


def _held_pair(connection: Connection, label: KeyLabel) -> HeldKey:
    private, public = connection.find_private(label), connection.find_public(label)
    if (len(private), len(public)) != (1, 1):
        raise ModuleDisagrees("the module does not hold exactly one pair of this label")
    return HeldKey(handle=private[0].handle, identity=public[0].point)


def _held_secret(connection: Connection, label: KeyLabel) -> int:
    found = connection.find_secret(label)
    if len(found) != 1:
        raise ModuleDisagrees("the module does not hold exactly one secret key of this label")
    return found[0].handle
