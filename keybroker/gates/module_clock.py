"""Until when does a module's validation count? SEC G1.3, G2.44: the statement, the standard, the historical list.

Each end is a moment from which on the validation counts no more; the gate and ``keybroker module list`` show the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.policy.settings import DatedStandard, ModuleValidationSettings
from keybroker.statement.payloads import ModuleValidation
from keybroker.statement.said import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """``what``: statement, standard or historical."""

    what: str
    clause: str
    at: datetime


def is_historical(said: ModuleValidation, dates: DatedStandard, at: datetime) -> bool:
    """As stated, or since the programme moved all certificates of the standard."""
    return said.status == "historical" or (dates.historical_from is not None and at >= dates.historical_from)


@clause("G1.2", "G1.3")
def ends(said: ModuleValidation, settings: ModuleValidationSettings) -> tuple[End, ...]:
    """The soonest first. A standard that the policy does not list never counted, and has no end."""
    found = [End(what="statement", clause="G2.44", at=said.expires)]
    dates = settings.dates_of(said.standard)
    if dates is not None and dates.until is not None:
        found.append(End(what="standard", clause="G1.3", at=dates.until))
    historical = None if dates is None else _accepted_until(said, dates, settings.historical_accepted_until)
    if historical is not None:
        found.append(End(what="historical", clause="G2.44", at=historical))
    return tuple(sorted(found, key=lambda end: end.at))


def _accepted_until(said: ModuleValidation, dates: DatedStandard, accepted: datetime | None) -> datetime | None:
    """When a certificate that is historical, or will be, is accepted no more; None where nothing is known to come."""
    since = moment(said.checked) if said.status == "historical" else dates.historical_from
    if since is None:
        return None
    return since if accepted is None else max(since, accepted)
