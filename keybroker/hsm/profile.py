"""What is known about one kind of device? ``hsm_profiles/<device>.toml``, read strictly.

A profile holds facts, never permission: which library and token to expect, how many sessions help, what its attributes
tell, what its return values mean. Each section says whether it was tried, and on what. Pure.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.attributes import KeyAttribute, TokenKeeping
from keybroker.hsm.return_values import RETURN_VALUES, Meaning

_Words = Annotated[str, StringConstraints(min_length=1)]


class _Section(BaseModel):
    """Every section says whether its facts were tried, and on what."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tried: bool
    notes: _Words


class Library(_Section):
    """``file_names``: as vendors install it. ``manufacturer``: a regular expression over all of C_GetInfo's
    manufacturerID."""

    file_names: tuple[_Words, ...]
    manufacturer: _Words
    initialise_parameters: str = Field(
        description="C_Initialize's library parameters; {NAME} is taken from the environment; empty for none"
    )


class TokenStrings(_Section):
    """Regular expressions over all of C_GetTokenInfo's manufacturerID and model."""

    manufacturer: _Words
    model: _Words


class Sessions(_Section):
    """``signing``: how many sign at once, at most. ``in_process``: the token computes in the caller's process (see
    docs/hsm.md)."""

    signing: int = Field(ge=1, le=1024)
    in_process: bool
    only_read_write: bool


class Keys(_Section):
    """``final_by_copy``: a pair made as session objects can be copied into the token unmodifiable, losing no
    attribute."""

    allowed_mechanisms: bool
    final_by_copy: bool
    imports_test_keys: bool
    import_needs_point: bool
    untold_attributes: tuple[_Words, ...]


class Objects(_Section):
    """``data``: the token keeps private CKO_DATA objects, so the ledger's head can be kept in it."""

    data: bool


class Validation(_Section):
    """What the maker claims. The certificate in force belongs to the deployment's module evidence, not here."""

    standard: _Words
    level: int = Field(ge=0, le=4)


class ReturnValues(_Section):
    """Where the device means something else than the table in ``return_values.py``."""

    meanings: dict[str, str]


class _ProfileFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    title: _Words
    library: Library
    token: TokenStrings
    sessions: Sessions
    keys: Keys
    objects: Objects
    validation: Validation
    return_values: ReturnValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One device's facts. ``sha256`` is of the file's octets and stands in every record."""

    name: str
    title: str
    library: Library
    token: TokenStrings
    sessions: Sessions
    keys: Keys
    objects: Objects
    validation: Validation
    keeping: TokenKeeping
    return_values: Mapping[str, Meaning]
    tried: Mapping[str, bool]
    sha256: bytes


def read_profile(octets: bytes, *, name: str) -> Profile:
    """Read one profile; ``name`` is that of its file without ``.toml``, and must be its own.

    Raises: ConfigurationInvalid for anything unknown, missing, mistyped or contradictory.
    """
    where = f"hsm_profiles/{name}.toml"
    try:
        # Strict mode takes no list for a tuple.
        read = _ProfileFile.model_validate(_tuples(tomllib.loads(octets.decode("utf-8"))))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(_sentence(error), where=where) from error
    if read.name != name:
        raise ConfigurationInvalid(f"name: expected {name!r}, found {read.name!r}", where=where)
    _check_patterns(read, where)
    return Profile(
        name=read.name,
        title=read.title,
        library=read.library,
        token=read.token,
        sessions=read.sessions,
        keys=read.keys,
        objects=read.objects,
        validation=read.validation,
        keeping=_keeping(read.keys, where),
        return_values=_meanings(read.return_values, where),
        tried={section: getattr(read, section).tried for section in _SECTIONS},
        sha256=hashlib.sha256(octets).digest(),
    )


_SECTIONS = ("library", "token", "sessions", "keys", "objects", "validation", "return_values")


def _tuples(value: object) -> object:
    match value:
        case dict():
            return {key: _tuples(item) for key, item in value.items()}
        case list():
            return tuple(_tuples(item) for item in value)
        case _:
            return value


def _sentence(error: ValidationError | ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"not readable as TOML in UTF-8: {error}"


def _check_patterns(read: _ProfileFile, where: str) -> None:
    for pattern in (read.library.manufacturer, read.token.manufacturer, read.token.model):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigurationInvalid(f"{pattern!r} is not a regular expression", where=where) from error


def _keeping(keys: Keys, where: str) -> TokenKeeping:
    try:
        untold = frozenset(KeyAttribute(attribute) for attribute in keys.untold_attributes)
    except ValueError as error:
        raise ConfigurationInvalid(f"keys.untold_attributes: {error}", where=where) from error
    never_untold = untold & {KeyAttribute.SENSITIVE, KeyAttribute.EXTRACTABLE, KeyAttribute.SIGN, KeyAttribute.KEY_TYPE}
    if never_untold:
        raise ConfigurationInvalid(
            f"keys.untold_attributes: {min(never_untold)} must be told by every token", where=where
        )
    return TokenKeeping(allowed_mechanisms=keys.allowed_mechanisms, final=keys.final_by_copy, untold=untold)


def _meanings(section: ReturnValues, where: str) -> Mapping[str, Meaning]:
    known = {value.name for value in RETURN_VALUES.values()}
    for name in section.meanings:
        if name not in known:
            raise ConfigurationInvalid(f"return_values.meanings: {name!r} is not a return value we know", where=where)
    try:
        return {name: Meaning(meaning) for name, meaning in section.meanings.items()}
    except ValueError as error:
        raise ConfigurationInvalid(f"return_values.meanings: {error}", where=where) from error
