"""Tokens for the tests: directories of SoftHSM and databases of NSS, made new in a temporary directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybroker.hsm.function_list import FunctionList
from keybroker.hsm.opening import open_token
from keybroker.hsm.profile import Profile, read_profile
from keybroker.hsm.token_module import Token
from keybroker.terms import DeploymentKind
from tests import evidence
from tests.lives import live
from tests.situations import packaged_policies

ROOT = Path(__file__).parent.parent.parent
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
NSS = next((str(path) for path in Path("/usr/lib").glob("*/libsoftokn3.so")), "")
PIN = "4711-test"
SO_PIN = "so-4711-test"
NSS_SERIAL = "0000000000000000"
SITE = evidence.MODULE.site


def packaged_profile(name: str) -> Profile:
    return read_profile((ROOT / "hsm_profiles" / f"{name}.toml").read_bytes(), name=name)


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """What a deployment's configuration would say of a token."""

    profile: Profile
    library: str
    label: str
    serial: str
    environment: dict[str, str]

    def open(self, **changes: Any) -> Token:
        """Open the token in this process; its environment must stand already."""
        given: dict[str, Any] = {
            "library": self.library,
            "token_label": self.label,
            "token_serial": self.serial,
            "pin": lambda: PIN,
            "sessions": 1,
            "policies": packaged_policies(),
            "deployment": DeploymentKind.TEST,
            "site": SITE,
        }
        return open_token(self.profile, **given | changes)


def make_softhsm(directory: Path, label: str = "keybroker-test") -> TokenPlace:
    """A SoftHSM configuration and one token under this directory."""
    tokens = directory / "tokens"
    tokens.mkdir(parents=True)
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(configuration)}
    add_softhsm_token(environment, label)
    serial = _softhsm("--show-slots", environment=environment).split("Serial number:")[1].split()[0]
    return TokenPlace(packaged_profile("softhsm2"), SOFTHSM, label, serial, environment)


def add_softhsm_token(environment: dict[str, str], label: str) -> None:
    _softhsm("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN, environment=environment)


def told_by_softhsm(place: TokenPlace) -> dict[str, str]:
    """What SoftHSM's own tool shows of the token."""
    slots = _softhsm("--show-slots", environment=place.environment).split("\nSlot ")
    (own,) = (slot for slot in slots if place.serial in slot)
    lines = (line.partition(":") for line in own.partition("Token info:")[2].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines if value.strip()}


def _softhsm(*arguments: str, environment: dict[str, str]) -> str:
    command = ["softhsm2-util", *arguments]
    return subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True).stdout


def make_nss(directory: Path, label: str = "keybroker-nss") -> TokenPlace:
    """An NSS database with our PIN, made in a process of its own."""
    directory.mkdir(parents=True)
    environment = {"NSS_DATABASE": str(directory), "NSS_TOKEN_LABEL": label}
    run_script("make_nss_database", NSS, label, PIN, environment=environment)
    return TokenPlace(packaged_profile("nss-softokn"), NSS, label, NSS_SERIAL, environment)


def run_script(name: str, *arguments: str, environment: dict[str, str], timeout: float = 60) -> str:
    """Run one of ``tests/hsm/scripts`` in a process of its own: what it does to a library must not reach other
    tests."""
    done = live(f"tests.hsm.scripts.{name}", arguments, environment=os.environ | environment, seconds=timeout)
    assert done.returncode == 0, f"{name} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def opened(place: TokenPlace, **changes: Any) -> Iterator[Token]:
    """A token opened in this process for a module of tests: the library is initialised anew, so that it reads our
    environment."""
    before = {name: os.environ.get(name) for name in place.environment}
    os.environ.update(place.environment)
    library = FunctionList(place.library, holds_gil=True, corrections={})
    library.finalize()
    token = place.open(**changes)
    try:
        yield token
    finally:
        token.close()
        library.finalize()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
