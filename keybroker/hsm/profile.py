"""What is known about one kind of device? ``hsm_profiles/<device>.toml``, read strictly.

A profile holds facts, never permission: which library and token to expect, how many sessions help, what its attributes
tell, what its return values mean. Each section says whether it was tried, and on what. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.attributes import KeyAttribute, TokenKeeping
from keybroker.hsm.profile_sections import (
    AesGcm,
    Keys,
    Library,
    Mac,
    MacStrategy,
    Objects,
    ProfileFile,
    QuorumAdapter,
    QuorumFacts,
    ReturnValues,
    Sessions,
    TokenStrings,
    TransferAdapter,
    Validation,
    WrappingFacts,
)
from keybroker.hsm.return_values import RETURN_VALUES, Meaning
from keybroker.policy.toml_form import read_form


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
    aes_gcm: AesGcm
    mac: Mac
    wrapping: WrappingFacts
    quorum: QuorumFacts
    validation: Validation
    keeping: TokenKeeping
    return_values: Mapping[str, Meaning]
    use_counter: int | None
    """The attribute under which it counts the uses of each key, None where it counts none."""
    tried: Mapping[str, bool]
    sha256: bytes


def read_profile(octets: bytes, *, name: str) -> Profile:
    """Read one profile; ``name`` is that of its file without ``.toml``, and must be its own.

    Raises: ConfigurationInvalid for anything unknown, missing, mistyped or contradictory.
    """
    where = f"hsm_profiles/{name}.toml"
    read = read_form(octets, ProfileFile, where=where)
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
        aes_gcm=_aes_gcm(read.aes_gcm, where),
        mac=_mac(read.mac, where),
        wrapping=_wrapping(read.wrapping, where),
        quorum=_quorum(read.quorum, where),
        validation=read.validation,
        keeping=_keeping(read.keys, where),
        return_values=_meanings(read.return_values, where),
        use_counter=None if read.use_counter is None else read.use_counter.attribute,
        tried={section: getattr(read, section).tried for section in _SECTIONS},
        sha256=hashlib.sha256(octets).digest(),
    )


_SECTIONS = (
    "library", "token", "sessions", "keys", "objects", "aes_gcm", "mac", "wrapping", "quorum", "validation",
    "return_values",
)  # fmt: skip


def _check_patterns(read: ProfileFile, where: str) -> None:
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
    return TokenKeeping(
        allowed_mechanisms=keys.allowed_mechanisms,
        final=keys.final_by_copy,
        sign_can_be_cleared=keys.sign_can_be_cleared,
        untold=untold,
    )


def _mac(section: Mac, where: str) -> Mac:
    named = (section.program != "", section.program_sha256 != "")
    if named != (section.strategy is MacStrategy.VENDOR_PROGRAM,) * 2:
        raise ConfigurationInvalid(
            "mac.program, mac.program_sha256: a vendor-program is named with its hash, and nothing else is", where=where
        )
    if section.strategy is MacStrategy.IN_MODULE_KDF and section.agreed_secrets:
        raise ConfigurationInvalid("mac.agreed_secrets: with in-module-kdf there is no Z to keep", where=where)
    return section


def _wrapping(section: WrappingFacts, where: str) -> WrappingFacts:
    ours = section.adapter is TransferAdapter.PKCS11_WRAP
    if {section.key_wrap != "", section.oaep != (), section.payloads_taken != ()} != {ours}:
        raise ConfigurationInvalid(
            "wrapping.key_wrap, oaep, payloads_taken: pkcs11-wrap needs all three, and nothing else has any",
            where=where,
        )
    if section.adapter.is_conducted != (section.commands != ()):
        raise ConfigurationInvalid(
            "wrapping.commands: what people conduct needs the maker's commands, and nothing else has any", where=where
        )
    return section


def _quorum(section: QuorumFacts, where: str) -> QuorumFacts:
    given = {commands != () for commands in (section.split, section.join, section.let_go, section.replace)}
    if given != {section.adapter is not QuorumAdapter.NONE}:
        raise ConfigurationInvalid(
            "quorum.split, join, let_go, replace: a quorum of the maker's needs the commands of all four, and nothing"
            " else has any",
            where=where,
        )
    return section


def _aes_gcm(section: AesGcm, where: str) -> AesGcm:
    known = {value.name for value in RETURN_VALUES.values()}
    for name in section.also_tag_wrong:
        if name not in known:
            raise ConfigurationInvalid(f"aes_gcm.also_tag_wrong: {name!r} is not a return value we know", where=where)
    return section


def _meanings(section: ReturnValues, where: str) -> Mapping[str, Meaning]:
    known = {value.name for value in RETURN_VALUES.values()}
    for name in section.meanings:
        if name not in known:
            raise ConfigurationInvalid(f"return_values.meanings: {name!r} is not a return value we know", where=where)
    try:
        return {name: Meaning(meaning) for name, meaning in section.meanings.items()}
    except ValueError as error:
        raise ConfigurationInvalid(f"return_values.meanings: {error}", where=where) from error
