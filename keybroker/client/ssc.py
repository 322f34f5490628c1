"""How does a check system state that it applied the Supply Sensitive Check to these very octets? SEC G3.25.

    from keybroker.client.ssc import confirm

    statement = confirm(octets, variant="7.2", device=device, user=user, request_id=f"{user}:{device}:{counter}",
                        confirmed_by="rule: one premises, asked by its customer", origin="keybroker.example/alpha",
                        chain=["alpha/check", "alpha/head-end", "signer-1"], certificate=der, private_key=key)
    broker.sign_pre_command(key="supplier-a", octets=octets, supply_sensitive_checks=[statement])

Whether to confirm is the check system's own affair; this writes down that it did, for one request, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.statement.making import Sign, make_statement, signer
from keybroker.statement.payloads import Hop, SupplySensitiveCheck
from keybroker.terms import EntityIdentifier

VALID_SECONDS = 300
"""How long a statement may be used where nothing else is said; the broker's policy may allow less."""


def confirm(
    octets: bytes,
    *,
    variant: str,
    device: EntityIdentifier,
    user: EntityIdentifier,
    request_id: str,
    confirmed_by: str,
    origin: str,
    chain: Sequence[str],
    certificate: bytes,
    private_key: ec.EllipticCurvePrivateKey | Sign,
    checked: datetime | None = None,
    valid_seconds: int = VALID_SECONDS,
) -> str:
    """The statement, a compact JWS, for ``supply_sensitive_checks``; ``octets`` exactly as the broker gets them.

    ``request_id`` is "user:device:counter", as DUIS writes it; ``confirmed_by`` says which person or rule confirmed
    that the effect on supply is intended; ``checked`` is when, now where it is left out. ``origin`` is the broker's
    ledger. ``chain`` are all systems from this one (``party/system``, as the broker enrolled ``certificate``, DER) to
    the broker's machine (its name), in order; the one before that machine calls it. ``private_key`` is the
    certificate's, or what signs with it where a token holds it. Raises: ValueError for what a statement may not say.
    """
    now = datetime.now(UTC)
    issued = int(now.timestamp())
    said = SupplySensitiveCheck(
        aud=origin,
        iat=issued,
        exp=issued + valid_seconds,
        nonce=secrets.token_urlsafe(24),
        check_system=next(iter(chain), ""),
        user=str(user),
        request_id=request_id,
        octets_sha256=sha256(octets).hexdigest(),
        variant=variant,
        device=str(device),
        intended=True,
        confirmed_by=confirmed_by,
        checked=int((checked or now).timestamp()),
        chain=[Hop(system=each) for each in chain],
    )
    sign = signer(private_key) if isinstance(private_key, ec.EllipticCurvePrivateKey) else private_key
    return make_statement(said, certificate=certificate, sign=sign)
