"""Which Message Codes are there, and what is known of each? The shipped table, read once and strictly.

``message_codes.csv`` is made by ``scripts/make_message_codes``, where every decision about it is explained. ``signers``
are the certificate roles under which a Command of this code is signed; it is empty for Alerts, for MAC-only Commands,
and for 0x0109 (anyByContingency), because the Contingency key is known by its public key and not by a role.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType

from keybroker.content.model import Criticality, MessageCode, PayloadFamily
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import RemotePartyRole

_COLUMNS = ["code", "use_case", "name", "criticality", "kind", "signers", "payload", "service_reference_variants"]
_KINDS = {"command": True, "alert": False}


def read_message_codes(lines: Iterable[str]) -> Mapping[int, MessageCode]:
    """Read the table: exact columns, codes ascending, every word known. Raises: ConfigurationInvalid."""
    reader = csv.reader(lines, strict=True)
    if next(reader, None) != _COLUMNS:
        raise ConfigurationInvalid(f"the columns are not {_COLUMNS}", where="message_codes.csv")
    codes: dict[int, MessageCode] = {}
    for row in reader:
        where = f"message_codes.csv, line {reader.line_num}"
        try:
            code = _read_row(dict(zip(_COLUMNS, row, strict=True)))
        except (ValueError, KeyError) as error:
            raise ConfigurationInvalid(f"{error}", where=where) from error
        if codes and code.value <= max(codes):
            raise ConfigurationInvalid(f"{code} does not follow in ascending order", where=where)
        codes[code.value] = code
    return MappingProxyType(codes)


def _read_row(row: Mapping[str, str]) -> MessageCode:
    """Raises: ValueError or KeyError for a word that is not known."""
    if not re.fullmatch(r"0x[0-9A-F]{4}", row["code"]):
        raise ValueError(f"{row['code']!r} is no Message Code")
    code = MessageCode(
        value=int(row["code"], 16),
        use_case=row["use_case"],
        name=row["name"],
        criticality=Criticality(row["criticality"]),
        is_command=_KINDS[row["kind"]],
        signers=frozenset(RemotePartyRole[name] for name in row["signers"].split("/") if name),
        payload=frozenset(PayloadFamily(name) for name in row["payload"].split("/") if name),
        service_reference_variants=tuple(row["service_reference_variants"].split()),
    )
    is_signed = code.is_command and code.criticality in (Criticality.CRITICAL, Criticality.VARIANT)
    if code.signers and not is_signed:
        raise ValueError(f"{code} has signers, but is no signed Command")
    if is_signed and not code.payload:
        raise ValueError(f"{code} is signed, but has no payload family")
    if not code.name:
        raise ValueError(f"{code} has no name")
    return code


def _unknown_remote_party_codes(codes: Mapping[int, MessageCode]) -> frozenset[int]:
    """Codes under which the Access Control Broker may act for an Unknown Remote Party (18 octets of other-information).

    Those it signs, and every MAC-only Command: these are decoded so that policy can say that nobody signs them.
    """
    return frozenset(
        code.value
        for code in codes.values()
        if RemotePartyRole.ACCESS_CONTROL_BROKER in code.signers or code.criticality is Criticality.NON_CRITICAL
    )


MESSAGE_CODES: Mapping[int, MessageCode] = read_message_codes(
    files("keybroker.content").joinpath("message_codes.csv").read_text(encoding="utf-8").splitlines()
)
"""Every known Message Code by its value."""

UNKNOWN_REMOTE_PARTY_CODES: frozenset[int] = _unknown_remote_party_codes(MESSAGE_CODES)
