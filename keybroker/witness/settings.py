"""Whose ledger does this witness know, and where does it serve? ``witness.toml`` in its directory, read strictly.

``keybroker witness init`` writes it, with the key beside it. Nothing that guards has a default. The key file
(``key.pem``, PKCS#8, Ed25519) is its owner's alone, and its octets stand in no log, message or argument.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from keybroker.errors import ConfigurationInvalid, ContentMalformed
from keybroker.ledger.durable import sync_directory, write_durably
from keybroker.ledger.note import check_key_name
from keybroker.ledger.note_keys import CosignatureKey, EcdsaNoteKey, Ed25519NoteKey, NoteKey, read_vkey
from keybroker.policy.strict_toml import read_toml

SETTINGS, KEY = "witness.toml", "key.pem"

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Place = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LedgerTable(_Table):
    """``vkeys``: of every key that signs its checkpoints, the next one too while a renewal goes on."""

    origin: Annotated[str, Field(min_length=1)]
    vkeys: Annotated[list[str], Field(min_length=1)]

    @field_validator("vkeys")
    @classmethod
    def _sign_checkpoints(cls, vkeys: list[str]) -> list[str]:
        for vkey in vkeys:
            _ledger_key(vkey)
        return vkeys

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        return tuple(_ledger_key(vkey) for vkey in self.vkeys)


class TlsTable(_Table):
    """PEM files, beside ``witness.toml`` where they are relative."""

    certificate: Annotated[str, Field(min_length=1)]
    private_key: Annotated[str, Field(min_length=1)]


class Settings(_Table):
    """``witness.toml``, whole. Times in seconds."""

    name: str
    listen: _Place
    metrics: _Place | None = None
    silence_seconds: _Seconds
    """Without a checkpoint cosigned for so long, the witness shouts."""
    clock_seconds: _Seconds
    """By how much the asker's clock (its Date) may differ from this one."""
    ledger: LedgerTable
    tls: TlsTable | None = None

    @field_validator("name")
    @classmethod
    def _is_a_key_name(cls, name: str) -> str:
        try:
            check_key_name(name)
        except ContentMalformed as error:
            raise ValueError(error.sentence) from error
        return name

    @model_validator(mode="after")
    def _is_not_the_ledger(self) -> Self:
        if self.name == self.ledger.origin:
            raise ValueError("the witness's name is the ledger's origin: it needs one of its own")
        return self


def read_settings(directory: Path) -> Settings:
    """Raises: ConfigurationInvalid, naming the file and every key that is wrong."""
    file = directory / SETTINGS
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(
            f"cannot be read ({error}): make it, keybroker witness init", where=SETTINGS
        ) from error
    return decode_settings(octets, where=str(file))


def decode_settings(octets: bytes, *, where: str) -> Settings:
    """``where`` is named in what is raised. Raises: ConfigurationInvalid."""
    try:
        return Settings.model_validate(read_toml(octets))
    except ValidationError as error:
        complaints = error.errors(include_input=False, include_url=False)
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in complaints)
        raise ConfigurationInvalid(told, where=where) from error
    except ValueError as error:
        raise ConfigurationInvalid(f"is not TOML: {error}", where=where) from error


def write_settings(directory: Path, told: Mapping[str, object]) -> Settings:
    """Write ``witness.toml``, whose values are texts, numbers, lists of texts and tables of those.

    Raises: ConfigurationInvalid for what could not be read back.
    """
    tables = {name: value for name, value in told.items() if isinstance(value, Mapping)}
    lines = [_line(name, value) for name, value in told.items() if name not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(_line(key, value) for key, value in table.items())]
    octets = "\n".join([*lines, ""]).encode("utf-8")
    settings = decode_settings(octets, where=str(directory / SETTINGS))
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(directory / SETTINGS, octets)
    return settings


def _line(name: str, value: object) -> str:
    # A JSON text, number or list of texts is TOML's too, but for what JSON escapes as a surrogate pair.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


def make_key(directory: Path) -> Ed25519PrivateKey:
    """A new key in a file that its owner alone may read; one that is there is never written over.

    Raises: ConfigurationInvalid.
    """
    file, key = directory / KEY, Ed25519PrivateKey.generate()
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(octets)
            out.flush()
            os.fsync(out.fileno())
        sync_directory(directory)
    except OSError as error:
        raise ConfigurationInvalid(f"cannot be made ({error.strerror})", where=str(file)) from error
    return key


def read_key(directory: Path) -> Ed25519PrivateKey:
    """Raises: ConfigurationInvalid, too, where others than the file's owner may read it."""
    file = directory / KEY
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise ConfigurationInvalid(f"may be read by others (mode {mode:04o}): expected 0600", where=str(file))
            key = load_pem_private_key(opened.read(), None)
    except OSError as error:
        raise ConfigurationInvalid(f"cannot be read ({error.strerror})", where=str(file)) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationInvalid("holds no private key in PEM, without a passphrase", where=str(file)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationInvalid("holds another key than an Ed25519 one", where=str(file))
    return key


def public_of(name: str, key: Ed25519PrivateKey) -> CosignatureKey:
    """Under the witness's name: what brokers and clients are configured with, as a verifier key."""
    return CosignatureKey(name=name, public_key=key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _ledger_key(vkey: str) -> EcdsaNoteKey | Ed25519NoteKey:
    """Raises: ValueError for what is no verifier key of a ledger."""
    try:
        key = read_vkey(vkey)
    except ContentMalformed as error:
        raise ValueError(error.sentence) from error
    if isinstance(key, CosignatureKey):
        raise ValueError("a witness's verifier key (type 04): expected the ledger's")  # noqa: TRY004 - pydantic's
    return key
