"""Which data values does the Body of a Service Request hold? Numbers by name, of the variants that set them.

SEC G6.1(d)(i), G6.6(b): such a number is held against a maximum and a minimum, so it is written in one way only: in
decimal, without a plus sign, leading zeros or white space. Source: DUIS schema (handbook 1.13); names are those of the
elements, but for the ``overall-debt-cap`` of gas, whose unit is not that of electricity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from lxml import etree

from keybroker.content.duis.tree import Tree, local_name

_INT, _UNSIGNED_INT, _UNSIGNED_SHORT = range(-(1 << 31), 1 << 31), range(1 << 32), range(1 << 16)
_match_number = re.compile(r"0|-?[1-9][0-9]{0,9}").fullmatch
_SUPPLY_STATES = {"Unchanged": 0, "Disable": 1}

_METER_BALANCE, _LOAD_LIMIT = "UpdateMeterBalance", "UpdateDeviceConfigurationLoadLimitingGeneralSettings"
_PREPAYMENT = "UpdatePrepayConfiguration"

_ADJUSTMENT = {"AdjustMeterBalance": ("adjust-meter-balance", _INT)}
_LIMITS = {
    "LoadLimitPeriod": ("load-limit-period", _UNSIGNED_INT),
    "LoadLimitPowerThreshold": ("load-limit-power-threshold", _UNSIGNED_INT),
    "LoadLimitRestorationPeriod": ("load-limit-restoration-period", _UNSIGNED_INT),
}
_SUPPLY_STATE, _SUPPLY_STATE_NAME = "LoadLimitSupplyState", "load-limit-supply-state"
_ELECTRICITY = {
    "DebtRecoveryRateCap": ("debt-recovery-rate-cap", _UNSIGNED_SHORT),
    "EmergencyCreditLimit": ("emergency-credit-limit", _INT),
    "EmergencyCreditThreshold": ("emergency-credit-threshold", _INT),
    "LowCreditThreshold": ("low-credit-threshold", _INT),
    "MaxMeterBalance": ("max-meter-balance", _INT),
    "MaxCreditThreshold": ("max-credit-threshold", _INT),
}
_GAS = {
    "DebtRecoveryRateCap": ("overall-debt-cap", _INT),
    "EmergencyCreditLimit": ("emergency-credit-limit", _UNSIGNED_INT),
    "EmergencyCreditThreshold": ("emergency-credit-threshold", _UNSIGNED_INT),
    "LowCreditThreshold": ("low-credit-threshold", _UNSIGNED_INT),
    "MaxMeterBalance": ("max-meter-balance", _UNSIGNED_INT),
    "MaxCreditThreshold": ("max-credit-threshold", _UNSIGNED_INT),
}
_FUELS = {
    "UpdatePrepayConfigElectricity": (_ELECTRICITY, "ElectricityNonDisablementCalendar"),
    "UpdatePrepayConfigGas": (_GAS, "GasNonDisablementCalendar"),
}

DataValues = tuple[tuple[str, int], ...]
"""Names and values, in the order of the document."""


def _names(*tables: Mapping[str, tuple[str, range]]) -> frozenset[str]:
    return frozenset(name for table in tables for name, _ in table.values())


VARIANT_VALUES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "1.5": _names(_ADJUSTMENT),
        "2.1": _names(_ELECTRICITY, _GAS),
        "6.4.1": _names(_LIMITS) | {_SUPPLY_STATE_NAME},
    }
)
"""The names that can stand in a request of a Service Reference Variant. A reset of a balance (1.5) has none of them."""


def read_data_values(tree: Tree, body: etree._Element) -> DataValues:
    """Those of the element in the Body, whole; none where it is of another variant. Raises: ContentMalformed."""
    name = local_name(body)
    if name == _METER_BALANCE:
        _, mode = _one_of(tree, body, "PrepaymentMode", "CreditMode")
        what, element = _one_of(tree, mode, "AdjustMeterBalance", "ResetMeterBalance")
        return _numbers(tree, {what: element}, _ADJUSTMENT) if what in _ADJUSTMENT else ()
    if name == _LOAD_LIMIT:
        found = tree.sequence(body, "ExecutionDateTime", *(f"{each}!" for each in (*_LIMITS, _SUPPLY_STATE)))
        return (*_numbers(tree, found, _LIMITS), (_SUPPLY_STATE_NAME, _supply_state(tree, found[_SUPPLY_STATE])))
    return _prepayment_values(tree, body) if name == _PREPAYMENT else ()


def _prepayment_values(tree: Tree, body: etree._Element) -> DataValues:
    parts = tree.sequence(body, "ExecutionDateTime", *_FUELS)
    fuels = [name for name in parts if name in _FUELS]
    if len(fuels) != 1:
        raise tree.malformed(body, f"one of {' and '.join(_FUELS)}", f"{len(fuels)}")
    table, calendar = _FUELS[fuels[0]]
    names = list(table)
    order = (*names[:4], calendar, *names[4:])
    return _numbers(tree, tree.sequence(parts[fuels[0]], *(f"{each}!" for each in order)), table)


def _one_of(tree: Tree, element: etree._Element, *names: str) -> tuple[str, etree._Element]:
    found = tree.children(element)
    if len(found) != 1 or found[0][0] not in names:
        told = ", ".join(name for name, _ in found[:8])[:100] or "nothing"
        raise tree.malformed(element, f"in {local_name(element)} one of {' and '.join(names)}", told)
    return found[0]


def _numbers(tree: Tree, found: Mapping[str, etree._Element], table: Mapping[str, tuple[str, range]]) -> DataValues:
    return tuple((name, _number(tree, found[element], allowed)) for element, (name, allowed) in table.items())


def _number(tree: Tree, element: etree._Element, allowed: range) -> int:
    text = tree.text(element)
    if not _match_number(text) or int(text) not in allowed:
        expected = f"a decimal from {allowed[0]} to {allowed[-1]}, as short as can be, in {local_name(element)}"
        raise tree.malformed(element, expected, text[:40])
    return int(text)


def _supply_state(tree: Tree, element: etree._Element) -> int:
    text = tree.text(element)
    if text not in _SUPPLY_STATES:
        raise tree.malformed(element, f"one of {' and '.join(_SUPPLY_STATES)} in {local_name(element)}", text[:40])
    return _SUPPLY_STATES[text]
