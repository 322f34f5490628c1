"""Is this r || s a signature of this digest by this key? With ``cryptography`` on the host (invariant 4: verified
before it leaves)."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.errors import ModuleDisagrees

_ECDSA_PREHASHED = ec.ECDSA(Prehashed(SHA256()))


class Verifier:
    """One public key, read once: the point is checked to be on P-256 when it is made, which costs as much as a
    verification."""

    __slots__ = ("_public_key", "public_point")

    def __init__(self, public_point: bytes) -> None:
        """Raises: ValueError when the octets are not an uncompressed point (65 octets) on P-256."""
        if len(public_point) != 65:
            raise ValueError(f"an uncompressed P-256 point has 65 octets, found {len(public_point)}")
        self._public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_point)
        self.public_point = public_point

    def check(self, signature: bytes, digest: bytes) -> None:
        """``signature`` r || s, 64 octets; ``digest`` 32 octets. Raises: ModuleDisagrees (the key was used)."""
        if len(signature) != 64:
            raise ModuleDisagrees(
                f"expected a signature of 64 octets, found {len(signature)}; it is withheld", used=True
            )
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._public_key.verify(encode_dss_signature(r, s), digest, _ECDSA_PREHASHED)
        except InvalidSignature as error:
            raise ModuleDisagrees(
                "the module's signature does not verify with the registered public key; it is withheld", used=True
            ) from error
