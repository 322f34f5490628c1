"""Which keys come to the end of their period, of their certificate or of their uses? SEC G5.13(a), G5.24(a). Pure.

G5.13(a) and G5.24(a) have procedures for cryptoperiods: ``[life]`` of the policy has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.policy.rules.key import cryptoperiod_end
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, PartyName

NEAR = timedelta(days=30)
"""So long before its end a key is near it."""
NEAR_USES = 90
"""So many parts in a hundred of its uses bring a key near their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEnding:
    """``uses`` count since the key was made, here and where it came from; ``ends`` is the first of its ends.

    ``near``: why it is near one of its ends, empty where it is not. None: it has no such end.
    """

    label: KeyLabel
    party: PartyName
    purpose: KeyPurpose
    state: KeyState
    cryptoperiod_ends: datetime | None
    certificate_ends: datetime | None
    uses: int
    uses_limit: int | None
    ends: datetime | None
    near: str


def key_endings(
    register: KeyRegister, policies: Mapping[KeyPurpose, Policy], uses: Mapping[str, int], at: datetime
) -> tuple[KeyEnding, ...]:
    """Every key that is or may come into use, those near an end first. ``uses``: intents of each label here."""
    held = (key for key in register.keys.values() if not key.state.is_over and key.session is None)
    found = [_ending(key, policies[key.purpose], uses.get(key.label, 0), at) for key in held]
    last = datetime.max.replace(tzinfo=at.tzinfo)
    return tuple(sorted(found, key=lambda each: (not each.near, each.ends or last, each.label)))


def _ending(key: RegisteredKey, policy: Policy, uses: int, at: datetime) -> KeyEnding:
    period, certificate = cryptoperiod_end(key, policy), key.certificate
    chain = None if certificate is None else certificate.not_after
    limit = None if policy.settings.life is None else policy.settings.life.uses
    used = uses + key.uses_before
    reasons = [
        name for name, end in (("cryptoperiod", period), ("certificate", chain)) if end is not None and end - at <= NEAR
    ]
    if limit is not None and 100 * used >= NEAR_USES * limit:
        reasons.append("uses")
    return KeyEnding(
        label=key.label,
        party=key.party,
        purpose=key.purpose,
        state=key.state,
        cryptoperiod_ends=period,
        certificate_ends=chain,
        uses=used,
        uses_limit=limit,
        ends=min((end for end in (period, chain) if end is not None), default=None),
        near=", ".join(reasons),
    )
