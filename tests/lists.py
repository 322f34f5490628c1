"""Revocation lists for tests, composed by code that shares nothing with ``keybroker.content`` (RFC 5280 section 5).

``compose()`` is a good TBSCertList of the Issuing OCA of ``tests.policy.chains``; every part can be given, and given
wrong. ``sign`` puts a signature to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.messages import der, der_integer
from tests.policy import chains
from tests.situations import AT

ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")
AKI, NUMBER = bytes.fromhex("0603551d23"), bytes.fromhex("0603551d14")
REASON, INVALIDITY = bytes.fromhex("0603551d15"), bytes.fromhex("0603551d18")
HOUR = timedelta(hours=1)
UNTIL = AT + 12 * HOUR


def utc(at: datetime) -> bytes:
    return der(0x17, at.strftime("%y%m%d%H%M%SZ").encode())


def generalized(at: datetime) -> bytes:
    return der(0x18, at.strftime("%Y%m%d%H%M%SZ").encode())


def extension(oid: bytes, value: bytes, critical: bytes = b"") -> bytes:
    return der(0x30, oid, critical, der(0x04, value))


def authority(identifier: bytes) -> bytes:
    return extension(AKI, der(0x30, der(0x80, identifier)))


def crl_number(number: int) -> bytes:
    return extension(NUMBER, der_integer(number))


def entry(serial: int, at: datetime = AT - HOUR, *extensions: bytes) -> bytes:
    return der(0x30, der_integer(serial), utc(at), der(0x30, *extensions) if extensions else b"")


def identifier(scalar: int = chains.ISSUING_KEY) -> bytes:
    return chains.identifier_of(chains.a_private_key(scalar).public_key())


def compose(**changes: Any) -> bytes:
    """``entries`` are a sequence of encoded entries, None for no list at all; ``number`` is the CRLNumber."""
    parts: dict[str, Any] = {
        "version": b"\x02\x01\x01",
        "algorithm": ALGORITHM,
        "issuer": chains.ISSUING.public_bytes(),
        "this_update": utc(AT),
        "next_update": utc(UNTIL),
        "entries": (entry(0x1234),),
        "number": 7,
        "authority": authority(identifier()),
        "tail": b"",
    }
    parts |= {name: changes.pop(name) for name in list(changes) if name in parts}
    extensions: Sequence[bytes] = changes.pop("extensions", (parts["authority"], crl_number(parts["number"])))
    tagged = changes.pop("tagged", der(0xA0, der(0x30, *extensions)))
    assert not changes, changes
    entries = b"" if parts["entries"] is None else der(0x30, *parts["entries"])
    return der(
        0x30,
        parts["version"],
        parts["algorithm"],
        parts["issuer"],
        parts["this_update"],
        parts["next_update"],
        entries,
        tagged,
        parts["tail"],
    )


def sign(tbs: bytes, scalar: int = chains.ISSUING_KEY, *, algorithm: bytes = ALGORITHM, unused: int = 0) -> bytes:
    """The whole list, signed by the key of that scalar: always the same octets (RFC 6979)."""
    signature = chains.a_private_key(scalar).sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return der(0x30, tbs, algorithm, der(0x03, bytes([unused]), signature))


def a_list(scalar: int = chains.ISSUING_KEY, issuer: x509.Name = chains.ISSUING, **changes: Any) -> bytes:
    """A whole good list of that CA; ``changes`` go to ``compose``."""
    wanted: dict[str, Any] = {"issuer": issuer.public_bytes(), "authority": authority(identifier(scalar))}
    return sign(compose(**(wanted | changes)), scalar)


def an_arl(**changes: Any) -> bytes:
    """A whole good ARL of the root, of nobody."""
    wanted: dict[str, Any] = {"entries": None, "number": 1}
    return a_list(chains.ROOT_KEY, chains.ROOT, **(wanted | changes))
