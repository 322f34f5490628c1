"""Certificates and requests for tests, composed without ``keybroker.content`` (RFC 5280, RFC 2986).

``compose()`` is a good TBSCertificate of the Issuing OCA of ``tests.policy.chains``, ``compose_info()`` the request for
it; every part can be given, and given wrong. ``sign`` puts a signature to either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.content.model import Accompanying
from keybroker.terms import AccompanyingKind
from tests import lists, messages
from tests.lists import extension, utc
from tests.messages import der, der_integer
from tests.policy import chains
from tests.situations import AT

SUBJECT_KEY = chains.ORGANISATION_KEY
SERIAL = 0x7A1B2C3D4E5F60718293A4B5C6D7E8F9
UNTIL = datetime(2034, 12, 31, 23, 59, 59, tzinfo=UTC)
TRUE, FALSE = der(0x01, b"\xff"), der(0x01, b"\x00")
USAGE, SKI = bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d0e")
CONSTRAINTS, POLICIES = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d20")
POLICY = bytes.fromhex("060d2a863a0001848fb90f01020104")
"""1.2.826.0.1.8641679.1.2.1.4, the test arc."""
APEX = bytes.fromhex("06082b06010505070114")
DIGITAL_SIGNATURE, KEY_AGREEMENT, BOTH = (bytes.fromhex(bits) for bits in ("03020780", "03020308", "03020388"))
CERTIFICATE_SIGNING = bytes.fromhex("03020106")
WRAPPED = der(0x30, der(0x30, bytes.fromhex("0609608648016503040106")), der(0x04, b"a wrapped key"))
"""An ApexContingencyKey, as RFC 5934 has it."""

EC = "06072a8648ce3d0201"
"""id-ecPublicKey."""
_OU, _CN, _UID = (bytes.fromhex(f"060355{end}") for end in ("040b", "0403", "042d"))


def point(scalar: int = SUBJECT_KEY) -> bytes:
    key = chains.a_private_key(scalar).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def spki(public_key: bytes | None = None, *, curve: str = "06082a8648ce3d030107", algorithm: str = EC) -> bytes:
    bits = der(0x03, b"\x00", public_key or point())
    return der(0x30, der(0x30, bytes.fromhex(algorithm), bytes.fromhex(curve)), bits)


def attribute(oid: bytes, value: bytes) -> bytes:
    return der(0x31, der(0x30, oid, value))


def ou(text: str, tag: int = 0x0C) -> bytes:
    return attribute(_OU, der(tag, text.encode()))


def cn(text: str, tag: int = 0x13) -> bytes:
    return attribute(_CN, der(tag, text.encode()))


def uid(octets: bytes = messages.SUPPLIER.octets, unused: int = 0) -> bytes:
    return attribute(_UID, der(0x03, bytes([unused]), octets))


def name(*attributes: bytes) -> bytes:
    return der(0x30, *attributes)


SUPPLIER, ISSUING_OCA, ROOT_OCA = name(ou("02"), uid()), name(ou("07"), cn("T1", 0x0C)), name(ou("00"), cn("TA", 0x0C))


def key_usage(bits: bytes = DIGITAL_SIGNATURE, critical: bytes = TRUE) -> bytes:
    return extension(USAGE, bits, critical)


def constraints(*members: bytes, critical: bytes = TRUE) -> bytes:
    return extension(CONSTRAINTS, der(0x30, *members), critical)


def subject_key_identifier(octets: bytes, critical: bytes = b"") -> bytes:
    return extension(SKI, der(0x04, octets), critical)


def policies(*oids: bytes, critical: bytes = TRUE) -> bytes:
    return extension(POLICIES, der(0x30, *(der(0x30, oid) for oid in oids)), critical)


def extensions(**changes: bytes) -> dict[str, bytes]:
    """By name, in their order; an empty one is left out."""
    good = {
        "usage": key_usage(),
        "ski": subject_key_identifier(lists.identifier(SUBJECT_KEY)),
        "policies": policies(POLICY),
        "aki": lists.authority(lists.identifier()),
        "constraints": b"",
        "further": b"",
    }
    return good | changes


def compose(stated: Mapping[str, bytes] | None = None, **changes: Any) -> bytes:
    """A TBSCertificate; ``stated`` are its extensions by name, ``tagged`` all that stands after the public key."""
    parts: dict[str, Any] = {
        "version": der(0xA0, b"\x02\x01\x02"),
        "serial": der_integer(SERIAL),
        "algorithm": lists.ALGORITHM,
        "issuer": chains.ISSUING.public_bytes(),
        "validity": der(0x30, utc(AT), utc(UNTIL)),
        "subject": SUPPLIER,
        "spki": spki(),
        "tagged": der(0xA3, der(0x30, *(extensions() if stated is None else stated).values())),
    }
    assert set(changes) <= set(parts), changes
    return der(0x30, *(parts | changes).values())


def an_oca(stated: Mapping[str, bytes] | None = None, **changes: Any) -> bytes:
    """What a Root OCA key signs: the Issuing OCA's TBSCertificate."""
    good = extensions(
        usage=key_usage(CERTIFICATE_SIGNING),
        constraints=constraints(TRUE, der_integer(0)),
        aki=lists.authority(lists.identifier(chains.ROOT_KEY)),
    )
    wanted: dict[str, Any] = {"issuer": chains.ROOT.public_bytes(), "subject": ISSUING_OCA}
    return compose(good | dict(stated or {}), **(wanted | changes))


def a_root(stated: Mapping[str, bytes] | None = None, **changes: Any) -> bytes:
    """The Root OCA's own, self-signed."""
    own = chains.ROOT_KEY
    good = extensions(
        usage=key_usage(CERTIFICATE_SIGNING),
        ski=subject_key_identifier(lists.identifier(own)),
        constraints=constraints(TRUE),
        aki=b"",
        further=extension(APEX, WRAPPED),
    )
    wanted: dict[str, Any] = {"issuer": ROOT_OCA, "subject": ROOT_OCA, "spki": spki(point(own))}
    return compose(good | dict(stated or {}), **(wanted | changes))


def compose_info(*asked: bytes, attributes: bytes | None = None, **changes: bytes) -> bytes:
    """A CertificationRequestInfo that asks for the extensions ``asked``; for digitalSignature where none are given."""
    request = der(0x30, bytes.fromhex("06092a864886f70d01090e"), der(0x31, der(0x30, *(asked or (key_usage(),)))))
    parts = {
        "version": b"\x02\x01\x00",
        "subject": SUPPLIER,
        "spki": spki(),
        "attributes": der(0xA0, request) if attributes is None else attributes,
    }
    assert set(changes) <= set(parts), changes
    return der(0x30, *(parts | changes).values())


def raw_signature(tbs: bytes, scalar: int = SUBJECT_KEY) -> bytes:
    """r || s, 64 octets; always the same (RFC 6979)."""
    key = chains.a_private_key(scalar)
    made = decode_dss_signature(key.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return b"".join(number.to_bytes(32, "big") for number in made)


def a_request(info: bytes | None = None, scalar: int = SUBJECT_KEY, **changes: Any) -> bytes:
    """The whole PKCS#10, signed by the key of that scalar; ``changes`` go to ``lists.sign``."""
    return lists.sign(compose_info() if info is None else info, scalar, **changes)


def beside(request: bytes | None = None) -> tuple[Accompanying, ...]:
    """A request, as it comes beside a certificate."""
    octets = a_request() if request is None else request
    return (Accompanying(kind=AccompanyingKind.CERTIFICATE_SIGNING_REQUEST, octets=octets),)
