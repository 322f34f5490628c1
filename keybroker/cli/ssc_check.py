"""What is a reference check system asked, may it confirm, and what does it state? SEC G3.25.

The octets say what is to be done to which Device, and for whom; who asks comes with the connection. A rule is a
function of ``Asked`` that raises ``NotConfirmed``; every rule is asked before anything is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.client.ssc import VALID_SECONDS, confirm
from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed
from keybroker.gates.checkable import Checkable, checkable
from keybroker.gates.supply_sensitive import Sensitivity
from keybroker.statement.making import Sign
from keybroker.terms import ContentKind

KINDS = (ContentKind.PRE_COMMAND, ContentKind.SERVICE_REQUEST)


class NotConfirmed(Exception):
    """``reason`` is a stable word in upper case."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``by`` is who asks, as the connection shows it; ``content`` what the octets say; ``variant`` what is meant."""

    octets: bytes
    content: Checkable
    variant: str
    sensitivity: Sensitivity
    by: str
    at: datetime


Rule = Callable[[Asked], None]
"""Raises: NotConfirmed."""


def read_asked(kind: ContentKind, octets: bytes, *, variant: str = "", by: str, at: datetime) -> Asked:
    """``variant`` is needed only where the octets may be of several. Raises: NotConfirmed for what needs no check."""
    try:
        content = checkable(decode(kind, octets))
    except ContentMalformed as error:
        raise NotConfirmed("CONTENT_MALFORMED", error.sentence) from error
    if content is None:
        raise NotConfirmed("NOTHING_TO_CHECK", "neither a Pre-Command nor a critical SMETS1 Service Request")
    named = {variant} if variant else set(content.variants)
    if len(named) != 1 or not named <= content.variants:
        sentence = f"expected the variant, one of {', '.join(sorted(content.variants))}; found {variant or 'none'}"
        raise NotConfirmed("VARIANT_UNDECIDED", sentence)
    sensitivity = content.sensitivity(at)
    return Asked(octets=octets, content=content, variant=named.pop(), sensitivity=sensitivity, by=by, at=at)


def check_by(rules: Sequence[Rule], asked: Asked, state: partial[str]) -> str:
    """Ask every rule, then state (``state`` is ``confirm`` with all that this system always says).

    Raises: NotConfirmed by the first rule that does not.
    """
    for rule in rules:
        rule(asked)
    names = ", ".join(name_of(rule) for rule in rules)
    return state_checked(asked, state, confirmed_by=f"{asked.by}; rules: {names}"[:400])


def state_checked(asked: Asked, state: partial[str], *, confirmed_by: str) -> str:
    """The statement."""
    content = asked.content
    return state(
        asked.octets,
        variant=asked.variant,
        device=content.device,
        user=content.user,
        request_id=content.request_id,
        confirmed_by=confirmed_by,
        checked=asked.at,
    )


def name_of(rule: Rule) -> str:
    """What a rule is called in statements."""
    return getattr(rule, "__name__", type(rule).__name__)


def stating(
    *,
    origin: str,
    chain: Sequence[str],
    certificate: bytes,
    private_key: ec.EllipticCurvePrivateKey | Sign,
    valid_seconds: int = VALID_SECONDS,
) -> partial[str]:
    """``confirm`` with what one system always says."""
    return partial(
        confirm,
        origin=origin,
        chain=chain,
        certificate=certificate,
        private_key=private_key,
        valid_seconds=valid_seconds,
    )
