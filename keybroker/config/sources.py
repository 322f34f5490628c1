"""What was read to make a configuration? The octets of every file, so that all workers are made of the same ones.

The supervisor reads the files, and keeps what it accepted in the data directory; a worker starts, restarts and reloads
from there, whatever has become of the files since. No PIN stands in any of them.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from keybroker.config.file import ConfigurationFile, read_file
from keybroker.config.packaged import packaged_policies, policy_files
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.canonical_json import encode

_NAME = "accepted-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``octets`` are keybroker.toml's; ``policies`` by file name; ``anchors`` are PEM files by their path as written.

    ``path`` is where keybroker.toml stood: other paths in it are relative to its directory.
    """

    path: Path
    octets: bytes
    policies: Mapping[str, bytes]
    anchors: Mapping[str, bytes]

    @property
    def digest(self) -> bytes:
        """SHA-256 over canonical JSON (RFC 8785) of SHA-256 of every file: what an order for a reload names.

        ``path`` is not in it: the same files elsewhere are the same configuration.
        """
        return sha256(
            encode(
                {
                    "anchors": {name: _sha256(octets) for name, octets in self.anchors.items()},
                    "configuration": _sha256(self.octets),
                    "policies": {name: _sha256(octets) for name, octets in self.policies.items()},
                }
            )
        ).digest()


def read_sources(path: Path | str) -> tuple[Sources, ConfigurationFile]:
    """Read keybroker.toml and every file that it names and that a reload reads. Raises: ConfigurationInvalid."""
    path = Path(path).absolute()
    octets = _octets(path, where=str(path))
    file = read_file(octets, name=str(path))
    policies = packaged_policies() if file.policies is None else policy_files(path.parent / file.policies.directory)
    names = (*file.anchors.certificates, *file.anchors.test_certificates, *file.anchors.device_certificates)
    anchors = {name: _octets(path.parent / name, where="anchors") for name in (*names, *_of_witnesses(file))}
    return Sources(path=path, octets=octets, policies=policies, anchors=anchors), file


def accepted_in(data_directory: Path) -> Path:
    """Where the sources that the supervisor accepted last are kept."""
    return data_directory / _NAME


def keep_accepted(sources: Sources, file: Path) -> None:
    """Whole or not at all: a worker may start at any moment. Raises: ConfigurationInvalid."""
    kept = {
        "path": str(sources.path),
        "octets": _text(sources.octets),
        "policies": {name: _text(octets) for name, octets in sources.policies.items()},
        "anchors": {name: _text(octets) for name, octets in sources.anchors.items()},
    }
    unfinished = file.with_suffix(".new")
    try:
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(kept, out)
        unfinished.replace(file)
    except OSError as error:
        raise ConfigurationInvalid(f"{file} cannot be written: {error.strerror}", where="data_directory") from error


def read_accepted(file: Path) -> tuple[Sources, ConfigurationFile]:
    """What ``keep_accepted`` wrote. Raises: ConfigurationInvalid."""
    try:
        kept = json.loads(_octets(file, where="data_directory"))
        sources = Sources(
            path=Path(kept["path"]),
            octets=base64.b64decode(kept["octets"]),
            policies={name: base64.b64decode(text) for name, text in kept["policies"].items()},
            anchors={name: base64.b64decode(text) for name, text in kept["anchors"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationInvalid(f"{file} is not as the supervisor wrote it", where="data_directory") from error
    return sources, read_file(sources.octets, name=str(sources.path))


def _of_witnesses(file: ConfigurationFile) -> list[str]:
    tables = () if file.witnesses is None else file.witnesses.witness
    return [each.anchors for each in tables if each.anchors is not None]


def _sha256(octets: bytes) -> str:
    return sha256(octets).hexdigest()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _octets(path: Path, *, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(f"{path} cannot be read: {error.strerror}", where=where) from error
