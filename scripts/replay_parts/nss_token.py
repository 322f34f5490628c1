"""A token of NSS softokn, in which agreed keys never leave the module: ``python -m scripts.replay_parts.nss_token``.

A new database has no PIN; it is given one by a process of its own, for a library reads its parameters once per process.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pkcs11 import _pkcs11

from keybroker.cli.dev.token import SoftToken
from keybroker.config.packaged import packaged_profile
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.function_list import FunctionList
from keybroker.hsm.profile import read_profile

PROFILE = "nss-softokn"
_SERIAL = "0000000000000000"
"""Every NSS token has this one."""
_PIN_VARIABLE = "KEYBROKER_REPLAY_NSS_PIN"


def find_nss() -> Path | None:
    """libsoftokn3.so of this machine, or None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/libsoftokn3.so"))), None)


def create_nss_token(directory: Path, label: str) -> SoftToken:
    """A database ``nss/`` under ``directory``. Raises: ConfigurationInvalid where NSS is missing or refuses."""
    library = find_nss()
    if library is None:
        raise ConfigurationInvalid("NSS softokn is not installed; on Debian or Ubuntu: apt-get install libnss3")
    database = directory / "nss"
    database.mkdir(mode=0o700)
    environment = {"NSS_DATABASE": str(database), "NSS_TOKEN_LABEL": label}
    pin = secrets.token_hex(8)
    _initialise(library, label, pin, environment)
    return SoftToken(library=library, label=label, serial=_SERIAL, pin=pin, profile=PROFILE, environment=environment)


def _initialise(library: Path, label: str, pin: str, environment: Mapping[str, str]) -> None:
    child = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.replay_parts.nss_token", str(library), label],
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, **environment, _PIN_VARIABLE: pin},
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        said = child.stderr.strip().splitlines()
        raise ConfigurationInvalid(f"NSS could not make a token: {said[-1] if said else 'no reason given'}")


class _Library(_pkcs11.lib):
    def initialize(self) -> None:
        """Done by the function list, with NSS's own parameters."""


def _give_pin(library: str, label: str) -> None:
    """An SO login with an empty PIN, then C_InitPIN."""
    parameters = read_profile(packaged_profile(PROFILE), name=PROFILE).library.initialise_parameters
    FunctionList(library, holds_gil=True, corrections={}).initialize(parameters.format_map(os.environ).encode())
    tokens = [slot.get_token() for slot in _Library(library).get_slots(token_present=True)]
    (token,) = [token for token in tokens if token.label == label]
    session = token.open(rw=True, so_pin="")
    session.init_pin(os.environ[_PIN_VARIABLE])
    session.close()


if __name__ == "__main__":
    _give_pin(*sys.argv[1:])
