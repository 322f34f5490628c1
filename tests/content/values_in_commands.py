"""Commands with data values that thresholds are set on: their payloads put together, and what is read of them."""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.content.contents import Content
from keybroker.content.data_values import data_values
from keybroker.content.decoding import decode
from keybroker.errors import ContentMalformed
from keybroker.terms import ContentKind
from tests.messages import compose_command, dlms_content, gbz_content

COUNTER = 1_000
ADJUST, LIMIT, PREPAYMENT, GAS = 0x001C, 0x0043, 0x001F, 0x006F
NOW = "090C 0000000000000000008000FF"


def specifications(*items: str) -> str:
    return f"{len(items):02X}" + "".join(items)


ADJUST_ITEM = "03 0070 0000130A00FF 01"
LIMIT_ITEMS = [f"02 2328 00005E2C{each}" for each in ("0003 04", "8007 04", "8006 04", "8008 04")] + [
    f"02 2328 00005E2C{each}" for each in ("0003 06", "8007 06", "8006 06", "8008 06")
]
LIMIT_DATA = ["03FF", "06 00001388", "06 0000003C", "06 00000014", NOW, NOW, NOW, NOW]
PREPAYMENT_ITEMS = [
    "02 000B 00010B0002FF 02",
    "02 2328 00005E2C0214 02",
    "02 2328 00005E2C020A 04",
    "02 000A 00010C0001FF 02",
    *(f"02 2328 00005E2C{each}" for each in ("800C 04", "800D 04", "8009 04", "8002 04", "801F 06", "8003 04")),
    *(f"02 2328 00005E2C{each} 06" for each in ("0214", "020A", "800C", "800D", "8009", "8002", "8003", "801C")),
]
PREPAYMENT_DATA = [
    "01 01 02 03 12 0001 09 05 FFFF 071D FF 11 01",
    "05 00000064",
    "05 000000C8",
    "01 00",
    "12 0011",
    "05 00015180",
    "05 FFFFFFFE",
    "05 0000012C",
    NOW,
    "05 00000190",
    *[NOW] * 8,
]


def adjustment(amount: int) -> str:
    return specifications(ADJUST_ITEM) + "01 05" + amount.to_bytes(4, "big", signed=True).hex()


def limits(items: list[str] = LIMIT_ITEMS, data: list[str] = LIMIT_DATA) -> str:
    return specifications(*items) + specifications(*data)


def prepayment(items: list[str] = PREPAYMENT_ITEMS, data: list[str] = PREPAYMENT_DATA) -> str:
    return specifications(*items) + specifications(*data)


def component(cluster: str, zcl: str, *, control: int = 0x00, date: str = "") -> str:
    inside = bytes.fromhex(date + zcl)
    return f"{control:02X}{cluster}{len(inside):04X}{inside.hex()}"


EMERGENCY = component("0705", "01 00 03 804A371C 00000000 E8030000 64000000")
DEBT_CAP = component("0705", "01 01 0C 00000000 804A371C 00000000 FEFFFFFF")
LOW_CREDIT = component("0705", "01 02 09 F4010000", control=0x10, date="00000000")
MOST_CREDIT = component("0705", "01 03 0B 00000000 804A371C 00000000 D0070000 000000FF")
CALENDAR = component("0707", "09 04 00 00000000 804A371C 804A371C 00000000 03 00 00 02 02 03")
LAST = component("0707", "09 05 04 00000000", control=0x01)
GAS_COMPONENTS = [EMERGENCY, DEBT_CAP, LOW_CREDIT, MOST_CREDIT, CALENDAR, LAST]


def gas(components: list[str] = GAS_COMPONENTS) -> str:
    return specifications(*components)


def command(code: int, content: str) -> bytes:
    rest = bytes.fromhex(content)
    return compose_command(
        code, counter=COUNTER, content=gbz_content(rest) if code == GAS else dlms_content(COUNTER, rest)
    )


def values_of(octets: bytes, kind: ContentKind = ContentKind.PRE_COMMAND) -> Mapping[str, int]:
    return data_values(decode(kind, octets))


def without(items: list[str], place: int) -> list[str]:
    return items[:place] + items[place + 1 :]


def instead(items: list[str], place: int, item: str) -> list[str]:
    return [*items[:place], item, *items[place + 1 :]]


GOOD = {ADJUST: adjustment(1_200_000), LIMIT: limits(), PREPAYMENT: prepayment(), GAS: gas()}
KNOWN: dict[int, dict[str, int]] = {
    ADJUST: {"adjust-meter-balance": 1_200_000},
    LIMIT: {
        "load-limit-supply-state": 1,
        "load-limit-power-threshold": 5_000,
        "load-limit-period": 60,
        "load-limit-restoration-period": 20,
    },
    PREPAYMENT: {
        "max-meter-balance": 100,
        "max-credit-threshold": 200,
        "debt-recovery-rate-cap": 17,
        "debt-recovery-rate-cap-period": 86_400,
        "low-credit-threshold": -2,
        "emergency-credit-limit": 300,
        "emergency-credit-threshold": 400,
    },
    GAS: {
        "emergency-credit-limit": 1_000,
        "emergency-credit-threshold": 100,
        "overall-debt-cap": -2,
        "low-credit-threshold": 500,
        "max-meter-balance": 2_000,
        "max-credit-threshold": 0xFF000000,
    },
}


def reading(kind: ContentKind, octets: bytes) -> Content | None:
    try:
        return decode(kind, octets)
    except ContentMalformed:
        return None
