"""Where does the development token come from? A SoftHSM2 token in one directory, with a PIN nobody chose.

``softhsm2-util`` writes the token; it asks for PINs at a terminal, so it is given one (a pseudo-terminal) rather than
PINs among its arguments, which every process of the machine could read.
"""

from __future__ import annotations

import os
import pty
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keybroker.errors import ConfigurationInvalid

_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
_SERIAL = re.compile(r"Serial number:\s+(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftToken:
    """A software token: its label and serial, the library and its profile, the user's PIN and the security officer's.

    ``environment`` is what the library reads; names of files are seen from the deployment's directory.
    """

    library: Path
    label: str
    serial: str
    pin: str = field(repr=False)
    so_pin: str = field(default="", repr=False)
    profile: str = "softhsm2"
    environment: Mapping[str, str]


def find_library() -> Path:
    """The SoftHSM2 library of this machine.

    Raises: ConfigurationInvalid when it is not installed.
    """
    found = [Path(name) for name in _LIBRARIES if Path(name).exists()]
    if not found or shutil.which("softhsm2-util") is None:
        raise ConfigurationInvalid(
            "SoftHSM2 is not installed: expected libsofthsm2.so and softhsm2-util, found neither or one;"
            " on Debian or Ubuntu: apt-get install softhsm2"
        )
    return found[0]


def create_token(directory: Path, label: str) -> SoftToken:
    """Make a SoftHSM2 token under ``directory`` (``tokens/`` and ``softhsm2.conf``), readable by its owner alone.

    Raises: ConfigurationInvalid when SoftHSM2 is missing or refuses.
    """
    library = find_library()
    tokens = directory / "tokens"
    tokens.mkdir(mode=0o700)
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    )
    pin, so_pin = secrets.token_hex(8), secrets.token_hex(8)
    environment = {**os.environ, "SOFTHSM2_CONF": str(configuration)}
    _initialise(label, so_pin=so_pin, pin=pin, environment=environment)
    return SoftToken(
        library=library,
        label=label,
        serial=_serial(label, environment),
        pin=pin,
        so_pin=so_pin,
        environment={"SOFTHSM2_CONF": configuration.name},
    )


def _initialise(label: str, *, so_pin: str, pin: str, environment: Mapping[str, str]) -> None:
    terminal, slave = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - a fixed command, no shell
        ["softhsm2-util", "--init-token", "--free", "--label", label],  # noqa: S607 - found by find_library
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=dict(environment),
    ) as process:
        os.close(slave)
        said = _answer_prompts(terminal, [so_pin, so_pin, pin, pin])
    os.close(terminal)
    if process.returncode != 0:
        raise ConfigurationInvalid(f"softhsm2-util could not make a token; it said: {said.strip()[-200:]}")


def _answer_prompts(terminal: int, answers: Sequence[str]) -> str:
    """Answer each prompt as it appears (an answer typed early would be flushed away); the rest of what was said."""
    said, waiting = "", list(answers)
    while octets := _read(terminal):
        said += octets.decode(errors="replace")
        if waiting and said.rstrip().endswith(":"):
            os.write(terminal, waiting.pop(0).encode() + b"\n")
            said = ""
    return said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO: the program at the other end of the pseudo-terminal has gone
        return b""


def _serial(label: str, environment: Mapping[str, str]) -> str:
    listing = subprocess.run(
        ["softhsm2-util", "--show-slots"],  # noqa: S607 - found by find_library
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for slot in listing.split("\nSlot "):
        if f"Label:            {label}" in slot and (serial := _SERIAL.search(slot)):
            return serial.group(1)
    raise ConfigurationInvalid(f"softhsm2-util lists no token labelled {label!r} after making it")
