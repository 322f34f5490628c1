"""Whom does the broker trust, and what does it know of revocations? Anchors and the current ARLs and CRLs.

Held in the register, so that what a rule looks at has one version; a list is taken in by an administrative act that
verifies it (``keys/administration.py``). Device Certificates have no revocation list (handbook 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """An ARL or CRL that was verified under its issuer's certificate. ``revoked`` is serial to moment.

    ``issuer`` is the name that is shown, ``issuer_identity`` the SHA-256 of the public point by which it is known.
    """

    issuer_identity: bytes
    number: int
    this_update: datetime
    next_update: datetime
    revoked: Mapping[int, datetime]
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A CA certificate that the configuration trusts, for live or for test."""

    der: bytes
    test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """``organisation`` anchors stand behind Organisation Certificates, ``device`` anchors behind Device Certificates.

    ``lists`` are the current ones by the identity of their issuer: SHA-256 of its public point.
    """

    organisation: tuple[Anchor, ...] = ()
    device: tuple[Anchor, ...] = ()
    lists: Mapping[bytes, RevocationList] = field(default_factory=dict)
