"""Known answers for every use but a signature, under throw-away session keys.

The module agrees a key with a pair that the host has just made, and both must come to the same octets. Nothing here is
done with a registered key. Handbook 1.7 to 1.9 for the layouts, SP 800-38D for Galois/Counter Mode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.use import Agreement, DecryptionUse, Enciphered, MacCheckUse, MacUse, OpeningUse, ProtectionUse
from keybroker.errors import ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.attributes import KeyAttribute
from keybroker.hsm.connection import Connection
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.processing import Process, Processing
from keybroker.hsm.profile import Profile

_LABEL = "keybroker known-answer test"
_ORIGINATOR, _DEVICE = b"\x00keybrok", b"er-probe"
# The layout of OtherInfo (handbook 1.8); mode 01, counter 1.
_OTHER_INFORMATION = bytes.fromhex("60857406080300") + _ORIGINATOR + b"\x09\x01" + bytes(7) + b"\x01" + _DEVICE
_IV = _ORIGINATOR + bytes(4)
_TEXT = b"\x11" + bytes(5) + b"keybroker known-answer test"


def check_mac(connection: Connection, profile: Profile) -> None:
    """Made as the host makes it; checked, and refused when one bit differs; deciphered as the host enciphered it.

    Raises: ModuleDisagrees; CallFailed.
    """
    private = {
        KeyAttribute.PRIVATE: True,
        KeyAttribute.SENSITIVE: True,
        KeyAttribute.EXTRACTABLE: False,
        KeyAttribute.SIGN: False,
        KeyAttribute.DERIVE: True,
    }
    handle, point, destroy = connection.generate_session_pair(_LABEL, private)
    try:
        held, process = HeldKey(handle=handle, identity=point), Processing(connection.login_session(), profile).process
        agreement, host = _agreed_on_host(point)
        _check_macs(agreement, host, held, process)
        _check_decryption(agreement, host, held, process)
    finally:
        destroy()


def _agreed_on_host(point: bytes) -> tuple[Agreement, AESGCM]:
    """A new pair of the host's: how to agree with it, and the key agreed, computed here."""
    pair = ec.generate_private_key(ec.SECP256R1())
    z = pair.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    key = hashlib.sha256(b"\x00\x00\x00\x01" + z + _OTHER_INFORMATION).digest()[:16]
    peer = pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Agreement(peer=peer, other_information=_OTHER_INFORMATION), AESGCM(key)


def _check_macs(agreement: Agreement, host: AESGCM, held: HeldKey, process: Process) -> None:
    whole = host.encrypt(_IV, b"", _TEXT)
    for octets in (12, 16):
        use = MacUse(agreement=agreement, initialisation_vector=_IV, authenticated=_TEXT, tag_octets=octets)
        if process(use, held) != (whole[:octets],):
            raise ModuleDisagrees("a MAC made in the module is not the one made on the host")
    check = MacCheckUse(agreement=agreement, initialisation_vector=_IV, authenticated=_TEXT, tag=whole[:12])
    _check_taken(lambda: process(check, held))
    _check_refused(lambda: process(replace(check, tag=_spoilt(check.tag)), held))


def _check_decryption(agreement: Agreement, host: AESGCM, held: HeldKey, process: Process) -> None:
    sealed = host.encrypt(_IV, _TEXT, b"\x31")[: len(_TEXT) + 12]
    item = Enciphered(authenticated=b"\x31", ciphertext=sealed[:-12], tag=sealed[-12:])
    use = DecryptionUse(agreement=agreement, initialisation_vector=_IV, items=(item, item))
    if _check_taken(lambda: process(use, held)) != (_TEXT, _TEXT):
        raise ModuleDisagrees("the module deciphers otherwise than the host enciphered")
    _check_refused(lambda: process(replace(use, items=(replace(item, tag=_spoilt(item.tag)),)), held))


def check_aes_gcm(connection: Connection, profile: Profile) -> None:
    """What is sealed opens, under the caller's vector: the same gives the same octets, another gives others.

    Raises: ModuleDisagrees; CallFailed.
    """
    session = connection.login_session()
    key = session.generate_aes_key()
    try:
        process = Processing(session, profile).process
        held = HeldKey(handle=key, identity=b"", authentication=b"keybroker-probe.")
        protection = ProtectionUse(initialisation_vector=_IV, authenticated=b"\x30", plaintext=_TEXT)
        (sealed,) = process(protection, held)
        (other,) = process(replace(protection, initialisation_vector=_IV[:-1] + b"\x01"), held)
        if process(protection, held) != (sealed,) or other[4:] == sealed[4:]:
            raise ModuleDisagrees("the initialisation vector is not the caller's")
        _check_opening(sealed, held, process)
    finally:
        session.destroy(key)


def _check_opening(sealed: bytes, held: HeldKey, process: Process) -> None:
    opening = OpeningUse(initialisation_vector=_IV, authenticated=b"\x30", ciphertext=sealed[4:-12], tag=sealed[-12:])
    if _check_taken(lambda: process(opening, held)) != (_TEXT,):
        raise ModuleDisagrees("the module opens otherwise than it sealed")
    _check_refused(lambda: process(replace(opening, tag=_spoilt(opening.tag)), held))
    _check_refused(lambda: process(replace(opening, ciphertext=_spoilt(opening.ciphertext)), held))
    _check_refused(lambda: process(replace(opening, authenticated=b"\x31"), held))


def _check_taken(use: Callable[[], tuple[bytes, ...]]) -> tuple[bytes, ...]:
    try:
        return use()
    except ProtectionInvalid as error:
        raise ModuleDisagrees("the module refuses a tag that is right") from error


def _check_refused(use: Callable[[], tuple[bytes, ...]]) -> None:
    try:
        use()
    except ProtectionInvalid:
        return
    raise ModuleDisagrees("the module takes a tag that is not right")


def _spoilt(octets: bytes) -> bytes:
    return bytes([octets[0] ^ 0x01]) + octets[1:]
