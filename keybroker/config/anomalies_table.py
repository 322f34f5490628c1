"""What may stand in ``[anomalies]``? Figures for the detectors, hours, and who is sent a message. SEC G2.29, G3.15.

Every figure has a safe default, but ``dated``: whoever writes the table says when somebody last looked at it.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from keybroker.config.table import Count, Seconds, Table, Text
from keybroker.ledger.anomaly_settings import SAFE, AnomalySettings

Hour = Annotated[int, Field(ge=0, le=24)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REVIEW_DAYS = 31
"""How long the audit log may go without a review (SEC G2.26), where the configuration says nothing."""


class HoursTable(Table):
    """When people work on the deployment: from ``first`` on, and before ``last``; equal: the whole day."""

    first: Hour
    last: Hour
    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    zone: Text = "UTC"

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected the name of a time zone that this machine knows") from error
        return zone

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.first > self.last:
            raise ValueError("anomalies.hours: first is later than last; hours over midnight are not told apart")
        return self


class SecretTable(Table):
    """Where the webhook's secret is: a systemd credential, or an environment variable."""

    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    environment: Text | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.credential is None) is (self.environment is None):
            raise ValueError("exactly one of credential, environment says where the webhook's secret is")
        return self


class WebhookTable(Table):
    """``anchors``: PEM file of the authorities of the receiver's certificate; without it the machine's own."""

    url: Text
    anchors: Text | None = None
    secret: SecretTable
    timeout_seconds: Annotated[Seconds, Field(le=60)] = 10.0
    longest_pause_seconds: Annotated[Seconds, Field(ge=1, le=86400)] = 3600.0
    late_seconds: Annotated[Seconds, Field(le=86400)] = 900.0
    """A message that nobody took after so long shows in readiness."""

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
            raise ValueError('expected "https://host[:port]/path", without a name or a password in it')
        return url


class AnomaliesTable(Table):
    dated: date
    burst_uses: Count = SAFE.burst_uses
    burst_seconds: Count = SAFE.burst_seconds
    refusals: Count = SAFE.refusals
    refusal_seconds: Count = SAFE.refusal_seconds
    open_seconds: Count = SAFE.open_seconds
    look_seconds: Annotated[Seconds, Field(ge=0.1, le=60)] = 2.0
    review_days: Count = REVIEW_DAYS
    hours: HoursTable | None = None
    webhook: WebhookTable | None = None

    @property
    def settings(self) -> AnomalySettings:
        """For the detectors."""
        figures = AnomalySettings(
            dated=self.dated,
            burst_uses=self.burst_uses,
            burst_seconds=self.burst_seconds,
            refusals=self.refusals,
            refusal_seconds=self.refusal_seconds,
            open_seconds=self.open_seconds,
        )
        return (
            figures
            if self.hours is None
            else figures.within(
                first_hour=self.hours.first,
                last_hour=self.hours.last,
                days=frozenset(map(_DAYS.index, self.hours.days)),
                zone=ZoneInfo(self.hours.zone),
            )
        )


SAFE_TABLE = AnomaliesTable(dated=SAFE.dated)
"""Of a live deployment that has no table."""
