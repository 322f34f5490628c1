"""Which Service Reference Variants are there, and what is known of each? The shipped table, read once and strictly.

``service_reference_variants.csv`` is made by ``scripts/make_service_reference_variants``, where every decision about it
is explained; its column ``note`` names the rows in which it corrects a published source.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType

from keybroker.content.duis.model import ServiceReferenceVariant
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import UserRole

_FILE = "service_reference_variants.csv"
_COLUMNS = [
    "variant",
    "service_reference",
    "name",
    "critical",
    "eligible_roles",
    "command_variants",
    "body_element",
    "message_codes",
    "note",
]
_CRITICAL = {"yes": True, "no": False}
_is_number = re.compile(r"[0-9]+(\.[0-9]+){1,2}").fullmatch


def read_service_reference_variants(lines: Iterable[str]) -> Mapping[str, ServiceReferenceVariant]:
    """Read the table: exact columns, no variant twice, every word known. Raises: ConfigurationInvalid."""
    reader = csv.reader(lines, strict=True)
    if next(reader, None) != _COLUMNS:
        raise ConfigurationInvalid(f"the columns are not {_COLUMNS}", where=_FILE)
    variants: dict[str, ServiceReferenceVariant] = {}
    for row in reader:
        where = f"{_FILE}, line {reader.line_num}"
        try:
            variant = _read_row(dict(zip(_COLUMNS, row, strict=True)))
        except (ValueError, KeyError) as error:
            raise ConfigurationInvalid(f"{error}", where=where) from error
        if variant.variant in variants:
            raise ConfigurationInvalid(f"{variant.variant} stands twice", where=where)
        variants[variant.variant] = variant
    return MappingProxyType(variants)


def _read_row(row: Mapping[str, str]) -> ServiceReferenceVariant:
    """Raises: ValueError or KeyError for a word that is not known."""
    codes = frozenset(int(code, 16) for code in row["message_codes"].split())
    if not _is_number(row["variant"]) or row["service_reference"] not in (
        row["variant"],
        row["variant"].rpartition(".")[0],
    ):
        raise ValueError(f"{row['variant']!r} is no variant of {row['service_reference']!r}")
    if not codes <= MESSAGE_CODES.keys():
        raise ValueError(f"{row['variant']} has an unknown Message Code")
    if not row["body_element"].isalnum() or not row["name"] or not row["command_variants"]:
        raise ValueError(f"{row['variant']} lacks a body element, a name or a Command Variant")
    return ServiceReferenceVariant(
        variant=row["variant"],
        service_reference=row["service_reference"],
        name=row["name"],
        critical=_CRITICAL[row["critical"]],
        eligible_roles=frozenset(UserRole(role) for role in row["eligible_roles"].split()),
        command_variants=frozenset(int(number) for number in row["command_variants"].split()),
        body_element=row["body_element"],
        message_codes=codes,
        note=row["note"],
    )


SERVICE_REFERENCE_VARIANTS: Mapping[str, ServiceReferenceVariant] = read_service_reference_variants(
    files("keybroker.content.duis").joinpath(_FILE).read_text(encoding="utf-8").splitlines()
)
"""Every known Service Reference Variant by its number."""
