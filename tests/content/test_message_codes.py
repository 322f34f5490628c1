"""The shipped table of Message Codes: strict to read, and what it says where a decision was taken."""

from __future__ import annotations

import pytest

from keybroker.content.message_codes import MESSAGE_CODES, UNKNOWN_REMOTE_PARTY_CODES, read_message_codes
from keybroker.content.model import Criticality, PayloadFamily
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import RemotePartyRole as Role

HEADER = "code,use_case,name,criticality,kind,signers,payload,service_reference_variants"
ROW = "0x0062,ECS70,Set Clock,critical,command,SUPPLIER,DLMS,6.11 8.1.1"

BAD_TABLES = [
    ("nothing at all", []),
    ("another column", [HEADER + ",more", ROW + ","]),
    ("a column too few", [HEADER, ROW.rpartition(",")[0]]),
    ("a column too many", [HEADER, ROW + ","]),
    ("a lower-case code", [HEADER, ROW.replace("0x0062", "0x00ab")]),
    ("a decimal code", [HEADER, ROW.replace("0x0062", "98")]),
    ("an unknown criticality", [HEADER, ROW.replace("critical", "grave")]),
    ("a blank criticality", [HEADER, ROW.replace("critical", "")]),
    ("an unknown kind", [HEADER, ROW.replace("command", "response")]),
    ("an unknown role", [HEADER, ROW.replace("SUPPLIER", "PLUMBER")]),
    ("an unknown family", [HEADER, ROW.replace("DLMS", "XML")]),
    ("no name", [HEADER, ROW.replace("Set Clock", "")]),
    ("no payload for a signed code", [HEADER, ROW.replace("DLMS", "")]),
    ("signers of an alert", [HEADER, ROW.replace("command", "alert")]),
    ("signers of a MAC-only code", [HEADER, ROW.replace("critical", "non-critical")]),
    ("signers of an unknown code", [HEADER, ROW.replace("critical", "unknown")]),
    ("a code twice", [HEADER, ROW, ROW]),
    ("codes out of order", [HEADER, ROW, ROW.replace("0x0062", "0x0061")]),
]


@pytest.mark.parametrize("lines", [row[1] for row in BAD_TABLES], ids=[row[0] for row in BAD_TABLES])
def test_refuses_a_table_with(lines: list[str]) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"message_codes\.csv"):
        read_message_codes(lines)


def test_reads_a_row() -> None:
    code = read_message_codes([HEADER, ROW])[0x0062]
    assert (code.value, code.use_case, code.name) == (0x0062, "ECS70", "Set Clock")
    assert (code.criticality, code.is_command) == (Criticality.CRITICAL, True)
    assert code.signers == {Role.SUPPLIER}
    assert code.payload == {PayloadFamily.DLMS}
    assert code.service_reference_variants == ("6.11", "8.1.1")


ACB = Role.ACCESS_CONTROL_BROKER
SIGNERS = {
    0x0008: {Role.RECOVERY, Role.TRANSITIONAL_COS},
    0x000F: {Role.SUPPLIER, ACB},
    0x0062: {Role.SUPPLIER},
    0x00AB: {Role.SUPPLIER, ACB},
    0x00AF: {Role.SUPPLIER, ACB},
    0x0100: set(),
    0x0101: set(),
    0x0102: {Role.SUPPLIER, ACB},
    0x0103: {Role.NETWORK_OPERATOR, ACB},
    0x0104: {ACB},
    0x0105: {Role.WAN_PROVIDER},
    0x0106: {Role.TRANSITIONAL_COS},
    0x0107: {Role.TRANSITIONAL_COS},
    0x0108: {Role.RECOVERY},
    0x0109: set(),
    0x011B: {Role.RECOVERY, Role.SUPPLIER, Role.TRANSITIONAL_COS},
    0x011F: {Role.LOAD_CONTROLLER},
    0x0125: {Role.LOAD_CONTROLLER},
    0x0126: {Role.SUPPLIER},
}


@pytest.mark.parametrize(("code", "signers"), SIGNERS.items(), ids=[f"0x{code:04X}" for code in SIGNERS])
def test_signers_are_as_decided(code: int, signers: set[Role]) -> None:
    assert MESSAGE_CODES[code].signers == signers


def test_the_table_is_whole() -> None:
    assert len(MESSAGE_CODES) == 240
    by_criticality = [code.criticality for code in MESSAGE_CODES.values()]
    assert by_criticality.count(Criticality.UNKNOWN) == 5
    assert {code.value for code in MESSAGE_CODES.values() if code.criticality is Criticality.VARIANT} == {
        8,
        0x104,
        0x11B,
    }
    assert MESSAGE_CODES[0x0062].service_reference_variants == ("6.11", "8.1.1")


def test_sixty_codes_are_signed_by_users_apart_from_the_variants() -> None:
    users = {Role.SUPPLIER, Role.NETWORK_OPERATOR, Role.LOAD_CONTROLLER}
    critical = [c for c in MESSAGE_CODES.values() if c.criticality is Criticality.CRITICAL and c.signers & users]
    assert len(critical) == 60


def test_nobody_signs_an_alert_or_a_mac_only_command() -> None:
    for code in MESSAGE_CODES.values():
        if not code.is_command or code.criticality is Criticality.NON_CRITICAL:
            assert code.signers == frozenset()


def test_an_unknown_remote_party_is_acted_for_by_the_access_control_broker_alone() -> None:
    critical = {code for code in UNKNOWN_REMOTE_PARTY_CODES if MESSAGE_CODES[code].signers}
    assert critical == {0x000F, 0x00AB, 0x00AF, 0x0102, 0x0103, 0x0104}
