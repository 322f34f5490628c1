"""Is this a compact JWS of ours? Three parts of canonical base64url and a header of exactly alg, kid and typ.

Read before ``joserfc`` sees it, which lets duplicate keys, a ``jwk`` and ``b64: false`` pass (RFC 7515, 7797).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.strict_json import read_object

LONGEST_OCTETS = 16 * 1024
_HEADER = {"alg", "kid", "typ"}
_is_kid = re.compile(r"[0-9a-f]{64}").fullmatch
_SIGNATURE_OCTETS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """What a compact JWS says, before anybody looked who signed it. ``sha256`` is of the decoded payload."""

    compact: str
    kid: str
    typ: str
    claims: dict[str, Any]
    sha256: bytes


def read_compact(octets: bytes) -> Unverified:
    """Raises: StatementUnfit."""
    if len(octets) > LONGEST_OCTETS:
        raise StatementUnfit(Flaw.TOO_LONG, expected=f"at most {LONGEST_OCTETS} octets", found=str(len(octets)))
    parts = octets.split(b".")
    if len(parts) != 3:
        raise StatementUnfit(Flaw.NOT_COMPACT, expected="three parts of a compact JWS", found=str(len(parts)))
    header, payload, signature = (_decoded(part) for part in parts)
    if len(signature) != _SIGNATURE_OCTETS:
        raise StatementUnfit(Flaw.NOT_COMPACT, expected="a signature of 64 octets", found=str(len(signature)))
    said = _header(read_object(header))
    return Unverified(
        compact=octets.decode("ascii"),
        kid=said["kid"],
        typ=said["typ"],
        claims=read_object(payload),
        sha256=sha256(payload).digest(),
    )


def _decoded(part: bytes) -> bytes:
    """base64url without padding, of one spelling. Raises: StatementUnfit."""
    try:
        octets = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        octets = b""
    if not part or urlsafe_b64encode(octets).rstrip(b"=") != part:
        raise StatementUnfit(Flaw.NOT_COMPACT, expected="canonical base64url", found="something else")
    return octets


def _header(said: dict[str, Any]) -> dict[str, str]:
    if set(said) != _HEADER or not all(isinstance(value, str) for value in said.values()):
        found = ", ".join(sorted(key[:32] for key in said)[:8])
        raise StatementUnfit(Flaw.HEADER, expected="exactly alg, kid and typ, all text", found=found or "nothing")
    if said["alg"] != "ES256":
        raise StatementUnfit(Flaw.ALGORITHM, expected="ES256", found=said["alg"][:32])
    if not _is_kid(said["kid"]):
        raise StatementUnfit(Flaw.HEADER, expected="a kid of 64 hexadecimal digits", found=said["kid"][:64])
    return said
