"""Is a Service Request of this variant supply sensitive? The shipped table, read once and strictly. SEC G3.25.

``supply_sensitive.csv`` is made by ``scripts/make_supply_sensitive``. A variant may have several rows, each in force
from its own day until the next one's; before the first, and for what is in no row, the answer is yes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType

from keybroker.clause import clause
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.rule import CLAUSE

_FILE = "supply_sensitive.csv"
_COLUMNS = ["variant", "sensitivity", "effective_from", "clause", "reason"]


class Sensitivity(StrEnum):
    """``yes`` and ``possibly`` demand a Supply Sensitive Check; only the latter can be switched off."""

    YES = "yes"
    POSSIBLY = "possibly"
    NO = "no"


_STRICTEST = (Sensitivity.YES, Sensitivity.POSSIBLY, Sensitivity.NO)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplySensitivity:
    """One row: from ``effective_from`` a Service Request of ``variant`` is as ``sensitivity`` says, by ``clause``."""

    variant: str
    sensitivity: Sensitivity
    effective_from: datetime
    clause: str
    reason: str


Table = Mapping[str, tuple[SupplySensitivity, ...]]
"""By variant, the latest first."""


def read_supply_sensitive(lines: Iterable[str]) -> Table:
    """Read the table: exact columns, every known variant and no other, no day of one twice, every word known.

    Raises: ConfigurationInvalid.
    """
    reader = csv.reader(lines, strict=True)
    if next(reader, None) != _COLUMNS:
        raise ConfigurationInvalid(f"the columns are not {_COLUMNS}", where=_FILE)
    rows: dict[str, list[SupplySensitivity]] = {variant: [] for variant in SERVICE_REFERENCE_VARIANTS}
    for each in reader:
        try:
            row = _read_row(dict(zip(_COLUMNS, each, strict=True)))
            _check_new(row, rows[row.variant])
        except (ValueError, KeyError) as error:
            raise ConfigurationInvalid(f"{error}", where=f"{_FILE}, line {reader.line_num}") from error
        rows[row.variant].insert(0, row)
    missing = [variant for variant, found in rows.items() if not found]
    if missing:
        raise ConfigurationInvalid(f"expected every variant, found none of {', '.join(missing)}", where=_FILE)
    return MappingProxyType({variant: tuple(found) for variant, found in rows.items()})


def _read_row(row: Mapping[str, str]) -> SupplySensitivity:
    """Raises: ValueError for a word that is not known."""
    if row["variant"] not in SERVICE_REFERENCE_VARIANTS:
        raise ValueError(f"{row['variant']!r} is no Service Reference Variant of DUIS 5.4")
    if not CLAUSE.fullmatch(row["clause"]) or not row["reason"]:
        raise ValueError(f"{row['variant']} lacks a clause or a reason")
    effective_from = datetime.strptime(row["effective_from"], "%Y-%m-%d").replace(tzinfo=UTC)
    if row["effective_from"] != f"{effective_from:%Y-%m-%d}":
        raise ValueError(f"{row['effective_from']!r} is no date of the form 2013-09-23")
    return SupplySensitivity(
        variant=row["variant"],
        sensitivity=Sensitivity(row["sensitivity"]),
        effective_from=effective_from,
        clause=row["clause"],
        reason=row["reason"],
    )


def _check_new(row: SupplySensitivity, before: list[SupplySensitivity]) -> None:
    """Raises: ValueError where another row of the variant counts from the same day, or from a later one."""
    if before and before[0].effective_from >= row.effective_from:
        raise ValueError(f"{row.variant} stands twice, and not from a later day")


SUPPLY_SENSITIVE: Table = read_supply_sensitive(
    files("keybroker.gates").joinpath(_FILE).read_text(encoding="utf-8").splitlines()
)
"""Every known Service Reference Variant."""


@clause("G3.25(a)")
def sensitivity_of(variant: str, at: datetime, table: Table = SUPPLY_SENSITIVE) -> Sensitivity:
    """What the row in force says; yes where none is."""
    in_force = (row.sensitivity for row in table.get(variant, ()) if row.effective_from <= at)
    return next(in_force, Sensitivity.YES)


@clause("G3.25(a)")
def strictest_of(variants: Iterable[str], at: datetime) -> Sensitivity:
    """Of several variants of which nobody knows the right one; yes where there is none at all."""
    found = {sensitivity_of(variant, at) for variant in variants}
    return next((each for each in _STRICTEST if each in found), Sensitivity.YES)
