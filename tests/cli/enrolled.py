"""A Key Custodian who is enrolled in files, with a share of two of three; ``conftest.py`` makes her."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybroker.ceremony.custody import Custodian, read_custodian
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.share import Share, encode_share, make_shares
from keybroker.ceremony.share_set import make_share_set
from keybroker.ceremony.split_key import split
from keybroker.cli.custodian_asking import PinAsked
from keybroker.cli.custodian_directory import own_keys
from tests.cli.command import run, run_here, run_json

NAMES = ("ada", "ben", "cai")
ENV = {"COLUMNS": "80", "LINES": "24"}


def shares(generation: int = 1, names: tuple[str, ...] = NAMES) -> tuple[Share, ...]:
    """Two of three."""
    key = secrets.token_bytes(32)
    parts = split(key, threshold=2, count=3, draw=secrets.token_bytes)
    share_set = make_share_set(
        parts,
        wrapping_key=key,
        custodians=names,
        ceremony="split-2026",
        key="recovery-1",
        purpose="recovery-command",
        public_key_sha256="ab" * 32,
        generation=generation,
        blobs=["cd" * 32],
    )
    return make_shares(parts, share_set)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Ada, in files; ``share`` is hers."""

    directory: Path
    share: Share

    @property
    def custodian(self) -> Custodian:
        return read_custodian(self.directory)

    def envelope(self, octets: bytes | None = None, *, name: str = "share.cms") -> Path:
        file = self.directory.parent / name
        whole = encode_share(self.share) if octets is None else octets
        file.write_bytes(seal(whole, self.custodian.receiving_certificate, secrets.token_bytes))
        return file

    def json(self, *arguments: object, expect: int = 0) -> Any:
        # What opens a share, or makes a key, guards the memory of its process: not of this one.
        how = run_here if arguments[0] == "show" or expect == 2 else run
        return run_json("custodian", *arguments, "--directory", self.directory, env=ENV, expect=expect, how=how)

    def key(self) -> PersonKey:
        return own_keys(self.directory, self.custodian, no_pin())


def no_pin() -> PinAsked:
    return PinAsked(environment=None, file_descriptor=None, credential=None)
