"""What was sealed for one person, so that only his key opens it and nobody changed it? CMS AuthEnvelopedData. Pure.

RFC 5083 and 5084: the octets under AES-256-GCM with a key of their own, that key to the one recipient by RSAES-OAEP
with SHA-256 and MGF1 with SHA-256 (RFC 4055 §4.1). The content is id-data without further attributes, so the tag covers
all of it; what stands around it is written in one way alone and compared (``cms_form.py``). A seal says for whom it is,
not who made it: what must be told apart from a stranger's is signed first (``signed_data.py``).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256 as HASH

from keybroker.ceremony.cms_form import (
    CONTEXT_0,
    CONTEXT_0_PRIMITIVE,
    CONTEXT_1,
    DATA,
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    SHA256,
    content_info,
    content_of,
    element,
    issuer_and_serial,
    oid,
    reading,
    unfit,
)

LONGEST = 1024 * 1024
"""Octets of a whole envelope."""
RSA_BITS = 3072

OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=HASH()), algorithm=HASH(), label=None)
"""How the key is carried, for whoever holds the recipient's key in a file."""

Unwrap = Callable[[bytes], bytes]
"""RSAES-OAEP decryption with the recipient's private key: 384 octets to the AES key. Raises: ValueError, CmsUnfit."""

_KEY_OCTETS, _NONCE_OCTETS, _TAG_OCTETS = 32, 12, 16
_AUTH_ENVELOPED_DATA = oid("1.2.840.113549.1.9.16.1.23")
_SHA256_NULL = element(SEQUENCE, SHA256, element(NULL))
_MGF1_SHA256 = element(SEQUENCE, oid("1.2.840.113549.1.1.8"), _SHA256_NULL)
_RSAES_OAEP = element(
    SEQUENCE,
    oid("1.2.840.113549.1.1.7"),
    element(SEQUENCE, element(CONTEXT_0, _SHA256_NULL), element(CONTEXT_1, _MGF1_SHA256)),
)
_AES256_GCM = oid("2.16.840.1.101.3.4.1.46")
_VERSION_0 = element(INTEGER, b"\x00")
_CANNOT = "an envelope that this key opens, unchanged since it was sealed"


def seal(octets: bytes, recipient_certificate_der: bytes, draw: Callable[[int], bytes]) -> bytes:
    """``octets`` for the holder of this certificate alone; ``draw`` gives that many random octets (key and nonce; the
    seed of OAEP is OpenSSL's own).

    Raises: CmsUnfit for what is no certificate of an RSA key of 3072 bits.
    """
    key, nonce = draw(_KEY_OCTETS), draw(_NONCE_OCTETS)
    wrapped = receiving_key_of(recipient_certificate_der).encrypt(key, OAEP)
    sealed = AESGCM(key).encrypt(nonce, octets, None)
    return _write(recipient_certificate_der, wrapped, nonce, sealed[:-_TAG_OCTETS], sealed[-_TAG_OCTETS:])


def open_envelope(der: bytes, certificate_der: bytes, unwrap: Unwrap) -> bytes:
    """What was sealed for the holder of this certificate; one refusal for every way of not being able to.

    Raises: CmsUnfit; whatever else ``unwrap`` raises where the key cannot be used.
    """
    if len(der) > LONGEST:
        raise unfit(f"at most {LONGEST} octets", str(len(der)))
    wrapped, nonce, ciphertext, tag = reading(lambda: _read(der), "an AuthEnvelopedData of ours")
    if _write(certificate_der, wrapped, nonce, ciphertext, tag) != der:
        raise unfit("an envelope exactly as it is written here, to this certificate", "another, or to somebody else")
    numbers = receiving_key_of(certificate_der).public_numbers()
    if (len(nonce), len(tag), len(wrapped)) != (_NONCE_OCTETS, _TAG_OCTETS, RSA_BITS // 8):
        raise unfit("nonce, tag and wrapped key of 12, 16 and 384 octets", "others")
    # RFC 8017 §5.1.2: a representative is below the modulus, so that a key is wrapped in one way alone.
    if int.from_bytes(wrapped, "big") >= numbers.n:
        raise unfit(_CANNOT, "another")
    try:
        return AESGCM(unwrap(wrapped)).decrypt(nonce, ciphertext + tag, None)
    except (ValueError, InvalidTag) as error:
        raise unfit(_CANNOT, "another") from error


def receiving_key_of(certificate: bytes) -> rsa.RSAPublicKey:
    """Raises: CmsUnfit for what is no certificate (DER) of an RSA key of 3072 bits and exponent 65537."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise unfit("a certificate in DER", "something else") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != RSA_BITS or key.public_numbers().e != 65537:
        raise unfit(f"a receiving certificate (RSA, {RSA_BITS} bits)", "that of another key")
    return key


def openssl_decrypt(envelope: str, certificate: str, private_key: str, document: str) -> str:
    """What the recipient types to open it without us, where his key is a file; OpenSSL from 3.0 on."""
    names = [shlex.quote(name) for name in (envelope, private_key, certificate, document)]
    return "openssl cms -decrypt -binary -inform DER -in {} -inkey {} -recip {} -out {}".format(*names)


def _write(certificate: bytes, wrapped: bytes, nonce: bytes, ciphertext: bytes, tag: bytes) -> bytes:
    recipient = element(
        SEQUENCE,
        _VERSION_0,
        element(SEQUENCE, *issuer_and_serial(certificate)),
        _RSAES_OAEP,
        element(OCTET_STRING, wrapped),
    )
    # aes-ICVlen is 12 where it is left out (RFC 5084 §3.2).
    parameters = element(SEQUENCE, element(OCTET_STRING, nonce), element(INTEGER, bytes([_TAG_OCTETS])))
    encrypted = element(
        SEQUENCE, DATA, element(SEQUENCE, _AES256_GCM, parameters), element(CONTEXT_0_PRIMITIVE, ciphertext)
    )
    sealed = element(SEQUENCE, _VERSION_0, element(SET, recipient), encrypted, element(OCTET_STRING, tag))
    return content_info(_AUTH_ENVELOPED_DATA, sealed)


def _read(der: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """What varies: wrapped key, nonce, ciphertext, tag; the rest is compared. Raises: ContentMalformed."""
    sealed = content_of(der)
    sealed.take(INTEGER, "a version")
    recipients = sealed.inside(sealed.take(SET, "recipients"))
    recipient = recipients.inside(recipients.take(SEQUENCE, "a recipient by key transport"))
    recipient.take(INTEGER, "a version")
    recipient.take(SEQUENCE, "issuer and serial number")
    recipient.take(SEQUENCE, "RSAES-OAEP")
    wrapped = recipient.take(OCTET_STRING, "a wrapped key")
    encrypted = sealed.inside(sealed.take(SEQUENCE, "an encrypted content"))
    encrypted.take(OID, "a content type")
    algorithm = encrypted.inside(encrypted.take(SEQUENCE, "AES-256-GCM"))
    algorithm.take(OID, "AES-256-GCM")
    parameters = algorithm.inside(algorithm.take(SEQUENCE, "its parameters"))
    nonce = parameters.take(OCTET_STRING, "a nonce")
    ciphertext = encrypted.take(CONTEXT_0_PRIMITIVE, "a ciphertext")
    tag = sealed.take(OCTET_STRING, "a tag")
    wrapped_octets, nonce_octets, ciphertext_octets, tag_octets = (
        der[each.content : each.end] for each in (wrapped, nonce, ciphertext, tag)
    )
    return wrapped_octets, nonce_octets, ciphertext_octets, tag_octets
