"""May this statement be relied on, as what it is offered as, now? Kind, attester, signature, audience and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc import jws
from joserfc.errors import JoseError
from pydantic import ValidationError

from keybroker.statement.attester import Attester
from keybroker.statement.compact import Unverified, read_compact
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.payloads import MODELS
from keybroker.statement.said import Said

MOST_AHEAD = timedelta(seconds=5)
"""How far another's clock may be before ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One that verified. ``attester`` is the name of who signed it; ``sha256`` is of the decoded payload, and with
    attester and nonce its identity: the signature can be changed without breaking.

    ``leaf_index`` is that of the record that took it in, None for one that came with a request.
    """

    kind: StatementKind
    attester: str
    kid: str
    payload: Said
    compact: str
    sha256: bytes
    leaf_index: int | None = None

    @property
    def identity(self) -> str:
        """``attester#nonce``: under which it is spent."""
        return f"{self.attester}#{self.payload.nonce}"

    def told(self) -> str:
        """For findings: who said it, and which it is."""
        return (
            f"{self.kind} {self.sha256.hex()[:16]} by {self.attester} until {self.payload.expires:%Y-%m-%dT%H:%M:%SZ}"
        )


def read_statement(
    octets: bytes, attesters: Mapping[str, Attester], *, kind: StatementKind, origin: str, at: datetime
) -> Statement:
    """``attesters`` by kid. Raises: StatementUnfit, with the flaw that is found first."""
    unverified = read_compact(octets)
    if unverified.typ != kind.typ:
        raise StatementUnfit(Flaw.KIND, expected=kind.typ, found=unverified.typ[:64])
    attester = _attester(unverified.kid, attesters, kind, at)
    _check_signature(unverified, attester)
    payload = _payload(unverified, kind)
    _check_audience_and_time(payload, kind, origin, at)
    return Statement(
        kind=kind,
        attester=attester.name,
        kid=attester.kid,
        payload=payload,
        compact=unverified.compact,
        sha256=unverified.sha256,
    )


def _attester(kid: str, attesters: Mapping[str, Attester], kind: StatementKind, at: datetime) -> Attester:
    attester = attesters.get(kid)
    if attester is None:
        raise StatementUnfit(Flaw.ATTESTER_UNKNOWN, expected="an enrolled attester", found=f"kid {kid[:16]}…")
    if attester.withdrawn_at is not None:
        found = f"{attester.name}, withdrawn {attester.withdrawn_at.isoformat()}"
        raise StatementUnfit(Flaw.ATTESTER_WITHDRAWN, expected="an attester that stands", found=found)
    if not attester.since <= at + MOST_AHEAD or not at < attester.until:
        found = f"{attester.name}, until {attester.until.isoformat()}"
        raise StatementUnfit(Flaw.ATTESTER_LAPSED, expected=f"an attester enrolled at {at.isoformat()}", found=found)
    if kind not in attester.kinds:
        found = f"{attester.name}, for {', '.join(sorted(attester.kinds))}"
        raise StatementUnfit(Flaw.ATTESTER_NOT_FOR_KIND, expected=f"an attester for {kind}", found=found)
    return attester


def _check_signature(unverified: Unverified, attester: Attester) -> None:
    try:
        jws.deserialize_compact(unverified.compact, attester.key, algorithms=["ES256"])
    except (JoseError, ValueError) as error:
        raise StatementUnfit(
            Flaw.SIGNATURE, expected=f"a signature by {attester.name}", found="one that does not verify"
        ) from error


def _payload(unverified: Unverified, kind: StatementKind) -> Said:
    try:
        return MODELS[kind].model_validate(unverified.claims)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:4])
        raise StatementUnfit(Flaw.PAYLOAD, expected=f"what a {kind} says", found=told[:300]) from error


def _check_audience_and_time(payload: Said, kind: StatementKind, origin: str, at: datetime) -> None:
    if payload.aud != origin:
        raise StatementUnfit(Flaw.AUDIENCE, expected=origin, found=payload.aud)
    if payload.issued > at + MOST_AHEAD:
        raise StatementUnfit(
            Flaw.FUTURE, expected=f"iat of {at.isoformat()} at the latest", found=payload.issued.isoformat()
        )
    if payload.expires - payload.issued > LONGEST[kind]:
        raise StatementUnfit(
            Flaw.VALID_TOO_LONG,
            expected=f"at most {LONGEST[kind].total_seconds():.0f} s from iat to exp",
            found=f"{payload.exp - payload.iat} s",
        )
    check_not_lapsed(payload, at)


def check_not_lapsed(payload: Said, at: datetime) -> None:
    """Raises: StatementUnfit from ``exp`` on."""
    if at >= payload.expires:
        raise StatementUnfit(Flaw.LAPSED, expected=f"one valid at {at.isoformat()}", found=payload.expires.isoformat())
