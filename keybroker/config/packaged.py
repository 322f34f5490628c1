"""Where are the policies, profiles and the verifier that travel with the package? The one function that finds them.

In a wheel they stand in ``keybroker/policies``, ``keybroker/hsm_profiles`` and ``keybroker/verifier``; in a source tree
beside the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keybroker
from keybroker.errors import ConfigurationInvalid


def packaged_policies() -> Mapping[str, bytes]:
    """File name to octets, of every packaged policy."""
    return policy_files(_packaged("policies"))


def packaged_profile(name: str) -> bytes:
    """The octets of ``hsm_profiles/<name>.toml``. Raises: ConfigurationInvalid where there is none."""
    directory = _packaged("hsm_profiles")
    try:
        return (directory / f"{name}.toml").read_bytes()
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.stem for path in directory.glob("*.toml")))
        raise ConfigurationInvalid(f"no profile {name}; there are {known}", where="module.profile") from error


def packaged_for_verifiers() -> Mapping[str, bytes]:
    """Name to octets, of what an evidence package bears so that a stranger needs nothing else: the verifier, and what
    a record is, as a JSON schema."""
    directory = _packaged("verifier")
    return {name: (directory / name).read_bytes() for name in ("record.schema.json", "verify_evidence.py")}


def packaged_verifier() -> Path:
    """The verifier of evidence packages, a file that Python runs by itself. Raises: ConfigurationInvalid."""
    return _packaged("verifier") / "verify_evidence.py"


def policy_files(directory: Path) -> Mapping[str, bytes]:
    """File name to octets, of every ``*.toml`` in a directory. Raises: ConfigurationInvalid when it cannot be read."""
    try:
        return {path.name: path.read_bytes() for path in sorted(directory.glob("*.toml"))}
    except OSError as error:
        raise ConfigurationInvalid(f"{directory} cannot be read", where="policies.directory") from error


def _packaged(name: str) -> Path:
    package = Path(keybroker.__file__).parent
    for directory in (package / name, package.parent / name):
        if directory.is_dir():
            return directory
    raise ConfigurationInvalid(f"the package is incomplete: no {name} directory", where="keybroker")
