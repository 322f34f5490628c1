"""What has every statement? For whom, when, until when, and one mark by which it is told from every other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LATEST = 4_102_444_800
"""2100-01-01: no moment that anybody means is later."""

Moment = Annotated[int, Field(ge=0, le=LATEST)]
"""Seconds since 1970 UTC (RFC 7519 NumericDate, whole)."""
Nonce = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22,64}$")]
"""128 bits or more, drawn anew for each statement."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
"""Of a party, a system, a person, a node, a key: as configuration and register write it."""
SystemPath = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}$")]
"""``party/system``, as the caller table names them."""
Words = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
Reference = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[!-~]+( [!-~]+)*$")]
"""A document, approval or certificate elsewhere, by its own number."""
Serial = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+( [!-~]+)*$")]
Version = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[!-~]+$")]


def _check_country(code: str) -> str:
    if code == "UK":
        raise ValueError("the United Kingdom is GB in ISO 3166-1")
    return code


Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_check_country)]
"""ISO 3166-1 alpha-2; the United Kingdom is GB."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Eui = Annotated[str, Field(pattern=r"^([0-9A-F]{2}-){7}[0-9A-F]{2}$")]
Variant = Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2}){1,2}$")]
"""A Service Reference Variant: 7.2, 6.15.1."""
Code = Annotated[str, Field(pattern=r"^0x[0-9A-F]{4}$")]
"""A GBCS Message Code."""


class Table(BaseModel):
    """Its keys and no other, of exactly their types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Said(Table):
    """``aud`` is the ledger origin of the broker that it is for; ``iat`` and ``exp`` bound when it counts."""

    aud: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")]
    iat: Moment
    exp: Moment
    nonce: Nonce

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.exp <= self.iat:
            raise ValueError("expected exp later than iat")
        return self

    @property
    def issued(self) -> datetime:
        return datetime.fromtimestamp(self.iat, UTC)

    @property
    def expires(self) -> datetime:
        return datetime.fromtimestamp(self.exp, UTC)


def moment(seconds: int) -> datetime:
    """A ``Moment`` as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
