"""GBCS messages for tests, composed by code that shares nothing with ``keybroker.content`` (handbook 1.1-1.6, 3.5).

``compose_command(code)`` is a whole valid Pre-Command or Command of a use case; fields can be given, and given wrong.
``CRITICAL_CODES`` are codes that a User or a DCC party signs, some of every payload family.
"""

from __future__ import annotations

from keybroker.terms import EntityIdentifier

SUPPLIER = EntityIdentifier.from_text("90-B3-D5-1F-AA-01-00-00")
NETWORK_OPERATOR = EntityIdentifier.from_text("90-B3-D5-1F-AA-02-00-00")
LOAD_CONTROLLER = EntityIdentifier.from_text("90-B3-D5-1F-AA-01-00-08")
ACCESS_CONTROL_BROKER = EntityIdentifier.from_text("90-B3-D5-1F-AA-00-00-02")
TRANSITIONAL_COS = EntityIdentifier.from_text("90-B3-D5-1F-AA-00-00-04")
WAN_PROVIDER = EntityIdentifier.from_text("90-B3-D5-1F-AA-00-00-07")
RECOVERY = EntityIdentifier.from_text("90-B3-D5-1F-AA-00-00-01")
CONTINGENCY = EntityIdentifier.from_text("70-B3-D5-1F-AA-00-17-FF")
DEVICE = EntityIdentifier.from_text("00-DB-12-34-AA-78-90-A0")

SET_CLOCK = 0x0062  # ECS70, DLMS, critical, supplier
CLOSE_LOAD_SWITCH = 0x004F  # ECS42, DLMS, critical, supplier
OPEN_LOAD_SWITCH = 0x0050  # ECS43, DLMS, critical, supplier
CLOSE_VALVE = 0x0081  # GCS32, GBZ, critical, supplier
ACTIVATE_FIRMWARE = 0x0012  # CS06, ASN.1, critical, supplier
UNJOIN = 0x000F  # CS04AC, ASN.1, critical, supplier or access control broker
LIMIT_APC_LEVEL = 0x011F  # ECS47e, DLMS, critical, load controller
SUPPLIER_BY_SUPPLIER = 0x0102  # CS02b, ASN.1
NETWORK_OPERATOR_BY_NETWORK_OPERATOR = 0x0103  # CS02b, ASN.1
ACB_BY_ACB = 0x0104  # CS02b, ASN.1, MAC-only
WAN_PROVIDER_BY_WAN_PROVIDER = 0x0105
TRANS_COS_BY_TRANS_COS = 0x0106
SUPPLIER_BY_TRANS_COS = 0x0107
ANY_BY_RECOVERY = 0x0108
ANY_BY_CONTINGENCY = 0x0109
LOAD_CONTROLLER_BY_LOAD_CONTROLLER = 0x0125  # CS02g, ASN.1
LOAD_CONTROLLER_BY_SUPPLIER = 0x0126  # CS02g, ASN.1
SEND_MESSAGE = 0x0021  # ECS10, DLMS, non-critical (MAC-only)
ALERT_CODE = 0x0061  # ECS68, an Alert
UNKNOWN_CODE = 0x7FFF

# Payload families of all Commands by Message Code (what is in neither list is DLMS); range() where codes are adjacent.
GBZ_FAMILY = frozenset([0x008D, 0x0090, 0x009B, 0x00A3, 0x00AD, 0x00B8, 0x00D8, 0x00DA, 0x00F1, 0x012A]).union(
    range(0x0014, 0x0016),
    range(0x006B, 0x007A),
    range(0x007B, 0x007F),
    range(0x0080, 0x008A),
    range(0x0096, 0x0098),
    range(0x009D, 0x00A2),
    range(0x00B4, 0x00B7),
    range(0x00BF, 0x00C1),
    range(0x00C2, 0x00C6),
    range(0x00FB, 0x00FD),
)
CS02B_FAMILY = frozenset(range(0x0100, 0x010A))
CS02G_FAMILY = frozenset([LOAD_CONTROLLER_BY_LOAD_CONTROLLER, LOAD_CONTROLLER_BY_SUPPLIER])
ASN1_FAMILY = (
    CS02B_FAMILY
    | CS02G_FAMILY
    | frozenset([0x0008, *range(0x000A, 0x0011), 0x0012, 0x0013, 0x007F, 0x008C, 0x00AB, 0x00AF, 0x011B, 0x0129])
)

# Some signed codes of every family.
DLMS_CODES = (SET_CLOCK, CLOSE_LOAD_SWITCH, OPEN_LOAD_SWITCH, LIMIT_APC_LEVEL)
GBZ_CODES = (0x006B, 0x007C, CLOSE_VALVE, 0x0085)
CS02B_CODES = tuple(range(0x0102, 0x010A))
CS02G_CODES = (LOAD_CONTROLLER_BY_LOAD_CONTROLLER, LOAD_CONTROLLER_BY_SUPPLIER)
ASN1_CODES = (0x000A, ACTIVATE_FIRMWARE, UNJOIN, *CS02B_CODES, *CS02G_CODES)
CRITICAL_CODES = DLMS_CODES + GBZ_CODES + ASN1_CODES


def length_octets(length: int) -> bytes:
    """A minimal length encoding: 0x00-0x7F, 0x81 nn, 0x82 nn nn (handbook 1.1), 0x83 nn nn nn in long DER."""
    if length < 0x80:
        return bytes([length])
    if length < 0x100:
        return bytes([0x81, length])
    octets = length.to_bytes(2 if length < 0x10000 else 3, "big")
    return bytes([0x80 | len(octets)]) + octets


def der(tag: int, *contents: bytes) -> bytes:
    """One DER element."""
    content = b"".join(contents)
    return bytes([tag]) + length_octets(len(content)) + content


def der_integer(value: int, tag: int = 0x02) -> bytes:
    """A non-negative DER INTEGER, or one under an implicit ``tag``."""
    return der(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def dlms_content(counter: int, rest: bytes = bytes.fromhex("01 03 0046 0000600300FF 02  01 0F00")) -> bytes:
    """An access-request: 0xD9 0x20, low 24 bits of the counter, no date-time, then ``rest``."""
    return b"\xd9\x20" + (counter % 2**24).to_bytes(3, "big") + b"\x00" + rest


def gbz_content(rest: bytes = bytes.fromhex("01 01 0700 0003 010000")) -> bytes:
    """ZigBee profile 0x0109, then ``rest``: component count; control field, cluster, length, ZCL header and payload."""
    return b"\x01\x09" + rest


def cs02b_content(counter: int, mode: int, *, symmetric_key: bytes | None = None) -> bytes:
    """Update Security Credentials: replacement mode, [3] sequence number = counter; no replacements (handbook 3.5)."""
    cell = der(0x30, der_integer(2), der(0x03, b"\x07\x80"))
    key = b"" if symmetric_key is None else der(0x80, symmetric_key)
    control = der(0x30, der_integer(mode), key, der(0xA2, cell[2:]), der_integer(counter, 0x83), der_integer(0, 0x84))
    return der(0x30, control, der(0x30), der(0x30))


def cs02g_content(counter: int, mode: int = 0) -> bytes:
    """Update Load Controller Security Credentials: [3] sequence number = counter."""
    control = der(0x30, der_integer(mode), der_integer(counter, 0x83))
    return der(0x30, control, der(0x30), der(0x30))


def cs06_content(counter: int, *, execute_at: str | None = None) -> bytes:
    """Activate Firmware: manufacturer image hash, sequence number = counter, optional GeneralizedTime."""
    when = b"" if execute_at is None else der(0x18, execute_at.encode())
    return der(0x30, der(0x04, bytes(range(32))), der_integer(counter), when)


def content_for(code: int, counter: int) -> bytes:
    """A valid content for ``code``; DLMS where nothing else is known of it."""
    if code in CS02B_FAMILY:
        return cs02b_content(counter, code & 0xFF, symmetric_key=bytes(32) if code == ANY_BY_CONTINGENCY else None)
    if code in CS02G_FAMILY:
        return cs02g_content(counter)
    if code == ACTIVATE_FIRMWARE:
        return cs06_content(counter)
    if code in ASN1_FAMILY:
        return der(0x04, DEVICE.octets)
    if code in GBZ_FAMILY:
        return gbz_content()
    return dlms_content(counter)


def compose_command(
    code: int = SET_CLOCK,
    originator: EntityIdentifier = SUPPLIER,
    recipient: EntityIdentifier = DEVICE,
    counter: int = 1_000,
    *,
    content: bytes | None = None,
    supplementary: tuple[EntityIdentifier, int] | None = None,
    cra: int = 0x01,
    null_signature: bool = False,
    signature: bytes = b"",
) -> bytes:
    """A whole Pre-Command or Command, unsigned unless ``signature`` (64 octets) is given.

    ``supplementary`` is (Supplementary Remote Party ID, its counter), for the ACB acting for an Unknown Remote Party.
    """
    if content is None:
        content = content_for(code, counter)
    other = code.to_bytes(2, "big")
    if supplementary is not None:
        other += supplementary[0].octets + supplementary[1].to_bytes(8, "big")
    parts = [
        b"\xdf\x09",
        bytes([cra]),
        counter.to_bytes(8, "big"),
        b"\x08" + originator.octets,
        b"\x08" + recipient.octets,
        b"\x00",
        length_octets(len(other)) + other,
        length_octets(len(content)) + content,
        b"\x00" if null_signature else b"",
        length_octets(len(signature)) + signature if signature else b"",
    ]
    return b"".join(parts)


def sign_message(message: bytes, signature: bytes) -> bytes:
    """What a Device takes: ``message`` (no null signature) || 0x40 || r || s."""
    return message + b"\x40" + signature


def compose_inner(message: bytes, signature: bytes = b"") -> bytes:
    """What a MAC is put to: ``message`` and its signature field, 0x00 or 0x40 and r || s (handbook 1.6)."""
    return message + (b"\x40" + signature if signature else b"\x00")


def wrap_in_mac(inner: bytes, mac: bytes) -> bytes:
    """The general-ciphering APDU of handbook 1.7."""
    body = bytes.fromhex("1100000000") + inner + mac
    return bytes.fromhex("DD000000000000") + length_octets(len(body)) + body


def compose_answer(
    code: int = SEND_MESSAGE,
    originator: EntityIdentifier = DEVICE,
    recipient: EntityIdentifier = SUPPLIER,
    counter: int = 1_000,
    *,
    content: bytes = b"",
    other: bytes = b"",
    cra: int = 0x02,
    date_time: bytes = b"",
) -> bytes:
    """A Response (``cra`` 3: an Alert) to the end of its content; ``other`` follows the Message Code."""
    if not content:
        content = (b"\xda\x20" if cra == 0x02 else b"\x0f\x20") + (counter % 2**24).to_bytes(3, "big") + bytes(4)
    header = b"\xdf\x09" + bytes([cra]) + counter.to_bytes(8, "big") + b"\x08" + originator.octets
    header += b"\x08" + recipient.octets + length_octets(len(date_time)) + date_time
    other = code.to_bytes(2, "big") + other
    return header + length_octets(len(other)) + other + length_octets(len(content)) + content


def encrypted_item(ciphertext: bytes, tag: bytes) -> bytes:
    """One encrypted data item (handbook 1.9)."""
    return bytes.fromhex("3100000000") + ciphertext + tag


def protected_data(counter: int, originator: EntityIdentifier, recipient: EntityIdentifier, item: bytes) -> bytes:
    """Protection parameters and the item, as DLMS data stand one after the other (without a structure around them)."""
    parameters = bytes.fromhex("01 01 02 02 16 02 02 05 09 09 04") + counter.to_bytes(8, "big")
    parameters += b"\x09\x08" + originator.octets + b"\x09\x08" + recipient.octets
    parameters += bytes.fromhex("09 00 02 02 16 02 02 02 09 01 02 09 00")
    return parameters + b"\x09" + length_octets(len(item)) + item


def access_response(counter: int, *data: bytes) -> bytes:
    """0xDA 0x20, low 24 bits of the counter, no date-time, no specification, the data, and a result for each."""
    head = b"\xda\x20" + (counter % 2**24).to_bytes(3, "big") + bytes(2)
    return head + bytes([len(data)]) + b"".join(data) + bytes([len(data)]) + b"\x01\x00" * len(data)


def gbz_component(inside: bytes, control: int = 0x01, cluster: bytes = b"\x07\x02") -> bytes:
    """Control field (01: the last; 02: encrypted), cluster, length, ZCL header and payload."""
    return bytes([control]) + cluster + len(inside).to_bytes(2, "big") + inside


def encrypted_zcl(item: bytes, frame_counter: int = 0) -> bytes:
    """Additional header, ZCL header, length, the item (handbook 1.9)."""
    return bytes([0, frame_counter]) + bytes.fromhex("180001") + len(item).to_bytes(2, "big") + item
