"""What do library and token say of themselves? CK_INFO and CK_TOKEN_INFO, read (PKCS#11 v3.0 §3.1, §3.2). Pure."""

from __future__ import annotations

import struct

from keybroker.hsm.connection import TokenDescription

# Native: CK_ULONG is aligned and as wide as the platform has it, as on every platform but Windows.
_INFO = struct.Struct("@2B32sL32s2B")
"""cryptokiVersion, manufacturerID, flags, libraryDescription, libraryVersion."""
_TOKEN_INFO = struct.Struct("@32s32s16s16s11L2B2B")
"""label, manufacturerID, model, serialNumber, flags, ten limits and counts, hardwareVersion, firmwareVersion; utcTime,
which follows, is not read."""
_NUMBERS = 11


def read_description(info: bytes, token_info: bytes) -> TokenDescription:
    """As the calls filled the structures; white space around each text is padding."""
    *cryptoki, library_manufacturer, _, library, library_major, library_minor = _INFO.unpack_from(info)
    label, manufacturer, model, serial, *numbers = _TOKEN_INFO.unpack_from(token_info)
    hardware_major, hardware_minor, firmware_major, firmware_minor = numbers[_NUMBERS:]
    return TokenDescription(
        library_manufacturer=_text(library_manufacturer),
        library_description=_text(library),
        library_version=f"{library_major}.{library_minor}",
        cryptoki_version="{}.{}".format(*cryptoki),
        manufacturer=_text(manufacturer),
        model=_text(model),
        serial=read_serial(serial),
        label=_text(label),
        firmware_version=f"{firmware_major}.{firmware_minor}",
        hardware_version=f"{hardware_major}.{hardware_minor}",
    )


def read_serial(octets: bytes) -> str:
    """CK_CHAR, padded by blanks as the standard has it, or by zero octets as some tokens do."""
    return octets.decode("ascii", errors="replace").strip("\0 ")


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode("utf-8", errors="replace").rstrip()
