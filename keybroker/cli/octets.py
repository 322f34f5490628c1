"""How do octets come from files, and go into them? Raw, as hexadecimal text, or as PEM."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----([A-Za-z0-9+/=\s]+)-----END [A-Z0-9 ]+-----")


def read_octets(file: Path) -> bytes:
    """A GBCS message begins with 0xDF or 0xDD, DER with 0x30 0x8. and XML with ``<``: none is hexadecimal text."""
    octets = file.read_bytes()
    try:
        return bytes.fromhex(octets.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return octets


def read_der(files: Iterable[Path]) -> tuple[bytes, ...]:
    """Everything that the files hold, in order: each block of a PEM file, or the one object of another."""
    return tuple(der for file in files for der in _der(file))


def check_writable(output: Path | None) -> None:
    """Before the key is used: a place that cannot be written should not cost a signature. Raises: BadParameter."""
    if output is None:
        return
    existing = output if output.exists() else output.parent
    if output.is_dir() or not os.access(existing, os.W_OK):
        raise typer.BadParameter(f"expected a file that can be written, found {output}", param_hint="--output")


def write_outputs(output: Path, outputs: Sequence[bytes], *, private: bool = False) -> list[Path]:
    """One to ``output``, several to ``output.1`` and so on. ``private``: for the owner's eyes alone."""
    names = [output] if len(outputs) == 1 else [Path(f"{output}.{number}") for number in range(1, len(outputs) + 1)]
    for name, octets in zip(names, outputs, strict=True):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
    return names


def _der(file: Path) -> Iterable[bytes]:
    octets = file.read_bytes()
    blocks = _PEM.findall(octets)
    return [base64.b64decode(b"".join(block.split())) for block in blocks] if blocks else [read_octets(file)]
